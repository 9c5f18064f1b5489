#!/usr/bin/env python3
"""Turns the train split of the Python package easy-vqa into the trainer's JSONL.

Writes OUT/train.jsonl and OUT/validation.jsonl, one picture a line with all its questions, and copies
the pictures to OUT/images. The last pictures of the split are kept for validation; the official test
split is not touched. Needs only the package's data folder, no third-party module.
"""

import argparse
import importlib.util
import json
import pathlib
import shutil

SHAPES = ("circle", "rectangle", "triangle")
COLOURS = ("black", "blue", "brown", "gray", "green", "red", "teal", "yellow")
NEGATIONS = ("not", "no")


def find_package_data() -> pathlib.Path:
    spec = importlib.util.find_spec("easy_vqa")
    if spec is None or spec.origin is None:
        raise SystemExit("the Python package easy-vqa is not installed; pip install easy-vqa")
    return pathlib.Path(spec.origin).parent / "data"


def agrees(question: str, answer: str, shape: str, colour: str) -> bool:
    """Whether a picture of `shape` and `colour` would have `answer` to `question`."""
    words = question.rstrip("?").split()
    if answer in SHAPES:
        return answer == shape
    if answer in COLOURS:
        return answer == colour
    named = [w for w in words if w in SHAPES or w in COLOURS]
    present = all(w in (shape, colour) for w in named)
    negated = any(w in NEGATIONS for w in words)
    return (answer == "yes") == (present != negated)


def caption(pairs: list) -> str:
    """What the questions tell about the picture, empty if they leave a choice."""
    possible = [
        (shape, colour)
        for shape in SHAPES
        for colour in COLOURS
        if all(agrees(question, answer, shape, colour) for question, answer in pairs)
    ]
    return f"a {possible[0][1]} {possible[0][0]}" if len(possible) == 1 else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path, help="folder to write")
    parser.add_argument("--data", type=pathlib.Path, help="the package's data folder")
    parser.add_argument("--validation", type=int, default=400, help="pictures kept for validation")
    arguments = parser.parse_args()

    source = (arguments.data or find_package_data()) / "train"
    questions = json.loads((source / "questions.json").read_text(encoding="utf-8"))
    by_image: dict = {}
    for question, answer, image in questions:
        by_image.setdefault(image, []).append((question, answer))

    images = arguments.out / "images"
    images.mkdir(parents=True, exist_ok=True)
    border = max(by_image) + 1 - arguments.validation
    lines: dict = {"train": [], "validation": []}
    for image, pairs in sorted(by_image.items()):
        shutil.copyfile(source / "images" / f"{image}.png", images / f"{image}.png")
        part = "train" if image < border else "validation"
        text = caption(pairs)
        for question, answer in pairs:
            line = {
                "image": f"images/{image}.png",
                "messages": [
                    {"role": "user", "content": question},
                    {"role": "assistant", "content": answer},
                ],
            }
            if text:
                line["caption"] = text
            lines[part].append(json.dumps(line))
    for part, content in lines.items():
        (arguments.out / f"{part}.jsonl").write_text("\n".join(content) + "\n", encoding="utf-8")
        print(f"{part}: {len(content)} questions")


if __name__ == "__main__":
    main()
