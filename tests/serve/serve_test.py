"""`nolens serve` as a program: start, answers, keys, signals, log."""
import base64
import io
import json
import math
import pathlib
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest
import wave

from running_server import PROGRAM, Server

ROOT = pathlib.Path(__file__).resolve().parents[2]
CIRCLE = ROOT / "models/nolens-tiny/samples/blue-circle.png"


def picture_url():
    return "data:image/png;base64," + base64.b64encode(CIRCLE.read_bytes()).decode()


def picture_question(text):
    return {"messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": picture_url()}}, {"type": "text", "text": text}]}],
        "temperature": 0}


class Serving(unittest.TestCase):
    def test_the_bundled_model_sees_shapes(self):
        with Server() as server:
            self.assertIn("nolens-tiny", server.greeting)
            status, answer = server.post("/v1/chat/completions", picture_question("what color is the shape?"))
            self.assertEqual(status, 200, answer)
            self.assertEqual(answer["choices"][0]["message"]["content"], "blue")
            self.assertEqual(answer["images"][0]["tokens"], answer["usage"]["prompt_tokens_details"]["image_tokens"])
            self.assertIn("demonstration model", server.log())
            self.assertEqual(json.loads(server.request("GET", "/props")[2])["model"]["demo"], True)
            self.assertEqual(server.stop(), 0)

    def test_decisions_about_a_picture(self):
        with Server() as server:
            status, answer = server.post("/v1/decisions", {
                "input": [{"role": "user", "content": [{"type": "input_image", "image_url": picture_url()}]}],
                "questions": [
                    {"type": "choice", "name": "color", "instructions": "what color is the shape?",
                     "choices": [{"value": color} for color in ("red", "blue", "green", "black")]},
                    {"type": "predicate", "name": "circle", "instructions": "is there a circle?"}]})
            self.assertEqual(status, 200, answer)
            self.assertEqual(answer["answers"][0]["choice"], "blue")
            self.assertEqual(answer["usage"]["completion_tokens"], 0)

    def test_answers_in_a_crowd_are_those_given_alone(self):
        with Server("--parallel", "3", "--prefix-cache-mb", "0") as server:
            bodies = [{"messages": [{"role": "user", "content": f"Question {i}: what do you see?"}],
                       "temperature": 0, "max_tokens": 24} for i in range(12)]
            alone = [server.post("/v1/chat/completions", body)[1]["choices"] for body in bodies]
            crowd = [None] * len(bodies)

            def ask(i):
                crowd[i] = server.post("/v1/chat/completions", bodies[i])[1]["choices"]
            threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(bodies))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(alone, crowd)

    def test_the_name_of_the_model_can_be_chosen(self):
        with Server("--model-id", "shapes-1") as server:
            self.assertEqual(json.loads(server.request("GET", "/v1/models/shapes-1")[2])["id"], "shapes-1")
            self.assertEqual(server.post("/v1/completions", {"model": "nolens-tiny", "prompt": "a"})[0], 404)
            self.assertEqual(server.post("/v1/completions", {"model": "shapes-1", "prompt": "a"})[0], 200)

    def test_metrics_count_answers_by_status(self):
        with Server() as server:
            server.request("GET", "/nowhere")
            server.request("GET", "/health")
            deadline = time.monotonic() + 30  # an answer is counted when it has been sent
            while 'nolens_http_requests_total{status="404"} 1' not in server.request("GET", "/metrics")[2]:
                self.assertLess(time.monotonic(), deadline)

    def test_keys(self):
        with tempfile.TemporaryDirectory() as folder:
            keys = pathlib.Path(folder) / "keys"
            keys.write_text("# mine\nfirst-key-0123456789\nsecond-key-0123456789\n")
            keys.chmod(0o600)
            with Server("--api-key-file", str(keys)) as server:
                self.assertEqual(server.request("GET", "/v1/models")[0], 401)
                self.assertEqual(server.request("GET", "/health")[0], 200)
                first = {"Authorization": "Bearer first-key-0123456789"}
                self.assertEqual(server.request("GET", "/v1/models", headers=first)[0], 200)
                keys.write_text("third-key-0123456789\n")
                server.process.send_signal(signal.SIGHUP)
                deadline = time.monotonic() + 30
                while server.request("GET", "/v1/models", headers=first)[0] == 200:
                    self.assertLess(time.monotonic(), deadline, "SIGHUP did not reload the keys")
                    time.sleep(0.05)
                third = {"x-api-key": "third-key-0123456789"}
                self.assertEqual(server.request("GET", "/v1/models", headers=third)[0], 200)
                for key in ("first-key", "second-key", "third-key"):
                    self.assertNotIn(key, server.log())

    def test_prompts_are_not_logged(self):
        with Server("--log-format", "json") as server:
            server.post("/v1/chat/completions", {"messages": [{"role": "user", "content": "a secret word"}]})
            server.stop()
            records = [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]
            self.assertTrue(any(record.get("path") == "/v1/chat/completions" and record["status"] == 200
                                for record in records), server.log())
            self.assertNotIn("secret", server.log())

    def test_sigterm_lets_a_running_answer_end(self):
        with Server() as server:
            answers = []

            def ask():
                answers.append(server.post("/v1/completions", {"prompt": "a", "max_tokens": 300, "temperature": 0}))
            thread = threading.Thread(target=ask)
            thread.start()
            deadline = time.monotonic() + 60
            while "nolens_requests_processing 1" not in server.request("GET", "/metrics")[2] and not answers:
                self.assertLess(time.monotonic(), deadline)
            self.assertEqual(server.stop(), 0)
            thread.join()
            self.assertEqual(answers[0][0], 200)

    def test_a_client_that_goes_away_frees_its_place(self):
        with Server("--parallel", "1", "--queue", "0") as server:
            body = json.dumps({"prompt": "a b c", "max_tokens": 2000, "stream": True,
                               "logit_bias": {}, "temperature": 0}).encode()
            for _ in range(5):
                client = socket.create_connection(("127.0.0.1", server.port))
                client.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
                               b"Content-Length: %d\r\n\r\n" % (server.port, len(body)) + body)
                client.recv(64)
                client.close()
                deadline = time.monotonic() + 60
                while True:
                    status, answer = server.post("/v1/completions", {"prompt": "a", "max_tokens": 2})
                    if status == 200:
                        break
                    self.assertEqual(answer["error"]["code"], "queue_full")
                    self.assertLess(time.monotonic(), deadline, "the place was not freed")


def form(fields, file=None):
    """Content type and body of a form."""
    body = b""
    for name, value in fields.items():
        body += b'--frontier\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value.encode())
    if file is not None:
        body += (b'--frontier\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
                 b"Content-Type: audio/wav\r\n\r\n" + file + b"\r\n")
    return "multipart/form-data; boundary=frontier", body + b"--frontier--\r\n"


def wav(seconds):
    """A tone with a pause every second."""
    samples = [0 if i % 16000 < 3000 else int(8000 * math.sin(i * 0.05)) for i in range(int(16000 * seconds))]
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16000)
        out.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return buffer.getvalue()


@unittest.skipUnless((pathlib.Path(PROGRAM).parent / "nolens-media").exists(), "nolens-media was not built")
class Hearing(unittest.TestCase):
    """With a model of random weights: what it writes means nothing, the form of the answers does."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server("--model", str(ROOT / "tests/golden/models/tiny_sound"), "--default-max-tokens", "8")

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def transcribe(self, fields, file):
        kind, body = form(fields, file)
        return self.server.request("POST", "/v1/audio/transcriptions", body, {"Content-Type": kind})

    def test_transcriptions_of_every_format(self):
        sound = wav(3)
        self.assertIn("text", json.loads(self.transcribe({}, sound)[2]))
        verbose = json.loads(self.transcribe({"response_format": "verbose_json"}, sound)[2])
        self.assertAlmostEqual(verbose["duration"], 3.0, places=2)
        self.assertEqual(verbose["segments"][-1]["end"], verbose["duration"])
        self.assertTrue(self.transcribe({"response_format": "vtt"}, sound)[2].startswith("WEBVTT"))
        status, headers, stream = self.transcribe({"stream": "true"}, sound)
        self.assertEqual((status, headers["content-type"]), (200, "text/event-stream"))
        self.assertIn("transcript.text.done", stream)

    def test_sounds_in_chats_are_counted(self):
        status, answer = self.server.post("/v1/chat/completions", {"max_tokens": 4, "messages": [
            {"role": "user", "content": [
                {"type": "input_audio", "input_audio": {"data": base64.b64encode(wav(1)).decode(), "format": "wav"}},
                {"type": "text", "text": "What do you hear?"}]}]})
        self.assertEqual(status, 200, answer)
        self.assertEqual(answer["usage"]["prompt_tokens_details"]["audio_tokens"], 25)
        self.assertAlmostEqual(answer["audios"][0]["seconds"], 1.0, places=2)

    def test_what_is_no_sound_is_refused(self):
        for file in (b"", b"hello", CIRCLE.read_bytes(), wav(1)[:60]):
            status, _, answer = self.transcribe({}, file)
            self.assertEqual(status, 400, answer)
            self.assertEqual(json.loads(answer)["error"]["param"], "file")
        self.assertEqual(self.transcribe({}, None)[0], 400)
        self.assertEqual(self.transcribe({"response_format": "midi"}, wav(1))[0], 400)
        self.assertEqual(self.transcribe({"model": "other"}, wav(1))[0], 404)


class Refusing(unittest.TestCase):
    def refused(self, *options, code=2):
        result = subprocess.run([PROGRAM, "serve", "--port", "0", *options], capture_output=True, text=True, timeout=120)
        self.assertEqual(result.returncode, code, result.stderr)
        return result.stderr

    def test_an_open_address_without_keys(self):
        self.assertIn("--api-key-file", self.refused("--host", "0.0.0.0"))

    def test_a_port_in_use(self):
        with Server() as server:
            result = subprocess.run([PROGRAM, "serve", "--port", str(server.port)], capture_output=True, text=True,
                                    timeout=120)
            self.assertEqual(result.returncode, 2)
            self.assertIn(str(server.port), result.stderr)

    def test_a_model_that_is_not_there(self):
        self.assertIn("/nowhere", self.refused("--model", "/nowhere", code=3))

    def test_a_name_that_does_not_fit_into_an_address(self):
        self.assertIn("--model-id", self.refused("--model-id", "a/b"))

    def test_a_time_that_is_none(self):
        self.assertIn("--image-latency", self.refused("--image-latency", "soon"))

    def test_a_key_file_that_is_not_there(self):
        self.assertIn("/nowhere", self.refused("--api-key-file", "/nowhere", code=2))


if __name__ == "__main__":
    unittest.main()
