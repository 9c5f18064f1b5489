"""Whole-model golden cases: prompt, pictures, embeddings, every layer, logits, greedy answers."""

import pathlib
import shutil

import torch
from PIL import Image
from transformers import AutoProcessor, Gemma4UnifiedForConditionalGeneration
from transformers.models.gemma4_unified.image_processing_gemma4_unified import (
    get_aspect_ratio_preserving_size,
)

from common import (
    be_deterministic, fnv1a64, shapes_picture, versions, write_json, write_tensors)

GREEDY_TOKENS = 64
CONTINUATION_TOKENS = 24
RULE_NAMES = ("canonical", "legacy", "causal")


def text(value):
    return {"type": "text", "text": value}


def picture(path):
    return {"type": "image", "path": path}


LONG_TEXT = (
    "Is there a cat in the photo?\n\nNo, there is a dog, and it is sleeping on the chair next to the "
    "window.\n\n\ndef main(self):\n    return None if x == 0 else self.value(x) + 1  # 你好 🙂 ½")

# height, width, seed of every picture; messages name them picture_<index>.png.
CASES = {
    "text_long": dict(model="tiny_stored", pictures=[], messages=[
        {"role": "system", "content": "The user asks and the model answers."},
        {"role": "user", "content": LONG_TEXT}]),
    "text_short_window": dict(model="tiny_resaved", pictures=[], messages=[
        {"role": "user", "content": "Describe this image in one sentence. The circle is yellow."}]),
    "one_image": dict(model="tiny_stored", pictures=[(46, 61, 11)], messages=[
        {"role": "user", "content": [picture("picture_0.png"), text("What is the shape in the middle?")]}]),
    # A tall one, one of extreme aspect (one row of patches) and one that is scaled down.
    "several_images": dict(model="tiny_stored", pictures=[(97, 31, 12), (3, 400, 13), (150, 180, 14)], messages=[
        {"role": "system", "content": [text("Look"), text("closely.")]},
        {"role": "user", "content": [text("First:"), picture("picture_0.png"), text("then"),
                                     picture("picture_1.png"), picture("picture_2.png"),
                                     text(" How many squares are there? ")]}]),
    # 70 soft tokens, window 16.
    "block_longer_than_window": dict(model="tiny_resaved", pictures=[(84, 120, 15)], messages=[
        {"role": "user", "content": [text("Is there a cat in the photo?"), picture("picture_0.png"),
                                     text("Answer.")]}]),
    "two_blocks_short_window": dict(model="tiny_resaved", pictures=[(50, 50, 16), (20, 33, 17)], messages=[
        {"role": "user", "content": [picture("picture_0.png"), picture("picture_1.png"), text("Compare.")]}]),
}


class Recorder:
    """Keeps what the last forward pass gave to and took from every decoder layer."""

    def __init__(self, model):
        self.layers, self.masks, self.norm, self.embeddings = {}, {}, None, None
        text_model = model.model.language_model
        for index, layer in enumerate(text_model.layers):
            layer.register_forward_hook(
                lambda m, args, kwargs, out, i=index: self._layer(i, args, kwargs, out), with_kwargs=True)
        text_model.norm.register_forward_hook(lambda m, args, out: setattr(self, "norm", out[0]))

    def _layer(self, index, args, kwargs, out):
        if index == 0:
            self.embeddings = args[0][0]
        self.layers[index] = (out[0] if isinstance(out, tuple) else out)[0]
        mask = kwargs["attention_mask"][0, 0]
        self.masks[index] = mask if mask.dtype == torch.bool else mask == 0


def visible(types, layer_type, window, rule):
    """The mask a rule should give: visible[query, key]."""
    n = len(types)
    block = torch.full((n,), -1)
    count = -1
    for i, kind in enumerate(types):
        if kind in (1, 2):
            if i == 0 or types[i - 1] not in (1, 2):
                count += 1
            block[i] = count
    q, k = torch.arange(n)[:, None], torch.arange(n)[None, :]
    same = (block[:, None] == block[None, :]) & (block[:, None] >= 0)
    causal, near = k <= q, k > q - window
    if layer_type == "full_attention":
        return causal | same if rule == "legacy" else causal
    return {"canonical": (causal | same) & near, "legacy": (causal & near) | same,
            "causal": causal & near}[rule]


def load_model(directory, dtype=torch.float32):
    return Gemma4UnifiedForConditionalGeneration.from_pretrained(
        directory, dtype=dtype, attn_implementation="eager").eval()


def load(directory, dtype=torch.float32):
    return load_model(directory, dtype), AutoProcessor.from_pretrained(directory)


def type_ids(model, ids):
    config = model.config
    names = {config.image_token_id: 1, config.video_token_id: 2, config.audio_token_id: 3}
    return [names.get(i, 0) for i in ids]


def forward(model, ids, types, vision, rule):
    """Logits [T, vocab] of one full pass without a cache, under a mask rule.

    canonical: the ready-made masks of create_masks_for_generate, given the type ids.
    legacy:    the type ids, and forward() makes the masks itself.
    causal:    no type ids, hence no vision blocks.
    """
    input_ids = torch.tensor([ids])
    mask = torch.ones_like(input_ids)
    types = torch.tensor([types])
    positions = torch.arange(len(ids))[None]
    arguments = dict(input_ids=input_ids, position_ids=positions, use_cache=False, **vision)
    if rule == "canonical":
        embeds = torch.zeros(1, len(ids), model.config.text_config.hidden_size, dtype=model.dtype)
        masks = model.create_masks_for_generate(
            model.config, embeds, mask, None, positions, mm_token_type_ids=types)
        return model(attention_mask=masks, **arguments).logits[0]
    if rule == "legacy":
        return model(attention_mask=mask, mm_token_type_ids=types, **arguments).logits[0]
    return model(attention_mask=mask, **arguments).logits[0]


def greedy(model, ids, types, vision, rule, suppressed):
    """GREEDY_TOKENS ids after `ids`, first maximum wins, end tokens do not end it, no cache; and the
    smallest distance between the best and the second-best logit met on the way."""
    ids, types, margin = list(ids), list(types), float("inf")
    start = len(ids)
    special = {model.config.image_token_id, model.config.audio_token_id, model.config.video_token_id}
    for _ in range(GREEDY_TOKENS):
        logits = forward(model, ids, types, vision, rule)[-1].to(torch.float32)
        logits[suppressed] = -float("inf")
        best = torch.topk(logits, 2).values
        margin = min(margin, float(best[0] - best[1]))
        token = int(torch.nonzero(logits == best[0])[0])
        assert token not in special, "a placeholder was generated: choose another seed"
        ids.append(token)
        types.append(0)
    return ids[start:], margin


def rgb(path):
    return Image.open(path).convert("RGB")


def describe_pictures(folder, files, processor, inputs, ids, image_token):
    """Sizes, positions in the prompt and hashes; writes the resized pictures beside the inputs."""
    described, start = [], 0
    size = processor.image_processor.patch_size * processor.image_processor.pooling_kernel_size
    for index, file in enumerate(files):
        source = rgb(folder / file)
        count = int(inputs["num_soft_tokens_per_image"][index])
        height, width = get_aspect_ratio_preserving_size(
            source.height, source.width, processor.image_processor.patch_size,
            processor.image_processor.max_soft_tokens * processor.image_processor.pooling_kernel_size ** 2,
            processor.image_processor.pooling_kernel_size)
        patches = inputs["pixel_values"][index][:count]
        grid = patches.reshape(height // size, width // size, size, size, 3)
        resized = (grid.permute(0, 2, 1, 3, 4).reshape(height, width, 3) * 255).round().to(torch.uint8)
        positions = inputs["image_position_ids"][index][:count].tolist()
        assert positions == [[n % (width // size), n // (width // size)] for n in range(count)]
        Image.fromarray(resized.numpy()).save(folder / f"resized_{index}.png", optimize=True)
        first = ids.index(image_token, start)
        assert ids[first:first + count] == [image_token] * count and ids[first + count] != image_token
        start = first + count
        described.append({
            "file": file, "source_height": source.height, "source_width": source.width,
            "used_height": height, "used_width": width,
            "grid_height": height // size, "grid_width": width // size, "tokens": count,
            "first_position": first, "resized": f"resized_{index}.png",
            "resized_fnv1a64": fnv1a64(resized.numpy().tobytes()),
            "patches_fnv1a64": fnv1a64(patches.contiguous().numpy().tobytes()),
        })
    return described


def prepare(folder, spec, processor, model):
    """Writes the pictures and returns (case description, ids, types, vision arguments, inputs)."""
    for index, (height, width, seed) in enumerate(spec["pictures"]):
        Image.fromarray(shapes_picture(height, width, seed)).save(folder / f"picture_{index}.png", optimize=True)
    files = [f"picture_{i}.png" for i in range(len(spec["pictures"]))]
    prompt = processor.apply_chat_template(
        spec["messages"], tokenize=False, add_generation_prompt=True, enable_thinking=False)
    inputs = processor(text=prompt, images=[rgb(folder / f) for f in files] or None,
                       return_tensors="pt", add_special_tokens=False)
    if files:
        # Named in unused_input_names, so the processor drops it from what it returns.
        inputs["num_soft_tokens_per_image"] = [
            int((p >= 0).all(-1).sum()) for p in inputs["image_position_ids"]]
    ids = inputs["input_ids"][0].tolist()
    types = type_ids(model, ids)
    if "mm_token_type_ids" in inputs:
        assert types == inputs["mm_token_type_ids"][0].tolist()
    vision = {k: inputs[k] for k in ("pixel_values", "image_position_ids") if k in inputs}
    case = {
        "model": "models/" + spec["model"],
        "messages": spec["messages"],
        "prompt_text": prompt,
        "token_ids": ids,
        "mm_token_type_ids": types,
        "images": describe_pictures(folder, files, processor, inputs, ids, model.config.image_token_id),
    }
    return case, ids, types, vision, inputs


HOW = {
    "canonical": "create_masks_for_generate(config, embeds, mask, None, positions, mm_token_type_ids) "
                 "as forward()'s attention_mask; full: k <= q; sliding: (k <= q or same block) and k > q - window",
    "legacy": "forward(attention_mask=ones, mm_token_type_ids); full: k <= q or same block; "
              "sliding: (k <= q and k > q - window) or same block",
    "causal": "forward(attention_mask=ones); full: k <= q; sliding: k <= q and k > q - window",
}


def check_masks(model, recorder, types, rule):
    """The masks that the layers really got are those of the rule."""
    config = model.config.text_config
    for index, mask in recorder.masks.items():
        want = visible(types, config.layer_types[index], config.sliding_window, rule)
        assert torch.equal(mask, want), f"layer {index} has not the {rule} mask"


def run_rule(model, recorder, ids, types, vision, rule, tensors, suppressed):
    """Records one mask rule; returns its entry in case.json."""
    logits = forward(model, ids, types, vision, rule)
    check_masks(model, recorder, types, rule)
    for index, hidden in recorder.layers.items():
        tensors[f"{rule}.hidden.{index}"] = hidden
    tensors[f"{rule}.final_norm"] = recorder.norm
    tensors[f"{rule}.logits"] = logits
    again = forward(model, ids, types, vision, rule)
    assert torch.equal(logits, again), "not deterministic"
    tokens, margin = greedy(model, ids, types, vision, rule, suppressed)
    return {"how": HOW[rule], "masks_checked": True,
            "greedy_ids": tokens, "greedy_distinct": len(set(tokens)), "greedy_smallest_margin": margin,
            "logits_largest": float(logits.abs().max()), "logits_std": float(logits.std())}


def continue_with_random_ids(model, ids, types, vision, tensors):
    """Ordinary ids in the place of an answer: a decode test that no repetition makes easy."""
    generator = torch.Generator().manual_seed(len(ids))
    first, vocab = 24, model.config.text_config.vocab_size
    more = torch.randint(first, vocab, (CONTINUATION_TOKENS,), generator=generator).tolist()
    logits = forward(model, ids + more, types + [0] * len(more), vision, "canonical")
    tensors["canonical.continuation_logits"] = logits[len(ids):]
    return more


def make_case(out, name, spec):
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model, processor = load(out / "models" / spec["model"])
    recorder = Recorder(model)
    case, ids, types, vision, inputs = prepare(folder, spec, processor, model)
    tensors = {}
    if name == "one_image":
        tensors["image.0.patches"] = inputs["pixel_values"][0][:case["images"][0]["tokens"]]
    if vision:
        for index, soft in enumerate(model.model.get_image_features(**vision).pooler_output):
            tensors[f"image.{index}.soft"] = soft
    suppressed = model.generation_config.suppress_tokens
    rules = {}
    logits = {}
    # Without pictures the three rules are one.
    for rule in RULE_NAMES if vision else ("canonical",):
        kept = {}
        rules[rule] = run_rule(model, recorder, ids, types, vision, rule, kept, suppressed)
        logits[rule] = kept[f"{rule}.logits"]
        if rule == "canonical":
            tensors["input_embeddings"] = recorder.embeddings
        # Every layer of the canonical rule; of the others the logits, or their last row alone where
        # the case is large.
        if rule != "canonical" or name == "two_blocks_short_window":
            kept = {k: v for k, v in kept.items() if k == f"{rule}.logits"}
        if rule != "canonical" and name not in ("one_image", "block_longer_than_window"):
            kept = {}
        tensors.update(kept)
        tensors[f"{rule}.last_logits"] = logits[rule][-1]
    if vision:
        for other in ("legacy", "causal"):
            difference = (logits["canonical"][-1] - logits[other][-1]).abs().max()
            assert difference > 0.1, f"canonical and {other} hardly differ: the case proves nothing"
            rules[other]["last_logits_difference_to_canonical"] = float(difference)
    else:
        for other in ("legacy", "causal"):
            assert torch.equal(forward(model, ids, types, vision, other), logits["canonical"])
    continuation = continue_with_random_ids(model, ids, types, vision, tensors)
    write_tensors(folder / "expected.safetensors", tensors)
    case = {"case": name, **case, "continuation_ids": continuation,
            "suppressed_ids": suppressed, "greedy_tokens": GREEDY_TOKENS,
            "rules": rules,
            "embedding_scale": float(model.model.language_model.embed_tokens.embed_scale),
            "dtype": "float32", "attention": "eager", "versions": versions()}
    write_json(folder / "case.json", case)
    worst = min(r["greedy_smallest_margin"] for r in rules.values())
    print(f"{name}: {len(ids)} tokens, smallest greedy margin {worst:.2e}, "
          f"logits std {rules['canonical']['logits_std']:.2f}, distinct "
          f"{[r['greedy_distinct'] for r in rules.values()]}, "
          f"{[round(r.get('last_logits_difference_to_canonical', 0), 2) for r in rules.values()]}")


def make(out, only=None):
    be_deterministic()
    for name, spec in CASES.items():
        if only is None or name in only:
            make_case(pathlib.Path(out), name, spec)


if __name__ == "__main__":
    import sys

    make(sys.argv[1], set(sys.argv[2:]) or None)
