"""Files the command line writes: every call that touches them fails, is cut short or is the last."""
import os
import pathlib
import signal
import subprocess
import unittest

from faults import EXHAUSTIVE, KILLED, ROOT, FaultCase, files_below, some_of

PROGRAM = os.environ["NOLENS_PROGRAM"]
TINY = ROOT / "tests" / "golden" / "models" / "tiny_stored"
PRESET = ROOT / "tests" / "cli" / "tiny_preset.json"
ERRORS = ["EIO", "ENOSPC", "EDQUOT", "EROFS", "EACCES"] if EXHAUSTIVE else ["EIO"]


def is_harmless(calls, number):
    """Whether the failure of a call need not be told, since nothing is lost by it."""
    call = calls[number - 1]
    opened = next((c for c in reversed(calls[:number]) if c.kind in ("open", "create")), None)
    return call.kind in ("open", "lock", "unlink", "rmdir") or (
        call.kind == "close" and (opened.kind == "open" or ".nolens.lock" in call.path))


class OutputFaults:
    """What must hold for every output. Subclasses give `command`, `prepare` and `is_whole`."""

    def prepare(self):
        """The folder before a run."""
        self.clear_work()

    def expect_whole(self, context):
        """The new output is there, as without a fault, and nothing else."""
        self.assertEqual(files_below(self.work), self.expected, context)

    def expect_old(self, context):
        """Everything is as before the run."""
        self.assertEqual(files_below(self.work), self.before, context)

    def setUp(self):
        super().setUp()
        self.prepare()
        self.before = files_below(self.work)
        result = self.traced(self.command())
        self.assertEqual(result.returncode, 0, result.stderr)
        self.expected = files_below(self.work)
        self.calls = result.calls

    def every_call(self, *fault, kinds=None):
        """(what was done, number of the call, result) for a fault at each call in turn."""
        for number, call in some_of([c for c in enumerate(self.calls, 1) if kinds is None or c[1].kind in kinds]):
            self.prepare()
            yield (f"{' '.join(fault)} at call {number}, {call.kind} {call.path}", number,
                   self.traced(self.command(), "--at", number, *fault))

    def test_a_failing_call_is_told_and_leaves_the_old_state(self):
        for error in ERRORS:
            for context, number, result in self.every_call("--fail", error):
                call = self.calls[number - 1]
                if result.returncode == 0:
                    self.assertTrue(is_harmless(self.calls, number), context)
                    if call.kind == "unlink":
                        pathlib.Path(call.path).unlink()  # it stayed, which is all that went wrong
                    self.expect_whole(context)
                else:
                    self.expect_sentence(result, (2, 5) if error in ("EROFS", "EACCES") else (5,), context)
                    self.expect_after_failure(call, context)

    def expect_after_failure(self, call, context):
        self.expect_old(context)

    def test_a_disk_that_stays_full_is_told_and_leaves_the_old_state(self):
        kinds = "create,write,mkdir"
        count = len([c for c in self.calls if c.kind in kinds.split(",")])
        for number in some_of(list(range(1, count + 1))):
            self.prepare()
            result = self.traced(self.command(), "--at", number, "--onward", "--kinds", kinds, "--fail", "ENOSPC")
            context = f"full from call {number} on"
            self.expect_sentence(result, (5,), context)
            self.assertIn("No space left", result.stderr, context)
            self.expect_old(context)

    def test_an_interrupted_call_is_made_again(self):
        for context, _, result in self.every_call("--fail", "EINTR", kinds=("create", "write", "sync", "close", "lock")):
            self.assertEqual(result.returncode, 0, f"{context}: {result.stderr}")
            self.expect_whole(context)

    def test_a_short_write_is_continued(self):
        for context, _, result in self.every_call("--short", kinds=("write",)):
            self.assertEqual(result.returncode, 0, f"{context}: {result.stderr}")
            self.expect_whole(context)

    def test_a_killed_program_leaves_old_or_new_and_does_not_stand_in_the_way(self):
        for context, _, result in self.every_call("--kill"):
            self.assertEqual(result.returncode, KILLED, context)
            for name, data in files_below(self.work).items():
                if not name.rpartition("/")[2].startswith("."):
                    self.assertIn(data, (self.before.get(name), self.expected.get(name)), f"{context}: {name}")
            self.expect_again(context)

    def expect_again(self, context):
        """The next run does the work and leaves no trace of the killed one."""
        again = self.traced(self.command())
        self.assertEqual(again.returncode, 0, f"{context}: {again.stderr}")
        self.expect_whole(context)


class Synth(OutputFaults, FaultCase):
    def command(self):
        return [PROGRAM, "synth", "--preset", PRESET, "--layers", 1, "--out", self.work / "model"]

    def expect_old(self, context):
        super().expect_old(context)
        self.assertFalse((self.work / "model").exists(), context)

    def expect_again(self, context):
        if (self.work / "model" / "config.json").exists():
            # The killed run had got so far that the model is whole; it is not written over.
            again = self.traced(self.command())
            self.expect_sentence(again, (2,), context)
            self.assertIn("is not empty", again.stderr)
            self.expect_whole(context)
        else:
            super().expect_again(context)

    def test_config_json_is_the_last_file(self):
        for context, _, _ in self.every_call("--kill"):
            files = {n for n in files_below(self.work) if "/." not in n}
            if "model/config.json" in files:
                self.assertEqual(files, set(self.expected), context)

    def test_a_signal_leaves_nothing(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            command = [PROGRAM, "synth", "--preset", "gemma-4-12b", "--layers", "1", "--out", str(self.work / "model")]
            self.clear_work()
            with subprocess.Popen(command, stderr=subprocess.PIPE) as running:
                while not list(self.work.glob("model/.*.tmp")):
                    pass
                running.send_signal(number)
                running.communicate(timeout=60)
            self.assertEqual(running.returncode, 128 + number)
            self.assertEqual(list(self.work.iterdir()), [])


class Logits(OutputFaults, FaultCase):
    def prepare(self):
        super().prepare()
        (self.scratch / "ids.json").write_text("[2, 3, 4]")
        (self.work / "x.npy").write_bytes(b"\x93NUMPY old")

    def command(self):
        return [PROGRAM, "logits", "--model", TINY, "--ids", self.scratch / "ids.json", "--out", self.work / "x.npy"]

    def expect_after_failure(self, call, context):
        # After the rename only the durability of the folder can fail: then the new file is there.
        if call.kind in ("sync", "close", "open") and not call.path.endswith(".tmp"):
            self.assertIn(files_below(self.work), (self.before, self.expected), context)
        else:
            self.expect_old(context)


if __name__ == "__main__":
    unittest.main()
