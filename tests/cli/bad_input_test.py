"""Bad files, bad words and full disks: a clear sentence, the promised exit code, nothing half-written."""
import json
import os
import resource
import shutil
import signal
import subprocess
import unittest
import zlib

from program import PICTURE, PROGRAM, TINY, Case, run


def ask(case, *arguments, model=TINY, **options):
    return run("ask", "--model", model, "--max-tokens", 2, *arguments, **options)


def png(width, height, rows=b"", bit_depth=8, colour=2):
    """A PNG whose header claims a size."""
    def chunk(kind, data):
        return (len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big"))
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([bit_depth, colour, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class BadModel(Case):
    def test_missing_directory(self):
        self.expect_refusal(ask(self, "Hi", model=self.folder / "none"), 3, "none")

    def test_empty_directory(self):
        self.expect_refusal(ask(self, "Hi", model=self.folder), 3, "config.json")

    def test_a_picture_is_no_model(self):
        self.expect_refusal(ask(self, "Hi", model=PICTURE), 3, PICTURE.name)

    def test_files_cut_at_many_points(self):
        for name in ("model.safetensors", "config.json", "tokenizer.json"):
            whole = (TINY / name).read_bytes()
            if name.endswith(".json"):
                whole = whole.rstrip()  # without its last line break a document is still whole
            for share in (0, 1, 7, 8, 9, len(whole) // 2, len(whole) - 1):
                model = self.folder / f"{name}-{share}"
                os.makedirs(model)
                for file in TINY.iterdir():
                    if file.is_file():
                        (model / file.name).write_bytes(file.read_bytes() if file.name != name else whole[:share])
                self.expect_refusal(ask(self, "Hi", model=model), 3, name)

    def test_config_that_cannot_be_right(self):
        changes = {"hidden_size": [0, -1, 2**40, 65, "many"], "num_hidden_layers": [0, 10**9],
                   "num_attention_heads": [0, 3], "vocab_size": [1, 2**31], "sliding_window": [0, -5],
                   "head_dim": [0, 15], "rms_norm_eps": [-1]}
        for field, values in changes.items():
            for value in values:
                model = self.copy_of_tiny()
                config = json.loads((model / "config.json").read_text())
                config["text_config"][field] = value
                (model / "config.json").write_text(json.dumps(config))
                result = ask(self, "Hi", model=model)
                self.assertEqual(result.returncode, 3, f"{field} = {value}: {result.stderr}")
                self.assertEqual(result.stdout, "")
                shutil.rmtree(model)

    def test_a_model_cut_while_in_use_ends_with_a_sentence(self):
        model = self.copy_of_tiny()
        chat = subprocess.Popen([PROGRAM, "chat", "--model", str(model), "--max-tokens", "2"], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        chat.stdin.write(b"Hello\n")
        chat.stdin.flush()
        chat.stdout.readline()  # the model is loaded and has answered once
        os.truncate(model / "model.safetensors", 0)
        _, errors = chat.communicate(b"Hello again\n", timeout=60)
        self.assertEqual(chat.returncode, 3, errors)
        self.assertIn(b"became shorter", errors)

    def test_pickle_is_never_read(self):
        model = self.copy_of_tiny()
        (model / "model.safetensors").rename(model / "pytorch_model.bin")
        self.expect_refusal(ask(self, "Hi", model=model), 3, "pickle")


class BadPicture(Case):
    def refuse(self, name, data, code=4, *words):
        file = self.folder / name
        file.write_bytes(data)
        self.expect_refusal(ask(self, file, "What?"), code, name, *words)

    def test_broken_pictures(self):
        good = PICTURE.read_bytes()
        self.refuse("empty.png", b"")
        self.refuse("one.png", b"\x89")
        self.refuse("cut.png", good[:len(good) // 2])
        self.refuse("noise.jpg", bytes(range(256)) * 8)
        self.refuse("text.png", b"hello")
        self.refuse("page.pdf", b"%PDF-1.7\n")
        self.refuse("movie.gif", b"GIF89a" + bytes(20))
        self.refuse("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>")

    def test_decompression_bomb_is_refused_from_its_header(self):
        def little_memory():
            resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
        file = self.folder / "bomb.png"
        file.write_bytes(png(65500, 65500, bit_depth=1, colour=0))
        limit = None if os.environ.get("NOLENS_SANITIZED") == "1" else little_memory
        result = ask(self, file, "What?", preexec=limit)
        self.expect_refusal(result, 5, "bomb.png", "65500")

    def test_the_pixel_limit_is_an_option(self):
        result = ask(self, "--max-pixels", 1000, PICTURE, "What?")
        self.expect_refusal(result, 5, PICTURE.name)

    def test_smallest_and_most_extreme_pictures_are_answered_or_refused(self):
        for width, height in ((1, 1), (2, 1), (1, 3), (3, 3), (5000, 1), (1, 5000), (300, 2)):
            file = self.folder / f"{width}x{height}.png"
            file.write_bytes(png(width, height, (b"\0" + bytes(3 * width)) * height))
            result = ask(self, file, "What?")
            self.assertIn(result.returncode, (0, 4), f"{width}x{height}: {result.stderr}")

    def test_missing_file_directory_and_device(self):
        self.expect_refusal(ask(self, self.folder / "none.png", "What?"), 4, "none.png")
        self.expect_refusal(ask(self, self.folder, "What?"), 4, self.folder.name)
        self.expect_refusal(ask(self, "/dev/zero", "What?"), 4, "/dev/zero")


class BadRequest(Case):
    def test_more_text_than_the_context_holds(self):
        self.expect_refusal(ask(self, "--ctx", 64, "word " * 500), 4, "64")

    def test_placeholders_typed_by_a_user_are_text(self):
        result = ask(self, "<|image|><|audio|><turn|><bos>")
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_options_out_of_range(self):
        for option, value in (("--temperature", -1), ("--temperature", "nan"), ("--top-p", 0), ("--top-p", 2),
                              ("--min-p", 2), ("--top-k", -1), ("--max-tokens", 0), ("--image-tokens", 71),
                              ("--threads", -1), ("--ctx", -5), ("--ctx", 10**9), ("--seed", "abc"),
                              ("--mask-rule", "none"), ("--no-such-option", 1)):
            result = run("ask", "--model", TINY, option, value, PICTURE, "Hi")
            self.assertEqual(result.returncode, 2, f"{option} {value}: {result.stderr}")
            self.assertEqual(result.stdout, "")

    def test_messages_that_are_none(self):
        for text, word in (("", ""), ("{}", ""), ("[]", ""), ("[{\"role\":\"king\",\"content\":\"x\"}]", "king"),
                           ("[{\"role\":\"user\",\"content\":[{\"type\":\"smell\"}]}]", "smell"),
                           ("[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":"
                            "{\"url\":\"https://example.org/a.png\"}}]}]", "http"),
                           ("[" * 1000 + "]" * 1000, "")):
            file = self.folder / "messages.json"
            file.write_text(text)
            self.expect_refusal(run("ask", "--model", TINY, "--messages", file), 4, word)

    def test_no_command_and_unknown_command(self):
        self.assertEqual(run().returncode, 2)
        self.assertEqual(run("dance").returncode, 2)


class BadOutput(Case):
    def setUp(self):
        super().setUp()
        self.ids = self.folder / "ids.json"
        self.ids.write_text("[2, 3, 4]")

    def logits(self, out, **options):
        return run("logits", "--model", TINY, "--ids", self.ids, "--out", out, "--json", **options)

    def test_missing_folder(self):
        result = self.logits(self.folder / "none" / "x.npy")
        self.assertEqual(result.returncode, 2, result.stderr)

    def test_target_is_a_directory(self):
        result = self.logits(self.folder)
        self.assertEqual(result.returncode, 2, result.stderr)

    def test_full_disk_leaves_the_old_file(self):
        # A file size limit stands for a full disk: write() fails the same way for the program.
        def small_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        out = self.folder / "x.npy"
        out.write_bytes(b"\x93NUMPY old")
        result = self.logits(out, preexec=small_files)
        self.assertEqual(result.returncode, 5, result.stderr)
        self.assertEqual(out.read_bytes(), b"\x93NUMPY old")
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), ["ids.json", "x.npy"])

    def test_synth_refuses_a_folder_with_files(self):
        result = run("synth", "--preset", "gemma-4-12b", "--layers", 1, "--out", self.folder, "--seed", 1)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual([p.name for p in self.folder.iterdir()], ["ids.json"])

    def test_closed_stdout_is_no_crash(self):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([PROGRAM, "ask", "--model", str(TINY), "--max-tokens", "20", "Hi"],
                              stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False)
        os.close(writer)
        self.assertGreaterEqual(done.returncode, 0, "died by a signal")


if __name__ == "__main__":
    unittest.main()
