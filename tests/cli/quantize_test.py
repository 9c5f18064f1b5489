"""nolens quantize, verify and info on what they write."""
import os
import resource
import signal
import struct
import subprocess
import time
import unittest

from program import BUNDLED, Case, PROGRAM, SAMPLES, TINY, run


def tensors_of(path):
    """name -> (begin, end) in the file."""
    import json
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    return {name: tuple(8 + length + at for at in entry["data_offsets"])
            for name, entry in header.items() if name != "__metadata__"}


class QuantizeTest(Case):
    def quantize(self, *arguments, model=BUNDLED, name="m.nolens"):
        out = self.folder / name
        result = run("quantize", model, out, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout, "")
        return out

    def flip(self, path, at):
        data = bytearray(path.read_bytes())
        data[at] ^= 1
        path.write_bytes(data)

    def test_the_written_model_answers(self):
        picture = next(SAMPLES.glob("*rectangle*.png"))
        expected = self.answer("ask", "--model", BUNDLED, picture, "What shape is in the picture?").stdout
        for format in ("nf4", "q8_0", "keep"):
            out = self.quantize("--format", format)
            self.answer("verify", out)
            found = self.answer("ask", "--model", out, picture, "What shape is in the picture?").stdout
            self.assertEqual(found, expected, format)

    def test_info_says_how_many_bits_a_weight_has(self):
        out = self.quantize("--format", "nf4", "--double-quant", "--head-format", "q8_0")
        info = self.json("info", out, "--json")
        groups = {group["name"]: group for group in info["tensor_groups"]}
        self.assertEqual(groups["feed-forward"]["format"], "NF4")
        self.assertEqual(groups["feed-forward"]["layout"], "panels")
        self.assertLess(groups["feed-forward"]["bits_per_weight"], 4.3)
        self.assertEqual(groups["embedding"]["format"], "Q8_0")
        self.assertIn("panels16x256", info["format"])
        self.assertIn("NF4 with nested scales, head Q8_0", info["format"])

    def test_json_says_what_was_written(self):
        result = self.json("quantize", BUNDLED, self.folder / "m.nolens", "--format", "q4_0", "--json")
        self.assertEqual(result["file_bytes"], (self.folder / "m.nolens").stat().st_size)
        self.assertEqual(result["format"], "q4_0")

    def test_a_width_that_does_not_fit_is_a_note(self):
        result = run("quantize", TINY, self.folder / "m.nolens", "--format", "q6_k")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("note: ", result.stderr)
        self.assertIn("cannot be Q6_K", result.stderr)

    def test_every_changed_tensor_is_named(self):
        out = self.quantize("--format", "q4_0")
        good = out.read_bytes()
        for name, (begin, end) in tensors_of(out).items():
            if name == "_nolens.checksums" or begin == end:
                continue
            self.flip(out, (begin + end) // 2)
            self.expect_refusal(run("verify", out), 3, f"'{name}'")
            out.write_bytes(good)
        self.answer("verify", out)

    def test_a_changed_header_is_noticed_when_loading(self):
        out = self.quantize("--format", "q4_0")
        at = out.read_bytes().index(b"apache")
        self.flip(out, at)
        for command in ("verify", "info"):
            self.expect_refusal(run(command, out), 3, "m.nolens", "header")

    def test_cut_and_foreign_files_are_refused(self):
        out = self.quantize("--format", "q4_0")
        good = out.read_bytes()
        for size in (0, 7, 100, len(good) // 2, len(good) - 1):
            out.write_bytes(good[:size])
            for command in ("verify", "info"):
                self.expect_refusal(run(command, out), 3, "m.nolens")
        out.write_bytes((BUNDLED / "model.safetensors").read_bytes())
        self.expect_refusal(run("verify", out), 3, "no .nolens file")
        self.expect_refusal(run("verify", self.folder / "missing.nolens"), 3, "missing.nolens")

    def test_usage_errors(self):
        out = self.folder / "m.nolens"
        self.expect_refusal(run("quantize", BUNDLED, out), 2, "--format")
        self.expect_refusal(run("quantize", BUNDLED, out, "--format", "q1"), 2, "q1")
        self.expect_refusal(run("quantize", BUNDLED, out, "--format", "nf4", "--head-format", "x"), 2, "x")
        self.expect_refusal(run("quantize", BUNDLED, out, "--format", "q8_0", "--double-quant"), 2, "nf4")
        self.expect_refusal(run("quantize", BUNDLED, self.folder / "m.bin", "--format", "nf4"), 2, ".nolens")
        self.expect_refusal(run("quantize", self.folder / "none", out, "--format", "nf4"), 3, "none")
        self.assertEqual(list(self.folder.iterdir()), [])
        made = self.quantize("--format", "nf4")
        self.expect_refusal(run("quantize", made, made, "--format", "nf4"), 2, "already")

    def test_a_full_disk_leaves_the_old_file(self):
        out = self.folder / "m.nolens"
        out.write_text("old")

        def small_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

        self.expect_refusal(run("quantize", BUNDLED, out, "--format", "q8_0", preexec=small_files), 5, "m.nolens")
        self.assertEqual(out.read_text(), "old")
        self.assertEqual([path.name for path in self.folder.iterdir()], ["m.nolens"])

    def test_a_killed_run_leaves_nothing_that_stays(self):
        out = self.folder / "m.nolens"
        for delay in (0.0, 0.01, 0.02, 0.05):
            process = subprocess.Popen([PROGRAM, "quantize", BUNDLED, out, "--format", "iq4_nl", "-t", "1"],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
            process.wait()
            if out.exists():
                self.answer("verify", out)
        self.quantize("--format", "iq4_nl")
        self.assertEqual([path.name for path in self.folder.iterdir()], ["m.nolens"])

    def test_hard_links_to_the_source_are_refused(self):
        model = self.copy_of_tiny()
        out = self.folder / "m.nolens"
        os.link(model / "model.safetensors", out)
        before = out.read_bytes()
        self.expect_refusal(run("quantize", model, out, "--format", "q8_0"), 2, "same file")
        self.assertEqual((model / "model.safetensors").read_bytes(), before)


if __name__ == "__main__":
    unittest.main()
