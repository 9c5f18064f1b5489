"""Hostile answers, the live view, decisions, reading aloud, and the Markdown of answers."""
import time

from page_case import PICTURE, PageCase, needs_mock

RENDER = """
const { renderMarkdown } = await import('/markdown.js');
const box = document.createElement('div');
box.append(renderMarkdown(args[0]));
return box;
"""
SHAPE = RENDER.replace("return box;", """
const shape = (node) => node.nodeType === 3 ? node.data
  : `<${node.localName}${['href', 'start'].map((name) => node.hasAttribute(name) ? ` ${name}=${node.getAttribute(name)}` : '').join('')}>${[...node.childNodes].map(shape).join('')}</${node.localName}>`;
return [...box.childNodes].map(shape).join('');""")
SAME = {
    "plain": "<p>plain</p>",
    "a\nb\n\nc": "<p>a\nb</p><p>c</p>",
    "# Top\n###### Low ##": "<h3>Top</h3><h6>Low</h6>",
    "#no heading": "<p>#no heading</p>",
    "**b** *i* ***x*** __u__ _e_ ~~d~~": "<p><strong>b</strong> <em>i</em> <strong><em>x</em></strong> <strong>u</strong> <em>e</em> <del>d</del></p>",
    "snake_case_name 2 * 3 * 4": "<p>snake_case_name 2 * 3 * 4</p>",
    "**open": "<p>**open</p>",
    "*a **b** c*": "<p><em>a <strong>b</strong> c</em></p>",
    "`a*b*` ``x`y``": "<p><code>a*b*</code> <code>x`y</code></p>",
    "\\*no\\* \\q": "<p>*no* \\q</p>",
    "a  \nb": "<p>a<br></br>b</p>",
    "- a\n- b\n  - c\n- d": "<ul><li><p>a</p></li><li><p>b</p><ul><li><p>c</p></li></ul></li><li><p>d</p></li></ul>",
    "3. a\n4. b": "<ol start=3><li><p>a</p></li><li><p>b</p></li></ol>",
    "1. a\n\n2. b\n\n   more": "<ol><li><p>a</p></li><li><p>b</p><p>more</p></li></ol>",
    "> q\n> - x": "<blockquote><p>q</p><ul><li><p>x</p></li></ul></blockquote>",
    "---": "<hr></hr>",
    "[a](https://x.y/z) [b](javascript:1) [c](/d)": "<p><a href=https://x.y/z>a</a> b (javascript:1) c (/d)</p>",
    "see https://a.b/c_(d), or (https://e.f).": "<p>see <a href=https://a.b/c_(d)>https://a.b/c_(d)</a>, or (<a href=https://e.f/>https://e.f</a>).</p>",
    "![p](http://x/y.png)": "<p><span>[picture: p] http://x/y.png</span></p>",
    "<b>x</b> &amp; <!-- y -->": "<p><b>x</b> &amp; <!-- y --></p>".replace("<b>", "<b>"),
    "a | b\n--|--\n1 | `|`": "<div><table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>1</td><td>`</td></tr></tbody></table></div>",
}


class Hostile(PageCase):
    @needs_mock
    def test_nothing_of_an_answer_runs_or_is_fetched(self):
        self.send("hostile")
        time.sleep(0.5)
        self.assertIsNone(self.browser.script("return window.pwned ?? null"))
        self.assertIn("<script>window.pwned = 1; alert(1)</script>", self.answer())
        self.assertEqual(self.count("#log :is(script, img, iframe, style, object, embed, form, link)"), 0)
        self.assertEqual(self.browser.script(
            "return [...document.querySelectorAll('#log a')].filter((a) => !/^https?:/.test(a.protocol) || !a.rel.includes('noopener')).length"), 0)
        self.assertEqual(self.browser.script(
            "return [...document.querySelectorAll('#log *')].flatMap((n) => n.getAttributeNames()).filter((name) => name.startsWith('on') || name === 'style').length"), 0)

    @needs_mock
    def test_a_megabyte_of_markup(self):
        self.server.pace = 0
        started = time.monotonic()
        self.send("megabyte")
        self.assertLess(time.monotonic() - started, 60)
        self.assertGreater(len(self.answer()), 900000)

    @needs_mock
    def test_title_and_model_name_are_text(self):
        self.server.props["model"]["name"] = "<img src=x onerror=alert(1)>"
        try:
            self.browser.open(self.url + "?name")
        finally:
            self.server.props["model"]["name"] = "Gemma 4 12B"
        self.see("<img src=x", "#model-name")
        self.send("<svg onload=alert(1)>")
        self.see("<svg onload", "#history")


class Markdown(PageCase):
    def test_shapes(self):
        for text, shape in SAME.items():
            with self.subTest(text):
                self.assertEqual(self.browser.async_script(SHAPE, text), shape)

    def test_code_block(self):
        text = self.browser.async_script(RENDER.replace("return box;", "return [box.querySelector('code').textContent, box.querySelector('.code-head span').textContent]"),
                                         "```py title=x\n<b>\n\n  x\n```")
        self.assertEqual(text, ["<b>\n\n  x", "py"])
        self.assertEqual(self.browser.async_script(RENDER.replace("return box;", "return box.querySelector('code').textContent"), "~~~\nnever closed"), "never closed")

    def test_time_grows_with_length_only(self):
        for piece in ("*", "_a ", "**a ", "[", "![", "[a](", "`", "``a", "> ", "- ", "#", "|", "|-", "1. ", "~~", "\\", " ", "https://", "(.", "a*b*", "\n>", "\n- ", "\n|a|\n|-|"):
            with self.subTest(piece):
                spent = self.browser.async_script(
                    RENDER.replace("box.append", "const t = performance.now(); box.append").replace("return box;", "return performance.now() - t"),
                    piece * (200000 // len(piece)))
                self.assertLess(spent, 5000)


class Live(PageCase):
    def test_answers_follow_the_picture(self):
        self.browser.click("#tab-live")
        self.browser.script("const s = document.querySelector('#live-threshold'); s.value = 0.5; s.dispatchEvent(new Event('input'))")
        self.browser.click("#live-toggle")
        self.browser.wait(lambda: int(self.browser.text("#live-count")) >= 2, 60, "the picture changes and nothing is asked")
        self.assertTrue(self.browser.text("#live-answer"))
        self.assertIn("s", self.browser.text("#live-total"))
        if self.server:
            self.assertEqual(len(self.last_request()["messages"][0]["content"]), 2)
            self.assertEqual(self.last_request()["messages"][0]["content"][0]["max_soft_tokens"], 70)
        self.browser.press("escape")
        self.see("Paused", "#live-status")
        asked = len(self.server.requests) if self.server else 0
        time.sleep(1)
        if self.server:
            self.assertEqual(len(self.server.requests), asked)
        self.browser.click("#tab-chat")
        self.assertIsNone(self.browser.script("return document.querySelector('#live-video').srcObject"), "the camera stays open")

    @needs_mock
    def test_gate_holds_back_and_requests_never_overlap(self):
        self.server.pace = 0.1
        self.browser.click("#tab-live")
        self.browser.script("const s = document.querySelector('#live-threshold'); s.value = 0; s.dispatchEvent(new Event('input'))")
        self.browser.click("#live-toggle")
        self.browser.wait(lambda: len(self.server.requests) >= 2, 20)
        self.browser.press("escape")
        self.assertLessEqual(len(self.server.requests) - int(self.browser.text("#live-count")), 1)
        self.server.requests.clear()
        self.browser.script("const s = document.querySelector('#live-threshold'); s.value = 20; s.dispatchEvent(new Event('input'))")
        self.browser.click("#live-toggle")
        time.sleep(3)
        self.assertEqual(len(self.server.requests), 1, "a small change was asked about")

    def test_difference(self):
        value = self.browser.async_script("""
            const { blockMeans, difference } = await import('/live.js');
            const grey = (level) => new ImageData(new Uint8ClampedArray(64 * 48 * 4).fill(level), 64, 48);
            return [difference(blockMeans(grey(0)), blockMeans(grey(255))), difference(blockMeans(grey(9)), blockMeans(grey(9)))];""")
        self.assertAlmostEqual(value[0], 100, places=3)
        self.assertEqual(value[1], 0)


class Decisions(PageCase):
    expected_errors = ("422", "Failed to load resource")

    @needs_mock
    def test_three_types(self):
        self.browser.click("#tab-decisions")
        self.browser.choose_files("#decide-file", PICTURE)
        self.browser.wait(lambda: self.count("#decide-attachments .thumb") == 1)
        self.browser.type("#decide-text", "Seen at noon")
        self.write_question(1, "predicate", "is_blue", "Is the shape blue?")
        self.write_question(2, "choice", "shape", "Which shape is it?", ("square", "circle"))
        self.write_question(3, "score", "quality", "How sharp is it?", ("blurred", "sharp"))
        self.browser.click("#decide-run")
        self.browser.wait(lambda: self.count(".result") == 3)
        self.assertIn("yes, 96.2 %", self.browser.text(".result"))
        self.assertEqual(self.browser.script("return [...document.querySelectorAll('.verdict')].map((n) => n.innerText)"), ["yes, 96.2 %", "circle", "3.25"])
        body = self.last_request()
        self.assertEqual([part["type"] for part in body["input"][0]["content"]], ["input_image", "input_text"])
        self.assertEqual(body["questions"], [
            {"type": "predicate", "name": "is_blue", "instructions": "Is the shape blue?"},
            {"type": "choice", "name": "shape", "instructions": "Which shape is it?", "choices": [{"value": "square"}, {"value": "circle"}]},
            {"type": "score", "name": "quality", "instructions": "How sharp is it?", "levels": [{"label": "blurred"}, {"label": "sharp"}]}])
        self.browser.open(self.url + "?kept#decisions")
        self.assertEqual(self.count(".question"), 3)

    def write_question(self, number, kind, name, instructions, options=()):
        if number > 1:
            self.browser.click("#question-add")
        card = f".question:nth-child({number})"
        self.browser.script("const s = document.querySelector(arguments[0]); s.value = arguments[1]; s.dispatchEvent(new Event('change'))", f"{card} select", kind)
        self.browser.type(f"{card} .name-field", name)
        self.browser.type(f"{card} > .field input", instructions)
        for index, option in enumerate(options, 1):
            self.browser.type(f"{card} .option:nth-child({index}) input", option)

    @needs_mock
    def test_problems(self):
        self.browser.click("#tab-decisions")
        self.browser.click("#decide-run")
        self.assertEqual(self.server.requests, [])
        self.write_question(1, "predicate", "x", "error please")
        self.browser.click("#decide-run")
        self.see("Add a picture or a text", "#results")
        self.browser.type("#decide-text", "A text")
        self.browser.click("#decide-run")
        self.see("<b>cannot</b> be understood", "#results")
        self.see("422 · invalid_questions", "#results")


class Speech(PageCase):
    VOICE = """
    const spoken = window.spoken = [];
    window.SpeechSynthesisUtterance = function (text) { this.text = text; };
    let current = null;
    Object.defineProperty(window, 'speechSynthesis', { configurable: true, value: {
      speak(u) { current = u; spoken.push(u.text); setTimeout(() => u.onstart?.({})); },
      cancel() { current = null; }, pause() { spoken.push('(pause)'); }, resume() { spoken.push('(resume)'); } } });
    window.endSentence = () => current?.onend?.({});
    """

    @needs_mock
    def test_sentences_are_highlighted(self):
        self.browser.script(self.VOICE)
        self.send("measure")
        self.browser.click("button[title='Read aloud']")
        marked = "return 'highlights' in CSS ? [...(CSS.highlights.get('reading') ?? [])].join('') : null"
        self.browser.wait(lambda: self.browser.script(marked) == "The picture shows a blue circle on a white ground.")
        self.browser.click("#reading-pause")
        self.browser.click("#reading-pause")
        self.browser.script("window.endSentence()")
        self.browser.wait(lambda: self.browser.script(marked) == "What can be measured")
        self.browser.press("escape")
        self.assertFalse(self.browser.exists("#reading-bar"))
        self.assertFalse(self.browser.script(marked))
        spoken = self.browser.script("return window.spoken")
        self.assertEqual(spoken[1:3], ["(pause)", "(resume)"])
