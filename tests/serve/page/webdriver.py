"""A small client of the WebDriver protocol: one browser, the standard library only."""
import base64
import json
import pathlib
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"enter": "\ue007", "shift": "\ue008", "control": "\ue009", "escape": "\ue00c", "tab": "\ue004", "right": "\ue014",
        "down": "\ue015", "space": " "}


class WebDriverError(Exception):
    """What the driver refused, in its words."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Browser:
    """Chromium through chromedriver. Times are seconds, sizes CSS pixels."""

    def __init__(self, driver="chromedriver", binary=None, size=(1280, 860), dark=False, arguments=()):
        self.downloads = tempfile.TemporaryDirectory(prefix="page-")
        port = free_port()
        self.base = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen([driver, f"--port={port}", "--log-level=WARNING"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--lang=en-US",
                            "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", f"--window-size={size[0]},{size[1]}",
                            *arguments],
                   "prefs": {"download.default_directory": self.downloads.name}}
        if binary:
            options["binary"] = binary
        capabilities = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"},
                        "unhandledPromptBehavior": "ignore"}
        self.wait(self.is_up, 30, "chromedriver does not answer")
        session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}}, timeout=120)
        self.session = f"/session/{session['sessionId']}"
        self.emulate(size, dark)

    def is_up(self):
        try:
            return self.call("GET", "/status")["ready"]
        except (urllib.error.URLError, ConnectionError):
            return False

    def close(self):
        try:
            self.call("DELETE", self.session)
        finally:
            self.process.terminate()
            self.process.wait(20)
            self.downloads.cleanup()

    def call(self, method, path, body=None, timeout=60):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise WebDriverError(f"{value['error']}: {value['message'].splitlines()[0]}") from None

    def command(self, method, path, body=None):
        return self.call(method, self.session + path, body)

    def cdp(self, name, **parameters):
        """A command of the DevTools protocol."""
        return self.command("POST", "/goog/cdp/execute", {"cmd": name, "params": parameters})

    def emulate(self, size, dark=False, touch=False):
        """Window size, colour scheme and kind of pointer."""
        self.cdp("Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1, mobile=touch)
        self.cdp("Emulation.setTouchEmulationEnabled", enabled=touch)
        self.cdp("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "pointer", "value": "coarse" if touch else "fine"}])

    def open(self, url):
        self.command("POST", "/url", {"url": url})
        self.wait(lambda: self.script("return document.documentElement.dataset.ready === 'true'"), 20, "the page is not ready")

    def script(self, source, *arguments):
        return self.command("POST", "/execute/sync", {"script": source, "args": list(arguments)})

    def async_script(self, source, *arguments):
        """Runs the body of an async function and returns what it returns."""
        wrapped = ("const done = arguments[arguments.length - 1];"
                   f"(async (...args) => {{ {source} }})(...arguments).then((value) => done([true, value]), (error) => done([false, String(error)]));")
        fine, value = self.command("POST", "/execute/async", {"script": wrapped, "args": list(arguments)})
        if not fine:
            raise WebDriverError(value)
        return value

    def find(self, selector):
        return self.command("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def exists(self, selector):
        """Whether something visible matches."""
        return self.script("return [...document.querySelectorAll(arguments[0])].some((node) => node.checkVisibility({visibilityProperty: true}))", selector)

    def click(self, selector):
        self.command("POST", f"/element/{self.find(selector)}/click", {})

    def type(self, selector, text):
        self.command("POST", f"/element/{self.find(selector)}/value", {"text": text})

    def fill(self, selector, text):
        self.command("POST", f"/element/{self.find(selector)}/clear", {})
        self.type(selector, text)

    def choose_files(self, selector, *paths):
        """Gives files to a chooser, hidden or not."""
        self.script("document.querySelector(arguments[0]).hidden = false", selector)
        self.type(selector, "\n".join(str(path) for path in paths))
        self.script("document.querySelector(arguments[0]).hidden = true", selector)

    def press(self, *names):
        """Keys to whatever has the focus; all but the last are held."""
        codes = [KEYS.get(name, name) for name in names]
        actions = [{"type": "keyDown", "value": code} for code in codes] + [{"type": "keyUp", "value": code} for code in reversed(codes)]
        self.command("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def write(self, text):
        """Text to whatever has the focus."""
        self.cdp("Input.insertText", text=text)

    def drag(self, selector, start, end):
        """Drags with the mouse between two points given as shares of an element."""
        box = self.script("const r = document.querySelector(arguments[0]).getBoundingClientRect(); return [r.left, r.top, r.width, r.height]", selector)
        at = [{"type": "pointerMove", "duration": 50, "x": round(box[0] + box[2] * x), "y": round(box[1] + box[3] * y)} for x, y in (start, end)]
        actions = [at[0], {"type": "pointerDown", "button": 0}, at[1], {"type": "pointerUp", "button": 0}]
        self.command("POST", "/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": actions}]})

    def text(self, selector):
        return self.script("return document.querySelector(arguments[0])?.innerText ?? ''", selector)

    def console(self):
        """Errors and warnings of the console since the last call."""
        entries = self.command("POST", "/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] in ("SEVERE", "WARNING")]

    def has_dialog(self):
        try:
            self.command("GET", "/alert/text")
            return True
        except WebDriverError:
            return False

    def screenshot(self, path):
        pathlib.Path(path).write_bytes(base64.b64decode(self.command("GET", "/screenshot")))

    @staticmethod
    def wait(condition, seconds=10, problem="waited in vain"):
        deadline = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError(problem)
            time.sleep(0.05)
