"""Whole-model golden cases with sound and clips.

Sound is made by a formula that C++ makes again (`hash_sound`), so it is not stored. Frames are PNG files.
"""

import pathlib
import shutil

import numpy as np
import torch
from PIL import Image

from common import (
    be_deterministic, fnv1a64, shapes_picture, versions, write_json, write_tensors)
from make_cases import (
    CONTINUATION_TOKENS, GREEDY_TOKENS, Recorder, continue_with_random_ids, load, picture, rgb, run_rule, text,
    type_ids)


def sound(samples, seed):
    return {"type": "audio", "samples": samples, "seed": seed}


def clip(frames, fps):
    return {"type": "video", "frames": frames, "fps": fps}


# height, width, seed of every picture; messages name them picture_<index>.png.
CASES = {
    "audio_one_sample": dict(model="tiny_sound", pictures=[], messages=[
        {"role": "user", "content": [sound(1, 1), text("Transcribe.")]}]),
    # Seed 0 is silence.
    "audio_silence": dict(model="tiny_sound", pictures=[], messages=[
        {"role": "user", "content": [text("What is this?"), sound(2000, 0)]}]),
    "audio_one_frame": dict(model="tiny_sound", pictures=[], messages=[
        {"role": "user", "content": [sound(640, 2), text("Transcribe.")]}]),
    # 750 tokens, longer than every window.
    "audio_30_seconds": dict(model="tiny_sound", pictures=[], messages=[
        {"role": "user", "content": [text("Listen:"), sound(480_000, 3), text("What do you hear?")]}]),
    "video_one_frame": dict(model="tiny_stored", pictures=[(37, 53, 31)], messages=[
        {"role": "user", "content": [clip(["picture_0.png"], 24), text("What happens?")]}]),
    # Odd sizes; the last times pass a minute.
    "video_seven_frames": dict(
        model="tiny_resaved", pictures=[(31, 45, 32 + i) for i in range(7)], messages=[
            {"role": "user", "content": [text("Watch this."), clip([f"picture_{i}.png" for i in range(7)], 0.09),
                                         text("What happens?")]}]),
    "all_four_kinds": dict(
        model="tiny_sound", pictures=[(40, 64, 41), (33, 35, 42), (33, 35, 43), (20, 50, 44)], messages=[
            {"role": "system", "content": "Answer in one word."},
            {"role": "user", "content": [
                text("A picture"), picture("picture_0.png"), sound(3333, 4), text("and a clip"),
                clip(["picture_1.png", "picture_2.png"], 2), sound(641, 5), picture("picture_3.png"),
                text("What do they have in common?")]}]),
}


def hash_sound(count, seed):
    """Pseudo-random samples in (-0.5, 0.5) that C++ can make again; seed 0 is silence.

    With 32-bit wrap-around: v = i*374761393 + seed*3266489917; v = (v ^ (v >> 13)) * 1274126177;
    v ^= v >> 16; sample = ((v & 65535) - 32767.5) / 65536, times a slow triangle in i so that loud and
    soft frames alternate: (|i mod 4096 - 2048| + 1) / 2049. All in float32, each operation rounded.
    """
    if seed == 0:
        return np.zeros(count, np.float32)
    u32 = np.uint32
    with np.errstate(over="ignore"):
        i = np.arange(count, dtype=u32)
        v = i * u32(374761393) + u32((seed * 3266489917) & 0xFFFFFFFF)
        v = (v ^ (v >> u32(13))) * u32(1274126177)
        v = v ^ (v >> u32(16))
    noise = ((v & u32(65535)).astype(np.float32) - np.float32(32767.5)) / np.float32(65536)
    triangle = (np.abs((i % u32(4096)).astype(np.int64) - 2048) + 1).astype(np.float32) / np.float32(2049)
    return noise * triangle


def media_of(folder, messages):
    """Pictures, sounds and clips of all messages in order."""
    parts = [part for message in messages if isinstance(message["content"], list) for part in message["content"]]
    images = [rgb(folder / p["path"]) for p in parts if p["type"] == "image"]
    sounds = [hash_sound(p["samples"], p["seed"]) for p in parts if p["type"] == "audio"]
    clips = [(np.stack([np.asarray(rgb(folder / f)) for f in p["frames"]]), p["fps"])
             for p in parts if p["type"] == "video"]
    return images, sounds, clips


def frame_hashes(inputs):
    """Hash of the patches of each frame, in order; the padding rows are left out."""
    if "pixel_values_videos" not in inputs:
        return []
    patches = inputs["pixel_values_videos"].flatten(0, 1)
    positions = inputs["video_position_ids"].flatten(0, 1)
    return [fnv1a64(p[(q >= 0).all(-1)].contiguous().numpy().tobytes()) for p, q in zip(patches, positions)]


def prepare(folder, spec, processor, model):
    """Writes the pictures; returns (case description, ids, types, model arguments)."""
    for index, (height, width, seed) in enumerate(spec["pictures"]):
        Image.fromarray(shapes_picture(height, width, seed)).save(folder / f"picture_{index}.png", optimize=True)
    images, sounds, clips = media_of(folder, spec["messages"])
    prompt = processor.apply_chat_template(
        spec["messages"], tokenize=False, add_generation_prompt=True, enable_thinking=False)
    arguments = {}
    if images:
        arguments["images"] = images
    if sounds:
        arguments["audio"] = sounds
    if clips:
        arguments["videos"] = [torch.from_numpy(frames).permute(0, 3, 1, 2) for frames, _ in clips]
        arguments["video_metadata"] = [
            {"fps": fps, "total_num_frames": len(frames), "frames_indices": list(range(len(frames)))}
            for frames, fps in clips]
        arguments["do_sample_frames"] = False
    inputs = processor(text=prompt, return_tensors="pt", add_special_tokens=False, **arguments)
    ids = inputs["input_ids"][0].tolist()
    types = type_ids(model, ids)
    if "mm_token_type_ids" in inputs:
        assert types == inputs["mm_token_type_ids"][0].tolist()
    names = ("pixel_values", "image_position_ids", "pixel_values_videos", "video_position_ids",
             "input_features", "input_features_mask")
    media = {name: inputs[name] for name in names if name in inputs}
    for name, kind in (("pixel_values", images), ("pixel_values_videos", clips), ("input_features", sounds)):
        assert (name in media) == bool(kind), f"the processor gave no {name}"
    case = {"model": "models/" + spec["model"], "messages": spec["messages"], "prompt_text": prompt,
            "token_ids": ids, "mm_token_type_ids": types, "frame_patches_fnv1a64": frame_hashes(inputs)}
    return case, ids, types, media


def soft_tokens(model, recorder, ids):
    """Rows of the embeddings at placeholders, in prompt order."""
    config = model.config
    special = {config.image_token_id, config.video_token_id, config.audio_token_id}
    return recorder.embeddings[[i for i, token in enumerate(ids) if token in special]]


def make_case(out, name, spec):
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model, processor = load(out / "models" / spec["model"])
    recorder = Recorder(model)
    case, ids, types, media = prepare(folder, spec, processor, model)
    has_pictures = any(kind in (1, 2) for kind in types)
    # Placeholders too: a generated one would stand for nothing.
    config = model.config
    suppressed = sorted({*model.generation_config.suppress_tokens, config.image_token_id,
                         config.video_token_id, config.audio_token_id})
    tensors, rules, logits = {}, {}, {}
    for rule in ("canonical", "legacy", "causal") if has_pictures else ("canonical",):
        kept = {}
        rules[rule] = run_rule(model, recorder, ids, types, media, rule, kept, suppressed)
        logits[rule] = kept[f"{rule}.logits"]
        if rule == "canonical":
            tensors["soft_tokens"] = soft_tokens(model, recorder, ids)
            # All rows of the short cases, every 16th of the long one.
            step = 16 if len(ids) > 400 else 1
            tensors["canonical.logits"] = logits[rule][::step]
            if step > 1:
                tensors["soft_tokens"] = tensors["soft_tokens"][::step]
        tensors[f"{rule}.last_logits"] = logits[rule][-1]
    if has_pictures:
        difference = (logits["canonical"][-1] - logits["causal"][-1]).abs().max()
        assert difference > 1e-3, "the rules hardly differ: the case proves nothing"
    continuation = continue_with_random_ids(model, ids, types, media, tensors)
    assert len(continuation) == CONTINUATION_TOKENS
    write_tensors(folder / "expected.safetensors", tensors)
    write_json(folder / "case.json", {
        "case": name, **case, "row_step": step, "continuation_ids": continuation,
        "suppressed_ids": suppressed, "greedy_tokens": GREEDY_TOKENS, "rules": rules,
        "dtype": "float32", "attention": "eager", "versions": versions()})
    print(f"{name}: {len(ids)} tokens, smallest greedy margin "
          f"{min(r['greedy_smallest_margin'] for r in rules.values()):.2e}, distinct "
          f"{[r['greedy_distinct'] for r in rules.values()]}", flush=True)


def make(out, only=None):
    be_deterministic()
    for name, spec in CASES.items():
        if only is None or name in only:
            make_case(pathlib.Path(out), name, spec)


if __name__ == "__main__":
    import sys

    make(sys.argv[1], set(sys.argv[2:]) or None)
