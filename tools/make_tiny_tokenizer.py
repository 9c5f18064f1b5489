#!/usr/bin/env python3
"""Makes a small byte-pair-encoding tokenizer in the form of Gemma 4's from JSONL training data.

Writes OUT/tokenizer.json and OUT/tokenizer_config.json: 24 control tokens, 256 byte tokens, printable
ASCII, then the merges that make every word of the data one token. A word takes the space before it
along; merges never cross words, so that unseen sentences of known words stay short.
"""

import argparse
import collections
import json
import pathlib
import re

CONTROL_TOKENS = (
    "<pad>", "<eos>", "<bos>", "<unk>", "<mask>",
    "<|tool>", "<tool|>", "<|tool_call>", "<tool_call|>", "<|tool_response>", "<tool_response|>",
    '<|"|>', "<|think|>", "<|channel>", "<channel|>", "<|turn>", "<turn|>",
    "<|image>", "<|audio>", "<|image|>", "<|audio|>", "<image|>", "<audio|>", "<|video|>",
)  # fmt: skip
SPACE = "\u2581"
# Words of the chat template, of the captions and of the trainer's own questions about its drawings.
TEMPLATE_TEXT = (
    "user model system thought a an the this it do you see name picture show describe which colour "
    "What Which Is Does Do Name Describe Are How many"
)


def words_of(text: str) -> list:
    """Cuts text into words, each with the space before it, and single other characters."""
    return re.findall(rf"{SPACE}?[A-Za-z]+|.", text.replace(" ", SPACE), flags=re.DOTALL)


def read_texts(files: list) -> list:
    texts = []
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            sample = json.loads(line)
            texts += [m["content"] for m in sample["messages"] if isinstance(m["content"], str)]
            texts += [sample["caption"]] if sample.get("caption") else []
    return texts


def learn_merges(counts: collections.Counter) -> list:
    """Byte-pair merges until each counted word is one symbol. Most frequent pair first, ties by text."""
    words = {word: list(word) for word in counts}
    merges = []
    while True:
        pairs: collections.Counter = collections.Counter()
        for word, symbols in words.items():
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += counts[word]
        if not pairs:
            return merges
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for word, symbols in words.items():
            i = 0
            while i + 1 < len(symbols):
                if (symbols[i], symbols[i + 1]) == best:
                    symbols[i : i + 2] = ["".join(best)]
                i += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path, nargs="+", help="JSONL files")
    parser.add_argument("--min-count", type=int, default=20, help="rarer words get no merges")
    arguments = parser.parse_args()

    counts: collections.Counter = collections.Counter()
    for text in read_texts(arguments.data):
        counts.update(words_of(text))
    frequent = collections.Counter(
        {w: n for w, n in counts.items() if n >= arguments.min_count and len(w) > 1}
    )
    for word in TEMPLATE_TEXT.split():
        frequent.setdefault(word, arguments.min_count)
        frequent.setdefault(SPACE + word, arguments.min_count)
    merges = learn_merges(frequent)

    tokens = list(CONTROL_TOKENS) + [f"<0x{byte:02X}>" for byte in range(256)]
    tokens += ["\n", SPACE] + [chr(c) for c in range(0x21, 0x7F)]
    known = set(tokens)
    for left, right in merges:
        if left + right not in known:
            tokens.append(left + right)
            known.add(left + right)

    added = [
        {"id": i, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False, "special": True}
        for i, token in enumerate(CONTROL_TOKENS)
    ]  # fmt: skip
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"String": " "},
            "behavior": "MergedWithPrevious",
            "invert": False,
        },
        "post_processor": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": {token: i for i, token in enumerate(tokens)},
            "merges": [list(pair) for pair in merges],
        },
    }
    tokenizer_config = {
        "tokenizer_class": "GemmaTokenizer",
        "backend": "tokenizers",
        "processor_class": "Gemma4UnifiedProcessor",
        "padding_side": "left",
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "mask_token": "<mask>",
        "boi_token": "<|image>",
        "image_token": "<|image|>",
        "eoi_token": "<image|>",
        "boa_token": "<|audio>",
        "audio_token": "<|audio|>",
        "eoa_token": "<audio|>",
        "sot_token": "<|turn>",
        "eot_token": "<turn|>",
        "soc_token": "<|channel>",
        "eoc_token": "<channel|>",
        "think_token": "<|think|>",
        "std_token": "<|tool>",
        "etd_token": "<tool|>",
        "stc_token": "<|tool_call>",
        "etc_token": "<tool_call|>",
        "str_token": "<|tool_response>",
        "etr_token": "<tool_response|>",
        "escape_token": '<|"|>',
        "model_max_length": 2048,
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, content in (("tokenizer.json", tokenizer), ("tokenizer_config.json", tokenizer_config)):
        text = json.dumps(content, ensure_ascii=False, indent=1)
        (arguments.out / name).write_text(text + "\n", encoding="utf-8")
    print(f"{len(tokens)} tokens, {len(merges)} merges")


if __name__ == "__main__":
    main()
