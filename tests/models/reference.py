#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reference ids and logits of the exported models, and a check of the GGUF.

    reference.py MODELS_FOLDER REFERENCE_FOLDER --model hearth

Reads MODELS_FOLDER/MODEL/ with the transformers library (float32, eager
attention) and writes

  REFERENCE_FOLDER/MODEL.json        for each prompt: the ids, the greedy
                                     continuation, the five best logits of
                                     every position, the mean negative log
                                     likelihood of the whole sequence
  REFERENCE_FOLDER/MODEL.PROMPT.npy  float32 logits (positions, vocabulary)
                                     of one prompt
  REFERENCE_FOLDER/tokenizer.json    strings with SentencePiece's ids

then computes the same logits from MODELS_FOLDER/MODEL.gguf in NumPy (float64)
and fails unless they agree within --tolerance.  Models of other architectures than
llama have no GGUF file; of a mixture the experts of every token are written, too:
per prompt "experts", in ascending order, one list per layer.
"""
import argparse
import json
import re
from pathlib import Path

import numpy as np
import sentencepiece as spm
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

import gguf_numpy

PROMPTS = {
    "short": "The door opened, and",
    "medium": "I had walked all that day across the moor, and when at last the "
              "light failed I saw before me a low stone house, with one "
              "candle in its window.",
    "long": "\"You are late,\" said Mrs. Holt, as I came into the kitchen.\n"
            "\"The road was bad, ma'am,\" I replied; \"and the horse was "
            "lame.\"\n"
            "She did not answer me at once. She looked at my wet cloak, and "
            "at my hands, which were red with cold; then she drew a chair to "
            "the hearth, and bade me sit down. I had not expected so much "
            "kindness from her. The fire burned clear, the kettle sang, and "
            "the old dog, who had never liked a stranger, laid his head upon "
            "my knee.",
}
GREEDY = 64
# The prompt whose logits are kept whole, and how many positions of it.
FULL_LOGITS = {"hearth": ("medium", 96), "hearth-draft": ("short", 48),
               "hearth-gemma2": ("short", 16), "hearth-phimoe": ("short", 16)}

STRINGS = [
    "", " ", "  ", "   ", "a", " a", "a ", "  a  ", "A", "the", " the",
    "Hello", "Hello world", "Hello, world!", "hello  world", "hello   world",
    "There was no possibility of taking a walk that day.",
    "She had seen--or thought she saw--a light.",
    "\"Who are you?\" said he.", "don't, can't, I'll, it's", "Mr. and Mrs.",
    "I AM SPEAKING LOUDLY", "unquestionably incomprehensible",
    "antidisestablishmentarianism", "zzzzzzzzzz", "aaaaaaaaaaaaaaaaaaaaaaaa",
    "0", "7", "42", "1847", "3.14159", "1,000,000", "2 + 2 = 4", "0x1F",
    "\n", "\n\n", "a\nb", "a\n b", "first line\nsecond line\n", "\t", "a\tb",
    "a\r\nb", "\n  indented\n    more",
    "caf\u00e9", "cafe\u0301", "na\u00efve co\u00f6peration",
    "\u00c6sop's \u0153uvre", "Gr\u00fc\u00dfe aus K\u00f6ln",
    "\u201cquoted\u201d \u2018single\u2019 \u2014 dash \u2026",
    "\u00a35 or \u20ac6", "\u4f60\u597d\uff0c\u4e16\u754c",
    "\u65e5\u672c\u8a9e\u306e\u6587\u7ae0", "\ud55c\uad6d\uc5b4",
    "\u041f\u0440\u0438\u0432\u0435\u0442", "\u0645\u0631\u062d\u0628\u0627",
    "\U0001f600", "fire \U0001f525 and water",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467", "\u2581", "a\u2581b",
    "\u2581\u2581", "<s>", "</s>", "<unk>", "<0x41>", "<0x0A>", "<s>[INST]",
    "{\"key\": [1, 2.5, null]}", "int main(void) { return 0; }",
    "https://example.org/a?b=c&d=%20", "a_b-c.d@e", "\\ | ~ ^ ` # $ %",
    "\u0001\u007f", "\u00a0", "a\u00a0b", "\u3000", "\ufeffBOM",
    "\u200b", "\ufffd",
]
# Not UTF-8: given and kept as hexadecimal bytes.
BAD_BYTES = ["ff", "c3", "61c362", "e697", "f09f98", "80", "eda080", "c0af"]


def dump_lines(head, key, rows):
    """A JSON object whose last member, a list, has one row on a line."""
    body = json.dumps(head, ensure_ascii=True, indent=1)[:-2]
    lines = ",\n".join("  " + json.dumps(r, ensure_ascii=True) for r in rows)
    return f"{body},\n {json.dumps(key)}: [\n{lines}\n ]\n}}\n"


def dump_rows(value):
    """Indented JSON with each list of plain values on one line."""
    text = json.dumps(value, ensure_ascii=True, indent=1)
    return re.sub(r"\[\n[^\[\]{}]*\]",
                  lambda m: re.sub(r"\n\s*", " ", m[0])
                  .replace("[ ", "[").replace(" ]", "]"), text) + "\n"


def tokenizer_reference(folder, path):
    sp = spm.SentencePieceProcessor(str(folder / "tokenizer.model"))
    fast = Tokenizer.from_file(str(folder / "tokenizer.json"))
    rows, differing = [], []
    for text in STRINGS:
        ids = sp.encode(text)
        row = {"text": text, "ids": ids}
        if sp.decode(ids) != text:
            row["decoded"] = sp.decode(ids)
        rows.append(row)
        if fast.encode(text, add_special_tokens=False).ids != ids:
            differing.append(text)
    for digits in BAD_BYTES:
        ids = sp.encode(bytes.fromhex(digits))
        rows.append({"hex": digits, "ids": ids})
    head = {
        "about": "SentencePiece's ids, without <s>; text that looks like a "
                 "control token is plain text; 'decoded' where decoding the "
                 "ids does not give the text back; 'hex' for bytes that are "
                 "not UTF-8, which SentencePiece reads as U+FFFD",
        "vocabulary": sp.vocab_size(),
    }
    path.write_text(dump_lines(head, "cases", rows), encoding="utf-8")
    print(f"tokenizer: {len(rows)} strings; tokenizer.json differs on "
          f"{differing}")


@torch.no_grad()
def forward(model, ids):
    return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0]


@torch.no_grad()
def experts_of(model, ids):
    """Of each layer the experts of all tokens, one after the other."""
    chosen = []
    hooks = [layer.mlp.router.register_forward_hook(
        lambda module, given, result: chosen.append(result[2].sort(-1).values))
        for layer in model.model.layers]
    forward(model, ids)
    for hook in hooks:
        hook.remove()
    return [table.flatten().tolist() for table in chosen]


def greedy(model, ids, count):
    ids = list(ids)
    for _ in range(count):
        best = int(forward(model, ids)[-1].argmax())
        if best == 2:
            break
        ids.append(best)
    return ids


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", help="folder that export.py wrote")
    parser.add_argument("reference", help="folder for the reference files")
    parser.add_argument("--model", choices=FULL_LOGITS, default="hearth")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    args = parser.parse_args()

    torch.set_num_threads(1)
    models, reference = Path(args.models), Path(args.reference)
    reference.mkdir(parents=True, exist_ok=True)
    folder = models / args.model
    sp = spm.SentencePieceProcessor(str(folder / "tokenizer.model"))
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager",
        experts_implementation="eager").eval()

    tokenizer_reference(folder, reference / "tokenizer.json")
    full_prompt, full_count = FULL_LOGITS[args.model]
    entries, worst = [], 0.0
    for name, text in PROMPTS.items():
        prompt = [sp.bos_id()] + sp.encode(text)
        ids = greedy(model, prompt, GREEDY)
        table = forward(model, ids)
        # One pass over everything must choose what the steps chose.
        chosen = table.argmax(-1)[len(prompt) - 1:-1].tolist()
        assert chosen == ids[len(prompt):]

        difference = 0.0
        if (models / f"{args.model}.gguf").exists():
            check = gguf_numpy.logits(models / f"{args.model}.gguf", ids)
            difference = float(np.abs(check - table.numpy()).max())
        worst = max(worst, difference)
        log_p = torch.log_softmax(table.double(), -1)
        nll = -log_p[:-1].gather(1, torch.tensor(ids[1:])[:, None]).mean()
        top = table.topk(5, dim=-1)
        margin = (top.values[:, 0] - top.values[:, 1])[len(prompt) - 1:-1]
        print(f"{args.model} {name}: {len(prompt)} + {len(ids) - len(prompt)} "
              f"ids, GGUF differs by {difference:.2e}, least margin of a "
              f"greedy choice {float(margin.min()):.4f}\n"
              f"{text}|{sp.decode(ids)[len(text):]}\n")

        head = {"name": name, "text": text,
                "greedy_text": sp.decode(ids)[len(text):],
                "mean_nll": round(float(nll), 6)}
        if name == full_prompt:
            full = table[:full_count].numpy().astype("<f4")
            file = f"{args.model}.{name}.npy"
            np.save(reference / file, full)
            head["logits"] = file
            head["logits_positions"] = len(full)
        head["prompt_ids"] = prompt
        head["greedy_ids"] = ids[len(prompt):]
        head["top5_ids"] = top.indices.tolist()
        head["top5_logits"] = [[round(v, 5) for v in row]
                               for row in top.values.tolist()]
        if hasattr(model.config, "num_local_experts"):
            head["experts"] = experts_of(model, ids)
        entries.append(head)

    about = {
        "model": args.model,
        "about": "float32 logits of transformers, eager attention; top5_ids "
                 "and top5_logits have one row for each position of "
                 "prompt_ids + greedy_ids (row i: after reading id i)",
        "gguf_max_difference": float(f"{worst:.2e}"),
        "prompts": entries,
    }
    (reference / f"{args.model}.json").write_text(
        dump_rows(about), encoding="utf-8")
    if worst > args.tolerance:
        raise SystemExit(f"GGUF and transformers differ by {worst}")


if __name__ == "__main__":
    main()
