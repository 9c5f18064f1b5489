#!/usr/bin/env python3
"""Turns the train split of the Python package easy-vqa into the trainer's JSONL.

Writes OUT/train.jsonl and OUT/validation.jsonl, one question a line, and copies the pictures to
OUT/images. The last pictures of the split are kept for validation. With --test FOLDER (the layout of
data/easy-vqa-test) it writes OUT/test.jsonl instead, whose pictures stay where they are: for the final
figure only. Needs no third-party module but the package's data.
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


def line_of(image: str, question: str, answer: str, text: str) -> str:
    line = {
        "image": image,
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer},
        ],
    }
    if text:
        line["caption"] = text
    return json.dumps(line)


def grouped(file: pathlib.Path) -> dict:
    by_image: dict = {}
    for question, answer, image in json.loads(file.read_text(encoding="utf-8")):
        by_image.setdefault(image, []).append((question, answer))
    return by_image


def write_lines(file: pathlib.Path, lines: list) -> None:
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{file.name}: {len(lines)} questions")


def convert_test(folder: pathlib.Path, out: pathlib.Path) -> None:
    lines = []
    for image, pairs in sorted(grouped(folder / "questions.json").items()):
        picture = str((folder / "images" / f"{image}.png").resolve())
        lines += [line_of(picture, *pair, caption(pairs)) for pair in pairs]
    out.mkdir(parents=True, exist_ok=True)
    write_lines(out / "test.jsonl", lines)


def convert_train(source: pathlib.Path, out: pathlib.Path, validation: int) -> None:
    by_image = grouped(source / "questions.json")
    (out / "images").mkdir(parents=True, exist_ok=True)
    border = max(by_image) + 1 - validation
    lines: dict = {"train": [], "validation": []}
    for image, pairs in sorted(by_image.items()):
        picture = f"images/{image}.png"
        shutil.copyfile(source / picture, out / picture)
        part = "train" if image < border else "validation"
        lines[part] += [line_of(picture, *pair, caption(pairs)) for pair in pairs]
    for part, content in lines.items():
        write_lines(out / f"{part}.jsonl", content)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path, help="folder to write")
    parser.add_argument("--data", type=pathlib.Path, help="the package's data folder")
    parser.add_argument("--validation", type=int, default=400, help="pictures kept for validation")
    parser.add_argument("--test", type=pathlib.Path, help="convert this test split instead")
    arguments = parser.parse_args()
    if arguments.test:
        convert_test(arguments.test, arguments.out)
    else:
        source = (arguments.data or find_package_data()) / "train"
        convert_train(source, arguments.out, arguments.validation)


if __name__ == "__main__":
    main()
