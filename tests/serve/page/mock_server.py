#!/usr/bin/env python3
"""Stands in for `nolens serve` in the tests of the page.

It serves the page with the real Content-Security-Policy and answers by what the last message says: a word such as
"hostile", "cut" or "slow" chooses what happens. What was asked can be read back.
"""
import argparse
import base64
import http.server
import json
import pathlib
import re
import struct
import threading
import time

PAGE = pathlib.Path(__file__).resolve().parents[3] / "apps" / "serve" / "page"
CSP = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
       "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'")
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
SHORT = "The shape is **blue**."
RICH = """The picture shows a **blue circle** on a white ground.

### What can be measured

| property | value | certainty |
|:---------|------:|:---------:|
| shape | circle | 99 % |
| colour | `#2f6fde` | 97 % |
| diameter | 142 px | 90 % |

1. The outline is *smooth*, so it is no polygon.
2. There is nothing else:
   - no text
   - no second shape

```python
def area(diameter):
    return 3.14159 * diameter ** 2 / 4
```

More about circles: [an encyclopedia](https://example.com/circle).
"""
THOUGHTS = "The person asks about a shape. I look at the outline first, then at the colour.\nIt is round and blue."


def hostile(foreign):
    """Everything that must stay text. `foreign` is a server that must never be asked."""
    return f"""<script>window.pwned = 1; alert(1)</script>
<img src=x onerror="window.pwned = 2; alert(2)"> <svg onload="window.pwned = 3">

![tracker](http://{foreign}/pixel.png) and [click](javascript:window.pwned=4) and [data](data:text/html,<script>alert(5)</script>)

[good](https://example.com/a) <iframe src="http://{foreign}/frame"></iframe> [x](http://{foreign}/link "t")

`<b>code</b>` <style>@import "http://{foreign}/style.css";</style> &lt;b&gt; [`a`](vbscript:x) [y](//{foreign}/protocol)

| <img src=x onerror=alert(6)> | b |
|---|---|
| ![q](http://{foreign}/cell.png) | <a href="javascript:alert(7)">z</a> |

```html" onload="alert(8)
<script>alert(9)</script>
```
<div><p>unclosed **bold [link](http://{foreign}
"""


def image_size(data):
    """Width and height of a PNG, or of anything else a guess."""
    return struct.unpack(">II", data[16:24]) if data[:8] == b"\x89PNG\r\n\x1a\n" else (1280, 720)


class Server(http.server.ThreadingHTTPServer):
    """The mock and what it has seen."""
    daemon_threads = True

    def __init__(self, address, page=PAGE, pace=0.02):
        super().__init__(address, Handler)
        self.page, self.pace = page, pace
        self.requests, self.cancelled = [], 0
        self.key, self.props = "", default_props()
        self.foreign_hits = []
        self.foreign = http.server.ThreadingHTTPServer(("127.0.0.1", 0), foreign_handler(self.foreign_hits))
        threading.Thread(target=self.foreign.serve_forever, daemon=True).start()

    @property
    def foreign_host(self):
        return f"127.0.0.1:{self.foreign.server_address[1]}"

    def stop(self):
        self.foreign.shutdown()
        self.foreign.server_close()
        self.shutdown()
        self.server_close()


def default_props():
    return {"model": {"id": "gemma-4-12b-it", "name": "Gemma 4 12B", "demo": False, "modalities": {"image": True, "audio": True, "document": True, "video": False}},
            "image_budgets": [70, 140, 280, 560, 1120], "limits": {}}


def foreign_handler(hits):
    class Foreign(http.server.BaseHTTPRequestHandler):
        """A place that no page may ever ask."""
        def do_GET(self):
            hits.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass
    return Foreign


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, body, kind="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (("Content-Security-Policy", CSP), ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer")):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, status, message, code):
        self.reply(status, {"error": {"message": message, "type": "error", "code": code}})

    def allowed(self):
        if not self.server.key or self.headers.get("Authorization") == f"Bearer {self.server.key}":
            return True
        self.refuse(401, "An API key is needed.", "invalid_api_key")
        return False

    def do_GET(self):
        path = self.path.split("?")[0]
        if path == "/props":
            if self.allowed():
                self.reply(200, self.server.props)
            return
        name = "index.html" if path == "/" else path[1:]
        file = self.server.page / name
        if not re.fullmatch(r"[a-z]+\.(html|css|js)", name) or not file.is_file():
            self.reply(404, b"not found", "text/plain")
            return
        self.reply(200, file.read_bytes(), TYPES[file.suffix])

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append({"path": self.path, "body": body, "headers": dict(self.headers)})
        if not self.allowed():
            return
        if self.path == "/v1/decisions":
            self.decide(body)
        elif self.path == "/v1/chat/completions":
            self.chat(body)
        else:
            self.refuse(404, "There is nothing here.", "not_found")

    def decide(self, body):
        if any("error" in question["instructions"] for question in body["questions"]):
            self.refuse(422, "questions[0].instructions: <b>cannot</b> be understood", "invalid_questions")
            return
        answers = []
        for question in body["questions"]:
            answer = {"type": question["type"], "name": question["name"]}
            options = question.get("choices") or question.get("levels") or []
            shares = [0.08, 0.74, 0.13, 0.05][:len(options)]
            if question["type"] == "predicate":
                answer["probability"] = 0.962
            elif question["type"] == "choice":
                answer |= {"choice": options[1]["value"], "confidence": 0.74, "probabilities": [
                    {"value": option["value"], "probability": share} for option, share in zip(options, shares)]}
            else:
                answer |= {"score": 3.25, "confidence": 0.74, "probabilities": [
                    {"label": option["label"], "value": index + 1, "probability": share} for index, (option, share) in enumerate(zip(options, shares))]}
            answers.append(answer)
        self.reply(200, {"model": body["model"], "answers": answers, "usage": {"prompt_tokens": 301, "completion_tokens": 0}})

    def chat(self, body):
        content = body["messages"][-1]["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        text = " ".join(part["text"] for part in parts if part["type"] == "text").lower()
        if "refuse" in text:
            self.refuse(400, "messages[0]: <img src=x onerror=alert(1)> is wrong", "invalid_request")
            return
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            self.stream(body, parts, text)
        except (BrokenPipeError, ConnectionResetError):
            self.server.cancelled += 1

    def event(self, data):
        self.wfile.write(b"data: " + (data if isinstance(data, bytes) else json.dumps(data).encode()) + b"\n\n")
        self.wfile.flush()

    def delta(self, **fields):
        self.event({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": fields, "finish_reason": None}]})

    def stream(self, body, parts, text):
        self.delta(role="assistant", content="")
        if "slow" in text:
            for processed in range(0, 4097, 512):
                self.event({"choices": [], "prompt_progress": {"processed": processed, "total": 4096}})
                time.sleep(0.25)
        if body["chat_template_kwargs"]["enable_thinking"]:
            self.pieces(THOUGHTS, "reasoning_content")
        if "broken" in text:
            self.delta(content="Half of an ")
            self.event({"error": {"message": "The model ran out of memory.", "code": "out_of_memory"}})
            return
        answer = SHORT
        if "hostile" in text:
            answer = hostile(self.server.foreign_host)
        elif "measure" in text:
            answer = RICH
        elif "endless" in text:
            answer = "Word after word after word, and on it goes. " * 400
        elif "megabyte" in text:
            answer = "<img src=x onerror=alert(1)> **[`*_~ " * 28000
        self.pieces(answer, "content", step=4000 if len(answer) > 100000 else 6)
        if "cut" in text:
            return
        self.event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self.event(self.last(parts, answer))
        self.event(b"[DONE]")

    def pieces(self, text, field, step=6):
        for at in range(0, len(text), step):
            self.delta(**{field: text[at:at + step]})
            time.sleep(self.server.pace)

    @staticmethod
    def last(parts, answer):
        images = []
        for part in parts:
            if part["type"] != "image_url":
                continue
            width, height = image_size(base64.b64decode(part["image_url"]["url"].split(",", 1)[1]))
            if "region" in part:
                width, height = part["region"][2:]
            budget = part.get("max_soft_tokens", 280)
            images.append({"source_width": width, "source_height": height, "used_width": min(width, 768), "used_height": min(height, 432),
                           "tokens": min(budget, 256), "downscaled": width > 768})
        tokens = sum(image["tokens"] for image in images)
        count = max(1, len(answer) // 4)
        return {"choices": [], "images": images,
                "usage": {"prompt_tokens": 42 + tokens, "completion_tokens": count,
                          "prompt_tokens_details": {"cached_tokens": 12, "image_tokens": tokens, "audio_tokens": 0}},
                "timings": {"preprocess_ms": 8.4, "prompt_ms": 412.7, "predicted_ms": 31.5 * count, "prompt_n": 30 + tokens, "predicted_n": count, "cache_n": 12}}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8090)
    server = Server(("127.0.0.1", parser.parse_args().port))
    print(f"http://127.0.0.1:{server.server_address[1]}/")
    server.serve_forever()


if __name__ == "__main__":
    main()
