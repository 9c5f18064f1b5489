"""What the golden-file scripts share: determinism, file writing, hashes, synthetic pictures."""

import json
import os
import pathlib

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent


def be_deterministic():
    """One thread, no autograd, deterministic kernels: a rerun on one machine gives equal bytes."""
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    torch.use_deterministic_algorithms(True)


def versions():
    """Versions of everything that decides a number in the golden files."""
    import PIL
    import PIL.features
    import jinja2
    import safetensors
    import tokenizers
    import torchvision
    import transformers

    return {
        "torch": torch.__version__.split("+")[0],
        "torchvision": torchvision.__version__.split("+")[0],
        "transformers": transformers.__version__,
        "tokenizers": tokenizers.__version__,
        "safetensors": safetensors.__version__,
        "numpy": np.__version__,
        "pillow": PIL.__version__,
        "pillow libjpeg-turbo": PIL.features.version("libjpeg_turbo"),
        "pillow webp": PIL.features.version("webp"),
        "jinja2": jinja2.__version__,
    }


def write_json(path, value):
    """JSON with one line per short list, so that a case.json stays readable."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_dump(value, 0) + "\n", encoding="utf-8")


def _dump(value, indent):
    flat = json.dumps(value, ensure_ascii=False)
    simple = isinstance(value, list) and all(not isinstance(v, (dict, list)) for v in value)
    if not isinstance(value, (dict, list)) or not value or simple or len(flat) + indent <= 96:
        return flat
    pad = " " * (indent + 2)
    if isinstance(value, list):
        inner = [pad + _dump(v, indent + 2) for v in value]
        return "[\n" + ",\n".join(inner) + "\n" + " " * indent + "]"
    inner = [
        pad + json.dumps(k, ensure_ascii=False) + ": " + _dump(v, indent + 2)
        for k, v in value.items()
    ]
    return "{\n" + ",\n".join(inner) + "\n" + " " * indent + "}"


def write_tensors(path, tensors):
    """A safetensors file; floats as F32, names sorted by the writer."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.detach().to(torch.float32).contiguous().clone() for k, v in tensors.items()}, path)
    path.chmod(0o644)


def fnv1a64(data):
    """FNV-1a with 64 bits over bytes, as 16 hexadecimal digits."""
    value = 0xCBF29CE484222325
    for byte in bytes(data):
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def hash_picture(height, width, seed):
    """Pseudo-random RGB picture that C++ can make again, uint8 [height, width, 3].

    With 32-bit wrap-around: v = x*374761393 + y*668265263 + c*2246822519 + seed*3266489917;
    v = (v ^ (v >> 13)) * 1274126177; v ^= v >> 16; noise = v & 255;
    ramp = (x*255/max(width-1,1) + y*255/max(height-1,1)) / 2 with integer divisions;
    pixel = (noise + 3*ramp) / 4, integer division.
    """
    u32 = np.uint32
    with np.errstate(over="ignore"):
        x = np.arange(width, dtype=u32)[None, :, None]
        y = np.arange(height, dtype=u32)[:, None, None]
        c = np.arange(3, dtype=u32)[None, None, :]
        v = x * u32(374761393) + y * u32(668265263) + c * u32(2246822519)
        v = v + u32((seed * 3266489917) & 0xFFFFFFFF)
        v = (v ^ (v >> u32(13))) * u32(1274126177)
        v = v ^ (v >> u32(16))
    noise = (v & u32(255)).astype(np.int64)
    xi, yi = x.astype(np.int64), y.astype(np.int64)
    ramp = (xi * 255 // max(width - 1, 1) + yi * 255 // max(height - 1, 1)) // 2
    return ((noise + 3 * ramp) // 4).astype(np.uint8)


def shapes_picture(height, width, seed):
    """A small picture with flat areas, edges and a gradient: compresses well as PNG."""
    rng = np.random.default_rng(seed)
    out = np.empty((height, width, 3), np.uint8)
    y, x = np.mgrid[0:height, 0:width]
    for c in range(3):
        a, b = rng.integers(0, 4, 2)
        out[..., c] = (rng.integers(0, 256) + a * x * 64 // max(width, 1) + b * y * 64 // max(height, 1)) % 256
    for _ in range(5):
        cy, cx = rng.integers(0, height), rng.integers(0, width)
        ry, rx = 1 + rng.integers(0, max(height // 2, 1)), 1 + rng.integers(0, max(width // 2, 1))
        inside = ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1
        out[inside] = rng.integers(0, 256, 3)
    return out
