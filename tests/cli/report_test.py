"""nolens quantize --report: what it compares, and that it leaves nothing behind."""
import resource
import signal
import unittest

from program import BUNDLED, Case, ROOT, run

GEMMA3 = ROOT / "tests" / "golden" / "models" / "tiny_gemma3"
EXCERPT = ROOT / "data" / "devils-dictionary" / "excerpt.txt"
PARTS = ("weights", "arithmetic", "together")


class Report(Case):
    def report(self, *arguments, model=BUNDLED):
        """The report as JSON, made with a folder for temporary files that must be empty afterwards."""
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        result = self.json("quantize", model, *arguments, "--report", "--windows", 1, "--json",
                           environment={"TMPDIR": str(temporary)})
        self.assertEqual(list(temporary.iterdir()), [])
        return result["report"]

    def test_fewer_bits_cost_more(self):
        report = self.report("--formats", "q4_0,q8_0,keep")
        q4_0, q8_0, keep = report["formats"]
        self.assertEqual([q4_0["format"], q8_0["format"], keep["format"]], ["q4_0", "q8_0", "keep"])
        self.assertLess(q4_0["bits_per_weight"], q8_0["bits_per_weight"])
        self.assertLess(q4_0["file_bytes"], q8_0["file_bytes"])
        self.assertGreater(q4_0["text"]["weights"]["mean_kl"], 10 * q8_0["text"]["weights"]["mean_kl"])
        self.assertGreater(q8_0["text"]["weights"]["mean_kl"], 0.0)
        # Float weights that are kept as they are have neither cost: the file is the source.
        for part in PARTS:
            self.assertLess(abs(keep["text"][part]["mean_kl"]), 1e-9)
            self.assertEqual(keep["text"][part]["top1_agreement"], 1.0)

    def test_costs_of_weights_and_of_arithmetic_are_apart(self):
        [cost] = self.report("--formats", "q8_0")["formats"]
        text = cost["text"]
        self.assertGreater(text["arithmetic"]["mean_kl"], 0.0)
        self.assertNotEqual(text["arithmetic"]["mean_kl"], text["weights"]["mean_kl"])
        # Two costs that have nothing to do with each other add up, roughly.
        self.assertLess(text["together"]["mean_kl"],
                        3 * (text["arithmetic"]["mean_kl"] + text["weights"]["mean_kl"]))
        # The chain of perplexities: source, file in float32, file as it runs.
        self.assertEqual(text["weights"]["reference_perplexity"], text["together"]["reference_perplexity"])
        self.assertEqual(text["weights"]["perplexity"], text["arithmetic"]["reference_perplexity"])
        self.assertEqual(text["arithmetic"]["perplexity"], text["together"]["perplexity"])

    def test_arithmetic_is_what_eval_divergence_measures(self):
        out = self.folder / "m.nolens"
        result = self.json("quantize", GEMMA3, out, "--format", "q8_0", "--report", "--json")
        self.assertEqual(result["file_bytes"], out.stat().st_size)
        report = result["report"]
        [cost] = report["formats"]
        expected = self.json("eval", "divergence", "-m", out, "--text", EXCERPT, "--ctx", report["window"], "--json")
        self.assertEqual(cost["text"]["arithmetic"]["predicted_tokens"], expected["predicted_tokens"])
        self.assertAlmostEqual(cost["text"]["arithmetic"]["mean_kl"], expected["mean_kl"], places=12)
        self.assertAlmostEqual(cost["text"]["arithmetic"]["perplexity"], expected["perplexity"], places=6)
        against = self.json("eval", "divergence", "-m", out, "--reference", GEMMA3, "--text", EXCERPT,
                            "--ctx", report["window"], "--json")
        self.assertAlmostEqual(cost["text"]["together"]["mean_kl"], against["mean_kl"], places=12)

    def test_models_that_see_are_asked_about_pictures(self):
        [cost] = self.report("--formats", "q8_0")["formats"]
        pictures = cost["pictures"]
        self.assertEqual(pictures["prompts"], 16)
        # A model that knows these shapes says the same in 8 bits, in a word and an end.
        self.assertEqual(pictures["same_answers"], {"weights": 16, "arithmetic": 16, "together": 16})
        self.assertGreaterEqual(pictures["together"]["predicted_tokens"], 32)
        self.assertLess(pictures["together"]["reference_perplexity"], 1.2)

    def test_text_models_say_that_pictures_are_left_out(self):
        text = self.answer("quantize", GEMMA3, "--report", "--formats", "q8_0").stdout
        self.assertIn("pictures: left out", text)
        [cost] = self.report("--formats", "q8_0", model=GEMMA3)["formats"]
        self.assertIsNone(cost["pictures"])

    def test_markdown_and_text(self):
        arguments = ("quantize", BUNDLED, "--report", "--formats", "nf4,nf4+double-quant", "--windows", 1)
        text = self.answer(*arguments).stdout
        self.assertRegex(text, r"(?m)^nf4 +\d")
        self.assertIn("arithmetic: the file as it runs", text)
        markdown = self.answer(*arguments, "--markdown").stdout
        self.assertRegex(markdown, r"(?m)^\| nf4\+double-quant \| ")
        self.assertEqual(markdown.count("| --- |"), 2)

    def test_usage_errors_leave_nothing(self):
        out = self.folder / "m.nolens"
        self.expect_refusal(run("quantize", BUNDLED), 2, "--format")
        self.expect_refusal(run("quantize", BUNDLED, out, "--report"), 2, "--format")
        self.expect_refusal(run("quantize", BUNDLED, "--report", "--formats", "q1"), 2, "q1")
        self.expect_refusal(run("quantize", BUNDLED, "--formats", "nf4"), 2, "--report")
        self.expect_refusal(run("quantize", BUNDLED, out, "--format", "nf4", "--report", "--formats", "nf4"), 2,
                            "--formats")
        self.expect_refusal(run("quantize", BUNDLED, "--report", "--double-quant"), 2, "--double-quant")
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_full_disk_leaves_no_temporary_files(self):
        def small_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

        self.expect_refusal(run("quantize", BUNDLED, "--report", "--formats", "q8_0", preexec=small_files,
                                environment={"TMPDIR": str(self.folder)}), 5, "model.nolens")
        self.assertEqual(list(self.folder.iterdir()), [])
        missing = self.folder / "none"
        self.expect_refusal(run("quantize", BUNDLED, "--report", "--formats", "q8_0",
                                environment={"TMPDIR": str(missing)}), 5, "TMPDIR")


class Memory(Case):
    def test_the_parts_add_up(self):
        for model, arguments in ((BUNDLED, ()), (BUNDLED, ("--exact",)), (GEMMA3, ("--kv-cache", "int8"))):
            memory = self.json("info", model, "--ctx", 256, *arguments, "--json")["memory"]
            parts = ("weights_mapped", "weights_packed", "full_layers", "sliding_layers", "growth", "activations",
                     "logits", "picture", "program")
            session = sum(memory[part + "_bytes"] for part in parts[2:-1])
            always = sum(memory[part + "_bytes"] for part in (*parts[:2], parts[-1]))
            self.assertEqual(memory["total_bytes"], always + max(session, memory["decoding_bytes"]))
            self.assertEqual(memory["kv_bytes"], memory["full_layers_bytes"] + memory["sliding_layers_bytes"])
            self.assertEqual(memory["picture_bytes"] > 0, model == BUNDLED)
            self.assertNotIn("contexts", memory)

    def test_kv_bytes_are_those_of_a_run(self):
        answer = self.json("ask", "-m", GEMMA3, "--ctx", 256, "--max-tokens", 1, "--json", "word " * 60)
        length = answer["usage"]["prompt_tokens"] + answer["usage"]["completion_tokens"]
        memory = self.json("info", GEMMA3, "--ctx", -(-length // 64) * 64, "--json")["memory"]
        self.assertEqual(memory["kv_bytes"], answer["memory"]["kv_bytes"])

    def test_without_a_context_there_is_a_table(self):
        memory = self.json("info", GEMMA3, "--json")["memory"]
        self.assertEqual({entry["kv_cache"] for entry in memory["contexts"]}, {"f16", "bf16", "int8"})
        self.assertEqual({entry["ctx"] for entry in memory["contexts"]}, {256})
        by_type = {entry["kv_cache"]: entry for entry in memory["contexts"]}
        self.assertLess(by_type["int8"]["kv_bytes"], by_type["f16"]["kv_bytes"])
        text = self.answer("info", GEMMA3).stdout
        self.assertIn("keys, values int8", text)
        self.assertNotIn("keys, values int8", self.answer("info", GEMMA3, "--ctx", 128).stdout)

    def test_pictures_can_be_left_out(self):
        with_picture = self.json("info", BUNDLED, "--ctx", 256, "--json")["memory"]
        without = self.json("info", BUNDLED, "--ctx", 256, "--image-pixels", 0, "--json")["memory"]
        self.assertEqual(without["picture_bytes"], 0)
        self.assertEqual(without["decoding_bytes"], 0)
        self.assertGreater(with_picture["decoding_bytes"], 36_000_000)
        self.assertLess(with_picture["picture_bytes"], 36_000_000)


if __name__ == "__main__":
    unittest.main()
