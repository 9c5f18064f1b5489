"""Runs programs under fault_runner and says what their files must look like afterwards."""
import dataclasses
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
RUNNER = os.environ["NOLENS_FAULT_RUNNER"]
# The exhaustive runs take minutes; the short ones look at some of the calls only.
EXHAUSTIVE = os.environ.get("NOLENS_EXHAUSTIVE") == "1"
CANNOT_TRACE = 77
KILLED = 128 + signal.SIGKILL
TIMEOUT = 120


def can_trace():
    return subprocess.run([RUNNER, "--under", "/nowhere", "--", "true"], capture_output=True,
                          check=False).returncode != CANNOT_TRACE


@dataclasses.dataclass
class Call:
    """One line of the log; `data` are the bytes of a write."""
    kind: str
    path: str
    detail: str
    data: bytes


@dataclasses.dataclass
class Traced:
    returncode: int
    stdout: str
    stderr: str
    calls: list


def read_log(log):
    calls = []
    data = pathlib.Path(f"{log}.data").read_bytes()
    for line in log.read_text().splitlines():
        _, kind, path, detail, size = line.split("\t")
        calls.append(Call(kind, path, detail, data[:int(size)]))
        data = data[int(size):]
    return calls


def some_of(cases, few=7):
    """All of them in an exhaustive run, else a few spread over their length, the first and last among them."""
    if EXHAUSTIVE or len(cases) <= few:
        return cases
    return [cases[i * (len(cases) - 1) // (few - 1)] for i in range(few)]


def telling(calls):
    """(number, call) without those writes to a file that come between its first and its last."""
    kept = []
    for number, call in enumerate(calls, 1):
        same = len(kept) > 1 and all((c.kind, c.path) == ("write", call.path) for _, c in kept[-2:])
        if same and call.kind == "write":
            kept.pop()
        kept.append((number, call))
    return kept


def files_below(folder):
    """{relative path: bytes} of all files, hidden ones too."""
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


@unittest.skipUnless(can_trace(), "this system does not allow seccomp user notification")
class FaultCase(unittest.TestCase):
    """`work` is the folder whose calls count; `scratch` holds everything else."""

    def setUp(self):
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="nolens-faults-")).resolve()
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)
        self.work = self.scratch / "work"
        self.work.mkdir()

    def traced(self, command, *fault, environment=None):
        """The finished program. `fault`: words for fault_runner, such as "--at", 3, "--fail", "EIO"."""
        log = self.scratch / "calls"
        done = subprocess.run(
            [RUNNER, "--under", str(self.work), "--log", str(log), *map(str, fault), "--", *map(str, command)],
            capture_output=True, timeout=TIMEOUT, env={**os.environ, **(environment or {})}, check=False)
        self.assertNotEqual(done.returncode, CANNOT_TRACE, done.stderr)
        return Traced(done.returncode, done.stdout.decode(), done.stderr.decode(), read_log(log))

    def clear_work(self):
        shutil.rmtree(self.work)
        self.work.mkdir()

    def expect_sentence(self, result, codes, context):
        """A failure as people must see it: one line that names the cause, and no internals."""
        self.assertIn(result.returncode, codes, f"{context}: {result.stderr}")
        lines = [line for line in result.stderr.splitlines() if "error: " in line or "nolens-train: " in line]
        self.assertEqual(len(lines), 1, f"{context}: {result.stderr}")
        self.assertNotRegex(result.stderr, r"what\(\)|terminate called|internal error|/src/", context)
