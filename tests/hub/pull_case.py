"""What the tests of nolens pull share: a hub, a cache, the program."""
import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import unittest

from hub_server import COMMIT, File, Hub

PROGRAM = os.environ["NOLENS_PROGRAM"]
TIMEOUT = 60
WEIGHTS = random.Random(1).randbytes(300_000)
CONFIG = b'{"model_type": "gemma4_unified"}\n'


class PullCase(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="nolens-pull-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.hub = Hub()
        self.addCleanup(self.hub.close)
        self.hub.files = {
            "config.json": File(CONFIG),
            "model.safetensors": File(WEIGHTS, is_large=True),
            "README.md": File(b"# A model\n"),
        }
        self.environment = {
            "HOME": str(self.folder), "PATH": os.environ.get("PATH", ""),
            "HF_HOME": str(self.folder / "hf"), "HF_ENDPOINT": self.hub.address(),
            "HF_HUB_DOWNLOAD_TIMEOUT": "2", "no_proxy": "*",
        }
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LD_LIBRARY_PATH"):
            if name in os.environ:
                self.environment[name] = os.environ[name]

    @property
    def repository(self):
        return self.folder / "hf" / "hub" / "models--org--name"

    @property
    def snapshot(self):
        return self.repository / "snapshots" / COMMIT

    def command(self, *arguments):
        return [PROGRAM, *map(str, arguments)]

    def start(self, *arguments, **options):
        return subprocess.Popen(self.command(*arguments), env=self.environment,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def run_program(self, *arguments, **options):
        done = subprocess.run(self.command(*arguments), env=self.environment, capture_output=True,
                              timeout=TIMEOUT, check=False, text=True, **options)
        self.assertGreaterEqual(done.returncode, 0, done.stderr)
        return done

    def pull(self, *arguments, **options):
        """A pull that must succeed: the JSON object."""
        done = self.run_program("pull", "org/name", "--json", *arguments, **options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def refused(self, code, *words, arguments=("pull", "org/name"), **options):
        """A pull that must end with this code and one clear sentence."""
        done = self.run_program(*arguments, **options)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(done.stdout, "")
        errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(errors), 1, done.stderr)
        for word in words:
            self.assertIn(str(word), errors[0])
        return errors[0]

    def assert_complete(self, names=("config.json", "model.safetensors", "README.md")):
        for name in names:
            self.assertEqual((self.snapshot / name).read_bytes(), self.hub.files[name].data, name)
        self.assertEqual([path.name for path in self.repository.rglob("*.incomplete")], [])

    def incomplete(self, name="model.safetensors"):
        return self.repository / "blobs" / (self.hub.files[name].etag + ".incomplete")
