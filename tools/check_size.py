#!/usr/bin/env python3
"""Checks that files stay small: one idea a file, at most 400 lines.

Exceptions are listed with their reason.
"""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIMIT = 400
EXCEPTIONS: dict[str, tuple[int, str]] = {}


def main() -> int:
    problems = []
    for folder in ("include", "src", "apps", "train", "tests", "bench", "fuzz", "tools"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix not in (".h", ".cpp", ".inl", ".cu", ".py") or not path.is_file():
                continue
            name = str(path.relative_to(ROOT))
            limit = EXCEPTIONS.get(name, (LIMIT, ""))[0]
            lines = len(path.read_text(encoding="utf-8").splitlines())
            if lines > limit:
                problems.append(f"{name}: {lines} lines, at most {limit}")
    for problem in problems:
        print(problem)
    print(f"check_size: {len(problems)} problem(s)")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
