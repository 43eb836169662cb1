#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tiny models whose rotation is scaled, with their logits beyond the context they were made for.

    turns.py OUTPUT_FOLDER [NAME ...]

writes OUTPUT_FOLDER/NAME/ as the model's class saves it, and in it float32 [positions, vocabulary]:

    whole.npy   logits of all positions at once
    short.npy   of as many as the original context has, at once
    single.npy  token by token with the cache (where that is neither of the two)
    chunks.npy  in the parts CHUNKS with the cache (likewise)

longrope turns by the length of the sequence: its own generate() computes all keys anew at the
step that crosses the original context, so token by token gives the rows of short.npy and, behind
them, of whole.npy. With dynamic scaling cached keys stay as they were turned when they were read:
each way of reading has logits of its own.

transformers 5.23's PhimoeRotaryEmbedding asks for its frequencies without the length and so never
has the long ones; Microsoft's modeling_phimoe.py, and transformers before, ask with it. The class
is corrected here to what they compute.

Needs what families.py needs.
"""
import shutil
import sys
from pathlib import Path

import numpy as np
import torch

import families

POSITIONS = 56
CHUNKS = (5, 29, 1, 8, 13)
ORIGINAL = 32
VOCABULARY = 64
SIZES = dict(vocab_size=VOCABULARY, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, hidden_size=24, intermediate_size=40)


def factors(count, scale):
    return [round(scale * (1 + 0.21 * i), 3) for i in range(count)]


def llama(**rope):
    from transformers.models.llama import LlamaConfig, LlamaForCausalLM
    return LlamaForCausalLM(LlamaConfig(
        **SIZES, head_dim=12, max_position_embeddings=rope.pop("context", 128),
        rope_parameters=dict(rope_theta=100.0, **rope)))


def qwen2_yarn():
    from transformers.models.qwen2 import Qwen2Config, Qwen2ForCausalLM
    return Qwen2ForCausalLM(Qwen2Config(
        **SIZES, max_position_embeddings=ORIGINAL, tie_word_embeddings=True,
        rope_parameters=dict(rope_type="yarn", rope_theta=500.0, factor=3.0, beta_fast=4,
                             beta_slow=0.5, original_max_position_embeddings=ORIGINAL,
                             attention_factor=0.9)))


def phi3():
    from transformers.models.phi3 import Phi3Config, Phi3ForCausalLM
    return Phi3ForCausalLM(Phi3Config(
        **SIZES, max_position_embeddings=128, pad_token_id=0, sliding_window=None,
        original_max_position_embeddings=ORIGINAL,
        rope_parameters=dict(rope_type="longrope", rope_theta=100.0,
                             short_factor=factors(3, 1), long_factor=factors(3, 2.5))))


def by_length(rotary):
    """What Microsoft's class computes: frequencies and magnitude of the sequence's length."""
    config, init = rotary.config, rotary.rope_init_fn

    def forward(x, position_ids=None):
        rope, length = config.rope_parameters, int(position_ids.max()) + 1
        is_long = length > rope["original_max_position_embeddings"]
        frequency, _ = init(config, None, seq_len=length)
        angles = position_ids[..., None].float() * frequency
        angles = torch.cat((angles, angles), dim=-1)
        scale = rope["long_mscale" if is_long else "short_mscale"]
        return (angles.cos() * scale).to(x.dtype), (angles.sin() * scale).to(x.dtype)

    rotary.forward = forward


def phimoe():
    from transformers.models.phimoe import PhimoeConfig, PhimoeForCausalLM
    config = PhimoeConfig(
        **SIZES, max_position_embeddings=128, num_local_experts=4, attention_bias=True,
        lm_head_bias=True, sliding_window=20,
        rope_parameters=dict(rope_type="longrope", rope_theta=100.0,
                             short_factor=factors(5, 1), long_factor=factors(5, 2),
                             short_mscale=1.1875, long_mscale=1.3125,
                             original_max_position_embeddings=ORIGINAL))
    config.head_dim = 10
    model = PhimoeForCausalLM(config)
    by_length(model.model.rotary_emb)
    return model


YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=ORIGINAL)
BUILDERS = {
    "llama-dynamic": lambda: llama(rope_type="dynamic", factor=2.0, context=ORIGINAL),
    "llama-linear": lambda: llama(rope_type="linear", factor=2.5),
    "llama-yarn": lambda: llama(**YARN),
    "phi3-longrope": phi3,
    "phimoe-longrope": phimoe,
    "qwen2-yarn": qwen2_yarn,
}


def ids(count):
    return torch.tensor([[(i * 37 + 11) % (VOCABULARY - 8) for i in range(count)]])


def at_once(build, count):
    return build()(ids(count), use_cache=False).logits[0].numpy().astype("<f4")


def in_parts(build, parts):
    model, cache, rows, at = build(), None, [], 0
    for n in parts:
        result = model(ids(POSITIONS)[:, at:at + n], past_key_values=cache, use_cache=True)
        cache, at = result.past_key_values, at + n
        rows.append(result.logits[0])
    return torch.cat(rows).numpy().astype("<f4")


def make(name, folder):
    def build():  # anew: classes remember the longest sequence that they have seen
        torch.manual_seed(1)
        model = BUILDERS[name]().eval().to(torch.float32)
        model.set_attn_implementation("eager")
        families.draw(model, False)
        model.tie_weights()
        return model

    shutil.rmtree(folder, ignore_errors=True)
    with torch.no_grad():
        whole = at_once(build, POSITIONS)
        short = at_once(build, ORIGINAL)
        tables = dict(whole=whole)
        if np.abs(whole[:ORIGINAL] - short).max() > 1e-3:
            tables["short"] = short
        if name == "llama-dynamic":
            tables["single"] = in_parts(build, [1] * POSITIONS)
            tables["chunks"] = in_parts(build, CHUNKS)
        model = build()
        for p in model.parameters():
            if p.dim() > 1:
                p.data = p.data.to(torch.bfloat16)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    for key, table in tables.items():
        np.save(folder / f"{key}.npy", table)
    print(f"{name:16} {', '.join(tables)}: logits {whole.min():.2f} to {whole.max():.2f}, "
          f"short differs by {np.abs(whole[:ORIGINAL] - short).max():.3f}")


def main():
    folder = Path(sys.argv[1])
    for name in sys.argv[2:] or BUILDERS:
        make(name, folder / name)


if __name__ == "__main__":
    main()
