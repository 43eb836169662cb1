#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Train the hearth tokenizer and the hearth language models from plain text.

    train.py TEXT_FOLDER RUN_FOLDER --model hearth-draft --minutes 10
    train.py TEXT_FOLDER RUN_FOLDER --model hearth --minutes 60
    train.py TEXT_FOLDER RUN_FOLDER2 --model hearth --minutes 40 \\
        --init RUN_FOLDER/hearth.pt --length 512 --batch 4
    train.py TEXT_FOLDER RUN_FOLDER --model hearth-phimoe --minutes 20

The first call also trains the tokenizer, which all models share (copy
RUN_FOLDER/tokenizer.model to use it elsewhere).  The third call goes on from a
checkpoint with longer windows, so that the model also learns positions that
it had not met.

The learning rate follows a cosine over the wall time given by --minutes (or
over --steps, if those are done sooner), so that a run always ends on its
schedule whatever the machine.  The best checkpoint on held-out text is kept
as RUN_FOLDER/MODEL.pt.
"""
import argparse
import io
import json
import math
import os
import time
from pathlib import Path

import numpy as np
import sentencepiece as spm
import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM, Gemma2Config, LlamaConfig, PhimoeConfig

import corpus

VOCAB_SIZE = 2048
MAX_POSITION = 512

SHAPES = {
    "hearth": dict(hidden_size=128, num_hidden_layers=5, num_attention_heads=4,
                   num_key_value_heads=2, head_dim=32, intermediate_size=384),
    "hearth-draft": dict(hidden_size=64, num_hidden_layers=3,
                         num_attention_heads=2, num_key_value_heads=1,
                         head_dim=32, intermediate_size=192),
    "hearth-gemma2": dict(hidden_size=96, num_hidden_layers=4,
                          num_attention_heads=4, num_key_value_heads=2,
                          head_dim=16, intermediate_size=256,
                          query_pre_attn_scalar=16, sliding_window=64),
    # Rows of 96 in the heads' output: heads are not width / heads, as in Phi-tiny-MoE.
    "hearth-phimoe": dict(hidden_size=64, num_hidden_layers=3,
                          num_attention_heads=4, num_key_value_heads=2,
                          intermediate_size=64, num_local_experts=8,
                          sliding_window=128),
}
PHIMOE_HEAD = 24
# The share of the loss that keeps the experts evenly used.
BALANCE = 0.01


def model_config(name):
    shared = dict(
        vocab_size=VOCAB_SIZE, max_position_embeddings=MAX_POSITION,
        bos_token_id=1, eos_token_id=2, pad_token_id=None,
        initializer_range=0.02, **SHAPES[name])
    if name == "hearth-gemma2":
        return Gemma2Config(**shared)
    shared["rope_parameters"] = dict(rope_type="default", rope_theta=10000.0)
    if name == "hearth-phimoe":
        config = PhimoeConfig(attention_bias=True, lm_head_bias=True, **shared)
        config.head_dim = PHIMOE_HEAD  # not a field of the class, but what its layers read
        return config
    return LlamaConfig(
        rms_norm_eps=1e-5, tie_word_embeddings=True,
        attention_bias=False, mlp_bias=False, hidden_act="silu", **shared)


def train_tokenizer(passages, path):
    """A byte-fallback BPE vocabulary in the SentencePiece format."""
    lines = (line for p in passages for line in p.split("\n"))
    model = io.BytesIO()
    printable = "".join(chr(c) for c in range(33, 127))
    spm.SentencePieceTrainer.train(
        sentence_iterator=lines, model_writer=model, model_type="bpe",
        vocab_size=VOCAB_SIZE, byte_fallback=True, character_coverage=0.9995,
        required_chars=printable, split_digits=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False,
        add_dummy_prefix=True, max_sentence_length=65536,
        unk_id=0, bos_id=1, eos_id=2, pad_id=-1,
        unk_surface=" \u2047 ", num_threads=1, minloglevel=2)
    path.write_bytes(model.getvalue())


def token_stream(tokenizer, passages):
    """<s> passage </s> <s> passage </s> ... as one array."""
    ids = []
    for p in passages:
        ids += [1] + tokenizer.encode(p) + [2]
    return torch.from_numpy(np.array(ids, dtype=np.int64))


class Windows:
    """Shuffled windows over the stream, cut anew (with another offset) in
    each pass; a third of them start at the head of a passage instead, as
    prompts do."""

    def __init__(self, stream, length, generator):
        self.stream, self.length = stream, length
        self.generator = generator
        heads = (stream == 1).nonzero().flatten()
        self.heads = heads[heads + length + 1 <= len(stream)]
        self.queue = []

    def _refill(self):
        length = self.length
        offset = int(torch.randint(length, (), generator=self.generator))
        starts = torch.arange(offset, len(self.stream) - length, length)
        extra = torch.randint(len(self.heads), (len(starts) // 2,),
                              generator=self.generator)
        starts = torch.cat([starts, self.heads[extra]])
        order = torch.randperm(len(starts), generator=self.generator)
        self.queue = starts[order].tolist()

    def batch(self, size):
        rows = []
        for _ in range(size):
            if not self.queue:
                self._refill()
            start = self.queue.pop()
            rows.append(self.stream[start:start + self.length + 1])
        rows = torch.stack(rows)
        return rows[:, :-1], rows[:, 1:]


def loss_of(model, x, y):
    more = dict()
    if model.training and hasattr(model.config, "num_local_experts"):
        more["output_router_logits"] = True
    result = model(input_ids=x, use_cache=False, **more)
    loss = F.cross_entropy(result.logits.reshape(-1, VOCAB_SIZE), y.reshape(-1))
    if more:
        loss = loss + BALANCE * result.aux_loss
    return loss


@torch.no_grad()
def held_out_loss(model, stream, length):
    model.eval()
    total, count = 0.0, 0
    starts = range(0, len(stream) - length, length)
    for i in range(0, len(starts), 8):
        rows = torch.stack([stream[s:s + length + 1]
                            for s in starts[i:i + 8]])
        total += float(loss_of(model, rows[:, :-1], rows[:, 1:])) * len(rows)
        count += len(rows)
    model.train()
    return total / count


def save(path, state, info):
    temporary = str(path) + ".part"
    torch.save(dict(state=state, info=info), temporary)
    os.replace(temporary, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("text", help="folder with the books as .txt files")
    parser.add_argument("run", help="folder for the tokenizer and checkpoints")
    parser.add_argument("--model", choices=SHAPES, default="hearth")
    parser.add_argument("--books", nargs="+", default=corpus.DEFAULT_BOOKS)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--steps", type=int, default=10**9)
    parser.add_argument("--init", help="checkpoint to start from")
    parser.add_argument("--length", type=int, default=256,
                        help="tokens in a window")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--warmup", type=int, default=100)
    parser.add_argument("--weight-decay", type=float, default=0.05)
    parser.add_argument("--eval-every", type=int, default=250)
    parser.add_argument("--compile", action="store_true",
                        help="use torch.compile")
    parser.add_argument("--bf16", action="store_true",
                        help="multiply in bfloat16")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    run = Path(args.run)
    run.mkdir(parents=True, exist_ok=True)

    train, held = corpus.split(corpus.passages(args.text, args.books))
    if not (run / "tokenizer.model").exists():
        train_tokenizer(train, run / "tokenizer.model")
    tokenizer = spm.SentencePieceProcessor(str(run / "tokenizer.model"))
    train_ids = token_stream(tokenizer, train)
    held_ids = token_stream(tokenizer, held)
    chars = sum(map(len, train))
    held_chars = sum(map(len, held))
    print(f"{chars} characters, {len(train_ids)} tokens "
          f"({chars / len(train_ids):.2f} per token), "
          f"{len(held_ids)} held out", flush=True)

    config = model_config(args.model)
    # Torch's own attention does not cap scores, which Gemma 2 needs.
    attention = "eager" if args.model == "hearth-gemma2" else "sdpa"
    model = AutoModelForCausalLM.from_config(
        config, attn_implementation=attention, dtype=torch.float32).train()
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{args.model}: {parameters} parameters", flush=True)

    earlier = []
    if args.init:
        checkpoint = torch.load(args.init)
        model.load_state_dict(checkpoint["state"])
        earlier = checkpoint["info"]["phases"]

    matrices = [p for p in model.parameters() if p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [dict(params=matrices, weight_decay=args.weight_decay),
         dict(params=vectors, weight_decay=0.0)],
        lr=args.lr, betas=(0.9, 0.98), eps=1e-8, foreach=True)

    step_loss = torch.compile(loss_of) if args.compile else loss_of
    windows = Windows(train_ids, args.length, torch.Generator().manual_seed(args.seed))
    begin = time.monotonic()
    best, step, recent = math.inf, 0, []
    while True:
        minutes = (time.monotonic() - begin) / 60
        progress = min(1.0, max(minutes / args.minutes, step / args.steps))
        done = progress >= 1.0
        if done or (step and step % args.eval_every == 0):
            loss = held_out_loss(model, held_ids, args.length)
            print(f"step {step} minute {minutes:.1f} "
                  f"train {np.mean(recent[-200:]):.4f} held-out {loss:.4f}",
                  flush=True)
            if loss < best:
                best = loss
                phase = dict(
                    length=args.length, batch=args.batch, lr=args.lr,
                    weight_decay=args.weight_decay, seed=args.seed,
                    steps=step, minutes=round(minutes, 2),
                    tokens_seen=step * args.batch * args.length,
                    held_out_loss=round(loss, 4))
                save(run / f"{args.model}.pt", model.state_dict(),
                     dict(model=args.model, parameters=parameters,
                          train_tokens=len(train_ids),
                          held_out_tokens=len(held_ids),
                          phases=earlier + [phase]))
        if done:
            break
        rate = args.lr * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
        rate *= min(1.0, (step + 1) / args.warmup)
        for group in optimizer.param_groups:
            group["lr"] = rate
        x, y = windows.batch(args.batch)
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
            loss = step_loss(model, x, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        recent.append(loss.item())
        step += 1
        if step % 50 == 0 and step < 200:
            print(f"step {step} {np.mean(recent[-50:]):.4f} "
                  f"{(time.monotonic() - begin) / step:.3f} s/step", flush=True)
    print(json.dumps(torch.load(run / f"{args.model}.pt")["info"]), flush=True)


if __name__ == "__main__":
    main()
