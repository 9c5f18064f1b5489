"""A tiny gemma3_text checkpoint with random weights and what transformers computes with it.

One file of weights, read through two configurations: as transformers writes them today, with linear
rope scaling, and in the spelling of the released files, with another pattern of layers.
"""

import copy
import json
import pathlib
import shutil

import torch
from safetensors.torch import save_file
from transformers import AutoTokenizer, Gemma3ForCausalLM, Gemma3TextConfig

import make_tokenizer
from common import be_deterministic, versions, write_json, write_tensors

SEED = 20
GREEDY_TOKENS = 64
VOCAB = 448
ADDED_TOKENS = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"]
IDS = {token: index for index, token in enumerate(ADDED_TOKENS)}
PROMPT = ("The picture shows a red square above a blue circle. How many squares are there in it? "
          "def main(self): return None\n\n\nDie Straße ist naß. 你好")

# Eight layers with a window far shorter than the prompt; heads wider than hidden_size / heads; an
# attention scale that is not head_dim^-1/2; widths that are no multiple of a vector register.
SHAPE = dict(
    vocab_size=VOCAB, hidden_size=24, intermediate_size=40, num_hidden_layers=8,
    num_attention_heads=3, num_key_value_heads=1, head_dim=16, query_pre_attn_scalar=25,
    sliding_window=8, max_position_embeddings=256, rms_norm_eps=1e-6,
    bos_token_id=IDS["<bos>"], pad_token_id=IDS["<pad>"])

# The old spelling, as in the released files; the last two layers are sliding in both.
OLD_CONFIG = {
    "architectures": ["Gemma3ForCausalLM"],
    "attention_bias": False, "attention_dropout": 0.0, "attn_logit_softcapping": None,
    "cache_implementation": "hybrid", "eos_token_id": [IDS["<eos>"], IDS["<end_of_turn>"]],
    "final_logit_softcapping": None, "hidden_activation": "gelu_pytorch_tanh",
    "initializer_range": 0.02, "model_type": "gemma3_text", "rope_local_base_freq": 10000.0,
    "rope_scaling": None, "rope_theta": 1000000.0, "sliding_window_pattern": 3,
    "torch_dtype": "float32", "transformers_version": "4.50.0.dev0", "use_cache": True, **SHAPE,
}


def random_weights(model):
    """Every tensor matters: norms far from 1, projections that keep the size of their input."""
    generator = torch.Generator().manual_seed(SEED)
    for name, value in model.named_parameters():
        noise = torch.randn(value.shape, generator=generator)
        if name.endswith(("q_norm.weight", "k_norm.weight")):
            value.copy_(0.6 + 0.3 * noise)
        elif name.endswith("model.norm.weight"):
            value.copy_(2.0 * noise - 1.0)  # random signs: the tied head does not echo its input
        elif value.dim() == 1:
            value.copy_(0.4 * noise - 0.1)
        elif name.endswith("embed_tokens.weight"):
            value.copy_(0.5 * noise)
        else:
            value.copy_(noise * value.shape[1] ** -0.5)


def greedy(model, ids):
    """GREEDY_TOKENS ids after `ids` by full passes, and the smallest distance between the best and
    the second-best logit."""
    ids, start, margin = list(ids), len(ids), float("inf")
    for _ in range(GREEDY_TOKENS):
        best = torch.topk(model(torch.tensor([ids]), use_cache=False).logits[0, -1], 2)
        margin = min(margin, float(best.values[0] - best.values[1]))
        ids.append(int(best.indices[0]))
    return ids[start:], margin


def check_layers(model, types, factor):
    """The configuration means what its spelling is thought to mean."""
    text = model.model
    assert "".join(t[0] for t in model.config.layer_types) == types
    full = text.rotary_emb.full_attention_inv_freq
    plain = 1.0 / (1_000_000.0 ** (torch.arange(0, 16, 2, dtype=torch.float) / 16))
    assert torch.equal(full, plain / factor)
    assert torch.equal(text.rotary_emb.sliding_attention_inv_freq,
                       1.0 / (10_000.0 ** (torch.arange(0, 16, 2, dtype=torch.float) / 16)))
    assert text.layers[0].self_attn.scaling == 0.2


def make(out):
    be_deterministic()
    out = pathlib.Path(out)
    folder, directory = out / "gemma3", out / "models" / "tiny_gemma3"
    for stale in (folder, directory):
        shutil.rmtree(stale, ignore_errors=True)
        stale.mkdir(parents=True)

    config = Gemma3TextConfig(
        **SHAPE, eos_token_id=[IDS["<eos>"], IDS["<end_of_turn>"]], architectures=["Gemma3ForCausalLM"],
        rope_scaling={"rope_type": "linear", "factor": 8.0}, dtype="float32")
    model = Gemma3ForCausalLM._from_config(config, attn_implementation="eager").eval()
    random_weights(model)
    weights = {k: v.detach().clone() for k, v in model.state_dict().items() if k != "lm_head.weight"}
    assert not any("layer_scalar" in name for name in weights)
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    (directory / "model.safetensors").chmod(0o644)
    config.save_pretrained(directory)
    (directory / "config_old_spelling.json").write_text(json.dumps(OLD_CONFIG, indent=2) + "\n")
    tokenizer = make_tokenizer.build(VOCAB, 8, "éüß—", tuple(ADDED_TOKENS))
    (directory / "tokenizer.json").write_text(
        json.dumps(tokenizer, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")

    ids = [IDS["<bos>"]] + AutoTokenizer.from_pretrained(directory).encode(PROMPT, add_special_tokens=False)
    assert len(ids) > 4 * SHAPE["sliding_window"]
    variants, tensors = [], {}
    for name, file, types, factor in (("new_spelling", "config.json", "sssssfss", 8.0),
                                      ("old_spelling", "config_old_spelling.json", "ssfssfss", 1.0)):
        spelled = json.loads((directory / file).read_text())
        variant = Gemma3ForCausalLM._from_config(
            Gemma3TextConfig(**copy.deepcopy(spelled)), attn_implementation="eager").eval()
        missing = variant.load_state_dict(weights, strict=False)
        assert missing.missing_keys == ["lm_head.weight"] and not missing.unexpected_keys
        variant.tie_weights()
        check_layers(variant, types, factor)
        tensors[f"{name}.logits"] = variant(torch.tensor([ids]), use_cache=False).logits[0]
        answer, margin = greedy(variant, ids)
        assert margin > 5e-3 and len(set(answer)) > 12, (margin, len(set(answer)))
        variants.append({"name": name, "config": file, "greedy_ids": answer, "smallest_margin": margin})
        print(f"{name}: {len(ids)} tokens, {len(set(answer))} different ones in the answer, margin {margin:.4f}")
    difference = (tensors["new_spelling.logits"] - tensors["old_spelling.logits"]).abs().max()
    assert difference > 0.5, "the variants must not compute the same"
    write_json(folder / "case.json", {
        "model": "models/tiny_gemma3", "prompt": PROMPT, "token_ids": ids, "variants": variants,
        "versions": versions()})
    write_tensors(folder / "expected.safetensors", tensors)


if __name__ == "__main__":
    import sys

    make(sys.argv[1])
