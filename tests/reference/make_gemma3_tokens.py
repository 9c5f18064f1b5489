"""Token ids of the Gemma 3 vocabulary for texts in many languages.

    python make_gemma3_tokens.py TOKENIZER.json --out tests/golden/gemma3_270m [--large FOLDER]

TOKENIZER.json is the tokenizer of a released Gemma 3 model, read by the package `tokenizers`; it is not
part of the project. Writes tokens.json, a few texts of this script with their ids; a C++ test compares
them where NOLENS_GEMMA3_270M names the model as a GGUF file. With --large also FOLDER/text.txt, about
1 MB of translated messages of installed programs in every language there is (/usr/share/locale, each
under the licence of its program, so not committed), and FOLDER/ids.txt, to be compared by

    nolens tokenize -m MODEL.gguf < FOLDER/text.txt | cmp - FOLDER/ids.txt
"""

import argparse
import gettext
import hashlib
import json
import pathlib

import tokenizers

LARGE_BYTES = 1_000_000
TEXTS = [
    "Hello, world!",
    "The quick brown fox jumps over the lazy dog.",
    "   three spaces before,  two inside and four after    ",
    "tabs\tand\t\ttwo\t\t\tthree; lines\n\n\nthree\r\n\r\nwith returns\n",
    "x" + " " * 40 + "y" + "\n" * 37 + "z" + "\t" * 33,
    "def f(self, x=0):\n    if x is None:\n        return {'a': [1, 2.5e-3]}\n    # ½ of it\n",
    "Die Straße ist naß und grün; Übergrößenträger. Où est le café près de la forêt? ¿El niño comió piña?",
    "Привет, мир! Съешь ещё этих мягких французских булок, да выпей же чаю.",
    "Η γρήγορη καφέ αλεπού πηδάει πάνω από το τεμπέλικο σκυλί.",
    "敏捷的棕色狐狸跳过了懒狗。東京特許許可局。速い茶色の狐が怠け者の犬を飛び越える。빠른 갈색 여우가 게으른 개를 뛰어넘는다.",
    "الثعلب البني السريع يقفز فوق الكلب الكسول. השועל החום המהיר קופץ מעל הכלב העצלן.",
    "तेज़ भूरी लोमड़ी आलसी कुत्ते के ऊपर कूदती है। দ্রুত বাদামী শিয়াল। สุนัขจิ้งจอกสีน้ำตาลกระโดดข้ามสุนัขขี้เกียจ",
    "👩‍👩‍👧‍👦 👍🏽 🏳️‍🌈 e\u0301 versus \u00e9, \u200b zero width, \ufeff mark, \U0001f9ff, \U00010348, \U000e0041",
    "▁ a marked ▁▁ space ▁",
    "<0x41> <0xE2><0x96><0x81> are texts here",
    "<table><tr><td>cell</td></tr></table> <h1>title</h1> <b>bold</b> [multimodal]",
    "1234567890 3.14159 0x1F600 2026-11-24T12:23:58Z 192.168.0.1 1,000,000",
    "https://example.org/a?b=c&d=%20#e user.name+tag@example.org",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa hahahahahahahahahahaha !!!!!!!!!!!! --------------------",
    "\u0378\U0001fffe\ue000 have no characters; \x01\x7f\x00 are controls",
]


def messages_of_programs():
    """About LARGE_BYTES of translations, a little of each language in turn."""
    catalogues = {}
    for file in sorted(pathlib.Path("/usr/share/locale").glob("*/LC_MESSAGES/*.mo")):
        catalogues.setdefault(file.parts[4], []).append(file)
    share = LARGE_BYTES // len(catalogues)
    text, spare = [], []
    for language, files in sorted(catalogues.items()):
        size = 0
        for file in files:
            try:
                with file.open("rb") as stream:
                    entries = gettext.GNUTranslations(stream)._catalog
            except (OSError, ValueError, IndexError):  # not a catalogue this module reads
                continue
            for value in entries.values():
                value = str(value)
                (text if size < share else spare).append(value)
                size += len(value.encode())
                if size > 4 * share:
                    break
            if size > 4 * share:
                break
    missing = LARGE_BYTES - sum(len(value.encode()) + 1 for value in text)
    for value in spare:
        if missing <= 0:
            break
        text.append(value)
        missing -= len(value.encode()) + 1
    return "\n".join(text), len(catalogues)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizer", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--large", type=pathlib.Path)
    arguments = parser.parse_args()
    tokenizer = tokenizers.Tokenizer.from_file(str(arguments.tokenizer))

    def encode(text):
        return tokenizer.encode(text, add_special_tokens=False).ids

    arguments.out.mkdir(parents=True, exist_ok=True)
    cases = ",\n".join(json.dumps({"text": text, "ids": encode(text)}) for text in TEXTS)
    (arguments.out / "tokens.json").write_text(
        f'{{"cases": [\n{cases}\n],\n"versions": {{"tokenizers": "{tokenizers.__version__}"}}}}\n')
    if arguments.large:
        arguments.large.mkdir(parents=True, exist_ok=True)
        text, languages = messages_of_programs()
        text += "\n" + "\n".join(TEXTS)
        (arguments.large / "text.txt").write_text(text, encoding="utf-8", newline="")
        ids = encode(text)
        (arguments.large / "ids.txt").write_text(" ".join(map(str, ids)) + "\n")
        print(f"{len(text.encode())} bytes in {languages} languages, {len(ids)} tokens, SHA-256 of the text "
              + hashlib.sha256(text.encode()).hexdigest())


if __name__ == "__main__":
    main()
