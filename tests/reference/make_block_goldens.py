"""Stored weights and their values: block formats of GGUF and weights quantised with bitsandbytes.

    python make_block_goldens.py OUT     writes OUT/blocks/gguf.safetensors and bitsandbytes.safetensors

gguf.safetensors: T.S.bytes (U8 [rows, bytes]) and T.S.values (F32 [rows, columns]) for every block type T
and every source S: `random` bytes with finite half-precision scales, and `quantised` normal numbers where
the gguf package can quantise. Values are those of gguf.quants.dequantize.

bitsandbytes.safetensors: weights as a checkpoint holds them, X.weight with its side tensors, and X.values
(F32), what the library's own dequantisation gives, in the type of the quantised weight. X is
<type>_<block>[_nested]_<dtype> or int8_<dtype>. The library's kernel for AVX-512 takes wrong scales where rows
are a multiple of 32 and not of the block, so the rows here are none; and it leaves blocks of 2048 and more to the
default (PyTorch) implementation, which agrees with it but for the sign of zero: code 8 of FP4 is -0 in the kernels,
+0 there.
"""

import itertools
import os
import pathlib
import sys

os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")

import bitsandbytes
import bitsandbytes.functional as F
import gguf
import numpy as np
import torch
from bitsandbytes.backends.default.ops import _dequantize_4bit_compute
from gguf import GGMLQuantizationType as T
from safetensors.torch import save_file

TYPES = (T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q4_K, T.Q5_K, T.Q6_K, T.IQ4_NL)
HALVES = {T.Q4_1: (0, 2), T.Q5_1: (0, 2), T.Q4_K: (0, 2), T.Q5_K: (0, 2), T.Q6_K: (208,)}
COLUMNS = {32: 96, 256: 512}
ROWS = 3


def random_blocks(rng, kind):
    """Rows of random bytes; scales are random halves, subnormal and negative ones among them."""
    values, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (ROWS * COLUMNS[values] // values, size), dtype=np.uint8)
    for at in HALVES.get(kind, (0,)):
        halves = rng.integers(0, 0x7C00, len(blocks), dtype=np.uint16)
        halves |= rng.integers(0, 2, len(blocks), dtype=np.uint16) << np.uint16(15)
        blocks[:, at:at + 2] = halves.view(np.uint8).reshape(-1, 2)
    return blocks.reshape(ROWS, -1)


def make_gguf(folder):
    rng = np.random.default_rng(91)
    tensors = {}
    for kind in TYPES:
        stored = {"random": random_blocks(rng, kind)}
        try:
            normal = rng.standard_normal((ROWS, COLUMNS[gguf.GGML_QUANT_SIZES[kind][0]]), dtype=np.float32)
            stored["quantised"] = gguf.quants.quantize(normal, kind)
        except NotImplementedError:
            pass
        for source, data in stored.items():
            values = gguf.quants.dequantize(data, kind)
            assert values.dtype == np.float32 and np.isfinite(values).all()
            tensors[f"{kind.name}.{source}.bytes"] = torch.from_numpy(np.ascontiguousarray(data))
            tensors[f"{kind.name}.{source}.values"] = torch.from_numpy(np.ascontiguousarray(values))
    save_file(tensors, folder / "gguf.safetensors",
              metadata={"made_with": f"gguf 0.19.0, numpy {np.__version__}", "seed": "91"})


def formula(codes, state):
    """The definition, to be sure which float operations the library does."""
    scales = state.absmax
    if state.nested:
        outer = state.state2.absmax.repeat_interleave(state.state2.blocksize)[:scales.numel()]
        scales = state.state2.code[scales.long()] * outer + state.offset
    pairs = codes.view(torch.uint8).reshape(-1)
    index = torch.stack([pairs >> 4, pairs & 15], 1).reshape(-1).long()
    scale = scales.repeat_interleave(state.blocksize)[:index.numel()]
    return (state.code[index] * scale).reshape(state.shape).to(state.dtype)


def dequantise(codes, state):
    if state.blocksize < 512:
        return F.dequantize_4bit(codes, state)
    absmax = state.absmax
    if state.nested:
        absmax = F.dequantize_blockwise(absmax, state.state2) + state.offset
    return _dequantize_4bit_compute(
        codes.view(torch.uint8).reshape(-1), absmax, state.code, state.blocksize, state.shape, state.dtype)


def make_bitsandbytes(folder):
    generator = torch.Generator().manual_seed(92)
    tensors = {}
    cases = itertools.product(("nf4", "fp4"), ((32, torch.uint8), (64, torch.bfloat16), (256, torch.float32),
                                               (4096, torch.uint8)),
                              (False, True), (torch.float32, torch.bfloat16, torch.float16))
    for kind, (block, storage), nested, dtype in cases:
        if kind == "fp4" and block > 256:
            continue
        # Rows that are no multiple of the block, so that blocks begin inside a row.
        rows, columns = {4096: (6, 1366)}.get(block, (12, 68)) if dtype == torch.bfloat16 else (4, 76)
        weight = (torch.randn(rows, columns, generator=generator) * 0.03).to(dtype)
        codes, state = F.quantize_4bit(weight, blocksize=block, compress_statistics=nested, quant_type=kind,
                                       quant_storage=storage)
        values = dequantise(codes, state)
        assert values.dtype == dtype and torch.equal(values, formula(codes, state)), (kind, block, nested, dtype)
        name = f"{kind}_{block}{'_nested' if nested else ''}_{str(dtype).removeprefix('torch.')}"
        tensors[f"{name}.weight"] = codes
        for key, part in state.as_dict(packed=True).items():
            tensors[f"{name}.weight.{key}"] = part
        tensors[f"{name}.values"] = values.to(torch.float32)
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        weight = (torch.randn(7, 45, generator=generator) * 0.03).to(dtype)
        codes, scales, _ = F.int8_vectorwise_quant(weight)
        name = f"int8_{str(dtype).removeprefix('torch.')}"
        tensors |= {f"{name}.weight": codes, f"{name}.SCB": scales,
                    f"{name}.weight_format": torch.tensor(0, dtype=torch.uint8),
                    f"{name}.values": F.int8_vectorwise_dequant(codes, scales)}
    tensors = {name: tensor.contiguous().clone() for name, tensor in tensors.items()}
    save_file(tensors, folder / "bitsandbytes.safetensors",
              metadata={"made_with": f"bitsandbytes {bitsandbytes.__version__}, torch {torch.__version__.split('+')[0]}",
                        "seed": "92"})


def make(out):
    folder = pathlib.Path(out) / "blocks"
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_grad_enabled(False)
    make_gguf(folder)
    make_bitsandbytes(folder)
    for file in folder.iterdir():
        file.chmod(0o644)


if __name__ == "__main__":
    make(sys.argv[1])
