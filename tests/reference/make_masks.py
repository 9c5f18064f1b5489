"""Which key each query sees: tables read out of the layers of a running model, for each mask rule."""

import pathlib
import random

import torch

from common import be_deterministic, versions, write_json
from make_cases import HOW, RULE_NAMES, Recorder, load


def prompts():
    """(name, window, type ids); 1 = image, 2 = video frame, 3 = audio, 0 = text."""
    yield "one block, window as long as it", 4, [0, 0, 1, 1, 1, 1, 0, 0]
    yield "block longer than the window", 4, [0] * 5 + [1] * 7 + [0] * 4
    yield "block first and last", 3, [1, 1, 1, 1, 0, 1, 1]
    yield "no block", 3, [0] * 7
    yield "only a block", 5, [1] * 9
    yield "neighbouring image and video types are one block", 4, [0, 1, 1, 2, 2, 0, 2, 2]
    yield "audio is causal", 4, [0, 3, 3, 3, 3, 3, 0, 1, 1, 0]
    rng = random.Random(7)
    for k in range(12):
        types = []
        while len(types) < 24:
            types += [rng.choice([0, 0, 1, 2, 3])] * rng.randint(1, 7)
            types.append(0)
        yield f"random {k}", rng.randint(1, 10), types[:24]


def rows(mask):
    return ["".join("1" if v else "0" for v in row) for row in mask.tolist()]


def tables(model, recorder, window, types):
    """Runs the text part on arbitrary embeddings, so that any type ids may be tried."""
    text = model.config.text_config
    text.sliding_window = window
    for layer in model.model.language_model.layers:
        layer.self_attn.sliding_window = window if layer.self_attn.is_sliding else None
    n = len(types)
    embeds = torch.randn(1, n, text.hidden_size, generator=torch.Generator().manual_seed(n))
    ones, positions = torch.ones(1, n, dtype=torch.long), torch.arange(n)[None]
    kinds = torch.tensor([types])
    out = {}
    for rule in RULE_NAMES:
        arguments = dict(inputs_embeds=embeds, position_ids=positions, use_cache=False)
        if rule == "canonical":
            masks = model.create_masks_for_generate(
                model.config, embeds, ones, None, positions, mm_token_type_ids=kinds)
            model(attention_mask=masks, **arguments)
        elif rule == "legacy":
            model(attention_mask=ones, mm_token_type_ids=kinds, **arguments)
        else:
            model(attention_mask=ones, **arguments)
        for kind in ("sliding_attention", "full_attention"):
            masks = [recorder.masks[i] for i, t in enumerate(text.layer_types) if t == kind]
            assert all(torch.equal(masks[0], m) for m in masks)
            out[f"{rule}.{kind}"] = rows(masks[0])
    return out


def check_known(results):
    """Tables and single entries published elsewhere for transformers 5.18."""
    first = results[0]["tables"]
    assert first["canonical.sliding_attention"] == [
        "10000000", "11000000", "11111100", "11111100", "01111100", "00111100", "00011110", "00001111"]
    assert first["legacy.sliding_attention"] == [
        "10000000", "11000000", "11111100", "11111100", "01111100", "00111100", "00011110", "00001111"]
    assert first["legacy.full_attention"] == [
        "10000000", "11000000", "11111100", "11111100", "11111100", "11111100", "11111110", "11111111"]
    assert first["canonical.full_attention"] == first["causal.full_attention"]
    second = results[1]["tables"]
    full, sliding = second["canonical.full_attention"], second["canonical.sliding_attention"]
    assert (full[5][11], full[11][5], sliding[8][5], sliding[5][8], sliding[11][5]) == ("0", "1", "1", "1", "0")


def generation_paths(out):
    """Which rule generate() follows: compared with the greedy answers of one_image."""
    import json

    from make_cases import rgb
    folder = pathlib.Path(out) / "one_image"
    case = json.loads((folder / "case.json").read_text())
    model, processor = load(pathlib.Path(out) / case["model"])
    inputs = processor(text=case["prompt_text"], images=[rgb(folder / "picture_0.png")],
                       return_tensors="pt", add_special_tokens=False)
    assert inputs["input_ids"][0].tolist() == case["token_ids"]
    # The answers to compare with pass over end tokens.
    model.generation_config.eos_token_id = None
    found = {}
    for cache in (None, "static"):
        answer = model.generate(**inputs, do_sample=False, max_new_tokens=case["greedy_tokens"],
                                min_new_tokens=case["greedy_tokens"], cache_implementation=cache)
        tokens = answer[0, len(case["token_ids"]):].tolist()
        matching = [r for r in RULE_NAMES if case["rules"][r]["greedy_ids"] == tokens]
        found[cache or "default (dynamic cache)"] = matching[0] if matching else "none of the three"
    return found


def make(out):
    be_deterministic()
    model, _ = load(pathlib.Path(out) / "models" / "tiny_stored")
    recorder = Recorder(model)
    results = [
        {"name": name, "window": window, "mm_token_type_ids": types,
         "tables": tables(model, recorder, window, types)}
        for name, window, types in prompts()]
    check_known(results)
    write_json(pathlib.Path(out) / "masks" / "case.json", {
        "what": "one string per query, character k is 1 where the query sees key k",
        "how": HOW, "generate_follows": generation_paths(out), "cases": results, "versions": versions()})


if __name__ == "__main__":
    import sys

    make(sys.argv[1])
