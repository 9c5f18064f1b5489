"""Sizes, resize weights, resized pictures and patches with the released geometry (16 px, 3 x 3)."""

import math
import pathlib
import random
import shutil

import numpy as np
import torch
from PIL import Image
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as tvf
from transformers.models.gemma4_unified.image_processing_gemma4_unified import (
    Gemma4UnifiedImageProcessor, get_aspect_ratio_preserving_size)

from common import be_deterministic, fnv1a64, hash_picture, shapes_picture, versions, write_json

PATCH, POOL, BUDGETS = 16, 3, (70, 140, 280, 560, 1120)


# --- target sizes -------------------------------------------------------------------------------

def size_of(height, width, patch, max_patches, pool):
    try:
        return list(get_aspect_ratio_preserving_size(height, width, patch, max_patches, pool))
    except ValueError:
        return None


def size_cases():
    """[height, width, budget, used height, used width, tokens]."""
    rng = random.Random(5)
    sizes = [(1, 1), (48, 48), (100, 100), (768, 768), (480, 640), (640, 480), (3024, 4032), (1080, 1920),
             (10, 3000), (3000, 10), (1, 65535), (65535, 1), (2, 141), (47, 49), (768, 767), (8000, 8000)]
    sizes += [(rng.randint(1, 5000), rng.randint(1, 5000)) for _ in range(40)]
    sizes += [(rng.randint(1, 40), rng.randint(1, 9000)) for _ in range(20)]
    sizes += [(rng.randint(1, 9000), rng.randint(1, 40)) for _ in range(20)]
    # Sizes that are their own target, and one pixel beside them.
    sizes += [(672, 912), (672, 911), (673, 912), (336, 432), (960, 1296), (1344, 1824), (48, 13440)]
    rows = []
    for height, width in sizes:
        for budget in BUDGETS:
            h, w = size_of(height, width, PATCH, budget * POOL * POOL, POOL)
            rows.append([height, width, budget, h, w, (h // 48) * (w // 48)])
    return rows


def generic_size_cases():
    """Other geometries; target null where the reference refuses."""
    rows = [(16, 256, 1, 256, 256), (16, 256, 1, 512, 512), (10, 200, 1, 50, 10000), (10, 200, 1, 25, 10000),
            (10, 200, 1, 25, 20000), (16, 2304, 6, 2785, 34), (4, 64, 2, 50, 1000), (5, 100, 3, 100, 100),
            (5, 20, 3, 5, 100), (16, 1, 3, 100, 100), (16, 8, 3, 100, 100), (16, 9, 3, 100, 100),
            (4, 630, 3, 3, 400), (4, 630, 3, 46, 61), (16, 10, 3, 1, 1000), (16, 17, 3, 30, 100)]
    return [{"patch_size": p, "max_patches": m, "pooling_kernel_size": k, "height": h, "width": w,
             "target": size_of(h, w, p, m, k)} for p, m, k, h, w in rows]


# --- the resize, in integers --------------------------------------------------------------------

def bicubic_weights(n_in, n_out):
    """Weights of one axis as torch's native uint8 path has them: {precision, first, weights}."""
    scale = n_in / n_out
    support, inverse = (2 * scale, 1 / scale) if scale >= 1 else (2.0, 1.0)

    def kernel(x):
        x, a = abs(x), -0.5
        if x < 1:
            return ((a + 2) * x - (a + 3)) * x * x + 1
        return a * (((x - 5) * x + 8) * x - 4) if x < 2 else 0.0

    firsts, rows = [], []
    for i in range(n_out):
        centre = scale * (i + 0.5)
        first = max(int(centre - support + 0.5), 0)
        count = min(int(centre + support + 0.5), n_in) - first
        count = max(min(count, 2 * math.ceil(support) + 1), 0)
        row = [kernel((first + j - centre + 0.5) * inverse) for j in range(count)]
        total = sum(row)
        firsts.append(first)
        rows.append([w / total for w in row])
    largest = max(max(row) for row in rows)
    precision = next((p for p in range(22) if int(0.5 + largest * (1 << (p + 1))) >= 1 << 15), 22)
    weights = [[int(w * (1 << precision) + (0.5 if w >= 0 else -0.5)) for w in row] for row in rows]
    return {"precision": precision, "first": firsts, "weights": weights}


def resize_axis(pixels, n_out):
    """Resizes axis 1 of uint8 [a, n, 3]."""
    table = bicubic_weights(pixels.shape[1], n_out)
    out = np.empty((pixels.shape[0], n_out, 3), np.uint8)
    for i, (first, row) in enumerate(zip(table["first"], table["weights"])):
        part = pixels[:, first:first + len(row)].astype(np.int32)
        total = (part * np.array(row, np.int32)[None, :, None]).sum(1) + (1 << (table["precision"] - 1))
        out[:, i] = np.clip(total >> table["precision"], 0, 255)
    return out


def resize(pixels, height, width):
    if width != pixels.shape[1]:
        pixels = resize_axis(pixels, width)
    if height != pixels.shape[0]:
        pixels = resize_axis(pixels.transpose(1, 0, 2), height).transpose(1, 0, 2)
    return pixels


def weight_cases():
    pairs = [(4, 8), (8, 4), (1, 48), (2, 7), (3, 400), (5, 5), (448, 768), (768, 448), (100, 33), (33, 100),
             (1000, 48), (17, 16), (16, 17)]
    cases = [{"n_in": a, "n_out": b, **bicubic_weights(a, b)} for a, b in pairs]
    table = {(c["n_in"], c["n_out"]): c for c in cases}
    assert table[4, 8]["precision"] == 14 and table[4, 8]["weights"][0] == [17830, -1446]
    assert table[4, 8]["weights"][3] == [-1152, 14208, 3712, -384]
    assert table[8, 4]["precision"] == 16 and table[8, 4]["first"][2] == 1
    assert table[8, 4]["weights"][2] == [-759, -2277, 7338, 28087, 28087, 7338, -2277]
    assert table[448, 768]["weights"][3] == [-932, 8272, 10146, -1102]
    return cases


# --- pictures -----------------------------------------------------------------------------------

def process(pixels, budget):
    """The processor's result for one picture, and the resized picture it goes through."""
    processor = Gemma4UnifiedImageProcessor(max_soft_tokens=budget)
    out = processor(images=[Image.fromarray(pixels)], return_tensors="pt")
    height, width = size_of(pixels.shape[0], pixels.shape[1], PATCH, budget * POOL * POOL, POOL)
    count = (height // 48) * (width // 48)
    assert out["image_position_ids"][0][:count].tolist() == [
        [n % (width // 48), n // (width // 48)] for n in range(count)]
    assert (out["image_position_ids"][0][count:] == -1).all()
    patches = out["pixel_values"][0][:count].contiguous().numpy()
    resized = tvf.resize(torch.from_numpy(pixels).permute(2, 0, 1), [height, width],
                         interpolation=InterpolationMode.BICUBIC, antialias=True)
    resized = resized.permute(1, 2, 0).contiguous().numpy() if (height, width) != pixels.shape[:2] else pixels
    cut = resized.reshape(height // 48, 48, width // 48, 48, 3).transpose(0, 2, 1, 3, 4).reshape(count, -1)
    assert np.array_equal(patches, cut.astype(np.float32) * np.float32(1 / 255))
    assert np.array_equal(resize(pixels, height, width), resized), "the integer rule is not the library's"
    return resized, patches


def result(pixels, budget):
    resized, patches = process(pixels, budget)
    flat, values = resized.reshape(-1), patches.reshape(-1)
    return {
        "budget": budget, "used_height": resized.shape[0], "used_width": resized.shape[1],
        "tokens": patches.shape[0],
        "resized_fnv1a64": fnv1a64(flat.tobytes()),
        "resized_first": flat[:12].tolist(), "resized_last": flat[-12:].tolist(),
        "patches_fnv1a64": fnv1a64(values.astype("<f4").tobytes()),
        "patches_first": values[:4].tolist(), "patches_last": values[-4:].tolist(),
    }


# height, width, seed of hash_picture; budgets.
FORMULA = [
    (1, 1, 1, (70,)), (7, 5, 2, (70, 280)), (48, 48, 3, (70, 140)), (768, 768, 4, (280, 70)),
    (480, 640, 5, BUDGETS), (333, 500, 6, (140, 560)), (1080, 1920, 7, (70, 280, 1120)),
    (10, 3000, 8, (70, 280)), (1500, 9, 9, (140,)), (2000, 1501, 10, (280,)), (400, 401, 11, (1120,)),
]


def pictures(folder):
    for height, width, seed, budgets in FORMULA:
        pixels = hash_picture(height, width, seed)
        yield {"name": f"formula_{height}x{width}", "height": height, "width": width, "formula_seed": seed,
               "source_fnv1a64": fnv1a64(pixels.tobytes()),
               "results": [result(pixels, b) for b in budgets]}
    rng = np.random.default_rng(3)
    files = {
        "noise_24x37": rng.integers(0, 256, (24, 37, 3), np.uint8),
        "black_and_white_9x16": (rng.integers(0, 2, (9, 16, 1), np.uint8) * 255).repeat(3, 2),
        "shapes_120x90": shapes_picture(120, 90, 31),
        "white_5x5": np.full((5, 5, 3), 255, np.uint8),
    }
    for name, pixels in files.items():
        Image.fromarray(pixels).save(folder / f"{name}.png", optimize=True)
        yield {"name": name, "height": pixels.shape[0], "width": pixels.shape[1], "file": f"{name}.png",
               "source_fnv1a64": fnv1a64(pixels.tobytes()),
               "results": [result(pixels, b) for b in (70, 280)]}


def make(out):
    be_deterministic()
    folder = pathlib.Path(out) / "preprocess"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_json(folder / "case.json", {
        "patch_size": PATCH, "pooling_kernel_size": POOL,
        "formula": " ".join(hash_picture.__doc__.split()),
        "sizes": size_cases(), "generic_sizes": generic_size_cases(), "weights": weight_cases(),
        "pictures": list(pictures(folder)), "versions": versions()})


if __name__ == "__main__":
    import sys

    make(sys.argv[1])
