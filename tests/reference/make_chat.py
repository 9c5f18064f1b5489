"""Conversations and the prompt text that the chat template makes of them."""

import json
import pathlib
import shutil

from PIL import Image
from transformers import AutoTokenizer

from make_tokenizer import ADDED_TOKENS
from common import be_deterministic, hash_picture, versions, write_json

IMAGE = {"type": "image", "path": "picture.png"}


def text(value):
    return {"type": "text", "text": value}


def user(content):
    return {"role": "user", "content": content}


def assistant(content=None, **more):
    return {"role": "assistant", "content": content, **more}


def call(name, arguments, identity="c1"):
    """A call as OpenAI clients send it: the arguments are JSON text."""
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}


def tool_result(content, identity="c1", **more):
    return {"role": "tool", "tool_call_id": identity, "content": content, **more}


def function(name, description="Does it.", parameters=None, **more):
    body = {"name": name, "description": description, **more}
    if parameters is not None:
        body["parameters"] = parameters
    return {"type": "function", "function": body}


def schema(properties, required=None):
    out = {"type": "object", "properties": properties}
    if required is not None:
        out["required"] = required
    return out


WEATHER = function("get_weather", "Current weather of a city.", schema({
    "city": {"type": "string", "description": "Name of the city"},
    "units": {"type": "string", "enum": ["celsius", "fahrenheit"]},
    "Zone": {"type": "integer"},
    "alpha": {"type": "number", "description": "Opacity", "nullable": True},
    "Beta": {"type": "boolean", "nullable": True},
}, ["city", "units"]))

BANGKOK = call("get_weather", {"units": "celsius", "city": "Bangkok"})
WEATHER_TURN = [user("Weather in Bangkok?"), assistant(tool_calls=[BANGKOK])]

THINK = {"enable_thinking": True}
KEEP = {"preserve_thinking": True}
NO_PROMPT = {"add_generation_prompt": False}


def plain_cases():
    yield "user text", [user("Hello")], {}
    yield "picture after text", [user([text("Describe this:"), IMAGE])], {}
    yield "picture before text", [user([IMAGE, text("What is this?")])], {}
    yield "pictures between texts", [user([text(" a "), IMAGE, text(" b\n"), IMAGE, IMAGE, text("c")])], {}
    yield "picture alone", [user([IMAGE])], {}
    yield "thinking on", [user("Hello")], THINK
    yield "no generation prompt", [user("Hello")], NO_PROMPT
    yield "system string is trimmed", [{"role": "system", "content": "  Be brief.\n"}, user("Hi")], {}
    yield "system list", [{"role": "system", "content": [text(" Be "), text("brief.")]}, user("Hi")], {}
    yield "system and thinking", [{"role": "system", "content": "Be brief."}, user("Hi")], THINK
    yield "developer first", [{"role": "developer", "content": "Be brief."}, user("Hi")], {}
    yield "later system and developer turns", [
        user("Hi"), assistant("Hello"), {"role": "system", "content": "Now in French."},
        {"role": "developer", "content": "Really."}, user("Go on")], {}
    yield "second system message", [
        {"role": "system", "content": "One."}, {"role": "system", "content": "Two."}, user("Hi")], {}
    yield "only a system message", [{"role": "system", "content": "Be brief."}], {}
    yield "turns", [user("2+2?"), assistant("4"), user("and 3?")], {}
    yield "user twice", [user("One."), user("Two.")], {}
    yield "text is trimmed", [user("\n\t  Hello \r\n "), assistant("  Hi  "), user(" x ")], {}
    yield "unicode white space is trimmed", [user("\u00a0\u3000\u2028 Hello \u2003\u0085\x1f")], {}
    yield "zero width space is not trimmed", [user("\u200bHello\ufeff")], {}
    yield "inner white space stays", [user("a  b\n\n\nc\td")], {}
    yield "empty content", [user("")], {}
    yield "white space content", [user(" \n ")], {}
    yield "empty list", [user([])], {}
    yield "empty text part", [user([text(""), IMAGE, text("  ")])], {}
    yield "unicode", [user("Grüße 你好 🙂 — ½")], {}
    yield "quotes and braces", [user('say "hi" {x} {{y}} {% z %} \\n <b>&amp;</b>')], {}


def continued_cases():
    yield "assistant last", [user("Count."), assistant("one, two,")], {}
    yield "assistant last without prompt", [user("Count."), assistant("one, two,")], NO_PROMPT
    yield "assistant continues assistant", [user("Count."), assistant("one,"), assistant(" two"), user("On")], {}
    yield "assistant twice at the end", [user("Count."), assistant("one,"), assistant("two")], NO_PROMPT
    yield "assistant first", [assistant("Welcome."), user("Hi")], {}
    yield "assistant without content", [user("Hi"), assistant(None), user("Hi?")], {}
    yield "assistant with empty content", [user("Hi"), assistant(""), user("Hi?")], {}
    yield "assistant list content", [
        user("Hi"), assistant([text(" a "), text("<|channel>thought\nx<channel|> b")]), user("On")], {}


def thought_cases():
    spoken = "<|channel>thought\nsecret\n<channel|>The answer"
    yield "thoughts in content are removed", [user("Q"), assistant(spoken), user("Q2")], {}
    yield "several thoughts in content", [
        user("Q"), assistant("a<|channel>x<channel|> b <|channel>y<channel|>c"), user("Q2")], {}
    yield "unclosed thought", [user("Q"), assistant("said <|channel>thought\nnever closed"), user("Q2")], {}
    yield "closing marker alone", [user("Q"), assistant("a<channel|>b"), user("Q2")], {}
    yield "thoughts in user text stay", [user(spoken)], {}
    yield "old reasoning is dropped", [user("Q"), assistant("A", reasoning="because"), user("Q2")], {}
    yield "old reasoning is dropped even if kept without calls", [
        user("Q"), assistant("A", reasoning="because"), user("Q2")], KEEP
    yield "reasoning of the last turn", [user("Q"), assistant("A", reasoning="because")], {}
    yield "reasoning_content", [user("Q"), assistant("A", reasoning_content="because")], THINK
    yield "reasoning wins over reasoning_content", [
        user("Q"), assistant("A", reasoning="one", reasoning_content="two")], {}
    yield "empty reasoning falls back", [
        user("Q"), assistant("A", reasoning="", reasoning_content="two")], {}
    yield "reasoning is not trimmed", [user("Q"), assistant("A", reasoning="  so \n")], {}
    turns = [user("Q"), assistant(reasoning="look it up", tool_calls=[BANGKOK]), tool_result("33C"),
             assistant("33 degrees", reasoning="done"), user("Thanks")]
    yield "agentic turn before the last user message", turns, {}
    yield "agentic turn kept", turns, KEEP
    yield "agentic turn kept, thinking", turns, {**THINK, **KEEP}
    yield "agentic turn at the end", turns[:-1], {}
    yield "agentic turn at its call", turns[:-3], THINK
    yield "agentic turn at its result", turns[:-2], THINK
    yield "no user message", [assistant("A", reasoning="r")], {}


def result_cases():
    yield "result last", WEATHER_TURN + [tool_result("33C")], {}
    yield "result last, thinking", WEATHER_TURN + [tool_result("33C")], THINK
    yield "result last, no prompt", WEATHER_TURN + [tool_result("33C")], NO_PROMPT
    yield "call without result", WEATHER_TURN, {}
    yield "call without result, no prompt", WEATHER_TURN, NO_PROMPT
    yield "call without result, then user", WEATHER_TURN + [user("Well?")], {}
    yield "result then answer", WEATHER_TURN + [tool_result("33C"), assistant("It is 33 degrees.")], {}
    yield "result, answer, user", WEATHER_TURN + [
        tool_result("33C"), assistant("It is 33 degrees."), user("And tomorrow?")], {}
    yield "result then user", WEATHER_TURN + [tool_result("33C"), user("Well?")], {}
    yield "call with content and result", [
        user("Q"), assistant(" Let me look. ", tool_calls=[BANGKOK]), tool_result("33C")], {}
    yield "call with content, result, answer", [
        user("Q"), assistant("Let me look.", tool_calls=[BANGKOK]), tool_result("33C"), assistant("33")], {}
    yield "call with content, no result", [user("Q"), assistant("Let me look.", tool_calls=[BANGKOK])], {}
    yield "object result", WEATHER_TURN + [tool_result({"temp_c": 33, "Cond": "cloudy", "ok": True})], {}
    yield "null result", WEATHER_TURN + [tool_result(None)], {}
    yield "number result", WEATHER_TURN + [tool_result(2.5)], {}
    yield "JSON text result stays text", WEATHER_TURN + [tool_result('{"temp": 33}')], {}
    yield "list result", WEATHER_TURN + [tool_result([text(" a "), text("b")])], {}
    yield "list result with picture", WEATHER_TURN + [tool_result([text("see"), IMAGE, text("this")])], {}
    yield "empty list result", WEATHER_TURN + [tool_result([])], {}
    yield "result is not trimmed", WEATHER_TURN + [tool_result("  33C\n")], {}
    two = [user("Q"), assistant(tool_calls=[
        call("f", {"x": 1}, "a"), call("g", {}, "b")])]
    yield "two calls, two results in order", two + [tool_result("1", "a"), tool_result("2", "b")], {}
    yield "two calls, two results swapped", two + [tool_result("2", "b"), tool_result("1", "a")], {}
    yield "two calls, one result", two + [tool_result("2", "b")], {}
    yield "name of an unknown id", two + [tool_result("?", "z", name="given"), tool_result("!", "y")], {}
    yield "calls in a row", WEATHER_TURN + [
        tool_result("33C"), assistant(tool_calls=[call("f", {"x": 1}, "c2")]), tool_result("1", "c2")], {}
    yield "calls in a row, no result yet", WEATHER_TURN + [
        tool_result("33C"), assistant(tool_calls=[call("f", {"x": 1}, "c2")])], {}
    yield "call after unanswered call", WEATHER_TURN + [
        assistant(tool_calls=[call("f", {"x": 1}, "c2")]), tool_result("1", "c2")], {}
    yield "result without a call is dropped", [user("Q"), tool_result("33C"), user("Q2")], {}
    yield "result after plain assistant is dropped", [user("Q"), assistant("A"), tool_result("33C")], {}
    yield "empty tool_calls", [user("Q"), assistant("A", tool_calls=[])], {}


def value_cases():
    def with_arguments(arguments):
        return [user("Q"), assistant(tool_calls=[call("f", arguments)])]

    yield "no arguments", with_arguments({}), {}
    yield "null arguments", with_arguments("null"), {}
    yield "strings", with_arguments({"a": "", "b": 'say "hi", {x}: [y]', "c": "line\nbreak", "d": "<|\"|>"}), {}
    yield "booleans and null", with_arguments({"t": True, "f": False, "n": None}), {}
    yield "numbers", with_arguments(
        '{"a":33,"b":-3,"c":2.5,"d":1e3,"e":0.1,"f":1e-7,"g":1e22,"h":12345678901234567890123,"i":1.0,'
        '"j":1e16,"k":123456789012345680.0,"l":-0.0,"m":0.0001,"n":0.00001,"o":-0,"p":3.0e-300,'
        '"q":1234567.891,"r":9007199254740993}'), {}
    yield "nested", with_arguments(
        {"list": [1, "two", [3, {"k": None, "B": [], "a": {}}]], "map": {"y": {"Z": 1, "a": 2}, "x": [True]}}), {}
    yield "keys sort without regard to case", with_arguments(
        {"b": 1, "B": 2, "a": 3, "C": 4, "_": 5, "1": 6, "A": 7}), {}
    yield "keys beyond ASCII", with_arguments({"é": 1, "É": 2, "ä": 3, "z": 4, "你": 5, "Ö": 6}), {}
    yield "objects as arguments", [user("Q"), assistant(tool_calls=[
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"x": "y", "A": 1}}}])], {}


def tool_cases():
    yield "tool", [user("Q")], {}, [WEATHER]
    yield "tool, system, thinking", [{"role": "system", "content": "Be brief."}, user("Q")], THINK, [WEATHER]
    yield "tool and conversation", WEATHER_TURN + [tool_result("33C")], {}, [WEATHER]
    yield "two tools", [user("Q")], {}, [WEATHER, function("f", parameters=schema({"x": {"type": "integer"}}))]
    yield "no tools in the list", [user("Q")], {}, []
    yield "tool without parameters", [user("Q")], {}, [function("f")]
    yield "tool with empty parameters", [user("Q")], {}, [function("f", parameters={})]
    yield "tool without properties", [user("Q")], {}, [function("f", parameters={"type": "object"})]
    yield "tool with empty properties", [user("Q")], {}, [function("f", parameters=schema({}, []))]
    yield "tool without type stays open", [user("Q")], {}, [
        function("f", parameters={"properties": {"x": {"type": "string"}}})]
    yield "tool with empty description", [user("Q")], {}, [function("f", "", schema({"x": {"type": "string"}}))]
    yield "tool without description", [user("Q")], {}, [{"type": "function", "function": {"name": "f"}}]
    yield "response object", [user("Q")], {}, [
        function("f", parameters=schema({}), response={"description": "What comes back", "type": "object"})]
    yield "response without description", [user("Q")], {}, [function("f", response={"type": "OBJECT"})]
    yield "response of another type stays open", [user("Q")], {}, [function("f", response={"type": "string"})]
    yield "arrays", [user("Q")], {}, [function("f", parameters=schema({
        "a": {"type": "array", "items": {"type": "string"}},
        "b": {"type": "array", "items": {"type": "object", "properties": {
            "x": {"type": "integer", "description": "d"}, "W": {"type": "string", "enum": ["p", "q"]}},
            "required": ["x", "W"]}, "description": "list of things"},
        "c": {"type": "array"},
        "d": {"type": "array", "items": {}},
        "e": {"type": "array", "items": {"type": ["string", "null"], "description": "either", "default": None}},
        "f": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}, "nullable": True},
        "g": {"type": "array", "items": {"enum": ["k", 1, True, None, {"b": 1, "A": "x"}], "minimum": 0.5}},
    }))]
    yield "nested objects", [user("Q")], {}, [function("f", parameters=schema({
        "o": {"type": "object", "description": "outer", "nullable": True, "required": ["i", "j"], "properties": {
            "i": {"type": "object", "properties": {"type": {"type": "string"}, "description": {"type": "string"}}},
            "j": {"type": "string"}}},
        "p": {"type": "object"},
        "q": {"type": "object", "properties": {}},
    }))]
    yield "object whose other keys pass for properties", [user("Q")], {}, [function("f", parameters=schema({
        "o": {"type": "object", "description": "d", "extra": {"type": "string", "description": "odd"}}}))]
    yield "enum of a number is left out", [user("Q")], {}, [function("f", parameters=schema({
        "x": {"type": "integer", "enum": [1, 2]}, "y": {"type": "string", "enum": []}}))]
    yield "type in capitals", [user("Q")], {}, [function("f", parameters={
        "type": "OBJECT", "properties": {"x": {"type": "STRING", "enum": ["a"]}}})]
    yield "property without type", [user("Q")], {}, [function("f", parameters=schema({"x": {"description": "d"}}))]


def refused_cases():
    """What the template raises on, or the engine does not take: (name, messages, options, tools)."""
    yield "arguments are no JSON", [user("Q"), assistant(tool_calls=[call("f", "city=Bangkok")])], {}, None
    yield "arguments are a list", [user("Q"), assistant(tool_calls=[call("f", "[1]")])], {}, None
    yield "audio", [user([{"type": "audio"}, text("Transcribe.")])], {}, None
    yield "input_audio", [user([{"type": "input_audio"}, text("Transcribe.")])], {}, None
    yield "video", [user([text("What happens?"), {"type": "video"}])], {}, None
    yield "tool_responses on the message", [user("Q"), assistant(
        tool_calls=[BANGKOK], tool_responses=[{"name": "get_weather", "response": {"b": 1, "A": None}}])], {}, None


def for_template(messages):
    """Arguments as objects, the way callers of apply_chat_template pass them."""
    copy = json.loads(json.dumps(messages))
    for message in copy:
        for one in message.get("tool_calls") or []:
            if isinstance(one["function"]["arguments"], str):
                one["function"]["arguments"] = json.loads(one["function"]["arguments"])
    return copy


def spells_token(messages):
    """User text that spells a control token: the engine keeps it text, so its ids differ. What an
    assistant said is left out: the template removes the only such spans the cases hold."""
    def strings(value):
        if isinstance(value, str):
            yield value
        elif isinstance(value, (list, dict)):
            for item in value.values() if isinstance(value, dict) else value:
                yield from strings(item)

    kept = [m if m["role"] != "assistant" else {"calls": m.get("tool_calls")} for m in messages]
    return any(token in value for value in strings(kept) for token in ADDED_TOKENS)


def render(tokenizer, messages, options, tools):
    options = {"add_generation_prompt": True, **options}
    return tokenizer.apply_chat_template(
        for_template(messages), tools=tools, tokenize=False, continue_final_message=False, **options)


def check_published(cases):
    """Renderings known from the published template."""
    found = {c["name"]: c["expected"] for c in cases}
    end = "<turn|>\n<|turn>model\n<|channel>thought\n<channel|>"
    assert found["picture after text"] == "<bos><|turn>user\nDescribe this:<|image|>" + end
    assert found["picture before text"] == "<bos><|turn>user\n<|image|>What is this?" + end
    assert found["audio"] == "<bos><|turn>user\n<|audio|>Transcribe." + end
    assert found["thinking on"] == (
        "<bos><|turn>system\n<|think|>\n<turn|>\n<|turn>user\nHello<turn|>\n<|turn>model\n")
    assert found["result last"].endswith(
        "<|turn>model\n<|tool_call>call:get_weather{city:<|\"|>Bangkok<|\"|>,units:<|\"|>celsius<|\"|>}<tool_call|>"
        "<|tool_response>response:get_weather{value:<|\"|>33C<|\"|>}<tool_response|>")
    assert "response:get_weather{Cond:<|\"|>cloudy<|\"|>,ok:true,temp_c:33}" in found["object result"]
    assert "Beta:{nullable:true,type:<|\"|>BOOLEAN<|\"|>}" in found["tool"]
    order = [found["tool"].index(k + ":{") for k in ("alpha", "Beta", "city", "units", "Zone")]
    assert order == sorted(order)
    assert "33C" not in found["result without a call is dropped"]


def make(out):
    be_deterministic()
    out = pathlib.Path(out)
    folder = out / "chat"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    Image.fromarray(hash_picture(12, 12, 1)).save(folder / "picture.png", optimize=True)
    tokenizer = AutoTokenizer.from_pretrained(out / "models" / "tiny_stored")
    todo = []
    for source in (plain_cases, continued_cases, thought_cases, result_cases, value_cases):
        todo += [(name, messages, options, None, "renders") for name, messages, options in source()]
    todo += [(*case, "renders") for case in tool_cases()]
    todo += [(*case, "refuses") for case in refused_cases()]
    assert len({t[0] for t in todo}) == len(todo)
    cases = []
    for name, messages, options, tools, engine in todo:
        try:
            expected = render(tokenizer, messages, options, tools)
        except Exception as error:  # noqa: BLE001 (whatever the template or the JSON reader raises)
            assert engine == "refuses", f"{name}: {error}"
            expected = None
        cases.append({
            "name": name,
            "messages": json.dumps(messages, ensure_ascii=False),
            "tools": "" if tools is None else json.dumps(tools, ensure_ascii=False),
            "options": {"enable_thinking": False, "preserve_thinking": False, "add_generation_prompt": True,
                        **options},
            "engine": engine,
            "expected": expected,
            "token_ids": None if expected is None else tokenizer.encode(expected, add_special_tokens=False),
            "ids_comparable": expected is not None and not spells_token(for_template(messages)),
        })
    check_published(cases)
    write_json(folder / "case.json", {
        "tokenizer": "models/tiny_stored", "cases": cases, "versions": versions()})
    print(len(cases), "conversations")


if __name__ == "__main__":
    import sys

    make(sys.argv[1])
