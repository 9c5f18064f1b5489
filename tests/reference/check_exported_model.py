"""Asks transformers what an exported model answers, to compare with the engine's answers.

    python check_exported_model.py models/nolens-tiny --count 200 --out answers.json

Each question of data/easy-vqa-test is put behind its picture in one user turn, and answered greedily in
float32 under the canonical mask rule, without a key-value cache. Answers go to --out with their ids.
"""

import argparse
import json
import pathlib

import torch
from PIL import Image
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as tvf
from transformers import AutoTokenizer
from transformers.models.gemma4_unified.image_processing_gemma4_unified import Gemma4UnifiedImageProcessor

from common import HERE, be_deterministic, versions, write_json
from make_cases import RULE_NAMES, forward, load_model, type_ids

DATA = HERE.parent.parent / "data" / "easy-vqa-test"


def ids_of(value):
    return set() if value is None else set(value) if isinstance(value, list) else {value}


class Asker:
    def __init__(self, directory, rule, dtype):
        self.model = load_model(directory, dtype)
        self.tokenizer = AutoTokenizer.from_pretrained(directory)
        self.rule = rule
        config = json.loads((directory / "processor_config.json").read_text(encoding="utf-8"))
        self.image_config = config.get("image_processor", config)
        generation = self.model.generation_config
        self.ends = ids_of(generation.eos_token_id) | ids_of(self.model.config.eos_token_id)
        self.suppressed = list(generation.suppress_tokens or [])

    def patches(self, image):
        """(pixel_values, image_position_ids) of one picture, without padding rows."""
        if not self.image_config.get("do_resize_to_fixed"):
            # Every field counts: nolens-tiny, for one, has its own rescale_factor.
            processor = Gemma4UnifiedImageProcessor(
                **{k: v for k, v in self.image_config.items() if k != "image_processor_type"})
            out = processor(images=[image], return_tensors="pt")
            count = int((out["image_position_ids"][0] >= 0).all(-1).sum())
            return out["pixel_values"][:, :count], out["image_position_ids"][:, :count]
        # A fixed size is this project's addition: transformers only knows budgets.
        height, width = self.image_config["size"]["height"], self.image_config["size"]["width"]
        pixels = tvf.pil_to_tensor(image)
        if pixels.shape[-2:] != (height, width):
            pixels = tvf.resize(pixels, [height, width], interpolation=InterpolationMode.BICUBIC, antialias=True)
        side = self.image_config["patch_size"] * self.image_config["pooling_kernel_size"]
        values = pixels.to(torch.float32) * torch.tensor(self.image_config["rescale_factor"], dtype=torch.float32)
        grid_height, grid_width = height // side, width // side
        rows = values.reshape(3, grid_height, side, grid_width, side).permute(1, 3, 2, 4, 0)
        positions = [[x, y] for y in range(grid_height) for x in range(grid_width)]
        return rows.reshape(1, grid_height * grid_width, -1), torch.tensor([positions])

    def ask(self, image, question, max_new_tokens):
        pixel_values, positions = self.patches(image)
        prompt = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}],
            tokenize=False, add_generation_prompt=True)
        picture = "<|image>" + "<|image|>" * pixel_values.shape[1] + "<image|>"
        ids = self.tokenizer.encode(prompt.replace("<|image|>", picture), add_special_tokens=False)
        types, answer = type_ids(self.model, ids), []
        vision = {"pixel_values": pixel_values, "image_position_ids": positions}
        for _ in range(max_new_tokens):
            logits = forward(self.model, ids + answer, types + [0] * len(answer), vision, self.rule)[-1].float()
            logits[self.suppressed] = -float("inf")
            answer.append(int(torch.nonzero(logits == logits.max())[0]))
            if answer[-1] in self.ends:
                break
        text = self.tokenizer.decode([i for i in answer if i not in self.ends], skip_special_tokens=True)
        return {"prompt_tokens": len(ids), "answer": text, "answer_ids": answer}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path, help="exported directory")
    parser.add_argument("--data", type=pathlib.Path, default=DATA)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("answers.json"))
    parser.add_argument("--count", type=int, default=200, help="questions, spread evenly over the split")
    parser.add_argument("--max-new-tokens", type=int, default=8)
    parser.add_argument("--mask-rule", choices=RULE_NAMES, default="canonical")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    arguments = parser.parse_args()

    be_deterministic()
    asker = Asker(arguments.model, arguments.mask_rule, getattr(torch, arguments.dtype))
    questions = json.loads((arguments.data / "questions.json").read_text(encoding="utf-8"))
    count = min(arguments.count, len(questions))
    answers = []
    for k in range(count):
        question, expected, image_id = questions[k * len(questions) // count]
        file = f"images/{image_id}.png"
        image = Image.open(arguments.data / file).convert("RGB")
        found = asker.ask(image, question, arguments.max_new_tokens)
        answers.append({"image": file, "question": question, "expected": expected, **found,
                        "right": found["answer"].strip() == expected})
    right = sum(a["right"] for a in answers)
    write_json(arguments.out, {
        "mask_rule": arguments.mask_rule, "dtype": arguments.dtype, "asked": count, "right": right,
        "answers": answers, "versions": versions()})
    print(f"{right} of {count} right; answers in {arguments.out}")


if __name__ == "__main__":
    main()
