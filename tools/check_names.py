#!/usr/bin/env python3
"""Checks that no two files define different types of one name in one namespace.

The linker merges what both define inline, such as destructors, without a word, and one of the two types is
then destroyed by the other's code. Names in unnamed namespaces are a file's own and do not count.
"""
import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ("include", "src", "apps", "train")
UNNAMED = re.compile(r"^namespace \{.*?^\}  // namespace$", re.M | re.S)
NAMESPACE = re.compile(r"^namespace ([\w:]+) \{", re.M)
# A definition at the left margin, with its brace; `struct Model::Impl {` belongs to its class.
TYPE = re.compile(r"^(?:template <[^\n]*\n)?(?:class|struct|union|enum(?: class)?) (\w+)(?: final)?(?: : [^;{]*)? \{",
                  re.M)


def types_of(path: pathlib.Path):
    text = UNNAMED.sub("", path.read_text(encoding="utf-8"))
    namespace = NAMESPACE.search(text)
    for match in TYPE.finditer(text):
        yield f"{namespace.group(1) if namespace else ''}::{match.group(1)}"


def main() -> int:
    places = collections.defaultdict(list)
    for folder in FOLDERS:
        for suffix in ("*.h", "*.inl", "*.cpp"):
            for path in sorted((ROOT / folder).rglob(suffix)):
                for name in set(types_of(path)):
                    places[name].append(str(path.relative_to(ROOT)))
    if len(places) < 100:
        print(f"check_names: found only {len(places)} types; the pattern no longer fits the code")
        return 1
    problems = {name: files for name, files in places.items() if len(files) > 1}
    for name, files in sorted(problems.items()):
        print(f"{name} is defined in {' and '.join(files)}")
    print(f"check_names: {len(problems)} problem(s) in {len(places)} types")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
