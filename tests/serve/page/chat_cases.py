"""The conversation: text, pictures, sound, documents, stopping, editing, problems, storage."""
import base64
import json
import pathlib
import time

from page_case import PICTURE, PHONE, PageCase, needs_mock

PASTE = """
const bytes = Uint8Array.from(atob(arguments[0]), (char) => char.charCodeAt(0));
const data = new DataTransfer();
data.items.add(new File([bytes], 'pasted.png', {type: 'image/png'}));
const kind = arguments[1];
const event = kind === 'paste' ? new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true})
  : new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true});
document.querySelector('#message').dispatchEvent(event);
"""


class Chat(PageCase):
    def test_text(self):
        self.send("Hello")
        self.assertTrue(self.answer())
        self.assertEqual(self.browser.script("return document.activeElement.id"), "message")
        self.browser.click(".behind summary")
        self.see("First word after", ".facts")
        if self.server:
            self.assertEqual(self.answer(), "The shape is blue.")
            body = self.last_request()
            self.assertEqual(body["messages"], [{"role": "user", "content": "Hello"}])
            self.assertEqual((body["stream"], body["stream_options"], body["model"]), (True, {"include_usage": True}, "gemma-4-12b-it"))

    def test_picture_by_file(self):
        self.browser.choose_files("#attach-file", PICTURE)
        self.browser.wait(lambda: self.count("#attachments .thumb") == 1)
        self.send("What color is the shape?")
        self.assertIn("blue", self.answer().lower())
        self.browser.click(".behind summary")
        self.see("Picture 1", ".facts")
        if self.server:
            part = self.last_request()["messages"][0]["content"][0]
            self.assertEqual(base64.b64decode(part["image_url"]["url"].split(",", 1)[1]), PICTURE.read_bytes())
            self.assertNotIn("max_soft_tokens", part)

    def test_paste_drop_and_remove(self):
        picture = base64.b64encode(PICTURE.read_bytes()).decode()
        self.browser.script(PASTE, picture, "paste")
        self.browser.wait(lambda: self.count("#attachments .thumb") == 1)
        self.browser.script(PASTE, picture, "drop")
        self.browser.wait(lambda: self.count("#attachments .thumb") == 2)
        self.browser.click("#attachments .chip-remove")
        self.assertEqual(self.count("#attachments .thumb"), 1)
        self.send("What color?")
        self.assertEqual(self.count(".sent-picture"), 1)

    def test_camera_shot(self):
        self.browser.click("#shoot")
        self.browser.wait(lambda: self.browser.script("return !document.querySelector('#camera-shoot').disabled"))
        time.sleep(0.5)
        self.browser.click("#camera-shoot")
        self.browser.wait(lambda: self.count("#attachments .thumb") == 1)
        self.assertIsNone(self.browser.script("return document.querySelector('#camera-video').srcObject"), "the camera stays open")
        self.send("What is this?")
        if self.server:
            self.assertTrue(self.last_request()["messages"][0]["content"][0]["image_url"]["url"].startswith("data:image/jpeg;base64,"))

    @needs_mock
    def test_region_and_budget(self):
        self.browser.click("#open-settings")
        self.browser.script("const s = document.querySelector('#set-image_budget'); s.value = '1120'; s.dispatchEvent(new Event('change'))")
        self.browser.click("#close-settings")
        self.browser.choose_files("#attach-file", PICTURE)
        self.browser.wait(lambda: self.count("#attachments .thumb") == 1)
        self.browser.click(".chip-crop")
        self.browser.drag("#region-image", (0.25, 0.25), (0.75, 0.5))
        self.see("pixels from", "#region-status")
        self.browser.click("#region-use")
        self.send("What is there?")
        part = self.last_request()["messages"][0]["content"][0]
        size = int.from_bytes(PICTURE.read_bytes()[16:20], "big"), int.from_bytes(PICTURE.read_bytes()[20:24], "big")
        for found, share, whole in zip(part["region"], (0.25, 0.25, 0.5, 0.25), (*size, *size)):
            self.assertAlmostEqual(found, share * whole, delta=max(2, whole * 0.02))
        self.assertEqual(part["max_soft_tokens"], 1120)

    @needs_mock
    def test_recording_and_document(self):
        self.browser.click("#record")
        self.see("Recording", "#record-state")
        time.sleep(1.5)
        self.browser.click("#record")
        self.browser.wait(lambda: self.count("#attachments .file-chip") == 1)
        document = pathlib.Path(self.browser.downloads.name) / "paper <b>.pdf"
        document.write_bytes(b"%PDF-1.4\n%%EOF\n")
        self.browser.choose_files("#attach-file", document)
        self.browser.wait(lambda: self.count("#attachments .file-chip") == 2)
        self.send("What is said?")
        sound, paper, text = self.last_request()["messages"][0]["content"]
        wav = base64.b64decode(sound["input_audio"]["data"])
        self.assertEqual(sound["input_audio"]["format"], "wav")
        self.assertEqual((wav[:4], wav[8:16]), (b"RIFF", b"WAVEfmt "))
        self.assertEqual(int.from_bytes(wav[24:28], "little"), 16000)
        self.assertGreater(len(wav), 16000)
        self.assertEqual(paper, {"type": "input_file", "filename": "paper <b>.pdf",
                                 "file_data": "data:application/pdf;base64," + base64.b64encode(document.read_bytes()).decode()})
        self.assertEqual(text, {"type": "text", "text": "What is said?"})

    @needs_mock
    def test_stop_by_button_and_escape(self):
        self.server.pace = 0.02
        for stop in (lambda: self.browser.click("#send"), lambda: self.browser.press("escape")):
            self.browser.type("#message", "endless")
            self.browser.press("enter")
            self.browser.wait(lambda: len(self.answer()) > 50)
            stop()
            self.finished(5)
            self.see("Stopped.", ".message.assistant:last-child")
        self.browser.wait(lambda: self.server.cancelled == 2, 10, "the server does not learn that nobody listens")

    @needs_mock
    def test_edit_and_again(self):
        self.send("First")
        self.send("Second")
        self.browser.click(".message.assistant:last-child button[title='Answer again']")
        self.browser.wait(lambda: len(self.server.requests) == 3)
        self.finished()
        self.assertEqual(self.count(".message"), 4)
        self.browser.script("document.querySelector(\".message.user button[title='Edit and send again']\").click()")
        self.browser.fill("#message", "Changed")
        self.browser.press("enter")
        self.browser.wait(lambda: len(self.server.requests) == 4)
        self.finished()
        self.assertEqual(self.last_request()["messages"], [{"role": "user", "content": "Changed"}])
        self.assertEqual(self.count(".message"), 2)

    @needs_mock
    def test_thinking_is_folded_and_not_sent_back(self):
        self.browser.click("#thinking")
        self.send("Think about it")
        self.assertTrue(self.last_request()["chat_template_kwargs"]["enable_thinking"])
        self.assertFalse(self.browser.script("return document.querySelector('.thinking').open"))
        self.assertIn("outline first", self.browser.script("return document.querySelector('.reasoning-text').textContent"))
        self.send("And now?")
        self.assertEqual(self.last_request()["messages"][1], {"role": "assistant", "content": "The shape is **blue**."})

    @needs_mock
    def test_progress_of_a_long_prompt(self):
        self.browser.type("#message", "slow")
        self.browser.press("enter")
        self.browser.wait(lambda: "of 4,096 tokens" in self.browser.text(".waiting"), 5, "no progress is shown")
        self.finished()
        self.assertFalse(self.browser.exists(".waiting"))

    def test_reload_keeps_everything(self):
        self.browser.choose_files("#attach-file", PICTURE)
        self.browser.wait(lambda: self.count("#attachments .thumb") == 1)
        self.send("What color is the shape?")
        answer = self.answer()
        self.browser.open(self.url + "?again")
        self.browser.click(".history-open")
        self.browser.wait(lambda: self.count(".message") == 2)
        self.assertEqual(self.answer(), answer)
        self.browser.wait(lambda: self.browser.script("return document.querySelector('.sent-picture img').naturalWidth > 0"))

    @needs_mock
    def test_rename_and_delete(self):
        self.send("One")
        self.browser.script("document.querySelector('.history-item .icon-button').click()")
        self.browser.wait(lambda: self.browser.exists(".history-rename"))
        self.browser.write("<b>New</b>")
        self.browser.press("enter")
        self.see("<b>New</b>", "#history")
        self.browser.script("document.querySelectorAll('.history-item .icon-button')[1].click()")
        self.browser.click("#confirm-yes")
        self.browser.wait(lambda: self.count(".history-item") == 0)
        self.assertEqual(self.count(".message"), 0)

    def test_phone(self):
        self.browser.emulate(PHONE, touch=True)
        self.send("Hello")
        wide = self.browser.script("return document.documentElement.scrollWidth")
        self.assertLessEqual(wide, PHONE[0])
        self.assertFalse(self.browser.exists("#new-chat"))
        self.browser.click("#menu")
        self.browser.wait(lambda: self.browser.exists("#new-chat"))
        self.browser.press("escape")
        self.browser.wait(lambda: not self.browser.exists("#new-chat"))
        for view in ("live", "decisions"):
            self.browser.click(f"#tab-{view}")
            self.assertLessEqual(self.browser.script("return document.querySelector(arguments[0]).scrollWidth", f"#view-{view}"), PHONE[0])

    def test_keyboard_only(self):
        self.browser.write("Hello there")
        self.browser.press("shift", "enter")
        self.browser.write("second line")
        self.assertEqual(self.browser.script("return document.querySelector('#message').value"), "Hello there\nsecond line")
        self.browser.press("enter")
        self.browser.wait(lambda: self.count(".message.assistant") == 1)
        self.finished()
        reached = set()
        for _ in range(40):
            self.browser.press("tab")
            name, outline = self.browser.script(
                "const n = document.activeElement; return [n.id || n.title || n.className, getComputedStyle(n).outlineStyle + getComputedStyle(n.closest('.composer') ?? n).borderColor]")
            reached.add(name)
            self.assertTrue(outline)
        for wanted in ("send", "thinking", "attach", "open-settings", "tab-live", "new-chat", "Copy answer"):
            self.assertIn(wanted, reached)


class Problems(PageCase):
    expected_errors = ("401", "400", "net::ERR", "Failed to load resource")

    @needs_mock
    def test_key_is_asked_for(self):
        self.server.key = "secret"
        self.browser.open(self.url + "?key")
        self.browser.wait(lambda: self.browser.exists("#settings-dialog"))
        self.assertTrue(self.browser.exists("#key-wanted"))
        self.browser.type("#set-key", "secret")
        self.browser.press("enter")
        self.see("Gemma 4 12B", "#model-name")
        self.send("Hello")
        self.assertEqual(self.server.requests[-1]["headers"]["Authorization"], "Bearer secret")
        self.assertNotIn("secret", self.browser.script("return JSON.stringify(localStorage)"))

    @needs_mock
    def test_errors_are_shown_as_text(self):
        self.send("broken")
        self.see("The model ran out of memory.", ".notice.is-error")
        self.assertIn("Half of an", self.answer())
        self.send("refuse")
        self.see("<img src=x onerror=alert(1)> is wrong", ".message:last-child .notice")
        self.see("400 · invalid_request", ".message:last-child .notice")

    @needs_mock
    def test_cut_stream_is_said(self):
        self.send("cut")
        self.see("cut off", ".notice.is-warning")
        self.assertTrue(self.browser.exists(".notice button"))

    @needs_mock
    def test_connection_lost_and_retry(self):
        self.browser.cdp("Network.enable")
        self.browser.cdp("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1)
        self.send("Hello")
        self.see("could not be reached", ".notice.is-error")
        self.browser.cdp("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1)
        self.browser.click(".notice button")
        self.browser.wait(lambda: self.answer() == "The shape is blue.")
        self.assertEqual(self.count(".message"), 2)

    @needs_mock
    def test_model_without_eyes_and_demonstration(self):
        self.server.props["model"] |= {"demo": True, "modalities": {"image": False, "audio": False}}
        try:
            self.browser.open(self.url + "?blind")
        finally:
            self.server.props["model"] |= {"demo": False, "modalities": {"image": True, "audio": True}}
        self.see("nolens serve --model PATH", "#demo-banner")
        self.see("takes no pictures and no sound", "#missing")
        for selector in ("#attach", "#shoot", "#record"):
            self.assertFalse(self.browser.exists(selector))
        self.browser.click("#tab-live")
        self.assertTrue(self.browser.exists("#live-blind"))
        self.assertFalse(self.browser.exists("#live-toggle"))

    @needs_mock
    def test_full_storage_loses_nothing(self):
        # Before anything is stored: the browser remembers for a while how much room it found.
        origin = self.url.rstrip("/")
        self.browser.cdp("Storage.overrideQuotaForOrigin", origin=origin, quotaSize=1)
        try:
            self.browser.choose_files("#attach-file", PICTURE)
            self.browser.wait(lambda: self.count("#attachments .thumb") == 1)
            self.send("And this?")
            self.see("storage for this page is full", "#toast")
            self.browser.click("#new-chat")
            self.browser.click(".history-open")
            self.browser.wait(lambda: self.count(".message") == 2)
            self.assertEqual(self.count(".sent-picture"), 1)
        finally:
            self.browser.cdp("Storage.overrideQuotaForOrigin", origin=origin)

    @needs_mock
    def test_export_and_import(self):
        self.browser.choose_files("#attach-file", PICTURE)
        self.browser.wait(lambda: self.count("#attachments .thumb") == 1)
        self.send("What color?")
        self.browser.click("#export")
        folder = pathlib.Path(self.browser.downloads.name)
        file = self.browser.wait(lambda: next(iter(folder.glob("nolens-*.json")), None))
        self.browser.choose_files("#import-file", file)
        self.browser.wait(lambda: self.count(".history-item") == 2)
        good = json.loads(file.read_text())
        picture = good["conversations"][0]["messages"][0]["attachments"][0]
        self.assertEqual(base64.b64decode(picture["data"].split(",")[1]), PICTURE.read_bytes())
        bad = {"proto": '{"format":"nolens-conversations","version":1,"conversations":[],"__proto__":{"polluted":1}}',
               "json": "{", "other": '{"a":1}', "html": json.dumps(good).replace("image/png", "text/html"),
               "role": json.dumps(good).replace('"role": "user"', '"role": "system"'), "deep": "[" * 5000 + "]" * 5000}
        for name, text in bad.items():
            path = folder / f"{name}.json"
            path.write_text(text)
            self.browser.script("document.querySelector('#toast').textContent = ''")
            self.browser.choose_files("#import-file", path)
            self.see("Nothing was imported", "#toast")
            self.assertEqual(self.count(".history-item"), 2)
        self.assertIsNone(self.browser.script("return ({}).polluted ?? null"))
        huge = folder / "huge.json"
        with huge.open("wb") as out:
            out.truncate(100 * 1024 * 1024)
        self.browser.script("document.querySelector('#toast').textContent = ''")
        self.browser.choose_files("#import-file", huge)
        self.see("larger than 64 MB", "#toast")
