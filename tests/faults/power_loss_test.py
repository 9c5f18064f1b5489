"""Power failures: whatever was not synced is dropped, in many mixtures, at every call."""
import os
import random
import unittest

from faults import EXHAUSTIVE, ROOT, Call, FaultCase, files_below
from power_loss import Disk, first_disorder, outcomes

PROGRAM = os.environ["NOLENS_PROGRAM"]
TINY = ROOT / "tests" / "golden" / "models" / "tiny_stored"
PRESET = ROOT / "tests" / "cli" / "tiny_preset.json"
MIXTURES = 40 if EXHAUSTIVE else 4


def visible(files):
    return {path: data for path, data in files.items() if data is not None and "/." not in f"/{path}"}


class PowerLoss(FaultCase):
    def replay(self, command, check):
        """check(files, context) for what may be on the disk after each call, and for the end."""
        result = self.traced(command)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIsNone(first_disorder(result.calls))
        end = visible(files_below(self.work))
        disk = Disk(self.work)
        source = random.Random(5)
        for number, call in enumerate(result.calls, 1):
            disk.apply(call)
            for how, files in outcomes(disk, source, MIXTURES):
                check(visible(files), end, f"after call {number}, {call.kind} {call.path}: {how}")
        for how, files in outcomes(disk, source, MIXTURES):
            self.assertEqual(visible(files), end, f"at the end: {how}")

    def test_synth(self):
        def check(files, end, context):
            for path, data in files.items():
                self.assertEqual(data, end[path], f"{context}: {path}")
            if "model/config.json" in files:
                self.assertEqual(set(files), set(end), context)
        self.replay([PROGRAM, "synth", "--preset", PRESET, "--layers", 1, "--out", self.work / "model"], check)

    def test_logits(self):
        (self.scratch / "ids.json").write_text("[2, 3, 4]")

        def check(files, end, context):
            self.assertIn(files, ({}, end), context)
        self.replay([PROGRAM, "logits", "--model", TINY, "--ids", self.scratch / "ids.json",
                     "--out", self.work / "x.npy"], check)


class Replay(unittest.TestCase):
    """The replay itself finds the classic mistakes."""

    @staticmethod
    def states(calls):
        disk = Disk("/d")
        for call in calls:
            disk.apply(call)
        return [files for _, files in outcomes(disk, random.Random(1), 20)]

    def test_a_rename_without_sync_may_give_an_empty_file(self):
        calls = [Call("create", "/d/t", "creat", b""), Call("write", "/d/t", "-", b"data"),
                 Call("rename", "/d/t", "/d/f", b"")]
        self.assertIn({"f": b""}, self.states(calls))
        self.assertIn("before it was synced", first_disorder(calls))

    def test_a_folder_without_sync_may_lose_the_name(self):
        calls = [Call("create", "/d/t", "creat", b""), Call("write", "/d/t", "-", b"data"),
                 Call("sync", "/d/t", "-", b""), Call("rename", "/d/t", "/d/f", b"")]
        self.assertIn({}, self.states(calls))
        self.assertIn("never synced", first_disorder(calls))
        calls.append(Call("sync", "/d", "-", b""))
        self.assertEqual(self.states(calls), [{"f": b"data"}] * 22)
        self.assertIsNone(first_disorder(calls))


if __name__ == "__main__":
    unittest.main()
