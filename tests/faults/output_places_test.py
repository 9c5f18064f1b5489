"""Where outputs may go: not over the inputs, not beside another writer, not into closed or full streams."""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

from faults import ROOT

PROGRAM = os.environ["NOLENS_PROGRAM"]
TINY = ROOT / "tests" / "golden" / "models" / "tiny_stored"
PRESET = ROOT / "tests" / "cli" / "tiny_preset.json"


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="nolens-places-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.ids = self.folder / "ids.json"
        self.ids.write_text("[2, 3, 4]")

    def run_program(self, *arguments, **options):
        return subprocess.run([PROGRAM, *map(os.fspath, arguments)], timeout=120, check=False,
                              **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options})

    def logits(self, out, model=TINY, ids=None, **options):
        return self.run_program("logits", "--model", model, "--ids", ids or self.ids, "--out", out, **options)

    def expect(self, result, code, *words):
        self.assertEqual(result.returncode, code, result.stderr)
        for word in words:
            self.assertIn(word.encode(), result.stderr)


class Inputs(Case):
    """Under every name they have, inputs are refused as outputs."""

    def test_the_ids_are_not_overwritten(self):
        (self.folder / "link").symlink_to(self.ids)
        (self.folder / "other").hardlink_to(self.ids)
        for name in (self.ids, self.folder / "." / "x" / ".." / "ids.json", self.folder / "link", self.folder / "other"):
            (self.folder / "x").mkdir(exist_ok=True)
            self.expect(self.logits(name), 2, "overwritten")
            self.assertEqual(self.ids.read_text(), "[2, 3, 4]")

    def test_the_messages_are_not_overwritten(self):
        messages = self.folder / "messages.json"
        messages.write_text('[{"role": "user", "content": "Hi"}]')
        result = self.run_program("logits", "--model", TINY, "--messages", messages, "--out", messages)
        self.expect(result, 2, "messages.json", "overwritten")
        self.assertIn("user", messages.read_text())

    def test_no_file_of_the_model_is_overwritten(self):
        model = self.folder / "model"
        shutil.copytree(TINY, model)
        for name in ("model.safetensors", "config.json", "tokenizer.json"):
            before = (model / name).read_bytes()
            self.expect(self.logits(model / name, model=model), 2, name, "overwritten")
            self.assertEqual((model / name).read_bytes(), before)

    def test_a_new_file_beside_the_inputs_is_fine(self):
        self.expect(self.logits(self.folder / "x.npy"), 0)


class Names(Case):
    def test_names_that_cannot_be_written(self):
        (self.folder / "loop").symlink_to(self.folder / "loop")
        os.mkfifo(self.folder / "pipe")
        (self.folder / "file").write_text("")
        for out in (self.folder / "loop" / "x.npy", self.folder / "pipe", self.folder / "file" / "x.npy",
                    self.folder / ("x" * 300), self.folder / "/".join(["x" * 100] * 41), "/dev/full", "/dev/null", ""):
            result = self.logits(out)
            self.expect(result, 2, "error: ")
            self.assertLess(len(result.stderr), 2000)
        for out in (self.folder / "loop" / "m", self.folder / "pipe", self.folder / "file", self.folder / ("x" * 300),
                    self.folder / "/".join(["x" * 100] * 41), self.folder / "none" / "m", "/dev/full"):
            self.expect(self.run_program("synth", "--preset", PRESET, "--out", out), 2, "error: ")

    def test_a_name_that_is_no_text_works(self):
        out = os.fsencode(self.folder) + b"/\xff\n.npy"
        result = self.logits(os.fsdecode(out))
        self.expect(result, 0)
        self.assertTrue(os.path.exists(out))

    def test_a_folder_without_permission_is_named(self):
        if os.geteuid() == 0:
            self.skipTest("root may write everywhere")
        self.folder.chmod(0o500)
        self.addCleanup(self.folder.chmod, 0o700)
        self.expect(self.logits(self.folder / "x.npy"), 2, "x.npy", "Permission denied")


class Streams(Case):
    def test_closed_streams_do_not_end_up_in_files(self):
        self.logits(self.folder / "whole.npy")
        expected = (self.folder / "whole.npy").read_bytes()
        for closed in ((0,), (1,), (2,), (1, 2), (0, 1, 2)):
            def close(numbers=closed):
                for number in numbers:
                    os.close(number)
            out = self.folder / "x.npy"
            result = self.logits(out, preexec_fn=close)
            self.assertEqual(result.returncode, 0, closed)
            self.assertEqual(out.read_bytes(), expected, closed)
            out.unlink()
            model = self.folder / "model"
            result = self.run_program("synth", "--preset", PRESET, "--layers", "1", "--out", model, preexec_fn=close)
            self.assertEqual(result.returncode, 0, closed)
            self.assertNotIn(b"is written", b"".join(f.read_bytes() for f in model.iterdir()))
            shutil.rmtree(model)

    def test_a_full_standard_output_is_an_error(self):
        for words in (("version",), ("--help",), ("ask", "--help"), ("completion", "bash"), ("man",), ("doctor",),
                      ("synth", "--list"), ("info", TINY), ("tokenize", "--model", TINY, "Hi"),
                      ("ask", "--model", TINY, "--max-tokens", "2", "Hi")):
            with open("/dev/full", "wb") as full:
                result = self.run_program(*words, stdout=full)
            self.expect(result, 5, "No space left")

    def test_a_reader_that_has_gone_is_no_error(self):
        for words in (("--help",), ("completion", "bash"), ("man",), ("ask", "--model", TINY, "--max-tokens", "2", "Hi")):
            reader, writer = os.pipe()
            os.close(reader)
            result = self.run_program(*words, stdout=writer)
            os.close(writer)
            self.expect(result, 0)
            self.assertEqual(result.stderr, b"")


class TwoWriters(Case):
    def test_the_second_synth_names_the_first(self):
        out = self.folder / "model"
        command = [PROGRAM, "synth", "--preset", "gemma-4-12b", "--layers", "1", "--out", str(out)]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as first:
            while not list(out.glob(".*.tmp")):
                self.assertIsNone(first.poll())
            second = self.run_program("synth", "--preset", PRESET, "--out", out)
            self.assertTrue(list(out.glob(".*.tmp")))
            first.send_signal(signal.SIGINT)
        self.expect(second, 2, str(first.pid), "nolens synth", str(out))


if __name__ == "__main__":
    unittest.main()
