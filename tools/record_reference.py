#!/usr/bin/env python3
"""Records what Hugging Face transformers computes for one prompt, for `nolens conform` (docs/conform.md).

    python tools/record_reference.py --model google/gemma-4-12B-it --image photo.jpg \\
        --question "What is written on the sign?" --out recording

Needs transformers 5.x with torch, torchvision and Pillow, and memory for the model: 24 GB for 12B weights in
bfloat16, twice that with --dtype float32. Runs on the processor. The folder holds everything that the
comparison needs, the media included, and may be passed on.
"""
import argparse
import json
import pathlib
import platform
import shutil
import sys
import wave

import numpy as np
import torch
from PIL import Image, ImageOps
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoProcessor, AutoTokenizer, DynamicCache

SAMPLE_RATE = 16000


def fail(message):
    sys.exit(f"error: {message}")


def say(message):
    print(message, flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="directory or name on the hub")
    parser.add_argument("--out", required=True, type=pathlib.Path, help="folder to write; must not exist")
    parser.add_argument("--question", help="text after the media")
    parser.add_argument("--system", help="system message")
    parser.add_argument("--image", action="append", default=[], type=pathlib.Path, help="picture; may be repeated")
    parser.add_argument("--audio", action="append", default=[], type=pathlib.Path,
                        help="raw float32 samples at 16 kHz (.f32) or a 16 kHz WAV file; may be repeated")
    parser.add_argument("--frames", nargs="+", default=[], type=pathlib.Path, help="pictures of one clip, in order")
    parser.add_argument("--fps", type=float, default=1.0, help="frames a second of --frames")
    parser.add_argument("--messages", type=pathlib.Path, help="OpenAI-style messages array instead of the above")
    parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"])
    parser.add_argument("--mask-rule", action="append", choices=["canonical", "legacy", "causal"],
                        help="may be repeated; default canonical")
    parser.add_argument("--layers", default="all", help="hidden states to keep: all, none or N for every Nth")
    parser.add_argument("--logits", default="all", choices=["all", "last"], help="positions whose logits are kept")
    parser.add_argument("--tokens", type=int, default=64, help="greedy tokens to record")
    parser.add_argument("--image-tokens", type=int, default=0, help="soft-token budget of a picture")
    parser.add_argument("--thinking", action="store_true", help="prompt with thinking enabled")
    parser.add_argument("--threads", type=int, default=0, help="0 = torch's own choice")
    args = parser.parse_args()
    if (args.messages is None) == (args.question is None):
        parser.error("give --question or --messages")
    if args.layers not in ("all", "none") and not (args.layers.isdigit() and int(args.layers) > 0):
        parser.error("--layers: expected all, none or a number above 0")
    if args.tokens < 0:
        parser.error("--tokens: expected 0 or more")
    args.mask_rule = args.mask_rule or ["canonical"]
    return args


# ---- The prompt and its media ---------------------------------------------------------------------------

def read_sound(path):
    """float32 samples at 16 kHz, one channel. Other formats are left to tools made for them."""
    if path.suffix == ".f32":
        return np.fromfile(path, "<f4")
    if path.suffix.lower() != ".wav":
        fail(f"{path}: convert it first: ffmpeg -i {path.name} -ac 1 -ar {SAMPLE_RATE} -f f32le sound.f32")
    with wave.open(str(path)) as file:
        if file.getframerate() != SAMPLE_RATE or file.getsampwidth() != 2 or file.getnchannels() != 1:
            fail(f"{path}: expected one channel of 16-bit samples at {SAMPLE_RATE} Hz")
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / np.float32(32768)


def read_picture(path):
    return ImageOps.exif_transpose(Image.open(path)).convert("RGB")


class Media:
    """Copies what the messages name into the recording and loads it."""

    def __init__(self, out, base):
        self.out, self.base, self.count = out, base, 0
        self.images, self.sounds, self.clips = [], [], []

    def keep(self, path):
        source = self.base / path
        if not source.is_file():
            fail(f"{source}: no such file")
        name = f"media_{self.count}{source.suffix.lower()}"
        self.count += 1
        shutil.copyfile(source, self.out / name)
        return name

    def part(self, part):
        """The part as the recording has it."""
        if part["type"] == "image":
            part = {**part, "path": self.keep(part["path"])}
            self.images.append(read_picture(self.out / part["path"]))
        elif part["type"] == "audio":
            samples = read_sound(self.base / part["path"])
            name = f"media_{self.count}.f32"
            self.count += 1
            samples.astype("<f4").tofile(self.out / name)
            part = {**part, "path": name}
            self.sounds.append(samples)
        elif part["type"] == "video":
            if "frames" not in part:
                fail("a clip is recorded by its frames: {\"type\": \"video\", \"frames\": [...], \"fps\": 2}")
            part = {**part, "frames": [self.keep(frame) for frame in part["frames"]]}
            self.clips.append((np.stack([np.asarray(read_picture(self.out / f)) for f in part["frames"]]),
                               part.get("fps", 24)))
        return part


def messages_of(args, media):
    if args.messages is not None:
        messages = json.loads(args.messages.read_text(encoding="utf-8"))
    else:
        content = [{"type": "image", "path": str(p)} for p in args.image]
        content += [{"type": "audio", "path": str(p)} for p in args.audio]
        if args.frames:
            content.append({"type": "video", "frames": [str(p) for p in args.frames], "fps": args.fps})
        content = content + [{"type": "text", "text": args.question}] if content else args.question
        messages = [{"role": "system", "content": args.system}] if args.system else []
        messages.append({"role": "user", "content": content})
    for message in messages:
        if isinstance(message["content"], list):
            message["content"] = [media.part(part) for part in message["content"]]
    return messages


def multimodal_inputs(processor, prompt, media):
    kinds = {}
    if media.images:
        kinds["images"] = media.images
    if media.sounds:
        kinds["audio"] = media.sounds
    if media.clips:
        kinds["videos"] = [torch.from_numpy(frames).permute(0, 3, 1, 2) for frames, _ in media.clips]
        kinds["video_metadata"] = [{"fps": fps, "total_num_frames": len(frames),
                                    "frames_indices": list(range(len(frames)))} for frames, fps in media.clips]
        kinds["do_sample_frames"] = False
    return processor(text=prompt, return_tensors="pt", add_special_tokens=False, **kinds)


def describe_pictures(out, processor, inputs, ids, config, tensors):
    """Pictures and frames in the order of the prompt: sizes, pixels after scaling, patches."""
    queues = {}
    if "pixel_values" in inputs:
        queues[config.image_token_id] = list(zip(inputs["pixel_values"], inputs["image_position_ids"]))
    if "pixel_values_videos" in inputs:
        queues[config.video_token_id] = [pair for clip in zip(inputs["pixel_values_videos"],
                                                              inputs["video_position_ids"]) for pair in zip(*clip)]
    described = []
    for first, token in enumerate(ids):
        if token not in queues or (first > 0 and ids[first - 1] == token):
            continue
        patches, positions = queues[token].pop(0)
        count = int((positions >= 0).all(-1).sum())
        maker = processor.image_processor if token == config.image_token_id else processor.video_processor
        side = maker.patch_size * maker.pooling_kernel_size
        columns, rows = (int(v) + 1 for v in positions[:count].max(0).values)
        patches = patches[:count].to(torch.float32)
        grid = patches.reshape(rows, columns, side, side, 3).permute(0, 2, 1, 3, 4)
        pixels = (grid.reshape(rows * side, columns * side, 3) / maker.rescale_factor).round().to(torch.uint8)
        index = len(described)
        Image.fromarray(pixels.numpy()).save(out / f"resized_{index}.png")
        tensors[f"image.{index}.patches"] = patches
        described.append({"used_width": columns * side, "used_height": rows * side, "tokens": count,
                          "first_position": first, "resized": f"resized_{index}.png"})
    return described


def soft_tokens(ids, embeddings, config, tensors):
    """Rows that stand for media, by picture and by sound."""
    kinds = {config.image_token_id: "image", config.video_token_id: "image", config.audio_token_id: "audio"}
    counts = {"image": 0, "audio": 0}
    begin = 0
    while begin < len(ids):
        end = begin + 1
        while end < len(ids) and ids[end] == ids[begin]:
            end += 1
        kind = kinds.get(ids[begin])
        if kind is not None:
            tensors[f"{kind}.{counts[kind]}.soft"] = embeddings[begin:end]
            counts[kind] += 1
        begin = end


# ---- The model ------------------------------------------------------------------------------------------

class Recorder:
    """Keeps what the first pass after arm() gives to and takes from the decoder layers."""

    def __init__(self, model, wanted):
        self.armed, self.layers, self.norm, self.embeddings = False, {}, None, None
        text_model = model.model
        text_model = getattr(text_model, "language_model", text_model)
        count = len(text_model.layers)
        step = {"all": 1, "none": 0}.get(wanted, int(wanted) if wanted.isdigit() else 0)
        self.kept = [i for i in range(count) if step and ((i + 1) % step == 0 or i == count - 1)]
        text_model.layers[0].register_forward_pre_hook(self._before)
        for index in self.kept:
            text_model.layers[index].register_forward_hook(lambda m, args, out, i=index: self._after(i, out))
        text_model.norm.register_forward_hook(self._norm)

    def _before(self, module, args):
        if self.armed:
            self.embeddings = args[0][0].clone()

    def _after(self, index, out):
        if self.armed:
            self.layers[index] = (out[0] if isinstance(out, tuple) else out)[0].clone()

    def _norm(self, module, args, out):
        if self.armed:
            self.norm = out[0].clone()


def masks(model, ids, types, rule, cache):
    """How a mask rule is asked for: arguments of forward().

    canonical: the ready-made masks of create_masks_for_generate, given the type ids.
    legacy:    the type ids, and forward() makes the masks itself.
    causal:    no type ids, hence no vision blocks.
    """
    mask = torch.ones(1, len(ids), dtype=torch.long)
    if types is None or rule == "causal":
        return {"attention_mask": mask}
    if rule == "legacy":
        return {"attention_mask": mask, "mm_token_type_ids": torch.tensor([types])}
    embeds = torch.zeros(1, len(ids), model.config.get_text_config().hidden_size, dtype=model.dtype)
    return {"attention_mask": model.create_masks_for_generate(
        model.config, embeds, mask, cache, torch.arange(len(ids))[None], mm_token_type_ids=torch.tensor([types]))}


def run_rule(model, recorder, ids, types, media, rule, suppressed, args):
    """One pass over the prompt, recorded, then greedy tokens with the cache."""
    cache = DynamicCache(config=model.config.get_text_config())
    recorder.armed = True
    out = model(input_ids=torch.tensor([ids]), position_ids=torch.arange(len(ids))[None], use_cache=True,
                past_key_values=cache, logits_to_keep=1 if args.logits == "last" else 0,
                **masks(model, ids, types, rule, cache), **media)
    recorder.armed = False
    tensors = {f"{rule}.hidden.{i}": hidden for i, hidden in recorder.layers.items()}
    tensors[f"{rule}.final_norm"] = recorder.norm
    if args.logits == "all":
        tensors[f"{rule}.logits"] = out.logits[0]
    tensors[f"{rule}.last_logits"] = out.logits[0, -1].clone()
    greedy, margins = [], []
    last = out.logits[0, -1].to(torch.float32, copy=True)  # what is suppressed below stays in the record
    for step in range(args.tokens):
        last[suppressed] = -float("inf")
        best = torch.topk(last, 2).values
        greedy.append(int(torch.nonzero(last == best[0])[0]))  # the first of equals
        margins.append(float(best[0] - best[1]))
        if step + 1 == args.tokens:
            break
        length = len(ids) + len(greedy)
        out = model(input_ids=torch.tensor([greedy[-1:]]), past_key_values=cache, use_cache=True,
                    position_ids=torch.tensor([[length - 1]]), attention_mask=torch.ones(1, length, dtype=torch.long))
        last = out.logits[0, -1].to(torch.float32, copy=True)
    return {"greedy_ids": greedy, "greedy_margins": margins, "layers": recorder.kept}, tensors


def save(path, tensors):
    save_file({name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}, path)
    path.chmod(0o644)  # the writer leaves it to its owner alone


def versions():
    import PIL
    import tokenizers
    import torchvision
    import transformers
    return {"transformers": transformers.__version__, "torch": torch.__version__.split("+")[0],
            "torchvision": torchvision.__version__.split("+")[0], "tokenizers": tokenizers.__version__,
            "numpy": np.__version__, "pillow": PIL.__version__, "python": platform.python_version()}


def load(args):
    """(model, processor or tokenizer, whether it takes media)."""
    config = AutoConfig.from_pretrained(args.model)
    common = dict(dtype=getattr(torch, args.dtype), attn_implementation="eager")
    if config.model_type == "gemma4_unified":
        from transformers import Gemma4UnifiedForConditionalGeneration
        return (Gemma4UnifiedForConditionalGeneration.from_pretrained(args.model, **common).eval(),
                AutoProcessor.from_pretrained(args.model), True)
    return (AutoModelForCausalLM.from_pretrained(args.model, **common).eval(),
            AutoTokenizer.from_pretrained(args.model), False)


def main():
    args = arguments()
    torch.set_grad_enabled(False)
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.out.exists():
        fail(f"{args.out}: already there; give a new folder")
    args.out.mkdir(parents=True)
    media = Media(args.out, args.messages.parent if args.messages else pathlib.Path())
    messages = messages_of(args, media)
    say(f"loading {args.model} in {args.dtype}")
    model, processor, multimodal = load(args)
    if media.count and not multimodal:
        fail(f"{args.model}: recorded as a text model; leave the media out")
    if args.image_tokens:
        processor.image_processor.max_soft_tokens = args.image_tokens
    chat = {"add_generation_prompt": True, "enable_thinking": args.thinking}
    if not processor.chat_template:
        fail(f"{args.model}: has no chat template, so messages have no form; put a chat_template.jinja beside it")
    prompt = processor.apply_chat_template(messages, tokenize=False, **chat)
    config, tensors, types, images, arguments_of_media = model.config, {}, None, [], {}
    placeholders = []
    if multimodal:
        inputs = multimodal_inputs(processor, prompt, media)
        ids = inputs["input_ids"][0].tolist()
        placeholders = [config.image_token_id, config.video_token_id, config.audio_token_id]
        types = [placeholders.index(i) + 1 if i in placeholders else 0 for i in ids]
        images = describe_pictures(args.out, processor, inputs, ids, config, tensors)
        names = ("pixel_values", "image_position_ids", "pixel_values_videos", "video_position_ids",
                 "input_features", "input_features_mask")
        arguments_of_media = {name: inputs[name] for name in names if name in inputs}
    else:
        ids = processor(prompt, add_special_tokens=False)["input_ids"]
    suppressed = sorted({i for i in [*(model.generation_config.suppress_tokens or []), *placeholders]
                         if i is not None and i >= 0})
    recorder = Recorder(model, args.layers)
    rules = {}
    for rule in args.mask_rule:
        say(f"{len(ids)} tokens, mask rule {rule}")
        rules[rule], kept = run_rule(model, recorder, ids, types, arguments_of_media, rule, suppressed, args)
        save(args.out / f"expected-{rule}.safetensors", kept)
    tensors["input_embeddings"] = recorder.embeddings
    if multimodal:
        soft_tokens(ids, recorder.embeddings, config, tensors)
    save(args.out / "expected-inputs.safetensors", tensors)
    case = {"format": "nolens-reference-1", "messages": messages, "chat": chat, "prompt_text": prompt,
            "token_ids": ids, "images": images, "image_tokens": args.image_tokens, "suppressed_ids": suppressed,
            "dtype": args.dtype, "attention": "eager", "rules": rules, "versions": versions(),
            "provenance": {"model": args.model, "commit": getattr(config, "_commit_hash", None),
                           "machine": platform.machine(), "threads": torch.get_num_threads(),
                           "arguments": sys.argv[1:]}}
    (args.out / "case.json").write_text(json.dumps(case, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    say(f"{args.out}: recorded; compare with: nolens conform MODEL --reference {args.out}")


if __name__ == "__main__":
    main()
