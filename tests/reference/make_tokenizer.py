"""Small tokenizers of Gemma 4's form: byte fallback, spaces as U+2581, runs, 24 added tokens."""

import collections
import json
import pathlib

# In the order of their ids in the released tokenizer; here they take ids 0 to 23.
ADDED_TOKENS = [
    "<pad>", "<eos>", "<bos>", "<unk>", "<mask>",
    "<|tool>", "<tool|>", "<|tool_call>", "<tool_call|>", "<|tool_response>", "<tool_response|>",
    '<|"|>', "<|think|>", "<|channel>", "<channel|>", "<|turn>", "<turn|>",
    "<|image>", "<|audio>", "<|image|>", "<|audio|>", "<image|>", "<audio|>", "<|video|>",
]
IDS = {token: index for index, token in enumerate(ADDED_TOKENS)}

CORPUS = """The picture shows a red square above a blue circle, and a green triangle to the left of it.
What is the shape in the middle? The circle is yellow. How many squares are there? There are three.
Describe this image in one sentence. A small house stands on the hill near the river under a grey sky.
user model system thought developer tool: the user asks and the model answers what it can see in the image.
Is there a cat in the photo? No, there is a dog, and it is sleeping on the chair next to the window.
Read the text on the sign and translate it into English, please. The sign says "open all day".
def main(self): return None if x == 0 else self.value(x) + 1 for i in range(10) print(f"{i}")
The weather in Bangkok is cloudy; the temperature is thirty degrees and the wind comes from the south.
I'm not sure this'll work, but we'll see. It doesn't matter whether it was there or not, they'd said.
Die Straße ist naß und grün; où est le café près de la forêt? El niño comió la piña mañana.
你好 世界 你好 — “quoted” text … 東京 Привет, мир! Привет!
"""


def _runs(character, longest):
    """Every run of 2 to `longest` characters and every way to join two runs, longest first."""
    words = [character * n for n in range(2, longest + 1)]
    merges = []
    for n in range(longest, 1, -1):
        merges += [(character * a, character * (n - a)) for a in range(n - 1, 0, -1)]
    return words, merges


def _train(lines, count, known):
    """Plain BPE over whole lines, so that merges cross words as in the original."""
    sequences = [list(line) for line in lines]
    merges, words = [], []
    while len(words) < count:
        pairs = collections.Counter()
        for sequence in sequences:
            pairs.update(
                (a, b) for a, b in zip(sequence, sequence[1:])
                if not (a + b).isdigit() and len(a + b) <= 12 and set(a + b) != {"▁"}
            )
        if not pairs:
            break
        (left, right), seen = min(pairs.items(), key=lambda item: (-item[1], item[0]))
        if seen < 2:
            break
        merges.append((left, right))
        if left + right not in known:
            known.add(left + right)
            words.append(left + right)
        for k, sequence in enumerate(sequences):
            joined, i = [], 0
            while i < len(sequence):
                if i + 1 < len(sequence) and sequence[i] == left and sequence[i + 1] == right:
                    joined.append(left + right)
                    i += 2
                else:
                    joined.append(sequence[i])
                    i += 1
            sequences[k] = joined
    return words, merges


def build(vocab_size, longest_run, extra_characters="", added_tokens=tuple(ADDED_TOKENS)):
    """The tokenizer.json object with exactly `vocab_size` entries, `added_tokens` first."""
    lines = [line.replace(" ", "▁") for line in CORPUS.splitlines() if line]
    vocab = list(added_tokens) + [f"<0x{b:02X}>" for b in range(256)]
    newline_words, newline_merges = _runs("\n", longest_run)
    space_words, space_merges = _runs("▁", longest_run)
    vocab += ["\n", *newline_words, *space_words, "\t", "▁"]
    vocab += [chr(c) for c in range(33, 127)]
    vocab += [c for c in dict.fromkeys(extra_characters) if c not in vocab]
    known = set(vocab)
    words, merges = _train(lines, vocab_size - len(vocab), known)
    vocab += words
    for k in range(vocab_size - len(vocab)):
        vocab.append(f"<unused{k}>")
    assert len(vocab) == len(set(vocab)) == vocab_size
    # Every merge must be of known parts; parts of trained merges may be characters outside the
    # vocabulary, which fall back to bytes, so those merges are left out.
    ids = {word: index for index, word in enumerate(vocab)}
    all_merges = [
        [a, b] for a, b in newline_merges + space_merges + merges
        if a in ids and b in ids and a + b in ids
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": ids[t], "content": t, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": True}
            for t in added_tokens
        ],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "pre_tokenizer": {"type": "Split", "pattern": {"String": " "},
                          "behavior": "MergedWithPrevious", "invert": False},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {},
        },
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>",
                  "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
                  "vocab": ids, "merges": all_merges},
    }


def tokenizer_config():
    """tokenizer_config.json with the names the multimodal processor asks for."""
    return {
        "tokenizer_class": "GemmaTokenizer",
        "add_bos_token": False,
        "padding_side": "left",
        "clean_up_tokenization_spaces": False,
        "model_max_length": 1000000000000000019884624838656,
        "pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>", "unk_token": "<unk>",
        "mask_token": "<mask>",
        "boi_token": "<|image>", "image_token": "<|image|>", "eoi_token": "<image|>",
        "boa_token": "<|audio>", "audio_token": "<|audio|>", "eoa_token": "<audio|>",
        "think_token": "<|think|>", "soc_token": "<|channel>", "eoc_token": "<channel|>",
        "sot_token": "<|turn>", "eot_token": "<turn|>", "std_token": "<|tool>", "etd_token": "<tool|>",
        "stc_token": "<|tool_call>", "etc_token": "<tool_call|>",
        "str_token": "<|tool_response>", "etr_token": "<tool_response|>", "escape_token": '<|"|>',
    }


def write(directory, vocab_size, longest_run, extra_characters=""):
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps(build(vocab_size, longest_run, extra_characters), ensure_ascii=False, indent=0)
    (directory / "tokenizer.json").write_text(text + "\n", encoding="utf-8")
    (directory / "tokenizer_config.json").write_text(
        json.dumps(tokenizer_config(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
