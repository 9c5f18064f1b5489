"""A bfloat16 checkpoint run in bfloat16 and in float32: how far apart two faithful runs are."""

import pathlib
import shutil

import torch

from common import be_deterministic, versions, write_json, write_tensors
from make_cases import Recorder, forward, load, picture, prepare, text

CASES = {
    "bf16_text": dict(model="tiny_bf16", pictures=[], messages=[
        {"role": "user", "content": "The weather in Bangkok is cloudy; the temperature is thirty degrees "
                                    "and the wind comes from the south. Is there a cat in the photo?"}]),
    "bf16_one_image": dict(model="tiny_bf16", pictures=[(60, 45, 21)], messages=[
        {"role": "user", "content": [picture("picture_0.png"), text("Describe this image in one sentence.")]}]),
}


def compare(logits, reference):
    """Distance of one run's rows from another's."""
    p, q = torch.log_softmax(reference, -1), torch.log_softmax(logits, -1)
    return {
        "max_abs": float((logits - reference).abs().max()),
        "mean_kl": float((p.exp() * (p - q)).sum(-1).mean()),
        "top1_agreement": float((logits.argmax(-1) == reference.argmax(-1)).float().mean()),
    }


def run(model, ids, types, vision, name, tensors):
    recorder = Recorder(model)
    tensors[f"{name}.logits"] = forward(model, ids, types, vision, "canonical").to(torch.float32)
    tensors[f"{name}.input_embeddings"] = recorder.embeddings
    if vision:
        tensors[f"{name}.image.0.soft"] = model.model.get_image_features(**vision).pooler_output[0]


def make(out):
    be_deterministic()
    out = pathlib.Path(out)
    for name, spec in CASES.items():
        folder = out / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        directory = out / "models" / spec["model"]
        half, processor = load(directory, torch.bfloat16)
        single, _ = load(directory, torch.float32)
        case, ids, types, vision, _ = prepare(folder, spec, processor, half)
        tensors = {}
        run(half, ids, types, vision, "bf16", tensors)
        # transformers' float32 model multiplies embeddings by the unrounded scale.
        embed = single.model.language_model.embed_tokens
        unrounded = float(embed.embed_scale)
        run(single, ids, types, vision, "f32", tensors)
        embed.embed_scale.copy_(embed.embed_scale.to(torch.bfloat16).to(torch.float32))
        run(single, ids, types, vision, "f32_bf16_scale", tensors)
        write_tensors(folder / "expected.safetensors", tensors)
        distances = {
            "bf16 from f32": compare(tensors["bf16.logits"], tensors["f32.logits"]),
            "bf16 from f32_bf16_scale": compare(tensors["bf16.logits"], tensors["f32_bf16_scale.logits"]),
            "f32 from f32_bf16_scale": compare(tensors["f32.logits"], tensors["f32_bf16_scale.logits"]),
        }
        write_json(folder / "case.json", {
            "case": name, **case, "mask_rule": "canonical",
            "embedding_scale": {"f32": unrounded, "bf16": float(embed.embed_scale),
                                "f32_bf16_scale": float(embed.embed_scale)},
            "distances": distances, "attention": "eager", "versions": versions()})
        print(name, len(ids), distances)


if __name__ == "__main__":
    import sys

    make(sys.argv[1])
