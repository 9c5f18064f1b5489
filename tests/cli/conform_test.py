"""nolens conform: exit codes, table, JSON (docs/conform.md)."""
import json
import shutil
import unittest

from program import ROOT, TINY, Case, run

RECORDING = ROOT / "tests" / "golden" / "one_image"


class Conform(Case):
    def changed(self, **fields):
        """A copy of the recording with other fields in case.json."""
        folder = self.folder / "recording"
        shutil.copytree(RECORDING, folder)
        case = json.loads((folder / "case.json").read_text(encoding="utf-8"))
        case.update(fields)
        (folder / "case.json").write_text(json.dumps(case), encoding="utf-8")
        return folder

    def test_a_faithful_model_gives_a_table_and_zero(self):
        result = run("conform", TINY, "--reference", RECORDING, "--exact", "--isolate")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr, "")
        self.assertIn("15 of 15 stages are within their tolerance", result.stdout)
        self.assertIn("float32, transformers 5.18.0, torch 2.9.1", result.stdout)

    def test_json_has_every_promised_field(self):
        result = run("conform", TINY, "--reference", RECORDING, "--exact", "--isolate", "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        report = json.loads(result.stdout)
        self.assertEqual(set(report), {"within", "first_difference", "mask_rule", "tokens", "reference", "engine",
                                       "tolerances", "stages"})
        self.assertIs(report["within"], True)
        self.assertIsNone(report["first_difference"])
        stages = {stage["name"]: stage for stage in report["stages"]}
        self.assertEqual(set(stages["layer 2"]), {"name", "stage", "index", "within", "difference", "isolated"})
        self.assertEqual(set(stages["layer 2"]["difference"]),
                         {"max_abs", "mean_abs", "cosine", "largest", "rows", "worst_row"})
        self.assertEqual(len(stages["logits"]["kl"]["positions"]), report["tokens"])
        self.assertEqual(stages["logits"]["top1_agreement"], 1.0)
        self.assertEqual((stages["greedy tokens"]["same"], stages["greedy tokens"]["count"]), (64, 64))

    def test_a_difference_is_code_4_and_names_the_first_stage(self):
        command = ["conform", TINY, "--reference", RECORDING, "--exact", "--tolerance-hidden", "0", "--json"]
        result = run(*command)
        self.assertEqual(result.returncode, 4)
        self.assertIn("the first stage that differs from the reference is 'layer 0'", result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1)
        self.assertEqual(json.loads(result.stdout)["first_difference"], "layer 0")
        result = run(*command, "--report-only")
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_rules_are_chosen_by_name(self):
        result = run("conform", TINY, "--reference", RECORDING, "--exact", "--mask-rule", "legacy", "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(json.loads(result.stdout)["mask_rule"], "legacy")

    def test_another_prompt_ends_the_comparison(self):
        folder = self.changed(messages=[{"role": "user", "content": "Hello"}], images=[])
        result = run("conform", TINY, "--reference", folder, "--json")
        self.assertEqual(result.returncode, 4)
        self.assertIn("'token ids'", result.stderr)
        self.assertIn("not_compared", json.loads(result.stdout))

    def test_broken_recordings_are_refused(self):
        self.expect_refusal(run("conform", TINY, "--reference", self.folder / "nowhere"), 4, "nowhere", "no directory")
        self.expect_refusal(run("conform", TINY, "--reference", self.changed(rules={})), 4, "rules")

    def test_wrong_usage(self):
        self.expect_refusal(run("conform", TINY), 2, "--reference")
        self.expect_refusal(run("conform", TINY, "--reference", RECORDING, "--tolerance-kl", "nan"), 2, "tolerance-kl")


if __name__ == "__main__":
    unittest.main()
