"""Writes every golden file: python make_all.py --out tests/golden [--only models cases ...]"""

import argparse
import importlib
import pathlib

STEPS = ["models", "cases", "media", "masks", "bf16", "preprocess", "images", "chat", "tokens", "gemma3", "assistant",
         "block_goldens", "bnb_goldens"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--only", nargs="+", choices=STEPS, default=STEPS)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for step in STEPS:
        if step in arguments.only:
            print(f"== {step}", flush=True)
            importlib.import_module(f"make_{step}").make(arguments.out)


if __name__ == "__main__":
    main()
