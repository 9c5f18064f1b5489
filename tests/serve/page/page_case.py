"""What all tests of the page share: one browser, the mock or a real server, and what must never happen."""
import os
import pathlib
import threading
import unittest

from mock_server import Server
from webdriver import Browser

SAMPLES = pathlib.Path(__file__).resolve().parents[3] / "models" / "nolens-tiny" / "samples"
PICTURE = SAMPLES / "blue-circle.png"
SETTINGS = {"url": os.environ.get("NOLENS_PAGE_URL"), "driver": os.environ.get("NOLENS_CHROMEDRIVER", "chromedriver"),
            "browser": os.environ.get("NOLENS_CHROMIUM"), "screenshots": None}
DESKTOP, PHONE = (1280, 860), (360, 740)


def needs_mock(test):
    """A test that needs answers only the mock gives; against a real server it is skipped, and said to be."""
    return unittest.skipIf(SETTINGS["url"], "needs the mock server")(test)


class PageCase(unittest.TestCase):
    """Each test begins with an empty browser profile as far as the page is concerned."""
    expected_errors = ()  # parts of console lines that a test brings about itself

    @classmethod
    def setUpClass(cls):
        cls.server = None
        if not SETTINGS["url"]:
            cls.server = Server(("127.0.0.1", 0))
            threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.url = SETTINGS["url"] or f"http://127.0.0.1:{cls.server.server_address[1]}/"
        cls.browser = Browser(SETTINGS["driver"], SETTINGS["browser"])

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        if cls.server:
            cls.server.stop()

    def setUp(self):
        if self.server:
            self.server.requests.clear()
            self.server.foreign_hits.clear()
            self.server.key, self.server.pace, self.server.cancelled = "", 0.005, 0
        self.browser.emulate(DESKTOP)
        self.browser.cdp("Storage.clearDataForOrigin", origin=self.url.rstrip("/"), storageTypes="all")
        self.browser.open(self.url)
        self.browser.script("sessionStorage.clear()")
        self.browser.console()
        self.browser.open(self.url + "?fresh")

    def tearDown(self):
        self.assertFalse(self.browser.has_dialog(), "a dialog of the browser opened")
        lines = [line for line in self.browser.console() if not any(part in line for part in self.expected_errors)]
        self.assertEqual(lines, [], "the console is not clean")
        outside = self.browser.script(
            "return performance.getEntriesByType('resource').map((entry) => entry.name).filter((name) => !/^(blob:|data:)/.test(name) && new URL(name).origin !== location.origin)")
        self.assertEqual(outside, [], "another server was asked")
        if self.server:
            self.assertEqual(self.server.foreign_hits, [], "another server was reached")

    def send(self, text):
        """Writes a message and sends it with Enter; returns when the answer is there."""
        answers = self.count(".message.assistant")
        self.browser.type("#message", text)
        self.browser.press("enter")
        self.browser.wait(lambda: self.count(".message.assistant") > answers or self.count(".message.assistant.is-streaming"), 10, "no answer began")
        self.finished()

    def finished(self, seconds=120):
        self.browser.wait(lambda: not self.busy(), seconds, "the answer does not end")

    def busy(self):
        return self.browser.script("return document.querySelector('#send').classList.contains('is-stop')")

    def count(self, selector):
        return self.browser.script("return document.querySelectorAll(arguments[0]).length", selector)

    def answer(self):
        return self.browser.script("return [...document.querySelectorAll('.message.assistant .prose')].at(-1)?.innerText ?? ''")

    def last_request(self):
        return self.server.requests[-1]["body"]

    def see(self, text, selector="body", seconds=10):
        self.browser.wait(lambda: text in self.browser.text(selector), seconds, f"“{text}” does not appear in {selector}")
