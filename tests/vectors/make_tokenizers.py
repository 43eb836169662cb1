#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Small tokenizer.json files of the forms that language models have, with what the library that
defines the format makes of texts.

    make_tokenizers.py [FOLDER]     (default: tokenizers, next to this script)
    make_tokenizers.py --cases NAME TOKENIZER_JSON      the cases of a file that is not ours

writes NAME.json, and NAME.cases.json: a list of objects with text, ids (added tokens are
found, none are added), special (begin and end of text added) and decoded (of ids, special
tokens left out). Vocabularies are trained on a few sentences. Needs tokenizers 0.23.
"""
import json
import sys
from pathlib import Path

from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers,
                        pre_tokenizers, processors, trainers)

SENTENCES = [
    "The quick brown fox jumps over the lazy dog, and the dog doesn't mind it.",
    "Once upon a time there was a little girl who lived in a village near the forest.",
    "She said: \"I'll go there; we've been there before, haven't we?\" They're all right.",
    "In 2024 there were 1234567 reasons, 42 of them good ones - 3.14159 and so on.",
    "def main(argc, argv):\n    if argc > 1:\n        return argv[1]\n    return None\n",
    "Caf\u00e9 na\u00efve \u00fcber Stra\u00dfe "
    "\u4f60\u597d \u4e16\u754c \u043f\u0440\u0438\u0432\u0435\u0442",
    "the theory of these other things, then and there, the other one and the other other one",
]

TEXTS = [
    "", " ", "a", " a", "  a  b   c ", "Hello world", "Hello, world! It's we'll THEY'RE",
    "the other theory\n\n\nthere\t\tand\r\nthen \n x", "1 12 123 1234 12345 3.14 x2y",
    "caf\u00e9 cafe\u0301 \u00c5 A\u030a \ufb01", "\u4f60\u597d\uff0c\u4e16\u754c\uff01",
    "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 x\U0001f680y",
    "\u00a0nbsp\u3000wide\u2003em",
    "\u2581the\u2581 \u2581\u2581x", "<s>hello</s>", "a<|end|> b <|end|>c  <|sep|>  d<|sep|>e",
    "word wording a word. sword word", "\u0661\u0662\u0663 \u00bd \u2163 x\u00b2",
    "...!!!??? --- ### $$$ @@@ [x](y) {z} ~`^|", "line one\nline two\n  indented\n\tTabbed \n",
    "The quick brown fox jumps over the lazy dog, and the dog doesn't mind it.",
    "    four spaces        eight", "don\u2019t \u2018quote\u2019 \u201cdouble\u201d \u2014 dash",
    "\u0435\u0449\u0451 \u043f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", "\x01\x02\x7f",
]

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")
BLANK = "\u2581"


def added():
    return [AddedToken("<s>", special=True), AddedToken("</s>", special=True),
            AddedToken("<|end|>", special=True, rstrip=True),
            AddedToken("<|sep|>", special=False, lstrip=True, rstrip=True, normalized=False),
            AddedToken("word", special=False, single_word=True, normalized=False)]


def begins(tokenizer, end=False):
    ids = [(t, tokenizer.token_to_id(t)) for t in ("<s>", "</s>")]
    return processors.TemplateProcessing(single="<s> $A </s>" if end else "<s> $A",
                                         special_tokens=ids)


def byte_level(pre, normal=None, size=420, **model):
    t = Tokenizer(models.BPE(**model))
    if normal:
        t.normalizer = normal
    t.pre_tokenizer = pre
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(SENTENCES * 4, trainers.BpeTrainer(
        vocab_size=size, min_frequency=2, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.add_tokens(added())
    return t


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), behavior, invert),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def level(prefix=False):
    return pre_tokenizers.ByteLevel(add_prefix_space=prefix)


def llama3():
    t = byte_level(split(LLAMA3), ignore_merges=True)
    t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), begins(t)])
    return t


def blanks(normal, pre=None, strips=True, fallback=True, end=False):
    """A vocabulary as converted from SentencePiece: bytes first, merges by rank."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    raw.train_from_iterator(SENTENCES * 4, trainers.BpeTrainer(
        vocab_size=260, min_frequency=2, show_progress=False))
    trained = json.loads(raw.to_str())["model"]
    names = ["<unk>", "<s>", "</s>"]
    if fallback:
        names += [f"<0x{b:02X}>" for b in range(256)]
    names += [n for n, _ in sorted(trained["vocab"].items(), key=lambda item: item[1])]
    t = Tokenizer(models.BPE(
        vocab={n: i for i, n in enumerate(names)}, merges=[tuple(m) for m in trained["merges"]],
        unk_token="<unk>", fuse_unk=True, byte_fallback=fallback))
    if normal:
        t.normalizer = normal
    if pre:
        t.pre_tokenizer = pre
    steps = [decoders.Replace(BLANK, " "), decoders.ByteFallback(), decoders.Fuse()]
    if not fallback:
        del steps[1]
    t.decoder = decoders.Sequence(steps + ([decoders.Strip(" ", 1, 0)] if strips else []))
    t.add_tokens(added())
    t.post_processor = begins(t, end)
    return t


PREPEND = normalizers.Sequence([normalizers.Prepend(BLANK), normalizers.Replace(" ", BLANK)])
REPLACE = normalizers.Replace(" ", BLANK)


def metaspace(scheme, splits):
    return pre_tokenizers.Metaspace(prepend_scheme=scheme, split=splits)


def unit(label=0, offset=0, leaf=False):
    assert offset < 1 << 21
    return label | leaf << 8 | offset << 10


def charsmap(pairs):
    """SentencePiece's table: a double array over UTF-8, then the texts."""
    texts, trie = b"", {}
    for key, text in pairs.items():
        node = trie
        for byte in key.encode():
            node = node.setdefault(byte, {})
        node[None] = len(texts)
        texts += text.encode() + b"\0"
    array = {0: 0}

    def place(node, at, label):
        children = sorted(b for b in node if b is not None)
        slots = children + ([0] if None in node else [])
        base = 256  # a base of its own for each node; a leaf lies at the base itself
        while any((base ^ s) in array for s in slots) or base == at:
            base += 256
        assert base ^ at < 1 << 21
        array[at] = unit(label, base ^ at, None in node)
        for s in slots:
            array[base ^ s] = 0
        if None in node:
            array[base] = 1 << 31 | node[None]
        for b in children:
            place(node[b], base ^ b, b)
    place(trie, 0, 0)
    units = [array.get(i, 0) for i in range(max(array) + 1)]
    body = b"".join(u.to_bytes(4, "little") for u in units)
    return len(body).to_bytes(4, "little") + body + texts


CHARS = charsmap({"\t": " ", "\n": " ", "\r": " ", "\r\n": " ", "\u00a0": " ", "\u3000": " ",
                  "\ufb01": "fi", "\u00bd": "1/2", "A\u030a": "\u00c5", "\u2003": " ",
                  "\x7f": "", "e\u0301": "\u00e9", "\uff01": "!", "\U0001f600": ":)"})
JOIN = normalizers.Replace(Regex(" {2,}"), " ")


def unigram(normal=None, pre=None, fallback=False, end=True, size=190):
    """As T5 and its relatives ship it; fallback: with tokens for bytes."""
    raw = Tokenizer(models.Unigram())
    raw.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    raw.train_from_iterator(SENTENCES * 4, trainers.UnigramTrainer(
        vocab_size=size, show_progress=False, special_tokens=["<unk>"], unk_token="<unk>"))
    vocab = [(p, round(s, 6)) for p, s in json.loads(raw.to_str())["model"]["vocab"]]
    vocab = [("<s>", 0.0), ("</s>", 0.0)] + vocab[:1] + vocab[1:]
    if fallback:
        vocab += [(f"<0x{b:02X}>", -20.0) for b in range(256)]
    t = Tokenizer(models.Unigram(vocab, unk_id=2, byte_fallback=fallback))
    if normal:
        t.normalizer = normal
    t.pre_tokenizer = pre or metaspace("always", True)
    t.decoder = decoders.Metaspace()
    if fallback:
        t.decoder = decoders.Sequence([decoders.Replace(BLANK, " "), decoders.ByteFallback(),
                                       decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    t.add_tokens(added())
    t.post_processor = begins(t, end)
    return t


BUILDERS = {
    "gpt2": lambda: byte_level(level(), normalizers.NFC()),
    "prefix": lambda: byte_level(level(True)),
    "llama3": llama3,
    "qwen2": lambda: byte_level(split(QWEN2), normalizers.NFC()),
    "removed": lambda: byte_level(split(r"\p{L}+|[^\s]|\n", "removed", True)),
    "digits": lambda: byte_level(pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.Punctuation(), level()]),
        normalizers.NFKC()),
    "llama": lambda: blanks(PREPEND),
    "gemma": lambda: blanks(REPLACE, pre_tokenizers.Split(" ", "merged_with_previous"),
                            strips=False, end=True),
    "metaspace_first": lambda: blanks(None, metaspace("first", False)),
    "metaspace_split": lambda: blanks(None, metaspace("always", True)),
    "unknown": lambda: blanks(PREPEND, fallback=False),
    "unigram": lambda: unigram(normalizers.Sequence([normalizers.Precompiled(CHARS), JOIN]),
                               pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(),
                                                        metaspace("always", True)])),
    "unigram_bytes": lambda: unigram(PREPEND, metaspace("never", False), fallback=True),
    "unigram_first": lambda: unigram(normalizers.Sequence(
        [normalizers.Precompiled(CHARS), normalizers.Strip(False, True),
         normalizers.Replace(Regex(" {2,}"), BLANK)]), metaspace("first", False)),
    "unigram_form": lambda: unigram(normalizers.NFKC()),
}


def write_cases(t, path):
    cases = [dict(text=text, ids=t.encode(text, add_special_tokens=False).ids,
                  special=t.encode(text).ids) for text in TEXTS]
    for case in cases:
        case["decoded"] = t.decode(case["ids"])
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def main():
    folder = Path(__file__).parent / "tokenizers"
    if sys.argv[1:2] == ["--cases"]:
        write_cases(Tokenizer.from_file(sys.argv[3]), folder / f"{sys.argv[2]}.cases.json")
        return
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, build in BUILDERS.items():
        t = build()
        compact = json.dumps(json.loads(t.to_str()), separators=(",", ":"))
        (folder / f"{name}.json").write_text(compact + "\n", encoding="utf-8")
        write_cases(t, folder / f"{name}.cases.json")


if __name__ == "__main__":
    main()
