"""What scripts rely on: docs/cli.md, "Contracts"."""
import json
import pathlib
import unittest

from program import BUNDLED, PICTURE, ROOT, SAMPLES, TINY, Case, read_npy, run

GOLDEN = ROOT / "tests" / "golden" / "one_image"


class Ask(Case):
    def test_json_has_every_promised_field(self):
        reply = self.json("ask", "--model", TINY, "--json", "--max-tokens", 5, "--seed", 3, PICTURE, "What?")
        self.assertEqual(set(reply) - {"tool_calls"}, {
            "text", "reasoning", "finish_reason", "usage", "timings", "images", "audios", "videos", "memory",
            "seed"})
        self.assertEqual(set(reply["usage"]), {
            "prompt_tokens", "completion_tokens", "image_tokens", "audio_tokens"})
        self.assertEqual(set(reply["timings"]), {
            "load_ms", "preprocess_ms", "prefill_ms", "prefill_tokens_per_second",
            "decode_tokens_per_second", "first_token_ms"})
        self.assertEqual(set(reply["images"][0]), {
            "source_width", "source_height", "used_width", "used_height", "tokens", "downscaled"})
        self.assertEqual(set(reply["memory"]), {"peak_rss_bytes", "weights_bytes", "kv_bytes"})
        self.assertIn(reply["finish_reason"], {"stop", "length", "tool_calls"})
        self.assertEqual(reply["seed"], 3)
        self.assertEqual(reply["usage"]["image_tokens"], reply["images"][0]["tokens"])
        self.assertEqual(reply["usage"]["audio_tokens"], 0)
        self.assertGreater(reply["usage"]["prompt_tokens"], reply["usage"]["image_tokens"])
        self.assertGreater(reply["memory"]["peak_rss_bytes"], reply["memory"]["weights_bytes"] // 2)

    def test_stdout_is_the_answer_and_nothing_else(self):
        plain = self.answer("ask", "--model", TINY, "--max-tokens", 12, "--temperature", 0, "Hello")
        reply = self.json("ask", "--json", "--model", TINY, "--max-tokens", 12, "--temperature", 0, "Hello")
        self.assertEqual(plain.stdout.rstrip("\n"), (reply["text"]).rstrip("\n"))
        self.assertEqual(plain.stderr, "")

    def test_the_same_seed_gives_the_same_answer(self):
        options = ("ask", "--json", "--model", TINY, "--temperature", 1, "--max-tokens", 20)
        first = self.json(*options, "--seed", 7, "Hello")
        again = self.json(*options, "--seed", 7, "Hello")
        other = self.json(*options, "--seed", 8, "Hello")
        self.assertEqual(first["text"], again["text"])
        self.assertNotEqual(first["text"], other["text"])

    def test_drafts_do_not_change_the_answer(self):
        options = ("ask", "--json", "--model", BUNDLED, "--temperature", 0, "--max-tokens", 80, "-v",
                   "Say it again: one two three one two three one two three one two three")
        plain = self.json(*options)
        drafted = self.json(*options, "--draft", "prompt-lookup", "--draft-tokens", 5)
        self.assertEqual(plain["text"], drafted["text"])
        self.assertNotIn("draft", plain)
        self.assertEqual(set(drafted["draft"]), {
            "passes", "drafted", "accepted", "acceptance", "tokens_per_pass"})
        self.assertLessEqual(drafted["draft"]["accepted"], drafted["draft"]["drafted"])

    def test_an_assistant_is_loaded_from_its_directory(self):
        assistant = ROOT / "tests" / "golden" / "models" / "tiny_assistant"
        options = ("ask", "--json", "--model", TINY, "--temperature", 0, "--max-tokens", 30, "Hello")
        self.assertEqual(self.json(*options)["text"], self.json(*options, "--draft", assistant)["text"])
        self.expect_refusal(run("ask", "--model", BUNDLED, "--draft", assistant, "Hello"), 3, "tiny_assistant")
        self.expect_refusal(run("ask", "--model", TINY, "--draft", "nowhere", "Hello"), 2, "nowhere")

    def test_threads_do_not_change_the_answer(self):
        answers = {self.json("ask", "--json", "--model", TINY, "--temperature", 0, "--max-tokens", 20,
                             "--threads", n, PICTURE, "What?")["text"] for n in (1, 2, 3)}
        self.assertEqual(len(answers), 1)

    def test_affinity_does_not_change_the_answer(self):
        options = ("ask", "--json", "--model", TINY, "--temperature", 0, "--max-tokens", 20, "Hello")
        self.assertEqual(self.json(*options)["text"], self.json(*options, "--affinity")["text"])
        self.expect_refusal(run(*options, "--affinity", "--threads", 1024), 2, "1024 threads", "--affinity")

    def test_codebooks_have_8_or_16_bits(self):
        self.expect_refusal(run("ask", "--codebook", 12, "What is it?"), 2, "--codebook")

    def test_several_pictures_in_order(self):
        reply = self.json("ask", "--json", "--model", TINY, "--max-tokens", 1, PICTURE,
                          ROOT / "tests/golden/several_images/picture_1.png", "Compare.")
        self.assertEqual(len(reply["images"]), 2)

    def test_image_budget_is_an_option(self):
        few = self.json("ask", "--json", "--model", TINY, "--max-tokens", 1, "--image-tokens", 70, PICTURE, "?")
        many = self.json("ask", "--json", "--model", TINY, "--max-tokens", 1, "--image-tokens", 280, PICTURE, "?")
        self.assertLessEqual(few["images"][0]["tokens"], 70)
        self.assertGreater(many["images"][0]["tokens"], 140)

    def test_messages_file_with_pictures_by_path(self):
        file = self.folder / "messages.json"
        file.write_text(json.dumps([
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "image", "path": str(PICTURE)},
                                         {"type": "text", "text": "What is this?"}]}]))
        reply = self.json("ask", "--json", "--model", TINY, "--max-tokens", 1, "--messages", file)
        self.assertEqual(len(reply["images"]), 1)

    def test_the_question_may_not_name_a_file(self):
        result = run("ask", "--model", TINY, PICTURE)
        self.expect_refusal(result, 2, PICTURE.name)


class Logits(Case):
    def test_rows_are_positions_and_equal_the_reference(self):
        out = self.folder / "x.npy"
        messages = self.folder / "messages.json"
        case = json.loads((GOLDEN / "case.json").read_text())
        for part in case["messages"][0]["content"]:
            if part["type"] == "image":
                part["path"] = str(GOLDEN / part["path"])
        messages.write_text(json.dumps(case["messages"]))
        reply = self.json("logits", "--model", TINY, "--messages", messages, "--out", out, "--json", "--exact")
        self.assertEqual(reply["ids"], case["token_ids"])
        image = case["images"][0]
        self.assertEqual(reply["media"], [{"kind": "image", "tokens": image["tokens"],
                                           "width": image["used_width"], "height": image["used_height"]}])
        shape, values = read_npy(out)
        self.assertEqual(shape, (len(case["token_ids"]), 512))
        last = values[-512:]
        self.assertEqual(max(range(512), key=lambda i: last[i] if i not in case["suppressed_ids"] else -1e9),
                         case["rules"]["canonical"]["greedy_ids"][0])

    def test_ids_file(self):
        out = self.folder / "x.npy"
        ids = self.folder / "ids.json"
        ids.write_text("[2, 300, 301]")
        reply = self.json("logits", "--model", TINY, "--ids", ids, "--out", out, "--json")
        self.assertEqual(reply, {"ids": [2, 300, 301], "media": []})
        self.assertEqual(read_npy(out)[0], (3, 512))

    def test_bad_ids_leave_no_file(self):
        out = self.folder / "x.npy"
        for text in ("[1, -1]", "[99999]", "[1.5]", "{}", "[", "[]"):
            ids = self.folder / "ids.json"
            ids.write_text(text)
            result = run("logits", "--model", TINY, "--ids", ids, "--out", out, "--json")
            self.expect_refusal(result, 4)
            self.assertEqual(list(self.folder.glob("*.npy*")), [])


class Eval(Case):
    def test_easy_vqa_counts_every_kind(self):
        reply = self.json("eval", "easy-vqa", "--json", "--limit", 60)
        self.assertEqual(set(reply), {"task", "n", "accuracy", "by_type", "seconds"})
        self.assertEqual((reply["task"], reply["n"]), ("easy-vqa", 60))
        self.assertEqual(set(reply["by_type"]), {"yes/no", "shape", "color"})
        for accuracy in (reply["accuracy"], *reply["by_type"].values()):
            self.assertTrue(0 <= accuracy <= 1)

    def test_blanked_pictures_lower_the_accuracy(self):
        seen = self.json("eval", "easy-vqa", "--json", "--limit", 300)
        blank = self.json("eval", "easy-vqa", "--json", "--limit", 300, "--blank")
        self.assertGreater(seen["accuracy"], blank["accuracy"] + 0.1)


class Other(Case):
    def test_tokenize_gives_ids(self):
        reply = self.json("tokenize", "--model", TINY, "--json", "Hello")
        self.assertTrue(all(isinstance(i, int) for i in reply["ids"]))

    def test_special_looking_text_is_text_unless_asked(self):
        plain = self.json("tokenize", "--model", TINY, "--json", "<bos>")["ids"]
        parsed = self.json("tokenize", "--model", TINY, "--json", "--parse-special", "<bos>")["ids"]
        self.assertGreater(len(plain), 1)
        self.assertEqual(parsed, [2])

    def test_info_names_architecture_and_memory(self):
        text = self.answer("info", TINY).stdout
        self.assertIn("gemma4_unified", text)
        self.assertIn("image", text)

    def test_synth_writes_a_model_that_answers(self):
        out = self.folder / "synthetic"
        self.answer("synth", "--preset", ROOT / "tests/cli/tiny_preset.json", "--layers", 2, "--out", out,
                    "--seed", 1)
        reply = self.json("ask", "--json", "--model", out, "--max-tokens", 3, PICTURE, "Hello")
        self.assertEqual(reply["usage"]["completion_tokens"] <= 3, True)
        again = self.folder / "again"
        self.answer("synth", "--preset", ROOT / "tests/cli/tiny_preset.json", "--layers", 2, "--out", again,
                    "--seed", 1)
        self.assertEqual((out / "model.safetensors").read_bytes(), (again / "model.safetensors").read_bytes())

    def test_doctor_and_version_and_help(self):
        self.assertIn("scalar", self.answer("doctor").stdout)
        self.assertRegex(self.answer("version").stdout, r"nolens \d+\.\d+\.\d+")
        for command in ("ask", "chat", "info", "tokenize", "logits", "synth", "eval", "doctor", "version"):
            self.assertIn("--help", self.answer(command, "--help").stdout)

    def test_train_starts_the_trainer_or_says_how_to_build_it(self):
        result = run("train", "--help")
        if result.returncode == 0:
            self.assertIn("--contrastive", result.stdout)
        else:
            self.expect_refusal(result, 2, "nolens-train", "NOLENS_WITH_TORCH")

    def test_completion_and_man_page_are_generated(self):
        self.assertIn("--image-tokens", self.answer("completion", "bash").stdout)
        self.assertTrue(self.answer("man").stdout.startswith(".TH"))

    def test_a_forced_instruction_set_is_used_or_refused(self):
        self.assertIn("scalar", self.answer("doctor", environment={"NOLENS_CPU": "scalar"}).stdout)
        result = run("ask", "--model", TINY, "Hi", environment={"NOLENS_CPU": "mmx"})
        self.expect_refusal(result, 2, "mmx", "scalar")


class Chat(Case):
    def test_conversation_from_a_pipe(self):
        script = f"/image {SAMPLES / 'blue-circle.png'}\nwhat color is the shape?\n/reset\n/help\n/exit\n"
        result = self.answer("chat", stdin=script.encode())
        self.assertIn("blue", result.stdout)

    def test_a_transcript_answer_is_one_line(self):
        line_break = self.json("tokenize", "--model", TINY, "--json", "\n")["ids"]
        self.assertEqual(len(line_break), 1)
        options = ("ask", "--json", "--model", TINY, "--temperature", 0, "--max-tokens", 3,
                   "--logit-bias", f"{line_break[0]}=1000", "Hello")
        own = self.json(*options)
        self.assertEqual((own["text"], own["finish_reason"]), ("\n\n\n", "length"))
        line = self.json(*options, "--chat-format", "transcript")
        self.assertEqual((line["text"], line["finish_reason"]), ("", "stop"))
        self.assertEqual(line["usage"]["completion_tokens"], 1)
        result = self.answer("chat", *options[2:-1], "--chat-format", "transcript", stdin=b"Hello\nHello\n")
        self.assertEqual((result.stdout, result.stderr), ("\n\n", ""))

    def test_a_transcript_takes_pictures(self):
        reply = self.json("ask", "--json", "--model", TINY, "--chat-format", "transcript", "--max-tokens", 3, PICTURE,
                          "What?")
        self.assertEqual(reply["usage"]["image_tokens"], reply["images"][0]["tokens"])

    def test_a_transcript_refuses_what_it_has_not(self):
        options = ("ask", "--model", TINY, "--chat-format", "transcript")
        self.expect_refusal(run(*options, "--think", "Hi"), 4, "transcript", "thinking")
        tools = self.folder / "tools.json"
        tools.write_text("[]")
        self.expect_refusal(run(*options, "--tools", tools, "Hi"), 4, "transcript", "tools")
        self.expect_refusal(run("ask", "--chat-format", "plain", "Hi"), 2, "--chat-format", "plain", "transcript")

    def test_a_missing_picture_does_not_end_the_chat(self):
        result = self.answer("chat", "--model", TINY, "--max-tokens", 2,
                             stdin=b"/image /nowhere.png\nHello\n/exit\n")
        self.assertIn("nowhere.png", result.stderr)


class Bundled(Case):
    def test_answers_about_its_samples(self):
        result = self.answer("ask", SAMPLES / "blue-circle.png", "what color is the shape?")
        self.assertEqual(result.stdout.strip(), "blue")
        self.assertIn("demonstration", result.stderr)

    def test_is_small(self):
        weights = sum(f.stat().st_size for f in pathlib.Path(BUNDLED).glob("*.safetensors"))
        self.assertLess(weights, 5_000_000 * 4)


if __name__ == "__main__":
    unittest.main()
