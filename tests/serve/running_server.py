"""Starts `nolens serve` on a free port and stops it."""
import http.client
import json
import os
import re
import signal
import subprocess
import threading

PROGRAM = os.environ["NOLENS_PROGRAM"]
SANITIZED = os.environ.get("NOLENS_SANITIZED") == "1"


class Server:
    """`with Server("--parallel", "2") as server:`; server.url, server.port, server.log()."""

    def __init__(self, *options, env=None):
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--port", "0", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env={**os.environ, **(env or {})})
        self._lines = []
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        first = self.process.stdout.readline()
        found = re.search(r"on (https?)://([^:/]+):(\d+)", first)
        if not found:
            self.process.kill()
            raise AssertionError(f"the server did not start: {first}{self.log()}")
        self.url = found.group(0)[3:]
        self.port = int(found.group(3))
        self.greeting = first

    def _read_log(self):
        for line in self.process.stderr:
            self._lines.append(line)

    def log(self):
        return "".join(self._lines)

    def request(self, method, path, body=None, headers=None, port=None):
        """Status, headers and body of one plain request."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=120)
        data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        sent = {"Content-Type": "application/json"} if data is not None else {}
        connection.request(method, path, data, {**sent, **(headers or {})})
        response = connection.getresponse()
        answer = response.read().decode()
        connection.close()
        return response.status, dict(response.getheaders()), answer

    def post(self, path, body, headers=None):
        status, _, answer = self.request("POST", path, body, headers)
        return status, json.loads(answer)

    def stop(self):
        """Exit code after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=120)
        self._reader.join(timeout=30)
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self._reader.join(timeout=30)
        self.process.stderr.close()
