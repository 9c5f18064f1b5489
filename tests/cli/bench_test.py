"""nolens bench: shape of its output, arguments, peers. No figure is judged."""
import csv
import io
import json
import unittest
import xml.etree.ElementTree

from program import BUNDLED, PICTURE, ROOT, TINY, Case, run

GEMMA3 = ROOT / "tests" / "golden" / "models" / "tiny_gemma3"  # takes no pictures
FIELDS = {"test", "tokens", "context", "tokens_per_second", "share_of_peak", "bandwidth_gb_per_second",
          "share_of_bandwidth", "peak_rss_bytes", "engine", "model", "format", "kernels", "threads", "repeats",
          "seconds_median", "seconds_min", "peak", "gop_per_second", "ops_per_byte"}
QUICK = ("--prefill", "8,20", "--context", "0,16", "--decode", 3, "--repeat", 2, "--threads", 2)
PEER = """#!/bin/sh
echo "$@" >> "$0.arguments"
cat << END
[{"engine": "other", "test": "prefill", "tokens": 8, "context": 0, "tokens_per_second": 5, "seconds_median": 1.6,
  "seconds_min": 1.6, "peak_rss_bytes": 1048576}]
END
"""


class Bench(Case):
    def peer(self, text=PEER):
        script = self.folder / "a peer.sh"
        script.write_text(text)
        script.chmod(0o755)
        return f"'{script}'"

    def test_json_has_every_promised_field(self):
        results = self.json("bench", "--json", "--model", GEMMA3, *QUICK)
        self.assertEqual([(r["test"], r["tokens"], r["context"]) for r in results], [
            ("load", 0, 0), ("prefill", 8, 0), ("prefill", 20, 0), ("decode", 3, 0), ("decode", 3, 16)])
        for r in results:
            self.assertEqual(set(r) - {"probes", "stages"}, FIELDS)
            self.assertEqual(r["engine"], "nolens")
            self.assertEqual(r["threads"], 2)
            self.assertGreater(r["peak_rss_bytes"], 1 << 20)
            self.assertLessEqual(r["seconds_min"], r["seconds_median"])
            if r["test"] == "load":
                self.assertIsNone(r["tokens_per_second"])
                continue
            self.assertEqual(r["repeats"], 2)
            self.assertAlmostEqual(r["tokens_per_second"] * r["seconds_median"], r["tokens"], places=6)
            self.assertGreater(r["share_of_peak"], 0)
            self.assertIn(r["peak"], {"int8", "bf16", "fp32"})
            if r["test"] == "decode":
                self.assertEqual(set(r["probes"]), {
                    "before_gb_per_second", "after_gb_per_second", "best_gb_per_second"})
                mean = (r["probes"]["before_gb_per_second"] + r["probes"]["after_gb_per_second"]) / 2
                self.assertAlmostEqual(r["share_of_bandwidth"] * mean, r["bandwidth_gb_per_second"])
            else:
                self.assertIsNone(r["share_of_bandwidth"])
                self.assertNotIn("probes", r)

    def test_counts_the_products_and_bytes_of_the_model(self):
        config = json.loads((TINY / "config.json").read_text())["text_config"]
        info = self.json("info", TINY, "--json")
        groups = {group["name"]: group for group in info["tensor_groups"]}
        linear = groups["attention"]["parameters"] + groups["feed-forward"]["parameters"]
        head = config["vocab_size"] * config["hidden_size"]
        results = self.json("bench", "--json", "--model", TINY, "--no-image", *QUICK)
        prefill = next(r for r in results if r["test"] == "prefill" and r["tokens"] == 20)
        self.assertAlmostEqual(prefill["gop_per_second"] * prefill["seconds_median"] * 1e9 / (
            2 * (20 * linear + head)), 1, places=2)  # norms of heads count as attention there

    def test_measures_the_parts_of_the_image_path(self):
        results = self.json("bench", "--json", "--model", TINY, "--prefill", 0, "--decode", 0, "--repeat", 1,
                            "--image", PICTURE)
        self.assertEqual([r["test"] for r in results], ["load", "image"])
        image = results[1]
        self.assertEqual(set(image["stages"]), {
            "decode_seconds", "resize_seconds", "embed_seconds", "prefill_seconds"})
        self.assertTrue(all(seconds > 0 for seconds in image["stages"].values()), image)
        self.assertLessEqual(sum(image["stages"].values()), image["seconds_median"])

    def test_makes_a_picture_where_none_is_given(self):
        results = self.json("bench", "--json", "--model", BUNDLED, "--prefill", 0, "--decode", 0, "--repeat", 1)
        self.assertEqual([r["test"] for r in results], ["load", "image"])

    def test_prints_a_table_markdown_and_csv(self):
        text = self.answer("bench", "--model", GEMMA3, *QUICK).stdout
        self.assertRegex(text, r"(?m)^machine: .*Gop/s, memory [\d.]+ GB/s, best [\d.]+$")
        self.assertRegex(text, r"(?m)^prefill 20 +[\d.]+ .* %")
        self.assertRegex(text, r"(?m)^decode 3 at 16: memory [\d.]+ GB/s before, [\d.]+ after, best [\d.]+$")
        markdown = self.answer("bench", "--markdown", "--model", GEMMA3, *QUICK).stdout
        self.assertRegex(markdown, r"(?m)^\| prefill 8 \| [\d.]+ \|")
        rows = list(csv.DictReader(io.StringIO(self.answer("bench", "--csv", "--model", GEMMA3, *QUICK).stdout)))
        self.assertEqual(len(rows), 5)
        self.assertEqual(set(rows[0]), FIELDS)
        self.assertEqual(rows[0]["tokens_per_second"], "")
        self.assertGreater(float(rows[1]["tokens_per_second"]), 0)

    def test_draws_a_roofline_with_every_point(self):
        target = self.folder / "roof.svg"
        self.answer("bench", "--model", GEMMA3, *QUICK, "--svg", target, "--peer", self.peer())
        root = xml.etree.ElementTree.parse(target).getroot()
        labels = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
        for label in ("prefill 8", "prefill 20", "decode 3 at 0", "decode 3 at 16", "nolens", "other"):
            self.assertIn(label, labels)
        self.assertEqual(labels.count("prefill 8"), 2)

    def test_runs_peers_in_turns_and_compares(self):
        results = self.json("bench", "--json", "--model", GEMMA3, *QUICK, "--peer", self.peer() + " --more 'a b'")
        self.assertEqual([r["engine"] for r in results], ["nolens"] * 5 + ["other"])
        self.assertTrue(all(r["repeats"] == 2 for r in results), results)
        self.assertEqual((self.folder / "a peer.sh.arguments").read_text().splitlines(), [
            "--more a b --prefill 8,20 --decode 3 --context 0,16 --threads 2"] * 2)
        table = self.answer("bench", "--model", GEMMA3, *QUICK, "--peer", self.peer()).stdout
        self.assertRegex(table, r"(?m)^test +nolens +other +times better$")
        self.assertRegex(table, r"(?m)^prefill 8 +[\d.]+ t/s +5\.00 t/s +[\d.]+$")

    def test_says_which_peer_failed_and_how(self):
        for text, words in (("#!/bin/sh\nexit 7\n", ("exit code 7", "a peer.sh")),
                            ("#!/bin/sh\necho hello\n", ("no JSON array", "a peer.sh")),
                            ("#!/bin/sh\necho '[{}]'\n", ("a peer.sh", '"test"'))):
            self.expect_refusal(run("bench", "--model", GEMMA3, *QUICK, "--peer", self.peer(text)), 4, *words)

    def test_leaves_out_default_tests_that_do_not_fit_and_refuses_others(self):
        result = self.answer("bench", "--model", GEMMA3, "--decode", 1, "--repeat", 1, "--json")
        self.assertIn("note: --prefill 1024 is left out: the model's context holds 256 tokens", result.stderr)
        self.assertEqual([r["tokens"] for r in json.loads(result.stdout) if r["test"] == "prefill"], [64])
        for arguments in (("--prefill", 257), ("--context", 250, "--decode", 4, "--repeat", 2)):
            self.expect_refusal(run("bench", "--model", GEMMA3, *arguments), 2, "256")

    def test_says_what_is_wrong_with_arguments(self):
        for arguments in (("--json", "--csv"), ("--prefill", "1,x"), ("--repeat", 0), ("--decode", -1),
                          ("--no-image", "--image", PICTURE)):
            self.expect_refusal(run("bench", "--model", GEMMA3, *arguments), 2)
        self.expect_refusal(run("bench", "--model", GEMMA3, "--svg", self.folder / "a.txt"), 2, ".svg")
        self.expect_refusal(run("bench", "--model", GEMMA3, "--image", PICTURE), 4, "takes no pictures")
        self.expect_refusal(run("bench", "--model", TINY, "--image", self.folder / "none.png"), 4, "none.png")


if __name__ == "__main__":
    unittest.main()
