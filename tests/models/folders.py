#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The tiny models of families.py, and some more, as their classes save them.

    folders.py OUTPUT_FOLDER [--forms FORM,...] [NAME ...]

writes for each family OUTPUT_FOLDER/NAME/ with config.json, safetensors and logits.npy
(float32 [positions, vocabulary], the logits of transformers in F32 with eager attention
for the ids of families.py). Forms, in folders NAME-FORM unless it is the first:

    mixed    matrices BF16, vectors F32: the numbers of families.py
    f32      all F32
    bf16     all BF16, logits of the rounded numbers
    sharded  as mixed, in several files with an index

tests/models/reference/folders holds the form "mixed"; where families.py has logits of the
same numbers they are not stored twice. Needs what families.py needs.
"""
import argparse
import shutil
from pathlib import Path

import numpy as np
import torch

import families
from families import POSITIONS, SIZES, VOCABULARY, WINDOW


def llama():
    from transformers.models.llama import LlamaConfig, LlamaForCausalLM
    return LlamaForCausalLM(LlamaConfig(
        **SIZES, hidden_size=40, intermediate_size=56, num_hidden_layers=2, head_dim=12,
        attention_bias=True, rms_norm_eps=1e-5,
        rope_parameters=dict(rope_type="llama3", rope_theta=500.0, factor=8.0,
                             low_freq_factor=1.0, high_freq_factor=4.0,
                             original_max_position_embeddings=32)))


def mistral():
    from transformers.models.mistral import MistralConfig, MistralForCausalLM
    return MistralForCausalLM(MistralConfig(
        **SIZES, hidden_size=24, intermediate_size=40, num_hidden_layers=2, head_dim=8,
        sliding_window=WINDOW))


def phi3(longrope=False):
    from transformers.models.phi3 import Phi3Config, Phi3ForCausalLM
    more = dict()
    if longrope:
        factors = [round(1 + 0.13 * i, 3) for i in range(4)]
        more = dict(original_max_position_embeddings=64, rope_parameters=dict(
            rope_type="longrope", rope_theta=10000.0, short_factor=factors,
            long_factor=[3 * f for f in factors]))
    return Phi3ForCausalLM(Phi3Config(
        **SIZES, hidden_size=32, intermediate_size=44, num_hidden_layers=2, pad_token_id=0,
        sliding_window=None if longrope else WINDOW, **more))


def qwen2():
    from transformers.models.qwen2 import Qwen2Config, Qwen2ForCausalLM
    return Qwen2ForCausalLM(Qwen2Config(
        **SIZES, hidden_size=32, intermediate_size=44, num_hidden_layers=3,
        tie_word_embeddings=True))


def qwen3():
    from transformers.models.qwen3 import Qwen3Config, Qwen3ForCausalLM
    return Qwen3ForCausalLM(Qwen3Config(
        **SIZES, hidden_size=32, intermediate_size=44, num_hidden_layers=2, head_dim=12))


BUILDERS = {name: (entry[0], entry[2]) for name, entry in families.FAMILIES.items()}
BUILDERS.update({
    "llama": (llama, False),
    "mistral": (mistral, False),
    "phi3": (phi3, False),
    "phi3-longrope": (lambda: phi3(True), False),
    "qwen2": (qwen2, False),
    "qwen3": (qwen3, False),
    "smollm3-listed": (lambda: families.smollm3(
        no_rope_layers=[0, 1, 1, 0, 1], use_sliding_window=True, sliding_window=WINDOW,
        attention_bias=True), False),
})


def logits_of(model):
    ids = [(i * 37 + 11) % (VOCABULARY - 8) for i in range(POSITIONS)]
    return model(torch.tensor([ids]), use_cache=False).logits[0].numpy().astype("<f4")


def convert(model, form):
    """Types of the stored parameters; the model is of no further use."""
    for p in model.parameters():
        if form == "bf16" or (form != "f32" and p.dim() > 1):
            p.data = p.data.to(torch.bfloat16)


def make(name, form, folder):
    build, shifted = BUILDERS[name]
    torch.manual_seed(1)
    model = build().eval().to(torch.float32)
    model.set_attn_implementation("eager")
    shutil.rmtree(folder, ignore_errors=True)
    with torch.no_grad():
        families.draw(model, shifted)
        model.tie_weights()
        if form == "bf16":
            for p in model.parameters():
                p.data = p.data.to(torch.bfloat16).to(torch.float32)
        logits = logits_of(model)
        convert(model, form)
    model.save_pretrained(folder, max_shard_size=40000 if form == "sharded" else "1GB")
    np.save(folder / "logits.npy", logits)
    (folder / "generation_config.json").unlink(missing_ok=True)
    print(f"{folder.name:24} logits {logits.min():.2f} to {logits.max():.2f}, "
          f"{sum(f.stat().st_size for f in folder.iterdir())} bytes")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("output", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--forms", default="mixed")
    args = parser.parse_args()
    for name in args.names or BUILDERS:
        for form in args.forms.split(","):
            make(name, form, args.output / (name if form == "mixed" else f"{name}-{form}"))


if __name__ == "__main__":
    main()
