#!/usr/bin/env python3
"""Checks that includes go one way, as ARCHITECTURE.md's table says.

Every folder of src/ may include only itself, the folders listed for it here, the public headers and the
third-party headers that are its own. Also: no file is included that does not exist.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# The table of ARCHITECTURE.md, "Who may include whom", as data.
ALLOWED = {
    "core": set(),
    "platform": {"core"},
    "formats": {"core", "platform"},
    "quantize": {"core", "platform", "formats"},
    "hub": {"core", "platform", "formats"},
    "media": {"core", "platform"},
    "preprocess": {"core", "platform"},
    "text": {"core", "platform", "formats"},
    "prompt": {"core", "platform", "formats", "text"},
    "kernels": {"core", "platform"},
    "sampler": {"core"},
    "embed": {"core", "formats", "kernels", "preprocess"},
    "decoder": {"core", "platform", "formats", "kernels"},
    "engine": {"core", "platform", "formats", "quantize", "media", "preprocess", "text", "prompt", "kernels",
               "embed", "decoder", "sampler", "quantize"},
    "conform": {"core", "platform", "formats", "preprocess", "text", "prompt", "kernels", "embed", "decoder",
                "engine"},
}
# What the programs may use besides the public headers: what concerns the process and its files.
APPS = {"platform/atomic_file.h", "platform/child_process.h", "platform/descriptor.h", "platform/standard_streams.h",
        "platform/terminate.h"}
# The server reads JSON as the rest of the program does.
SERVE = APPS | {"formats/json.h", "core/escape.h"}
TRAIN = {"core", "platform", "formats", "media", "preprocess", "text", "prompt"}

# Third-party headers and the only folders that may name them. Standard headers have no '/' and no
# extension, or are of the C library and POSIX.
THIRD_PARTY = {
    "nlohmann/": {"src/formats", "src/text", "src/prompt", "apps", "train", "tests", "fuzz"},
    "simdjson": {"src/text", "src/formats"},
    "jpeglib": {"src/media", "tests", "bench"}, "png.h": {"src/media", "tests"}, "webp/": {"src/media", "tests"},
    "curl/": {"src/hub"},
    "prometheus/": {"apps/serve/api"}, "boost/": {"apps/serve/http", "tests/serve"}, "openssl/": {"apps/serve/http", "tests/serve"},
    "CLI/": {"apps", "train"}, "histedit": {"apps"}, "editline": {"apps"},
    "libav": {"apps/media"}, "libsw": {"apps/media"},
    "torch/": {"train", "tests/train"}, "c10d/": {"train", "tests/train"}, "ATen/": {"train"},
    "gtest/": {"tests"}, "gmock/": {"tests"}, "benchmark/": {"bench"},
}


def sources(folder: str):
    for suffix in ("*.h", "*.cpp", "*.inl", "*.cu"):
        yield from (ROOT / folder).rglob(suffix)


def main() -> int:
    problems = []
    for path in [p for f in ("include", "src", "apps", "train", "tests", "bench", "fuzz") for p in sources(f)]:
        relative = path.relative_to(ROOT)
        parts = relative.parts
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if not match:
                continue
            quote, target = match.groups()
            where = f"{relative}:{number}"
            if quote == "<":
                for prefix, folders in THIRD_PARTY.items():
                    if target.startswith(prefix) and not any(str(relative).startswith(f) for f in folders):
                        problems.append(f"{where}: <{target}> may be included in {sorted(folders)} only")
                continue
            if target.startswith("nolens/"):
                if not (ROOT / "include" / target).exists() and target != "nolens/version.h":
                    problems.append(f"{where}: {target} does not exist")
                continue
            if parts[0] == "include":
                problems.append(f"{where}: a public header may include nolens/ and the standard library only")
                continue
            if parts[:2] == ("apps", "media") and target == "media/media_wire.h":
                continue  # what both ends of the pipe share
            if parts[0] == "apps":
                allowed = SERVE if parts[:2] == ("apps", "serve") else APPS
                if target.split("/")[0] in ALLOWED and target not in allowed:
                    problems.append(f"{where}: apps see include/nolens and {sorted(allowed)} only, not {target}")
                continue
            if parts[0] in ("tests", "bench", "fuzz"):
                continue
            folder = target.split("/")[0]
            if (path.parent / target).exists() and folder not in ALLOWED:
                continue
            allowed = TRAIN | {"train"} if parts[0] == "train" else ALLOWED.get(parts[1], set()) | {parts[1]}
            if folder not in allowed:
                problems.append(f"{where}: {'/'.join(parts[:-1])} may not include {target}")
    for problem in problems:
        print(problem)
    print(f"check_includes: {len(problems)} problem(s)")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
