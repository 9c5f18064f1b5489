#!/usr/bin/env python3
"""Records how huggingface_hub lays out its cache, for tests/hub/pull_test.py.

Starts the hub of tests/hub on this machine, lets huggingface_hub download from it, and writes down every path.
Needs the package huggingface_hub. Usage: make_hub_cache.py
"""
import json
import os
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "hub"))
os.environ.setdefault("NOLENS_PROGRAM", "")
from hub_server import File, Hub  # noqa: E402

FILES = {
    "config.json": '{"a": 1}\n', "README.md": "# Model\n", "empty.txt": "",
    "model.safetensors": "weights " * 100, "sub/folder/more.safetensors": "weights " * 50,
    "sub/same.json": '{"a": 1}\n',
}


def main():
    hub = Hub()
    hub.files = {name: File(text.encode(), is_large=name.endswith(".safetensors"))
                 for name, text in FILES.items()}
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"HF_ENDPOINT": hub.address(), "HF_HUB_CACHE": folder, "HF_HUB_DISABLE_XET": "1",
                       "HF_HUB_DISABLE_TELEMETRY": "1"}
        import huggingface_hub
        from pull_test import layout_of
        huggingface_hub.snapshot_download("org/name")
        layout = layout_of(pathlib.Path(folder))
    target = ROOT / "tests" / "golden" / "hub_cache" / "layout.json"
    target.parent.mkdir(exist_ok=True)
    record = {"made_by": f"huggingface_hub {huggingface_hub.__version__}", "files": FILES, "layout": layout}
    target.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
