"""Runs the built program for the tests of the command line."""
import json
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ["NOLENS_PROGRAM"]
TINY = ROOT / "tests" / "golden" / "models" / "tiny_stored"
PICTURE = ROOT / "tests" / "golden" / "one_image" / "picture_0.png"
BUNDLED = ROOT / "models" / "nolens-tiny"
SAMPLES = BUNDLED / "samples"
TIMEOUT = 120


def run(*arguments, stdin=None, environment=None, preexec=None):
    """The finished process; output as text. A death by signal fails the test at once."""
    done = subprocess.run(
        [PROGRAM, *map(str, arguments)], input=stdin, capture_output=True, timeout=TIMEOUT,
        env={**os.environ, **(environment or {})}, preexec_fn=preexec, check=False)
    result = subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))
    if result.returncode < 0:
        raise AssertionError(f"{arguments} died by signal {-result.returncode}: {result.stderr[-2000:]}")
    return result


def read_npy(path):
    """(shape, floats) of a little-endian float32 .npy file of version 1."""
    data = pathlib.Path(path).read_bytes()
    assert data[:6] == b"\x93NUMPY" and data[6] == 1, "not a version 1 .npy file"
    length = struct.unpack("<H", data[8:10])[0]
    header = data[10:10 + length].decode("latin-1")
    assert (10 + length) % 64 == 0 and header.endswith("\n"), "the header is not padded to 64 bytes"
    fields = eval(header, {"__builtins__": {}})  # a Python literal by definition of the format
    assert fields["descr"] == "<f4" and fields["fortran_order"] is False
    body = data[10 + length:]
    values = struct.unpack(f"<{len(body) // 4}f", body)
    count = 1
    for extent in fields["shape"]:
        count *= extent
    assert count == len(values), "the shape does not match the data"
    return fields["shape"], values


class Case(unittest.TestCase):
    """A temporary folder, and what every refusal must look like."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="nolens-cli-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def expect_refusal(self, result, code, *words):
        """Exit code, one clear sentence naming the culprit, nothing on stdout, no internals."""
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertEqual(result.stdout, "")
        lines = [line for line in result.stderr.splitlines() if line.startswith("error")]
        self.assertEqual(len(lines), 1, result.stderr)
        for word in words:
            self.assertIn(str(word), lines[0])
        self.assertNotRegex(result.stderr, r"0x[0-9a-f]{6,}|what\(\)|terminate called|/src/")

    def answer(self, *arguments, **options):
        result = run(*arguments, **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def json(self, *arguments, **options):
        return json.loads(self.answer(*arguments, **options).stdout)

    def copy_of_tiny(self):
        target = self.folder / "model"
        shutil.copytree(TINY, target)
        return target
