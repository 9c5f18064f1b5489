"""A hub on this machine that speaks Hugging Face's protocol, and misbehaves on demand.

Two servers: the hub itself, and a storage server on another port to which it redirects large files.
"""
import collections
import gzip
import hashlib
import http.server
import json
import threading
import time
import urllib.parse

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_test_token"


def git_sha1(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class File:
    """`is_large` files live in storage and are named by their SHA-256."""

    def __init__(self, data, is_large=False):
        self.data = data
        self.is_large = is_large

    @property
    def etag(self):
        return sha256(self.data) if self.is_large else git_sha1(self.data)

    def entry(self, name):
        entry = {"type": "file", "oid": git_sha1(self.data), "size": len(self.data), "path": name}
        if self.is_large:
            entry["lfs"] = {"oid": sha256(self.data), "size": len(self.data), "pointerSize": 134}
            entry["xetHash"] = sha256(b"xet" + self.data)
        return entry


class Request:
    def __init__(self, handler, server_name):
        self.server = server_name  # "hub" or "storage"
        self.method = handler.command
        self.path = handler.path
        self.headers = {name.lower(): value for name, value in handler.headers.items()}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        self.answer_request()

    def do_HEAD(self):
        self.answer_request()

    def answer_request(self):
        hub = self.server.hub
        request = Request(self, self.server.name)
        with hub.lock:
            hub.requests.append(request)
        try:
            for fault in list(hub.faults):
                if fault(self, request):
                    return
            (hub.answer if request.server == "hub" else hub.answer_storage)(self, request)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def reply(self, status, body=b"", headers=(), length=None):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status, code=None, message=None):
        headers = {}
        if code:
            headers["X-Error-Code"] = code
        if message:
            headers["X-Error-Message"] = message
        self.reply(status, b'{"error":"no"}', headers)

    def reply_file(self, data, etag, headers=(), cut_after=None, honours_range=True):
        """The bytes, or the range that was asked for; `cut_after` closes the connection early."""
        status, first = 200, 0
        headers = {"ETag": f'"{etag}"', "Accept-Ranges": "bytes", **dict(headers)}
        wanted = self.headers.get("Range")
        condition = self.headers.get("If-Range")
        if wanted and honours_range and condition in (None, f'"{etag}"'):
            first = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if first >= len(data):
                return self.reply(416, b"", {"Content-Range": f"bytes */{len(data)}"})
            status = 206
            headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
        body = data[first:]
        if cut_after is None or self.command == "HEAD":
            return self.reply(status, body, headers)
        self.reply(status, body[:cut_after], headers, length=len(body))
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(2)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Clients that leave early are what these tests are about."""


class Hub:
    """`faults` are functions (handler, request) -> True if they have answered."""

    def __init__(self):
        self.lock = threading.Lock()
        self.requests = []
        self.faults = []
        self.files = {}
        self.page_size = 1000
        self.needs_token = False
        self.servers = {}
        for name in ("hub", "storage"):
            server = Server(("127.0.0.1", 0), Handler)
            server.hub, server.name = self, name
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
            self.servers[name] = server

    def close(self):
        for server in self.servers.values():
            server.shutdown()
            server.server_close()

    def address(self, name="hub"):
        return f"http://127.0.0.1:{self.servers[name].server_address[1]}"

    def count(self, server, method="GET", ending=""):
        return sum(1 for request in self.requests
                   if request.server == server and request.method == method
                   and urllib.parse.urlsplit(request.path).path.endswith(ending))

    def answer(self, handler, request):
        path = urllib.parse.unquote(urllib.parse.urlsplit(request.path).path)
        if self.needs_token and request.headers.get("authorization") != f"Bearer {TOKEN}":
            return handler.refuse(401, "GatedRepo", "Access to model is restricted.")
        if path == "/api/models/org/name/revision/main":
            return handler.reply(200, json.dumps({"id": "org/name", "sha": COMMIT}).encode())
        if path.startswith("/api/models/org/name/revision/"):
            return handler.refuse(404, "RevisionNotFound", "Invalid rev id")
        if path == f"/api/models/org/name/tree/{COMMIT}":
            return self.answer_tree(handler, request)
        marks = (f"/org/name/resolve/{COMMIT}/", "/org/name/resolve/main/")
        mark = next((mark for mark in marks if path.startswith(mark)), None)
        if not mark:
            return handler.refuse(401, "RepoNotFound", "Repository not found")
        file = self.files.get(path[len(mark):])
        if not file:
            return handler.refuse(404, "EntryNotFound", "Entry not found")
        headers = {"X-Repo-Commit": COMMIT}
        if not file.is_large:
            return handler.reply_file(file.data, file.etag, headers)
        headers |= {"X-Linked-Etag": f'"{file.etag}"', "X-Linked-Size": str(len(file.data)),
                    "Location": f"{self.address('storage')}/{file.etag}?signature=x"}
        return handler.reply(302, b"Found. Redirecting", headers)

    def answer_tree(self, handler, request):
        names = sorted(self.files)
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(request.path).query)
        first = int(query.get("cursor", ["0"])[0])
        page = [self.files[name].entry(name) for name in names[first:first + self.page_size]]
        page.append({"type": "directory", "oid": "0" * 40, "size": 0, "path": f"folder{first}"})
        headers = {}
        if first + self.page_size < len(names):
            link = request.path.split("&cursor")[0] + f"&cursor={first + self.page_size}"
            headers["Link"] = f'<{self.address()}{link}>; rel="next"'
        handler.reply(200, json.dumps(page).encode(), headers)

    def answer_storage(self, handler, request):
        etag = urllib.parse.urlsplit(request.path).path[1:]
        for file in self.files.values():
            if file.is_large and file.etag == etag:
                return handler.reply_file(file.data, "storage-" + etag[:8])
        return handler.reply(403, b"expired")


def is_body_request(request):
    """The request that brings a large file's bytes."""
    return request.server == "storage" and request.method == "GET"


class CutAt:
    """Ends the connection after so many bytes, once per number."""

    def __init__(self, hub, name, cuts, **options):
        self.hub, self.name, self.options = hub, name, options
        self.cuts = collections.deque(cuts)

    def __call__(self, handler, request):
        if not is_body_request(request) or not self.cuts:
            return False
        file = self.hub.files[self.name]
        handler.reply_file(file.data, "storage-" + file.etag[:8], cut_after=self.cuts.popleft(),
                           **self.options)
        return True


class Answer:
    """Answers the first `times` requests that `fits` says with `reply(handler)`."""

    def __init__(self, fits, reply, times=10 ** 9):
        self.fits, self.reply, self.times = fits, reply, times

    def __call__(self, handler, request):
        if self.times <= 0 or not self.fits(request):
            return False
        self.times -= 1
        self.reply(handler)
        return True


def gzip_reply(data, etag, headers=()):
    """Compresses although nobody asked for it."""
    def reply(handler):
        handler.reply(200, gzip.compress(data),
                      {"ETag": f'W/"{etag}"', "Content-Encoding": "gzip", **dict(headers)})
    return reply


def stall_reply(data, etag, after, seconds):
    """Sends some bytes and then nothing."""
    def reply(handler):
        handler.reply(200, data[:after], {"ETag": f'"{etag}"'}, length=len(data))
        handler.wfile.flush()
        time.sleep(seconds)
        handler.close_connection = True
    return reply


def endless_reply(handler):
    """A body that does not end; returns when the client has had enough."""
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.close_connection = True
    while True:
        handler.wfile.write(b"[" * 65536)
