"""Floats and what the original libraries quantise them to: OUT/quantize/quantized.safetensors.

    python make_quantize_goldens.py OUT [LIBGGML_BASE.so]     needs bitsandbytes, and llama-cpp-python for the library

values (F32 [rows, 1024]): normal numbers of several sizes, then rows that are hard: zeros, midpoints of the codebooks,
one outlier, numbers too small for a half. Per type: nf4.codes, fp4.codes (U8), absmax (F32), the nested scales of
absmax (nested.codes U8, nested.absmax F32, nested.offset F32 [1]), and q4_0, q8_0, q6_k, iq4_nl (U8 [rows, bytes]).

Nested codes are those of the library's default (PyTorch) implementation, written out here because the CPU has one of
its own, which looks scales up in a table of rounded values and is off by one step now and then.
"""

import ctypes
import os
import pathlib
import sys

os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")

import bitsandbytes
import bitsandbytes.functional as F
import llama_cpp
import numpy as np
import torch
from safetensors.torch import save_file

COLUMNS = 1024
GGML_TYPES = {"q4_0": (2, 32, 18), "q8_0": (8, 32, 34), "q6_k": (14, 256, 210), "iq4_nl": (20, 32, 18)}


def make_values():
    rng = np.random.default_rng(93)
    rows = [rng.standard_normal(COLUMNS) * scale for scale in (1.0, 0.02, 0.02, 0.05, 1e-3, 40.0)]
    rows.append(rng.standard_t(2, COLUMNS) * 0.02)
    rows.append(rng.uniform(-1, 1, COLUMNS).astype(np.float16).astype(np.float64))
    rows.append(torch.from_numpy(rng.standard_normal(COLUMNS) * 0.02).to(torch.bfloat16).double().numpy())
    for kind in ("nf4", "fp4"):
        code = np.sort(F.get_4bit_type(kind, device="cpu").numpy())
        middle = ((code[1:] + code[:-1]) / np.float32(2)).astype(np.float64)
        ties = rng.choice(middle, COLUMNS)
        ties[::64] = 1.0  # the largest of the block, so that the others stay what they are
        ties[1::7] = np.nextafter(ties[1::7].astype(np.float32), np.float32(2))
        ties[1::11] = np.nextafter(ties[1::11].astype(np.float32), np.float32(-2))
        rows.append(np.clip(ties, -1, 1))
    spikes = rng.standard_normal(COLUMNS) * 1e-4
    spikes[rng.integers(0, COLUMNS, 20)] *= 1e5
    rows += [spikes, np.zeros(COLUMNS), rng.standard_normal(COLUMNS) * 1e-9, rng.integers(-1, 2, COLUMNS) * 0.5]
    return np.array(rows, dtype=np.float32)


def nest(absmax):
    offset = absmax.mean()
    code = F.create_dynamic_map()
    blocks = torch.nn.functional.pad(absmax - offset, (0, -len(absmax) % 256)).reshape(-1, 256)
    largest = blocks.abs().max(dim=-1)[0]
    scaled = torch.clamp(blocks * (1.0 / largest.clamp(min=1e-38).view(-1, 1)), -1, 1).reshape(-1)[:len(absmax)]
    codes = torch.bucketize(scaled, (code[:-1] + code[1:]) / 2, out_int32=True).to(torch.uint8)
    kernel, state = F.quantize_blockwise(absmax - offset, blocksize=256)
    step = (kernel.int() - codes.int()).abs()
    assert torch.equal(state.absmax, largest) and step.max() <= 1 and (step > 0).float().mean() < 0.02, step.max()
    return {"nested.codes": codes, "nested.absmax": largest, "nested.offset": offset.reshape(1),
            "nested.codebook": code}


def ggml(library, values, kind, values_per_block, bytes_per_block):
    out = np.zeros((len(values), COLUMNS // values_per_block * bytes_per_block), dtype=np.uint8)
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    library.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64,
                                            ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p]
    written = library.ggml_quantize_chunk(kind, values.ctypes.data, out.ctypes.data, 0, len(values), COLUMNS, None)
    assert written == out.size
    return torch.from_numpy(out)


def make(out, library=None):
    folder = pathlib.Path(out) / "quantize"
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    values = make_values()
    tensors = {"values": torch.from_numpy(values)}
    for kind in ("nf4", "fp4"):
        codes, state = F.quantize_4bit(tensors["values"], blocksize=64, quant_type=kind)
        tensors |= {f"{kind}.codes": codes.reshape(-1), f"{kind}.codebook": state.code, "absmax": state.absmax}
    tensors |= nest(tensors["absmax"])
    library = ctypes.CDLL(library or str(pathlib.Path(llama_cpp.__file__).parent / "lib" / "libggml-base.so"))
    for name, (kind, count, size) in GGML_TYPES.items():
        tensors[name] = ggml(library, values, kind, count, size)
    save_file({name: tensor.contiguous().clone() for name, tensor in tensors.items()}, folder / "quantized.safetensors",
              metadata={"made_with": f"bitsandbytes {bitsandbytes.__version__}, torch {torch.__version__.split('+')[0]}, "
                                     f"llama-cpp-python {llama_cpp.__version__}", "seed": "93"})
    (folder / "quantized.safetensors").chmod(0o644)


if __name__ == "__main__":
    make(*sys.argv[1:3])
