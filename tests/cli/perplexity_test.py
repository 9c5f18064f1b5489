"""nolens eval perplexity: against the logits it should come from, and against llama.cpp."""
import json
import math
import os
import subprocess
import unittest

from program import PROGRAM, ROOT, TINY, Case, read_npy, run

GEMMA3 = ROOT / "tests" / "golden" / "models" / "tiny_gemma3"
EXCERPT = ROOT / "data" / "devils-dictionary" / "excerpt.txt"
RELEASED = os.environ.get("NOLENS_GEMMA3_270M")
TOLERANCE = 0.01  # of llama.cpp's perplexity
BOS = 2


class Perplexity(Case):
    def perplexity_by_hand(self, model, text, window):
        """From `nolens logits` of each window, by the definition in docs/cli.md."""
        ids = [BOS] + self.json("tokenize", "-m", model, "--json", stdin=text.encode())["ids"]
        losses = []
        for first in range(0, len(ids) // window * window, window):
            part = [BOS] + ids[first + 1:first + window]
            (self.folder / "ids.json").write_text(json.dumps(part))
            out = self.folder / "x.npy"
            self.answer("logits", "-m", model, "--exact", "--ids", self.folder / "ids.json", "--out", out)
            (_, width), values = read_npy(out)
            for position in range(window // 2, window - 1):
                row = values[position * width:(position + 1) * width]
                largest = max(row)
                total = math.log(sum(math.exp(value - largest) for value in row))
                losses.append(total + largest - row[part[position + 1]])
        return math.exp(sum(losses) / len(losses)), len(losses), len(ids)

    def test_equals_what_the_logits_say(self):
        text = EXCERPT.read_text()[:600]
        (self.folder / "text.txt").write_text(text)
        for model in (TINY, GEMMA3):
            for window in (32, 33):
                got = self.json("eval", "perplexity", "-m", model, "--exact", "--json", "--ctx", window,
                                "--text", self.folder / "text.txt")
                value, predicted, tokens = self.perplexity_by_hand(model, text, window)
                self.assertAlmostEqual(got["perplexity"] / value, 1.0, places=5)
                self.assertEqual(got["predicted_tokens"], predicted)
                self.assertEqual(got["tokens"], tokens)
                self.assertEqual((got["task"], got["window"]), ("perplexity", window))
                self.assertEqual(got["windows"], tokens // window)
                self.assertAlmostEqual(math.exp(got["negative_log_likelihood"]), got["perplexity"])

    def test_prints_one_line_for_people_and_reads_stdin(self):
        result = self.answer("eval", "perplexity", "-m", GEMMA3, "--ctx", 64, "--text", "-",
                             stdin=EXCERPT.read_bytes()[:800])
        self.assertRegex(result.stdout, r"^perplexity [\d.]+  \(\d+ tokens predicted in \d+ windows of 64\)\n")

    def test_says_what_is_missing(self):
        self.expect_refusal(run("eval", "perplexity", "-m", GEMMA3), 2, "--text")
        (self.folder / "short.txt").write_text("short")
        self.expect_refusal(run("eval", "perplexity", "-m", GEMMA3, "--ctx", 100, "--text",
                                self.folder / "short.txt"), 4, "fewer than one window", "100")
        for window in (3, 257):
            self.expect_refusal(run("eval", "perplexity", "-m", GEMMA3, "--ctx", window, "--text", EXCERPT),
                                2, f"window of {window} tokens", "256")
        self.expect_refusal(run("eval", "perplexity", "-m", GEMMA3, "--text", self.folder / "none.txt"),
                            4, "none.txt")

    @unittest.skipUnless(RELEASED, "set NOLENS_GEMMA3_270M to gemma-3-270m-q4_k_m.gguf to run this")
    def test_is_that_of_llama_cpp_for_the_released_model(self):
        golden = json.loads((ROOT / "tests" / "golden" / "gemma3_270m" / "llama_cpp.json").read_text())
        for expected in golden["perplexity"]:
            done = subprocess.run(
                [PROGRAM, "eval", "perplexity", "-m", RELEASED, "--json", "--ctx", str(expected["window"]),
                 "--text", str(ROOT / golden["text"])], capture_output=True, check=True)
            got = json.loads(done.stdout)
            self.assertEqual(got["tokens"], expected["tokens"])
            self.assertEqual(got["predicted_tokens"], expected["predicted_tokens"])
            self.assertLess(abs(got["perplexity"] / expected["perplexity"] - 1.0), TOLERANCE, got)


if __name__ == "__main__":
    unittest.main()
