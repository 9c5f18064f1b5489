"""Under every limit on its memory the program answers or says that memory is short."""
import os
import resource
import shutil
import subprocess
import tempfile
import unittest

from faults import EXHAUSTIVE, ROOT

PROGRAM = os.environ["NOLENS_PROGRAM"]
TINY = ROOT / "tests" / "golden" / "models" / "tiny_stored"
PRESET = ROOT / "tests" / "cli" / "tiny_preset.json"
MIB = 1 << 20


@unittest.skipIf(os.environ.get("NOLENS_SANITIZED") == "1", "the address sanitizer needs terabytes of addresses")
class MemoryLimit(unittest.TestCase):
    def limited(self, limit, *words):
        def set_limit():
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        return subprocess.run([PROGRAM, *map(str, words)], preexec_fn=set_limit, capture_output=True, timeout=120,
                              check=False)

    def least(self, *words):
        """Bytes that are enough for `words`, to 64 KiB."""
        low, high = MIB, 4096 * MIB
        while high - low > MIB // 16:
            middle = (low + high) // 2
            low, high = (low, middle) if self.limited(middle, *words).returncode == 0 else (middle, high)
        return high

    def check(self, *words, clean=lambda: None):
        # With less than this not even main() is reached.
        start = self.least("version")
        enough = self.least(*words)
        steps = 200 if EXHAUSTIVE else 12
        failures = 0
        for i in range(steps):
            clean()
            limit = start + (enough - start) * i // steps
            result = self.limited(limit, *words)
            self.assertIn(result.returncode, (0, 5), f"{limit} bytes: {result.stderr}")
            if result.returncode == 5:
                failures += 1
                self.assertRegex(result.stderr, rb"\Aerror: [^\n]*(memory|allocate)[^\n]*\n\Z", f"{limit} bytes")
        self.assertGreater(failures, 0)

    def test_an_answer(self):
        self.check("ask", "--model", TINY, "--threads", 1, "--max-tokens", 2, "Hi")

    def test_a_synthesis(self):
        folder = tempfile.mkdtemp(prefix="nolens-memory-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        out = os.path.join(folder, "model")
        self.check("synth", "--preset", PRESET, "--layers", 1, "--out", out,
                   clean=lambda: shutil.rmtree(out, ignore_errors=True))


if __name__ == "__main__":
    unittest.main()
