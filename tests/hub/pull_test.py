"""nolens pull against a hub on this machine: what it fetches, where it puts it, what it says."""
import json
import os
import pathlib
import unittest

from hub_server import COMMIT, TOKEN, Answer, File
from pull_case import CONFIG, PullCase

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden" / "hub_cache" / "layout.json"


def layout_of(cache):
    """Every path of a cache: what a link points to, the bytes' length of a file."""
    layout = {}
    for path in sorted(cache.rglob("*")):
        name = str(path.relative_to(cache))
        if path.is_symlink():
            layout[name] = "-> " + os.readlink(path)
        elif path.is_file():
            layout[name] = path.stat().st_size
    return layout


class Cache(PullCase):
    def test_the_cache_looks_as_huggingface_hub_leaves_it(self):
        golden = json.loads(GOLDEN.read_text())
        self.hub.files = {name: File(text.encode(), is_large=name.endswith(".safetensors"))
                          for name, text in golden["files"].items()}
        self.pull("--include", "*")
        found = layout_of(self.folder / "hf" / "hub")
        # The tag's text is ours, and the listing that newer versions keep says nothing but speed.
        ignored = lambda name: name == "CACHEDIR.TAG" or "/trees/" in name
        self.assertEqual({name: what for name, what in found.items() if not ignored(name)},
                         {name: what for name, what in golden["layout"].items() if not ignored(name)})
        ref = self.repository / "refs" / "main"
        self.assertEqual(ref.read_text(), COMMIT)

    def test_prints_the_snapshot_and_what_was_left_out(self):
        self.hub.files |= {"pytorch_model.bin": File(b"x" * 10), "original/model.pth": File(b"y"),
                           "onnx/model.onnx": File(b"z"), "tokenizer.json": File(b"{}"),
                           "additional_chat_templates/tool.jinja": File(b"{{ x }}"),
                           "consolidated.safetensors": File(b"w")}
        done = self.run_program("pull", "org/name")
        self.assertEqual(done.stdout, f"{self.snapshot}\n")
        self.assert_complete(["tokenizer.json", "additional_chat_templates/tool.jinja", "config.json"])
        self.assertIn("left out: 4 files", done.stderr)
        self.assertIn("original/model.pth", done.stderr)
        self.assertFalse((self.snapshot / "pytorch_model.bin").exists())
        self.assertNotIn("\r", done.stderr)

    def test_a_second_pull_transfers_nothing(self):
        self.pull()
        self.hub.requests.clear()
        again = self.pull()
        self.assertEqual([file["received_bytes"] for file in again["files"]], [0, 0, 0])
        self.assertEqual(self.hub.count("storage"), 0)

    def test_files_another_program_downloaded_are_used(self):
        blobs = self.repository / "blobs"
        blobs.mkdir(parents=True)
        large = self.hub.files["model.safetensors"]
        (blobs / large.etag).write_bytes(large.data)
        self.pull()
        self.assert_complete()
        self.assertEqual(self.hub.count("storage"), 0)

    def test_a_damaged_blob_of_another_size_is_fetched_again(self):
        self.pull()
        (self.repository / "blobs" / self.hub.files["model.safetensors"].etag).write_bytes(b"short")
        self.pull()
        self.assert_complete()

    def test_the_list_of_files_may_have_many_pages(self):
        self.hub.page_size = 2
        self.hub.files |= {f"part{i}.json": File(b"%d" % i) for i in range(9)}
        self.assertEqual(len(self.pull()["files"]), 12)

    def test_a_plain_folder_instead_of_the_cache(self):
        out = self.folder / "out"
        result = self.pull("--out", out)
        self.assertEqual(result["path"], str(out))
        self.assertEqual((out / "config.json").read_bytes(), CONFIG)
        self.assertFalse((out / "config.json").is_symlink())
        notes = (out / ".cache/huggingface/download/config.json.metadata").read_text().split("\n")
        self.assertEqual(notes[:2], [COMMIT, self.hub.files["config.json"].etag])
        self.assertFalse((self.folder / "hf" / "hub").exists())
        self.assertEqual(self.pull("--out", out)["files"][0]["received_bytes"], 0)

    def test_a_plain_folder_with_somebody_elses_file(self):
        out = self.folder / "out"
        out.mkdir()
        (out / "config.json").write_text("mine")
        self.refused(2, "config.json", "--out", arguments=("pull", "org/name", "--out", out))
        self.assertEqual((out / "config.json").read_text(), "mine")
        (out / "config.json").write_bytes(CONFIG)  # the very file, from elsewhere
        self.pull("--out", out)

    def test_the_model_option_finds_what_was_pulled(self):
        missing = self.run_program("info", "org/name")
        self.assertEqual(missing.returncode, 3)
        self.assertIn("nolens pull org/name", missing.stderr)
        self.hub.requests.clear()
        self.pull()
        found = self.run_program("info", "org/name")  # no model, but the loader got the snapshot
        self.assertNotIn("nolens pull", found.stderr)
        self.assertIn("config.json", found.stderr)

    def test_the_cache_is_where_the_environment_says(self):
        for changes, place in (
                ({"HF_HUB_CACHE": "~/a/$PART/${PART}", "PART": "b"}, "a/b/b"),
                ({"HF_HOME": "~/home"}, "home/hub"),
                ({"HF_HOME": None, "XDG_CACHE_HOME": str(self.folder / "xdg")}, "xdg/huggingface/hub"),
                ({"HF_HOME": None}, ".cache/huggingface/hub")):
            with self.subTest(place):
                environment = {**self.environment, **changes}
                saved, self.environment = self.environment, {
                    name: value for name, value in environment.items() if value is not None}
                self.assertTrue(self.pull("--include", "config.json")["path"].startswith(
                    str(self.folder / place / "models--org--name")))
                self.environment = saved


class OneFile(PullCase):
    def setUp(self):
        super().setUp()
        self.hub.files = {name: File(name.encode(), is_large=True) for name in (
            "model-Q4_K_M.gguf", "model-Q8_0.gguf", "model-IQ4_K_M.gguf", "mmproj-F16.gguf")}
        self.hub.files["config.json"] = File(CONFIG)

    def one(self, what):
        done = self.run_program("pull", f"org/name:{what}")
        self.assertEqual(done.returncode, 0, done.stderr)
        return pathlib.Path(done.stdout.strip()), done.stderr

    def test_by_name(self):
        path, said = self.one("model-Q8_0.gguf")
        self.assertEqual(path, self.snapshot / "model-Q8_0.gguf")
        self.assertEqual(path.read_bytes(), b"model-Q8_0.gguf")
        self.assertIn("mmproj-F16.gguf", said)

    def test_by_a_tag_that_fits_one_file(self):
        self.assertEqual(self.one("q4_k_m")[0].name, "model-Q4_K_M.gguf")

    def test_a_tag_that_fits_two(self):
        self.hub.files["other-Q8_0.gguf"] = File(b"o")
        self.refused(4, "other-Q8_0.gguf", "model-Q8_0.gguf", arguments=("pull", "org/name:Q8_0"))

    def test_a_file_that_is_not_there(self):
        self.refused(4, "Q5_K_M", "model-Q8_0.gguf", arguments=("pull", "org/name:Q5_K_M"))

    def test_several_gguf_files_and_no_choice(self):
        self.refused(4, "several GGUF files", "model-Q8_0.gguf")


class Token(PullCase):
    def setUp(self):
        super().setUp()
        self.hub.needs_token = True
        self.environment["HF_TOKEN"] = TOKEN

    def test_goes_to_the_hub_and_not_to_the_storage(self):
        self.pull()
        hub = {r.headers.get("authorization") for r in self.hub.requests if r.server == "hub"}
        storage = [r.headers.get("authorization") for r in self.hub.requests if r.server == "storage"]
        self.assertEqual(hub, {f"Bearer {TOKEN}"})
        self.assertEqual(storage, [None])

    def test_not_to_another_host_that_the_list_of_files_points_to(self):
        away = self.hub.address("storage")
        self.hub.faults.append(Answer(lambda r: "/tree/" in r.path and r.server == "hub", lambda handler:
                                      handler.reply(200, b'[{"type":"directory"}]', {"Link": f'<{away}/next>; rel="next"'})))
        self.refused(5, "403", arguments=("pull", "org/name", "--retries", "0"))
        sent = [r.headers.get("authorization") for r in self.hub.requests if r.server == "storage"]
        self.assertEqual(sent, [None])

    def test_comes_from_a_file(self):
        del self.environment["HF_TOKEN"]
        (self.folder / "hf").mkdir()
        (self.folder / "hf" / "token").write_text(f" {TOKEN}\n")
        self.pull()

    def test_with_a_line_break_inside_is_refused(self):
        self.environment["HF_TOKEN"] = "a\tb"
        self.refused(2, "HF_TOKEN")

    def test_is_never_shown(self):
        self.hub.faults.append(Answer(lambda r: True, lambda handler: handler.refuse(403, "GatedRepo")))
        self.assertNotIn(TOKEN, self.refused(4, "gated", self.hub.address() + "/org/name", "HF_TOKEN"))


class Refusals(PullCase):
    def test_gated_without_a_token(self):
        self.hub.needs_token = True
        self.refused(4, "gated", "accept its terms", "HF_TOKEN", "no token was sent")

    def test_unknown_repository_revision_and_token(self):
        self.refused(4, "no model org/other", arguments=("pull", "org/other"))
        self.refused(4, "no revision 'v9'", arguments=("pull", "org/name", "--revision", "v9"))
        self.environment["HF_TOKEN"] = "stale"
        self.hub.faults.append(Answer(lambda r: True, lambda handler: handler.refuse(
            401, None, "Invalid credentials in Authorization header")))
        self.refused(4, "does not accept the access token")

    def test_forbidden_and_not_found_without_a_code(self):
        for status, words in ((403, "forbidden: no \\x1b way"), (404, "no model org/name"),
                              (418, "status 418")):
            self.hub.faults = [Answer(lambda r: True, lambda handler, status=status:
                                      handler.refuse(status, None, "no \x1b way"))]
            self.refused(4, words)

    def test_names_that_cannot_be(self):
        for name in ("a/b/c", "../x", "org/na--me", "org/..", "", "-x/y", "org/name:../x", "org/n\n"):
            with self.subTest(name):
                self.refused(2, arguments=("pull", "--", name))
        self.refused(2, "revision", arguments=("pull", "org/name", "--revision", "../main"))
        self.assertEqual(self.hub.requests, [])

    def test_offline(self):
        self.environment["HF_HUB_OFFLINE"] = "1"
        self.refused(2, "HF_HUB_OFFLINE")

    def test_an_endpoint_that_is_no_address(self):
        for endpoint in ("ftp://x", "https://user:pw@x", "x", "https://x\\@y"):
            self.environment["HF_ENDPOINT"] = endpoint
            self.refused(2, "HF_ENDPOINT")

    def test_a_hub_that_points_to_plain_http_or_ftp(self):
        for location, word in (("ftp://127.0.0.1/x", "no http address"),
                               ("http://user@127.0.0.1/", "no http address"),
                               ("file:///etc/passwd", "no http address")):
            self.hub.faults = [Answer(lambda r: True, lambda handler, location=location:
                                      handler.reply(302, b"", {"Location": location}))]
            self.refused(4, word)

    def test_redirects_without_end(self):
        self.hub.faults = [Answer(lambda r: True, lambda handler:
                                  handler.reply(307, b"", {"Location": handler.path}))]
        self.refused(4, "redirects more than")

    def test_a_renamed_repository_is_followed(self):
        self.hub.faults = [Answer(lambda r: "/org/old/" in r.path, lambda handler: handler.reply(
            307, b"", {"Location": handler.path.replace("/org/old/", "/org/name/")}))]
        done = self.run_program("pull", "org/old")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("models--org--old", done.stdout)


if __name__ == "__main__":
    unittest.main()
