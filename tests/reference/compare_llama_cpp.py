"""What llama.cpp computes with a GGUF file of Gemma 3 270M: perplexity and greedy continuations.

    python compare_llama_cpp.py MODEL.gguf --out tests/golden/gemma3_270m/llama_cpp.json

Needs the Python package llama-cpp-python (and numpy); no other test or script does. A C++ test replays
the file where NOLENS_GEMMA3_270M names the same model. All computing happens on the processor in
one thread, keys and values in float32, the whole window cached.
"""

import argparse
import hashlib
import json
import pathlib
import re

import llama_cpp
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXT = ROOT / "data" / "devils-dictionary" / "excerpt.txt"
WINDOWS = (512, 2048)
GREEDY_TOKENS = 48
PROMPTS = [
    "The capital of France is",
    "Water boils at a temperature of",
    "Once upon a time there was a king who",
    "def fibonacci(n):\n    ",
    "Die drei größten Städte Deutschlands sind",
]


def open_model(path, context):
    return llama_cpp.Llama(
        str(path), n_ctx=context, n_batch=512, n_threads=1, n_threads_batch=1, logits_all=True, verbose=False,
        type_k=llama_cpp.GGML_TYPE_F32, type_v=llama_cpp.GGML_TYPE_F32, swa_full=True, seed=0)


def perplexity(path, text, window):
    """Windows without overlap; the first token of each is BOS, those after its middle are predicted."""
    model = open_model(path, window)
    ids = model.tokenize(text.encode(), add_bos=True, special=False)
    half, loss, count = window // 2, 0.0, 0
    for first in range(0, len(ids) // window * window, window):
        part = [model.token_bos()] + ids[first + 1:first + window]
        model.reset()
        model.eval(part)
        for position in range(half, window - 1):
            scores = model.scores[position]
            largest = scores.max()
            total = np.log(np.exp(scores - largest).sum(dtype=np.float64))
            loss += float(total - (scores[part[position + 1]] - largest))
            count += 1
    return {"window": window, "tokens": len(ids), "predicted_tokens": count,
            "perplexity": float(np.exp(loss / count))}


def continuation(model, prompt):
    """Greedy ids after a prompt, and by how much the best logit led each time."""
    ids = model.tokenize(prompt.encode(), add_bos=True, special=False)
    model.reset()
    model.eval(ids)
    answer, leads, second = [], [], []
    for _ in range(GREEDY_TOKENS):
        scores = model.scores[model.n_tokens - 1]
        best = np.argsort(scores)[::-1][:2]
        answer.append(int(best[0]))
        second.append(int(best[1]))
        leads.append(round(float(scores[best[0]] - scores[best[1]]), 4))
        model.eval([answer[-1]])
    return {"prompt": prompt, "token_ids": ids, "greedy_ids": answer, "second_ids": second, "leads": leads,
            "text": model.detokenize(answer).decode("utf-8", "replace")}


def write(path, result):
    """JSON with one line for each list of numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = json.dumps(result, ensure_ascii=False, indent=1)
    lines = re.sub(r"\[\s+(-?[\d.]+(?:,\s+-?[\d.]+)*)\s+\]",
                   lambda match: "[" + re.sub(r"\s+", " ", match[1]) + "]", lines)
    path.write_text(lines + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    with arguments.model.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    text = TEXT.read_text(encoding="utf-8")
    model = open_model(arguments.model, 256)
    result = {
        "model_sha256": sha256,
        "text": str(TEXT.relative_to(ROOT)),
        "versions": {"llama-cpp-python": llama_cpp.__version__, "numpy": np.__version__},
        "continuations": [continuation(model, prompt) for prompt in PROMPTS],
        "perplexity": [],
    }
    for one in result["continuations"]:
        print(repr(one["prompt"]), "->", repr(one["text"]), "smallest lead", min(one["leads"]), flush=True)
    del model
    write(arguments.out, result)
    for window in WINDOWS:
        result["perplexity"].append(perplexity(arguments.model, text, window))
        print(result["perplexity"][-1], flush=True)
        write(arguments.out, result)


if __name__ == "__main__":
    main()
