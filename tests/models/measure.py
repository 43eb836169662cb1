#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measure the exported models on the held-out passages.

    measure.py TEXT_FOLDER MODELS_FOLDER

For each model: the mean loss in nats per token and bits per character over
windows of 256 tokens (the length trained on) and of 512 (the longest the model
states), the latter also for the second half alone.  Then how often the draft
model's first choice is the main model's.
"""
import argparse
import math
from pathlib import Path

import sentencepiece as spm
import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM

import corpus
import train


@torch.no_grad()
def run(model, stream, length):
    """(loss, first choice) for each token, as (windows, length) tensors."""
    losses, choices = [], []
    for s in range(0, len(stream) - length, length):
        row = stream[s:s + length + 1]
        table = model(input_ids=row[None, :-1], use_cache=False).logits[0]
        losses.append(F.cross_entropy(table, row[1:], reduction="none"))
        choices.append(table.argmax(-1))
    return torch.stack(losses), torch.stack(choices)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("text", help="folder with the books as .txt files")
    parser.add_argument("models", help="folder that export.py wrote")
    args = parser.parse_args()

    torch.set_num_threads(1)
    models = Path(args.models)
    sp = spm.SentencePieceProcessor(str(models / "hearth" / "tokenizer.model"))
    _, held = corpus.split(corpus.passages(args.text))
    stream = train.token_stream(sp, held)
    per_token = sum(map(len, held)) / len(stream)
    print(f"{len(stream)} tokens, {per_token:.3f} characters per token")

    choices = {}
    for name in ("hearth", "hearth-draft"):
        model = AutoModelForCausalLM.from_pretrained(
            models / name, dtype=torch.float32).eval()
        loss, choices[name] = run(model, stream, 256)
        longer, _ = run(model, stream, 512)
        mean = float(loss.mean())
        print(f"{name}: {mean:.4f} nats per token, "
              f"{mean / math.log(2) / per_token:.3f} bits per character; "
              f"windows of 512: {float(longer.mean()):.4f}, "
              f"second half {float(longer[:, 256:].mean()):.4f}")
    same = (choices["hearth"] == choices["hearth-draft"]).float().mean()
    print(f"same first choice: {100 * float(same):.1f} %")


if __name__ == "__main__":
    main()
