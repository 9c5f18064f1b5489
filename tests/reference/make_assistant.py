"""A tiny gemma4_unified_assistant for the model tiny_stored, and drafts that transformers makes with it.

The target's keys are cropped to what is before the last token, and on sliding layers to the window of a row
at its position: transformers itself leaves up to two keys more, which changes guesses, never answers."""

import json
import pathlib
import shutil

import torch
from safetensors.torch import save_file
from transformers import Gemma4UnifiedAssistantConfig, Gemma4UnifiedAssistantForCausalLM

from common import be_deterministic, versions, write_json, write_tensors
from make_cases import load_model
from make_models import config_dict, MODELS, random_state

SEED = 9
TARGET = "tiny_stored"
LENGTHS = [3, 40, 130]  # tokens before the last one: one, less and more than a window
STEPS = 4


def assistant_config():
    """config.json in the spelling of the released file."""
    target = config_dict(MODELS[TARGET])
    text = dict(target["text_config"], hidden_size=48, intermediate_size=80, num_hidden_layers=4,
                layer_types=["sliding_attention"] * 3 + ["full_attention"], num_kv_shared_layers=4,
                final_logit_softcapping=None)
    return {
        "architectures": ["Gemma4UnifiedAssistantForCausalLM"],
        "model_type": "gemma4_unified_assistant",
        "dtype": "float32",
        "backbone_hidden_size": target["text_config"]["hidden_size"],
        "use_ordered_embeddings": False,
        "num_centroids": 2048,
        "centroid_intermediate_top_k": 32,
        "tie_word_embeddings": True,
        "text_config": text,
        "transformers_version": "5.18.0",
    }


def write_assistant(directory):
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    config = assistant_config()
    model = Gemma4UnifiedAssistantForCausalLM(Gemma4UnifiedAssistantConfig(**config))
    save_file(random_state(model, SEED), directory / "model.safetensors", metadata={"format": "pt"})
    (directory / "model.safetensors").chmod(0o644)
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    loaded = Gemma4UnifiedAssistantForCausalLM.from_pretrained(
        directory, dtype=torch.float32, attn_implementation="eager").eval()
    for name, value in random_state(loaded, SEED).items():
        assert torch.equal(loaded.state_dict()[name], value), name
    return loaded


def draft(target, assistant, ids):
    """Logits [STEPS, vocab] and tokens of one draft after ids, whose last token the target has not computed."""
    past = len(ids) - 1
    out = target.model(input_ids=torch.tensor([ids[:-1]]), use_cache=False, return_shared_kv_states=True)
    window = target.config.text_config.sliding_window - 1
    keys = {"full_attention": out.shared_kv_states["full_attention"],
            "sliding_attention": tuple(x[:, :, -window:] for x in out.shared_kv_states["sliding_attention"])}
    assert keys["full_attention"][0].shape[2] == past
    hidden = out.last_hidden_state[:, -1:]
    token = torch.tensor([[ids[-1]]])
    logits, tokens = [], []
    for _ in range(STEPS):
        step = assistant(
            inputs_embeds=torch.cat([target.get_input_embeddings()(token), hidden], dim=-1),
            position_ids=torch.tensor([[past]]), shared_kv_states=keys)
        hidden = step.last_hidden_state
        logits.append(step.logits[0, 0])
        token = step.logits.argmax(dim=-1)
        tokens.append(int(token))
    return torch.stack(logits), tokens


def make(out):
    be_deterministic()
    out = pathlib.Path(out)
    assistant = write_assistant(out / "models" / "tiny_assistant")
    target = load_model(out / "models" / TARGET)
    cases, tensors = [], {}
    for past in LENGTHS:
        generator = torch.Generator().manual_seed(past)
        ids = [2] + torch.randint(150, 450, (past,), generator=generator).tolist()
        logits, tokens = draft(target, assistant, ids)
        cases.append({"ids": ids, "draft": tokens})
        tensors[f"logits.{past}"] = logits
    write_tensors(out / "assistant" / "expected.safetensors", tensors)
    write_json(out / "assistant" / "case.json", {
        "target": TARGET, "assistant": "tiny_assistant", "steps": STEPS, "cases": cases,
        "provenance": {"script": "tests/reference/make_assistant.py", "seed": SEED, "versions": versions()}})


if __name__ == "__main__":
    import argparse
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    make(parser.parse_args().out)
