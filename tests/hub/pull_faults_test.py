"""nolens pull when the network, the hub or the disk misbehaves."""
import json
import os
import resource
import shutil
import signal
import subprocess
import time
import unittest

from hub_server import (COMMIT, Answer, CutAt, File, endless_reply, gzip_reply, is_body_request,
                        sha256, stall_reply)
from pull_case import WEIGHTS, PullCase

LARGE = "model.safetensors"


class Network(PullCase):
    def test_connections_cut_at_many_points(self):
        cuts = [1, 2, 4095, 4096, 70_000, 1, 100_000, 30_000, 0, 5, 60_000]
        self.hub.faults = [CutAt(self.hub, LARGE, cuts)]
        result = self.pull()
        self.assert_complete()
        received = {file["name"]: file["received_bytes"] for file in result["files"]}
        self.assertEqual(received[LARGE], len(WEIGHTS))  # not a byte twice
        conditions = [r.headers.get("if-range") for r in self.hub.requests if is_body_request(r)]
        self.assertEqual(conditions[1], f'"storage-{self.hub.files[LARGE].etag[:8]}"')

    def test_an_earlier_run_is_continued(self):
        self.hub.faults = [CutAt(self.hub, LARGE, [123_456])]
        self.refused(5, LARGE, arguments=("pull", "org/name", "--retries", "0"))
        self.assertEqual(self.incomplete().read_bytes(), WEIGHTS[:123_456])
        self.hub.requests.clear()
        received = self.pull()["files"][2]["received_bytes"]
        self.assertEqual(received, len(WEIGHTS) - 123_456)
        ranges = [r.headers.get("range") for r in self.hub.requests if is_body_request(r)]
        self.assertEqual(ranges, ["bytes=123456-"])
        self.assert_complete()

    def test_a_server_that_ignores_ranges(self):
        self.hub.faults = [CutAt(self.hub, LARGE, [50_000, 200_000], honours_range=False),
                           Answer(is_body_request, lambda handler: handler.reply_file(
                               WEIGHTS, "x", honours_range=False))]
        self.pull()
        self.assert_complete()

    def test_a_file_that_changes_between_attempts(self):
        self.hub.faults = [Answer(is_body_request, lambda handler: handler.reply_file(
            bytes(len(WEIGHTS)), "old", cut_after=9000), times=1)]
        self.pull()  # If-Range "old" makes the server send the new file from its beginning
        self.assert_complete()

    def test_a_range_that_is_refused(self):
        self.hub.faults = [
            CutAt(self.hub, LARGE, [1000]),
            Answer(lambda r: is_body_request(r) and "range" in r.headers,
                   lambda handler: handler.reply(416, b"", {"Content-Range": "bytes */5"}), times=1)]
        self.pull()
        self.assert_complete()

    def test_a_range_of_another_place(self):
        self.hub.faults = [
            CutAt(self.hub, LARGE, [1000]),
            Answer(lambda r: is_body_request(r) and "range" in r.headers, lambda handler: handler.reply(
                206, WEIGHTS[5:], {"Content-Range": f"bytes 5-{len(WEIGHTS) - 1}/{len(WEIGHTS)}"}),
                times=1)]
        self.pull()
        self.assert_complete()

    def test_wrong_bytes_once(self):
        wrong = WEIGHTS[:-1] + bytes([WEIGHTS[-1] ^ 1])
        self.hub.faults = [Answer(is_body_request, lambda handler: handler.reply_file(wrong, "w"), 1)]
        self.pull()
        self.assert_complete()

    def test_wrong_bytes_twice(self):
        for name, data in ((LARGE, WEIGHTS), ("config.json", self.hub.files["config.json"].data)):
            wrong = bytes(len(data))
            self.hub.faults = [Answer(
                lambda r, name=name: r.method == "GET" and (
                    is_body_request(r) if name == LARGE else r.path.endswith(name)),
                lambda handler, wrong=wrong: handler.reply_file(wrong, "w"))]
            self.refused(4, name, "sha256" if name == LARGE else "git-sha1", "removed")
            self.assertFalse((self.snapshot / name).exists())
            self.assertFalse(self.incomplete(name).exists())
            shutil.rmtree(self.repository)

    def test_a_part_that_is_damaged_on_the_disk(self):
        self.incomplete().parent.mkdir(parents=True)
        self.incomplete().write_bytes(bytes(1000))
        self.pull()
        self.assert_complete()

    def test_a_part_that_is_longer_than_the_file_or_complete(self):
        for part in (WEIGHTS + b"x", WEIGHTS):
            self.incomplete().parent.mkdir(parents=True, exist_ok=True)
            self.incomplete().write_bytes(part)
            self.pull()
            self.assert_complete()
            (self.repository / "blobs" / self.hub.files[LARGE].etag).unlink()

    def test_a_connection_that_falls_silent(self):
        self.hub.faults = [Answer(is_body_request, stall_reply(WEIGHTS, "s", 2000, 20))]
        self.environment["HF_HUB_DOWNLOAD_TIMEOUT"] = "1"
        self.refused(5, LARGE, "kept", arguments=("pull", "org/name", "--retries", "0"))
        self.assertEqual(self.incomplete().stat().st_size, 2000)

    def test_a_busy_server(self):
        for status in (429, 500, 502, 503):
            self.hub.faults = [Answer(lambda r: True, lambda handler, status=status: handler.reply(
                status, b"busy", {"Retry-After": "0"}), times=2)]
            self.pull()
        self.hub.faults = [Answer(lambda r: True, lambda handler: handler.reply(
            429, b"", {"Retry-After": "7200"}))]
        self.refused(5, "429", "7200 seconds")
        self.hub.faults = [Answer(lambda r: True, lambda handler: handler.reply(503))]
        self.refused(5, "503", arguments=("pull", "org/name", "--retries", "1"))

    def test_nobody_listens(self):
        self.environment["HF_ENDPOINT"] = "http://127.0.0.1:9"
        self.refused(5, "127.0.0.1", arguments=("pull", "org/name", "--retries", "0"))

    def test_bytes_compressed_unasked(self):
        config, large = self.hub.files["config.json"], self.hub.files[LARGE]
        self.hub.faults = [
            Answer(lambda r: r.method == "GET" and r.path.endswith("config.json"),
                   gzip_reply(config.data, config.etag, {"X-Repo-Commit": COMMIT})),
            Answer(is_body_request, gzip_reply(large.data, large.etag))]
        self.pull()
        self.assert_complete()


class Hostile(PullCase):
    def answer_tree(self, reply):
        self.hub.faults = [Answer(lambda r: "/tree/" in r.path, reply)]

    def test_evil_file_names(self):
        names = ["../../etc/x", "/etc/x", "a//b", "./a", "a/..", "x\u0000y", "x\ny", "x\\y", "C:x", "",
                 "y" * 250, "a/" * 600 + "b", "config.json", "config.json/x"]
        for name in names:
            with self.subTest(name):
                entries = [self.hub.files["config.json"].entry("config.json"),
                           self.hub.files["config.json"].entry(name)]
                self.answer_tree(lambda handler, entries=entries:
                                 handler.reply(200, json.dumps(entries).encode()))
                self.refused(4, "file list", "nothing was written")
        self.assertFalse(self.repository.exists())

    def test_answers_that_are_no_list(self):
        for body in (b"", b"{}", b"[1]", b"[" * 10_000, b"<html>", b"\xff\xfe", b'[{"type":"file"}]',
                     b'[{"type":"file","path":"a","size":-1}]', b'[{"type":"file","path":"a","size":1e400}]',
                     b'[{"type":"file","path":"a","size":18446744073709551615}]'):
            with self.subTest(body[:40]):
                self.answer_tree(lambda handler, body=body: handler.reply(200, body))
                self.refused(4)

    def test_too_many_files_and_sizes_that_overflow(self):
        entry = lambda i, size: {"type": "file", "path": f"f{i}", "size": size, "oid": "0" * 40}
        for entries, word in (([entry(i, 1) for i in range(10_001)], "10000 files"),
                              ([entry(i, 2 ** 62) for i in range(2)], "added up")):
            self.answer_tree(lambda handler, entries=entries:
                             handler.reply(200, json.dumps(entries).encode()))
            self.refused(4, word)

    def test_a_body_and_pages_without_end(self):
        self.answer_tree(endless_reply)
        self.refused(4, "longer than")
        link = f'<{self.hub.address()}/api/models/org/name/tree/{COMMIT}?x=1>; rel="next"'
        for entries in ([], [{"type": "directory", "path": "x", "oid": "0" * 40}]):
            self.answer_tree(lambda handler, entries=entries: handler.reply(
                200, json.dumps(entries).encode(), {"Link": link}))
            self.refused(4, "does not end")

    def test_more_bytes_than_promised(self):
        self.hub.faults = [Answer(is_body_request, endless_reply)]
        self.refused(4, LARGE, "more bytes")

    def test_headers_that_are_too_large(self):
        for headers in ({"X-Big": "x" * 70_000}, {"X-Big": "x" * 150_000},
                        {f"X-{i}": "x" for i in range(300)}):
            self.hub.faults = [Answer(lambda r: True, lambda handler, headers=headers:
                                      handler.reply(200, b"{}", headers))]
            self.refused(5, arguments=("pull", "org/name", "--retries", "0"))

    def test_commits_and_etags_that_are_no_names(self):
        for sha in ("../../x", "A" * 40, 5, "0" * 39):
            self.hub.faults = [Answer(lambda r: "/revision/" in r.path, lambda handler, sha=sha:
                                      handler.reply(200, json.dumps({"sha": sha}).encode()))]
            self.refused(4, "commit")
        for headers, word in (({"ETag": '"../x"'}, "ETag"), ({"ETag": '""'}, "ETag"),
                              ({"ETag": f'"{sha256(b"")}"', "X-Linked-Size": "7"}, "bytes"),
                              ({"ETag": f'"{"0" * 40}"'}, "checksums"),
                              ({"ETag": '"x"', "X-Repo-Commit": "1" * 40}, "X-Repo-Commit")):
            self.hub.faults = [Answer(lambda r: r.path.endswith("config.json"), lambda handler, headers=headers:
                                      handler.reply(200, bytes(33), {"X-Repo-Commit": COMMIT, **headers}))]
            self.refused(4, "contradicts itself", word)
        self.assertFalse(self.repository.exists())


class Disk(PullCase):
    def test_full(self):
        limit = lambda: (signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
                         resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)))
        self.refused(5, "File too large", "kept", preexec_fn=limit)
        self.assertEqual(self.incomplete().stat().st_size, 100_000)
        self.pull()
        self.assert_complete()

    def test_full_file_system(self):
        mount = self.folder / "small"
        mount.mkdir()
        if os.geteuid() != 0 or subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", mount], check=False,
                capture_output=True).returncode != 0:
            self.skipTest("needs the right to mount a tmpfs")
        self.addCleanup(subprocess.run, ["umount", mount], check=False)
        self.environment["HF_HUB_CACHE"] = str(mount)
        self.refused(5, "not enough room", "needed are", "free are")
        self.assertEqual(list(mount.rglob("*.incomplete")), [])

    def test_a_file_larger_than_any_disk(self):
        entry = {"type": "file", "path": "model.safetensors", "oid": "0" * 40, "size": 2 ** 60}
        self.hub.faults = [
            Answer(lambda r: "/tree/" in r.path,
                   lambda handler: handler.reply(200, json.dumps([entry]).encode())),
            Answer(lambda r: r.method == "HEAD", lambda handler: handler.reply(
                200, b"", {"X-Repo-Commit": COMMIT, "ETag": f'"{"0" * 40}"', "X-Linked-Size": 2 ** 60}))]
        self.refused(5, "not enough room", str(2 ** 60))

    def test_a_cache_that_cannot_be_written(self):
        blocked = self.folder / "file"
        blocked.write_text("")
        self.environment["HF_HUB_CACHE"] = str(blocked / "hub")
        self.refused(5, "HF_HUB_CACHE" if os.geteuid() else "file")

    def test_a_complete_cache_may_be_read_only(self):
        self.pull()
        folders = [path for path in (self.folder / "hf").rglob("*") if path.is_dir()]
        for folder in folders:
            folder.chmod(0o555)
            self.addCleanup(folder.chmod, 0o755)
        self.pull()


class Processes(PullCase):
    def wait_for_part(self, process, size):
        end = time.monotonic() + 20
        while time.monotonic() < end and process.poll() is None:
            if self.incomplete().exists() and self.incomplete().stat().st_size >= size:
                return
            time.sleep(0.01)
        self.fail(f"no part of {size} bytes: {process.communicate()}")

    def stop_in_the_middle(self, number):
        self.hub.faults = [Answer(is_body_request, stall_reply(WEIGHTS, "s", 150_000, 3), times=1)]
        process = self.start("pull", "org/name")
        self.wait_for_part(process, 150_000)
        process.send_signal(number)
        output, errors = process.communicate(timeout=20)
        self.hub.faults = []
        return process.returncode, output, errors.decode()

    def test_killed_in_the_middle(self):
        self.assertEqual(self.stop_in_the_middle(signal.SIGKILL)[0], -signal.SIGKILL)
        self.assertFalse((self.snapshot / LARGE).exists())
        self.assertEqual(self.pull()["files"][2]["received_bytes"], len(WEIGHTS) - 150_000)
        self.assert_complete()

    def test_interrupted(self):
        code, output, errors = self.stop_in_the_middle(signal.SIGINT)
        self.assertEqual((code, output), (130, b""))
        self.assertIn("kept", errors)
        self.assertEqual(self.incomplete().stat().st_size, 150_000)

    def test_two_at_once_download_once(self):
        self.hub.faults = [Answer(is_body_request, lambda handler: (
            time.sleep(0.5), handler.reply_file(WEIGHTS, "s")), times=1)]
        processes = [self.start("pull", "org/name") for _ in range(2)]
        for process in processes:
            _, errors = process.communicate(timeout=30)
            self.assertEqual(process.returncode, 0, errors)
        self.assertEqual(self.hub.count("storage"), 1)
        self.assert_complete()


if __name__ == "__main__":
    unittest.main()
