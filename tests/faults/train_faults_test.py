"""The trainer's run folder: every call that touches it fails, is the last, or is lost with the power.

Whatever happens, a run that is resumed ends with the same weights, bit for bit, as one that was left alone.
"""
import json
import os
import random
import shutil
import subprocess
import unittest

from faults import EXHAUSTIVE, KILLED, ROOT, FaultCase, files_below, some_of, telling
from power_loss import Disk, first_disorder, outcomes

TRAINER = os.environ["NOLENS_TRAIN_PROGRAM"]
DEMO = ROOT / "models" / "nolens-tiny"
STEPS = 3


def write_small_model(folder):
    """As tests/train/fixture.h: two narrow layers, the rest as the bundled model."""
    folder.mkdir()
    for name in ("generation_config.json", "processor_config.json", "tokenizer.json", "chat_template.jinja"):
        shutil.copy(DEMO / name, folder)
    config = json.loads((DEMO / "config.json").read_text())
    config["text_config"].update(hidden_size=32, intermediate_size=48, num_hidden_layers=2, head_dim=16,
                                 global_head_dim=24, layer_types=["sliding_attention", "full_attention"])
    config["vision_config"].update(mm_embed_dim=32, output_proj_dims=32)
    (folder / "config.json").write_text(json.dumps(config))


def results(files):
    """What a run is for: weights, curves and the newest checkpoint, without times and drawings."""
    kept = {}
    for name, data in files.items():
        if name == "run/loss.csv":
            kept[name] = [line.rsplit(",", 1)[0] for line in data.decode().splitlines()]
        elif name.startswith(("run/model/", f"run/checkpoints/step-{STEPS:08}/")):
            kept[name] = data
    return kept


class TrainFaults(FaultCase):
    """`undisturbed`: the calls and files of a run that nothing happens to."""
    undisturbed = None

    def setUp(self):
        super().setUp()
        write_small_model(self.scratch / "model")
        if TrainFaults.undisturbed is None:
            result = self.traced(self.command())
            self.assertEqual(result.returncode, 0, result.stderr)
            # The folder has another name in every test.
            TrainFaults.undisturbed = (result.calls, files_below(self.work), str(self.work))
        self.calls, self.expected, self.its_work = TrainFaults.undisturbed

    def command(self, *more):
        return [TRAINER, "--model", self.scratch / "model", "--from-scratch", "--out", self.work / "run",
                "--steps", STEPS, "--warmup", 1, "--batch", 1, "--branches", 1, "--drawings-share", 1, "--average", 0.9,
                "--log-every", 1, "--evaluate-every", 0, "--checkpoint-every", 1, *more]

    def resume(self, context):
        """Continues the run to its end, or starts it if it has no checkpoint yet."""
        result = self.traced(self.command("--resume"))
        self.assertEqual(result.returncode, 0, f"{context}: {result.stderr}")

    def expect_complete(self, context):
        """As if nothing had happened, and nothing left over."""
        files = files_below(self.work)
        self.assertEqual(results(files), results(self.expected), context)
        self.assertEqual(set(files), set(self.expected), context)

    def expect_whole_checkpoints(self, files, context):
        """Whatever has a checkpoint's name is one, and the last two are bit for bit those of `undisturbed`."""
        checkpoints = {}
        for name, data in files.items():
            parts = name.split("/")
            if parts[:2] == ["run", "checkpoints"] and len(parts) == 4 and not parts[2].endswith(".tmp"):
                checkpoints.setdefault(parts[2], {})[parts[3]] = data
                self.assertEqual(data, self.expected.get(name, data), f"{context}: {name}")
        for name, parts in checkpoints.items():
            self.assertEqual(set(parts), {"state.json", "state.safetensors"}, f"{context}: {name}")
            self.assertTrue(all(parts.values()), f"{context}: {name}")

    def cases(self):
        for number, call in some_of(telling(self.calls), few=3):
            self.clear_work()
            yield number, call, f"at call {number}, {call.kind} {call.path.replace(self.its_work, '')}"

    def test_a_failing_call_ends_the_run_with_a_sentence_and_resuming_makes_up_for_it(self):
        for error in ("EIO", "ENOSPC") if EXHAUSTIVE else ("EIO",):
            for number, call, where in self.cases():
                context = f"{error} {where}"
                result = self.traced(self.command(), "--at", number, "--fail", error)
                self.expect_whole_checkpoints(files_below(self.work), context)
                if result.returncode != 0:
                    self.expect_sentence(result, (5,), context)
                    self.assertEqual(list(self.work.rglob(".*")), [], context)
                    self.resume(context)
                else:
                    harmless = call.kind in ("open", "lock", "unlink", "rmdir", "close") or ".old.tmp" in call.detail
                    tolerated = "no checkpoint after step" in result.stderr
                    self.assertTrue(harmless or tolerated, context)
                    self.assertEqual(results(files_below(self.work)), results(self.expected), context)

    def expect_full(self, result, context):
        """Code 5 and one sentence, after warnings about checkpoints that did not fit."""
        self.assertEqual(result.returncode, 5, f"{context}: {result.stderr}")
        lines = result.stderr.splitlines()
        self.assertNotIn("the run goes on", lines[-1], context)
        self.assertRegex(lines[-1], "disk full|No space left on device", context)
        for line in lines[:-1]:
            self.assertIn("no checkpoint after step", line, context)

    def test_a_checkpoint_that_does_not_fit_is_a_warning_and_the_run_goes_on(self):
        number = next(n for n, call in telling(self.calls) if call.kind == "write" and "checkpoints" in call.path)
        self.clear_work()
        result = self.traced(self.command(), "--at", number, "--fail", "ENOSPC")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("no checkpoint after step 1: ", result.stderr)
        self.assertIn("the run goes on", result.stderr)
        self.assertEqual(results(files_below(self.work)), results(self.expected))

    def test_a_disk_that_is_full_from_a_checkpoint_on_ends_the_run(self):
        kinds = ("create", "write", "mkdir")
        number = next(n for n, call in telling([c for c in self.calls if c.kind in kinds])
                      if "checkpoints" in call.path)
        self.clear_work()
        result = self.traced(self.command(), "--at", number, "--onward", "--kinds", ",".join(kinds), "--fail", "ENOSPC")
        self.expect_full(result, "full from the first checkpoint on")
        self.expect_whole_checkpoints(files_below(self.work), "full from the first checkpoint on")

    @unittest.skipUnless(EXHAUSTIVE, "takes too long for every day")
    def test_a_disk_that_stays_full_leaves_the_checkpoints(self):
        kinds = ("create", "write", "mkdir")
        for number, _ in telling([c for c in self.calls if c.kind in kinds]):
            self.clear_work()
            context = f"full from call {number} on"
            result = self.traced(self.command(), "--at", number, "--onward", "--kinds", ",".join(kinds),
                                 "--fail", "ENOSPC")
            self.expect_full(result, context)
            self.expect_whole_checkpoints(files_below(self.work), context)
            self.resume(context)
            self.expect_complete(context)

    def test_a_killed_run_resumes_to_the_same_end(self):
        for number, _, where in self.cases():
            context = f"killed {where}"
            result = self.traced(self.command(), "--at", number, "--kill")
            self.assertEqual(result.returncode, KILLED, context)
            self.expect_whole_checkpoints(files_below(self.work), context)
            self.resume(context)
            self.expect_complete(context)

    def test_a_power_failure_leaves_whole_checkpoints(self):
        # What is being removed needs no order.
        self.assertIsNone(first_disorder([c for c in self.calls if ".old.tmp" not in c.path + c.detail
                                          and not c.path.endswith("loss.csv")]))
        disk = Disk(self.its_work)
        source = random.Random(5)
        for number, call in enumerate(self.calls, 1):
            disk.apply(call)
            if call.kind not in ("open", "close", "lock"):
                for how, files in outcomes(disk, source, 20 if EXHAUSTIVE else 1):
                    files = {name: data for name, data in files.items() if data is not None}
                    self.expect_whole_checkpoints(files, f"after call {number}, {call.kind} {call.path}: {how}")
        lost = set(self.expected) - {name for name, data in next(outcomes(disk, source, 0))[1].items()
                                     if data == self.expected.get(name)}
        # The log is not synced at every line.
        self.assertLessEqual(lost, {"run/loss.csv"})


class RunFolder(FaultCase):
    """One writer for a run folder; inputs that would be lost are refused."""

    def setUp(self):
        super().setUp()
        write_small_model(self.scratch / "model")

    def train(self, *more, model=None, **options):
        words = [TRAINER, "--model", model or self.scratch / "model", "--out", self.work / "run", "--drawings-share", 1,
                 "--batch", 2, "--branches", 1, "--warmup", 1, *more]
        return subprocess.Popen([*map(str, words)], **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options})

    def finish(self, process, code):
        _, errors = process.communicate(timeout=120)
        self.assertEqual(process.returncode, code, errors)
        return (errors or b"").decode()

    def test_the_second_trainer_names_the_first(self):
        first = self.train("--from-scratch", "--steps", 100000, "--ranks", 2)
        while not (self.work / "run" / "loss.csv").exists():
            self.assertIsNone(first.poll(), "the first run ended")
        for more in ((), ("--resume",)):
            errors = self.finish(self.train("--from-scratch", "--steps", 2, *more), 2)
            self.assertIn(str(first.pid), errors)
            self.assertIn("nolens-train", errors)
        first.kill()
        first.communicate()
        # A killed run locks nobody out, although its other ranks may need a moment to follow it.
        self.finish(self.train("--from-scratch", "--steps", 2, "--ranks", 2), 0)
        self.assertEqual([f.name for f in (self.work / "run").iterdir() if f.name.startswith((".", "ranks"))], [])

    def test_a_model_is_not_trained_onto_itself(self):
        self.finish(self.train("--from-scratch", "--steps", 1), 0)
        model = self.work / "run" / "model"
        before = files_below(model)
        shutil.rmtree(self.work / "run" / "checkpoints")
        errors = self.finish(self.train("--steps", 1, model=model), 2)
        self.assertIn("overwritten", errors)
        self.assertEqual(files_below(model), before)

    def test_closed_and_abandoned_streams_do_not_matter(self):
        reader, writer = os.pipe()
        os.close(reader)
        self.finish(self.train("--from-scratch", "--steps", 2, "--log-every", 1, stdout=writer, stderr=writer), 0)
        os.close(writer)
        expected = (self.work / "run" / "model" / "model.safetensors").read_bytes()
        self.clear_work()
        process = self.train("--from-scratch", "--steps", 2, preexec_fn=lambda: (os.close(1), os.close(2)))
        self.finish(process, 0)
        self.assertEqual((self.work / "run" / "model" / "model.safetensors").read_bytes(), expected)


if __name__ == "__main__":
    unittest.main()
