"""Whole-model cases with weights quantised by bitsandbytes: OUT/bnb/{nf4,fp4,int8}.

    python make_bnb_goldens.py OUT       after make_models.py; needs bitsandbytes and accelerate too

Each folder is a checkpoint, made of the first layers of OUT/models/tiny_stored, and its own case: logits of a float32 model that
holds the dequantised weights. Before that transformers loads the checkpoint and must find the same values.
4-bit weights are dequantised by the library's default (PyTorch) implementation: its kernel for AVX-512 takes wrong
scales where rows are a multiple of 32 and not of the block.
"""

import json
import os
import pathlib
import shutil
import sys
import tempfile

os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")

import accelerate
import bitsandbytes
import bitsandbytes.functional as F
import torch
from bitsandbytes.backends.default.ops import _dequantize_4bit_compute
from safetensors.torch import load_file, save_file
from transformers import AutoProcessor, Gemma4UnifiedForConditionalGeneration
from transformers.integrations.bitsandbytes import dequantize_bnb_weight

from common import be_deterministic, versions, write_json, write_tensors
from make_cases import forward, load_model, picture, prepare, text
from make_models import STORED_NAMES

SOURCE = "tiny_stored"
LAYERS = 3  # sliding, sliding, full
ROW_STEP = 8
SPEC = dict(model=SOURCE, pictures=[(46, 61, 11)], messages=[
    {"role": "user", "content": [picture("picture_0.png"), text("What is the shape?")]}])

# What is quantised (part of a tensor name -> not), in which type the weights are before, and how.
FORMS = {
    "nf4": dict(skip=(), dtype=torch.bfloat16, block=64, nested=True, storage=torch.uint8),
    "fp4": dict(skip=("embedding_projection", "layers.1.mlp.up_proj"), dtype=torch.float32, block=64, nested=False,
                storage=torch.bfloat16),
    "int8": dict(skip=("layers.2.self_attn",), dtype=torch.float16),
}


def in_memory(name):
    for memory, stored in STORED_NAMES:
        if name.startswith(stored):
            return memory + name[len(stored):]
    return name


def dequantise(codes, state):
    absmax = state.absmax
    if state.nested:
        absmax = F.dequantize_blockwise(absmax, state.state2) + state.offset
    return _dequantize_4bit_compute(
        codes.view(torch.uint8).reshape(-1), absmax, state.code, state.blocksize, state.shape, state.dtype)


def quantise(kind, form, weight):
    """Side tensors by the end of their names, and the values they stand for."""
    weight = weight.to(form["dtype"])
    if kind == "int8":
        codes, scales, _ = F.int8_vectorwise_quant(weight)
        return ({"weight": codes, "SCB": scales, "weight_format": torch.tensor(0, dtype=torch.uint8)},
                F.int8_vectorwise_dequant(codes, scales))
    codes, state = F.quantize_4bit(weight, blocksize=form["block"], compress_statistics=form["nested"],
                                   quant_type=kind, quant_storage=form["storage"])
    parts = {f"weight.{key}": part for key, part in state.as_dict(packed=True).items()}
    return {"weight": codes, **parts}, dequantise(codes, state).to(torch.float32)


def quantization_config(kind, form):
    config = {"quant_method": "bitsandbytes", "load_in_8bit": kind == "int8", "load_in_4bit": kind != "int8",
              "llm_int8_threshold": 6.0, "llm_int8_skip_modules": ["lm_head", *form["skip"]]}
    if kind != "int8":
        config |= {"bnb_4bit_quant_type": kind, "bnb_4bit_use_double_quant": form["nested"],
                   "bnb_4bit_compute_dtype": "float32",
                   "bnb_4bit_quant_storage": str(form["storage"]).removeprefix("torch.")}
    return config


def check_with_transformers(folder, values):
    """transformers reads the same weights out of the checkpoint."""
    model = Gemma4UnifiedForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    modules = dict(model.named_modules())
    seen = 0
    for name, expected in values.items():
        module = modules[in_memory(name).removesuffix(".weight")]
        if isinstance(module.weight, bitsandbytes.nn.Params4bit):
            found = dequantise(module.weight.data, module.weight.quant_state)
        else:
            found = dequantize_bnb_weight(module.weight, module.state)
        assert torch.equal(found.to(torch.float32), expected), name
        seen += 1
    print(f"{folder.name}: transformers agrees on {seen} quantised weights")


def shorten(source, folder):
    """A copy with the first LAYERS layers."""
    shutil.copytree(source, folder)
    stored = {name: tensor for name, tensor in load_file(source / "model.safetensors").items()
              if not any(f".layers.{i}." in name for i in range(LAYERS, 100))}
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["num_hidden_layers"] = LAYERS
    config["text_config"]["layer_types"] = config["text_config"]["layer_types"][:LAYERS]
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def make_case(out, source, kind, form):
    folder = out / "bnb" / kind
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    stored = load_file(folder / "model.safetensors")
    model = load_model(source)
    linears = {name for name, module in model.named_modules() if type(module) is torch.nn.Linear}
    tensors, values = {}, {}
    for name, tensor in stored.items():
        layer = name.removesuffix(".weight")
        if in_memory(layer) in linears and not any(part in name for part in form["skip"]):
            parts, values[name] = quantise(kind, form, tensor)
            tensors |= {f"{layer}.{end}": part.contiguous().clone() for end, part in parts.items()}
        else:
            tensors[name] = tensor
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = quantization_config(kind, form)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    check_with_transformers(folder, values)

    state = model.state_dict()
    for name, value in values.items():
        state[in_memory(name)].copy_(value)
    case, ids, types, vision, _ = prepare(folder, SPEC, AutoProcessor.from_pretrained(folder), model)
    logits = forward(model, ids, types, vision, "canonical")
    # The same rows with the weights as they were before: the case must tell the two apart.
    before = forward(load_model(source), ids, types, vision, "canonical")
    difference = float((logits - before).abs().max())
    assert difference > 0.02, "the quantised model hardly differs"
    write_tensors(folder / "expected.safetensors",
                  {"canonical.logits": logits[::ROW_STEP], "canonical.last_logits": logits[-1]})
    case["model"] = f"bnb/{kind}"
    write_json(folder / "case.json", {
        "case": f"bnb/{kind}", **case, "row_step": ROW_STEP, "quantised": sorted(values),
        "largest_difference_to_unquantised": difference, "dtype": "float32", "attention": "eager",
        "versions": {**versions(), "bitsandbytes": bitsandbytes.__version__,
                     "accelerate": accelerate.__version__}})
    (folder / "resized_0.png").unlink()
    for file in folder.iterdir():
        file.chmod(0o644)
    print(f"{kind}: {len(ids)} tokens, {len(values)} quantised, difference {difference:.3f}, "
          f"{sum(f.stat().st_size for f in folder.iterdir())} bytes")


def make(out):
    be_deterministic()
    out = pathlib.Path(out)
    with tempfile.TemporaryDirectory() as temporary:
        source = pathlib.Path(temporary) / SOURCE
        shorten(out / "models" / SOURCE, source)
        for kind, form in FORMS.items():
            make_case(out, source, kind, form)


if __name__ == "__main__":
    make(sys.argv[1])
