"""What transformers computes in float32 with the dequantised weights of a GGUF file of Gemma 3 270M.

    python make_gemma3_270m.py MODEL.gguf --out tests/golden/gemma3_270m/float32.json

Needs the Python package gguf (for reading and dequantising) beside those of requirements.txt. Continues the
prompts of llama_cpp.json, which compare_llama_cpp.py writes: llama.cpp rounds activations to 8 bits,
so that it may choose otherwise where the best two logits are close; this says how close they really are.
"""

import argparse
import importlib.metadata
import json
import pathlib

import gguf
import torch
from gguf.quants import dequantize
from transformers import Gemma3ForCausalLM, Gemma3TextConfig

from common import be_deterministic, versions, write_json

NAMES = {
    "token_embd": "embed_tokens", "output_norm": "norm", "attn_norm": "input_layernorm",
    "post_attention_norm": "post_attention_layernorm", "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def load(path):
    weights = {}
    for tensor in gguf.GGUFReader(path).tensors:
        value = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy()).to(torch.float32)
        value = value.reshape([int(extent) for extent in reversed(tensor.shape)])
        parts = tensor.name.split(".")
        name = f"layers.{parts[1]}.{NAMES[parts[2]]}" if parts[0] == "blk" else NAMES[parts[0]]
        weights[f"model.{name}.weight"] = value - 1.0 if "norm" in tensor.name else value
    config = Gemma3TextConfig(
        vocab_size=262144, hidden_size=640, intermediate_size=2048, num_hidden_layers=18,
        num_attention_heads=4, num_key_value_heads=1, head_dim=256, query_pre_attn_scalar=256,
        sliding_window=512, max_position_embeddings=32768, rms_norm_eps=1e-6)
    model = Gemma3ForCausalLM._from_config(config, attn_implementation="eager").eval()
    missing = model.load_state_dict(weights, strict=False)
    assert missing.missing_keys == ["lm_head.weight"] and not missing.unexpected_keys
    model.tie_weights()
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    be_deterministic()
    model = load(arguments.model)
    golden = json.loads((arguments.out.parent / "llama_cpp.json").read_text(encoding="utf-8"))
    continuations = []
    for one in golden["continuations"]:
        ids, leads, cache = list(one["token_ids"]), [], None
        for _ in one["greedy_ids"]:
            # The window is longer than all of it, so the cache cannot hide a mask.
            step = model(torch.tensor([ids if cache is None else ids[-1:]]), past_key_values=cache,
                         use_cache=True, logits_to_keep=1)
            cache, best = step.past_key_values, torch.topk(step.logits[0, -1], 2)
            ids.append(int(best.indices[0]))
            leads.append(round(float(best.values[0] - best.values[1]), 4))
        answer = ids[len(one["token_ids"]):]
        same = [a == b for a, b in zip(answer, one["greedy_ids"])] + [False]
        agreed = same.index(False)
        print(repr(one["prompt"]), f"{agreed} tokens as llama.cpp; smallest lead {min(leads)}",
              "" if agreed == len(answer) else f"lead there {leads[agreed]}", flush=True)
        continuations.append({"prompt": one["prompt"], "token_ids": one["token_ids"], "greedy_ids": answer,
                              "leads": leads})
    write_json(arguments.out, {
        "model_sha256": golden["model_sha256"], "continuations": continuations,
        "versions": {**versions(), "gguf": importlib.metadata.version("gguf")}})


if __name__ == "__main__":
    main()
