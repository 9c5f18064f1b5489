"""Pictures of all views, for eyes to judge."""
import time
import unittest

from page_case import DESKTOP, PHONE, PICTURE, SETTINGS, PageCase


@unittest.skipIf(SETTINGS["url"] or not SETTINGS["screenshots"], "needs --screenshots and the mock server")
class Screenshots(PageCase):
    expected_errors = ("400", "Failed to load resource")

    def shoot(self, name):
        time.sleep(0.4)
        self.browser.screenshot(SETTINGS["screenshots"] / f"{name}.png")

    def test_views(self):
        SETTINGS["screenshots"].mkdir(parents=True, exist_ok=True)
        self.shoot("welcome")
        self.browser.choose_files("#attach-file", PICTURE)
        self.browser.click("#thinking")
        self.browser.wait(lambda: self.count("#attachments .thumb") == 1)
        self.browser.type("#message", "What can you measure in this picture?")
        self.shoot("composer")
        self.browser.press("enter")
        self.browser.wait(lambda: self.count(".message.assistant") == 1)
        self.finished()
        self.browser.script("document.querySelector('#scroller').scrollTop = 0")
        self.shoot("chat-light")
        self.browser.click(".behind summary")
        self.browser.emulate(DESKTOP, dark=True)
        self.shoot("chat-dark")
        self.browser.emulate(PHONE, touch=True)
        self.shoot("chat-phone")
        self.browser.click("#menu")
        self.shoot("side-phone")
        self.browser.press("escape")
        self.browser.emulate(DESKTOP)
        self.browser.click("#thinking")
        self.send("cut")
        self.send("refuse")
        self.shoot("problems")
        self.browser.click("#open-settings")
        self.shoot("settings")
        self.browser.click("#close-settings")
        self.browser.choose_files("#attach-file", PICTURE)
        self.browser.wait(lambda: self.count("#attachments .thumb") == 1)
        self.browser.click(".chip-crop")
        self.browser.drag("#region-image", (0.2, 0.2), (0.8, 0.6))
        self.shoot("region")
        self.browser.click("#region-cancel")
        self.browser.click("#tab-live")
        self.browser.click("#live-toggle")
        self.browser.wait(lambda: int(self.browser.text("#live-count")) >= 1, 30)
        self.shoot("live")
        self.browser.emulate(PHONE, touch=True)
        self.shoot("live-phone")
        self.browser.emulate(DESKTOP, dark=True)
        self.browser.press("escape")
        self.browser.click("#tab-decisions")
        self.browser.script("localStorage.setItem('nolens.decisions', arguments[0])", QUESTIONS)
        self.browser.open(self.url + "?questions#decisions")
        self.browser.choose_files("#decide-file", PICTURE)
        self.browser.wait(lambda: self.count("#decide-attachments .thumb") == 1)
        self.browser.click("#decide-run")
        self.browser.wait(lambda: self.count(".result") == 2)
        self.shoot("decisions-dark")
        self.browser.emulate(DESKTOP)
        self.shoot("decisions")
        self.browser.emulate(PHONE, touch=True)
        self.shoot("decisions-phone")


QUESTIONS = """[{"type": "predicate", "name": "is_blue", "instructions": "Is the shape blue?", "options": [["", ""], ["", ""]]},
 {"type": "choice", "name": "shape", "instructions": "Which shape does the picture show?",
  "options": [["triangle", "three corners"], ["circle", "no corners"], ["rectangle", "four corners"]]}]"""
