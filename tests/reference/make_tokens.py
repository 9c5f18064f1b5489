"""A second tokenizer with runs up to 31, and what the tokenizers library makes of many strings."""

import json
import pathlib
import random
import shutil

import tokenizers

import make_tokenizer
from common import versions, write_json

VOCAB, LONGEST_RUN = 680, 31
EXTRA = "éüßñèêóîø—“”…你好世界東京Приветм½€\u0301"


def fixed_texts():
    yield from ["", " ", "  ", "\n", "\t", "\r", "\r\n", "a", "hi", "Hello, world!", "hello  world",
                "   leading and trailing   ", "the circle is yellow", "theatre", "one\ntwo", "one \n two",
                "one\n \ntwo", "▁", "a▁b", " ▁ ", "▁▁ ▁", "x + y = 12345", "3.14159", "0000000000", "CamelCaseWord",
                "snake_case_word", "I'm not sure this'll work, but we'll see.",
                "\n\n    def f(self):\n\n\n        pass\n\n", "if x is None:\n\tpass\nelse:\n\treturn x + 1",
                '{"unicode": "café — 你好"}', "One.Two.Three.Four", "a / [] / {} / ()", "C:\\path\\file.txt"]
    for n in (1, 2, 3, 7, 8, 9, 30, 31, 32, 33, 61, 62, 63, 64, 93, 100, 199):
        yield "\n" * n
        yield " " * n
        yield "x" + " " * n + "y" + "\n" * n + "z"
    yield from ["\t\t\t", " \t \n\t\n ", "\n \n \n", "\n\n \n\n", "  \n  \n  ", "a\u00a0b", "a\u3000b", "a\u200bb", "\ufeffa"]
    yield from ["café", "cafe\u0301", "naïve façade", "ÀÉÎÕÜ", "Straße", "ﬁ ligature", "½ + ¼", "€100", "№5",
                "Привет, мир!", "Здравствуйте", "你好", "你好世界", "東京タワー", "한국어", "שלום", "مرحبا بالعالم", "हिन्दी",
                "ไทย", "𝒜𝓁𝓅𝒽𝒶", "🙂", "🙂🙂", "👩‍👩‍👧‍👦", "👍🏽", "🇩🇪🇫🇷", "x🙂y", "🙂 \n🙂", "\U0010ffff", "\u0000", "a\u0000b",
                "\x01\x02\x7f", "\u0080", "\u07ff", "\u0800", "\uffff", "\U00010000", "\u2028", "e\u0301\u0301", "\u0301"]
    yield from ["<bos>", "<eos>text", "a<bos>b", "<|turn>user\nhi<turn|>\n", "<|turn>", "<turn|>", "<|turn|>", "<turn>",
                "<|image|>", "<|image><|image|><|image|><image|>", " <|image|> ", "<|audio|>x<|video|>", "<|\"|>q<|\"|>",
                "<|tool_call>call:f{x:1}<tool_call|>", "<|tool>", "<|tool_response>", "<|channel>thought\n<channel|>",
                "<|think|>\n", "<<bos>>", "<|turn>>", "<|tur", "<|image", "|>", "<unk>", "<mask><pad>", "<0x41>", "<0xE4>",
                "<unused0>", "<start_of_turn>", "<|turn>\u2581<turn|>", "<|turn>  two  <turn|>"]
    yield make_tokenizer.CORPUS[:400]
    yield "a" * 300
    yield "the " * 80
    yield "e" * 33 + "th" * 20
    yield " ".join("abcdefghij")


def random_texts(count):
    rng = random.Random(77)
    pools = ["the and is picture user model ", "etaoinshrdlu ", " \n\t", "éüß—你好🙂½", "0123456789", "<|>turn/\"'",
             "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    for _ in range(count):
        pieces = []
        for _ in range(rng.randint(1, 12)):
            pool = rng.choice(pools)
            pieces.append("".join(rng.choice(pool) for _ in range(rng.randint(1, 8))))
            if rng.random() < 0.15:
                pieces.append(rng.choice(make_tokenizer.ADDED_TOKENS))
            if rng.random() < 0.1:
                pieces.append(rng.choice([" ", "\n"]) * rng.randint(1, 40))
        yield "".join(pieces)


def decode_cases(tokenizer):
    """Ids in any order; `whole_runs` false where a run of byte tokens is no valid UTF-8."""
    rng = random.Random(78)
    byte = lambda b: tokenizer.token_to_id(f"<0x{b:02X}>")
    for raw in ["🙂".encode(), "é€".encode(), b"\xf0\x9f", b"\xff", b"a\xc3", b"\x80\x80", b"\xe4\xbd\xa0\xe5", b"\xc0\x80",
                b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"ok\xffok", "a🙂".encode() + b"\xf0" + b"z"]:
        yield [byte(b) for b in raw]
        yield [300, *[byte(b) for b in raw], 301]
    for _ in range(40):
        yield [rng.randrange(tokenizer.get_vocab_size()) for _ in range(rng.randint(1, 12))]
    for _ in range(20):
        yield [rng.randrange(280, tokenizer.get_vocab_size()) for _ in range(rng.randint(1, 12))]


def whole_runs(tokenizer, ids, skip):
    run = b""
    for token in [tokenizer.id_to_token(i) for i in ids] + [""]:
        if token.startswith("<0x") and len(token) == 6:
            run += bytes([int(token[3:5], 16)])
            continue
        if skip and token in make_tokenizer.ADDED_TOKENS:
            continue
        try:
            run.decode()
        except UnicodeDecodeError:
            return False
        run = b""
    return True


def make(out):
    folder = pathlib.Path(out) / "tokenizer"
    shutil.rmtree(folder, ignore_errors=True)
    make_tokenizer.write(folder, VOCAB, LONGEST_RUN, EXTRA)
    data = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    unused = [t for t in data["model"]["vocab"] if t.startswith("<unused")]
    with_special = tokenizers.Tokenizer.from_str(json.dumps(data))
    # Without its added tokens the library takes their spellings for plain text.
    plain = tokenizers.Tokenizer.from_str(json.dumps({**data, "added_tokens": []}))
    texts = list(dict.fromkeys([*fixed_texts(), *random_texts(60)]))
    encoded = []
    for text in texts:
        off = plain.encode(text, add_special_tokens=False).ids
        on = with_special.encode(text, add_special_tokens=False).ids
        encoded.append({
            "text": text, "ids": off, "ids_special": on,
            "decoded": with_special.decode(off, skip_special_tokens=False),
            "decoded_skip_special": with_special.decode(on, skip_special_tokens=True)})
        # Everything comes back but the character the normalizer writes for a space.
        assert encoded[-1]["decoded"] == text.replace("\u2581", " "), text
    decoded = [{
        "ids": ids,
        "text": with_special.decode(ids, skip_special_tokens=False),
        "text_skip_special": with_special.decode(ids, skip_special_tokens=True),
        "whole_runs": whole_runs(with_special, ids, False) and whole_runs(with_special, ids, True),
    } for ids in decode_cases(with_special)]
    write_json(folder / "case.json", {
        "tokenizer": "tokenizer.json", "encode": encoded, "decode": decoded, "versions": versions()})
    print(len(encoded), "texts,", len(decoded), "id lists,", len(unused), "unused entries")


if __name__ == "__main__":
    import sys

    make(sys.argv[1])
