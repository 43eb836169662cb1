#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tiny models of random weights of the authors' own classes, with their logits.

    families.py OUTPUT_FOLDER [NAME ...]

writes for each family FAMILY.gguf, FAMILY.config.json (what the class saves) and
FAMILY.npy: float32 [positions, vocabulary], the logits of transformers in F32 with
eager attention for the ids (i * 37 + 11) mod (vocabulary - 8). Matrices hold values
that bfloat16 can, vectors are F32, so that both programs compute with the same
numbers. Sizes are odd, heads are not width / heads, and there are three times as
many positions as a sliding window has. Weights are drawn from a fixed seed.

Needs torch, transformers 5.23 and gguf; the committed files were made with these.
"""
import json
import math
import sys
from pathlib import Path

import gguf
import numpy as np
import torch

POSITIONS = 50
WINDOW = 16
VOCABULARY = 96


# --- the classes -------------------------------------------------------------

SIZES = dict(vocab_size=VOCABULARY, num_attention_heads=4, num_key_value_heads=2,
             max_position_embeddings=128)


def gemma():
    from transformers.models.gemma import GemmaConfig, GemmaForCausalLM
    return GemmaForCausalLM(GemmaConfig(
        **SIZES, hidden_size=40, intermediate_size=56, num_hidden_layers=3, head_dim=12,
        hidden_activation="gelu_pytorch_tanh"))


def gemma2():
    from transformers.models.gemma2 import Gemma2Config, Gemma2ForCausalLM
    return Gemma2ForCausalLM(Gemma2Config(
        **SIZES, hidden_size=40, intermediate_size=56, num_hidden_layers=4, head_dim=12,
        sliding_window=WINDOW, query_pre_attn_scalar=12, attn_logit_softcapping=2.0,
        final_logit_softcapping=20.0))


def gemma3():
    from transformers.models.gemma3 import Gemma3ForCausalLM, Gemma3TextConfig
    return Gemma3ForCausalLM(Gemma3TextConfig(
        **SIZES, hidden_size=32, intermediate_size=44, num_hidden_layers=7, head_dim=12,
        sliding_window=WINDOW, query_pre_attn_scalar=12))


def gemma3n():
    from transformers.models.gemma3n import Gemma3nForCausalLM, Gemma3nTextConfig
    return Gemma3nForCausalLM(Gemma3nTextConfig(
        **SIZES, vocab_size_per_layer_input=VOCABULARY - 6, hidden_size=24,
        hidden_size_per_layer_input=8, laurel_rank=6,
        intermediate_size=[28, 36] * 5, num_hidden_layers=10, head_dim=8,
        num_kv_shared_layers=5, sliding_window=WINDOW,
        activation_sparsity_pattern=[0.95] * 2 + [0.5] + [0.0] * 7))


def phimoe(longrope=False):
    from transformers.models.phimoe import PhimoeConfig, PhimoeForCausalLM
    more = dict()
    if longrope:
        factors = [round(1 + 0.17 * i, 3) for i in range(6)]
        more["rope_parameters"] = dict(
            rope_type="longrope", rope_theta=10000.0, short_factor=factors,
            long_factor=[2 * f for f in factors], short_mscale=1.1875, long_mscale=1.1875,
            original_max_position_embeddings=64)
    config = PhimoeConfig(
        **SIZES, hidden_size=40, intermediate_size=24, num_hidden_layers=2,
        num_local_experts=6, sliding_window=WINDOW, attention_bias=True, lm_head_bias=True,
        **more)
    config.head_dim = 12
    return PhimoeForCausalLM(config)


def mixtral():
    from transformers.models.mixtral import MixtralConfig, MixtralForCausalLM
    return MixtralForCausalLM(MixtralConfig(
        **SIZES, hidden_size=40, intermediate_size=24, num_hidden_layers=2, head_dim=12,
        num_local_experts=4))


def qwen3moe():
    from transformers.models.qwen3_moe import Qwen3MoeConfig, Qwen3MoeForCausalLM
    return Qwen3MoeForCausalLM(Qwen3MoeConfig(
        **SIZES, hidden_size=40, intermediate_size=24, moe_intermediate_size=20,
        num_hidden_layers=2, head_dim=12, num_experts=8, num_experts_per_tok=3,
        norm_topk_prob=True))


def smollm3(**more):
    from transformers.models.smollm3 import SmolLM3Config, SmolLM3ForCausalLM
    config = SmolLM3Config(
        **SIZES, hidden_size=24, intermediate_size=36, num_hidden_layers=5, pad_token_id=0,
        **more)
    config.head_dim = 10
    return SmolLM3ForCausalLM(config)


# name -> class, GGUF architecture, whether GGUF stores norm weights plus one
FAMILIES = {
    "gemma": (gemma, "gemma", True),
    "gemma2": (gemma2, "gemma2", True),
    "gemma3": (gemma3, "gemma3", True),
    "gemma3n": (gemma3n, "gemma3n", False),
    "mixtral": (mixtral, "llama", False),
    "phimoe": (phimoe, "phimoe", False),
    "phimoe-longrope": (lambda: phimoe(True), "phimoe", False),
    "qwen3moe": (qwen3moe, "qwen3moe", False),
    "smollm3": (smollm3, "smollm3", False),
}


# --- weights -----------------------------------------------------------------

def draw(model, shifted):
    """Random weights: strong enough that softmax, caps and routers matter."""
    generator = torch.Generator().manual_seed(20)
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        if p.dim() == 1:
            centre = 0.0 if shifted or name.endswith("bias") else 1.0
            values = centre + 0.2 * noise
        elif "embed_tokens" in name:
            values = noise
        elif "altup.p" in name or "altup.correction" in name:
            values = 0.3 * noise
        else:
            values = noise * 1.3 / math.sqrt(p.shape[-1])
        if p.dim() > 1:
            values = values.to(torch.bfloat16).to(torch.float32)
        p.data.copy_(values)


# --- GGUF --------------------------------------------------------------------

LAYER_NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "mlp.router": "ffn_gate_inp", "mlp.gate": "ffn_gate_inp",
    "input_layernorm": "attn_norm",
    "altup.correction_coefs": "altup_correct_coef",
    "altup.prediction_coefs": "altup_predict_coef",
    "altup.modality_router": "altup_router", "altup.router_norm": "altup_router_norm",
    "laurel.linear_left": "laurel_l", "laurel.linear_right": "laurel_r",
    "laurel.post_laurel_norm": "laurel_post_norm",
    "per_layer_input_gate": "inp_gate", "per_layer_projection": "proj",
    "post_per_layer_input_norm": "post_norm",
}
FOUR_NORMS = {
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm",
}
NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    "model.embed_tokens_per_layer": "per_layer_token_embd",
    "model.per_layer_model_projection": "per_layer_model_proj",
    "model.per_layer_projection_norm": "per_layer_proj_norm",
}


def interleave(w, heads):
    """Rows of q and k for rotation in neighbouring pairs, as GGUF's llama has them."""
    rows, columns = w.shape
    return (w.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2)
            .reshape(rows, columns))


def tensors(model, arch, shifted):
    """(GGUF name, float32 array) of every weight."""
    config = model.config
    state = {k: v.numpy() for k, v in model.state_dict().items()}
    four = "model.layers.0.pre_feedforward_layernorm.weight" in state
    for stack, target in (("altup_projections", "altup_proj"),
                          ("altup_unembed_projections", "altup_unembd_proj")):
        parts = [state.pop(k) for k in sorted(state) if k.startswith(f"model.{stack}.")]
        if parts:
            yield f"{target}.weight", np.stack(parts)
    for key, w in state.items():
        if key == "lm_head.weight" and config.tie_word_embeddings:
            continue
        if "rotary" in key or "embed_scale" in key:
            continue
        if not key.startswith("model.layers."):
            base, kind = key.rsplit(".", 1)
            if base == "model.norm" and shifted:
                w = w + 1
            yield f"{NAMES[base]}.{kind}", w
            continue
        _, _, layer, rest = key.split(".", 3)
        prefix = f"blk.{layer}."
        if rest == "altup.correct_output_scale":
            yield prefix + "altup_correct_scale.weight", w
        elif rest == "mlp.experts.gate_up_proj":
            half = w.shape[1] // 2
            yield prefix + "ffn_gate_exps.weight", w[:, :half]
            yield prefix + "ffn_up_exps.weight", w[:, half:]
        elif rest == "mlp.experts.down_proj":
            yield prefix + "ffn_down_exps.weight", w
        else:
            base, kind = rest.rsplit(".", 1)
            if shifted and "norm" in base:
                w = w + 1
            if arch in ("llama", "smollm3") and base == "self_attn.q_proj":
                w = interleave(w, config.num_attention_heads)
            if arch in ("llama", "smollm3") and base == "self_attn.k_proj":
                w = interleave(w, config.num_key_value_heads)
            name = FOUR_NORMS.get(base) if four else None
            if not name and base == "post_attention_layernorm":
                name = "ffn_norm"
            yield f"{prefix}{name or LAYER_NAMES[base]}.{kind}", w


def bf16(array):
    bits = np.ascontiguousarray(array, dtype=np.float32).view(np.uint32)
    assert not np.any(bits & 0xFFFF)
    return (bits >> 16).astype(np.uint16).view(np.uint8).reshape(*array.shape[:-1], -1)


def write_metadata(out, config, arch):
    head = config.head_dim
    out.add_context_length(config.max_position_embeddings)
    out.add_embedding_length(config.hidden_size)
    out.add_block_count(config.num_hidden_layers)
    out.add_feed_forward_length(config.intermediate_size)
    out.add_head_count(config.num_attention_heads)
    out.add_head_count_kv(config.num_key_value_heads)
    out.add_key_length(head)
    out.add_value_length(head)
    out.add_layer_norm_rms_eps(config.rms_norm_eps)
    out.add_rope_dimension_count(head)
    rope = config.rope_parameters
    out.add_rope_freq_base(rope.get("full_attention", rope)["rope_theta"])
    if getattr(config, "sliding_window", None) and arch not in ("qwen3moe", "llama"):
        out.add_sliding_window(config.sliding_window)
    if getattr(config, "attn_logit_softcapping", None):
        out.add_attn_logit_softcapping(config.attn_logit_softcapping)
    if getattr(config, "final_logit_softcapping", None):
        out.add_final_logit_softcapping(config.final_logit_softcapping)
    experts = getattr(config, "num_local_experts", 0) or getattr(config, "num_experts", 0)
    if experts:
        out.add_expert_count(experts)
        out.add_expert_used_count(config.num_experts_per_tok)
    if arch == "qwen3moe":
        out.add_expert_feed_forward_length(config.moe_intermediate_size)
    if rope.get("rope_type") == "longrope":
        out.add_rope_scaling_type(gguf.RopeScalingType.LONGROPE)
        out.add_rope_scaling_attn_factors(rope["short_mscale"])
        out.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
        out.add_tensor("rope_factors_short.weight",
                       np.array(rope["short_factor"], dtype=np.float32))
        out.add_tensor("rope_factors_long.weight",
                       np.array(rope["long_factor"], dtype=np.float32))
    if arch == "gemma3n":
        normal = torch.distributions.normal.Normal(0, 1)
        share = torch.tensor(config.activation_sparsity_pattern)
        out.add_activation_sparsity_scale([float(v) for v in normal.icdf(share)])
        out.add_altup_active_idx(config.altup_active_idx)
        out.add_altup_num_inputs(config.altup_num_inputs)
        out.add_embedding_length_per_layer_input(config.hidden_size_per_layer_input)
        out.add_shared_kv_layers(config.num_kv_shared_layers)
        out.add_sliding_window_pattern(
            [t == "sliding_attention" for t in config.layer_types])


def write_gguf(model, arch, shifted, path):
    out = gguf.GGUFWriter(path, arch)
    out.add_name(path.stem)
    write_metadata(out, model.config, arch)
    for name, w in tensors(model, arch, shifted):
        if w.ndim == 1 or "ffn_gate_inp" in name:
            out.add_tensor(name, np.ascontiguousarray(w, dtype=np.float32))
        else:
            out.add_tensor(name, bf16(w), raw_dtype=gguf.GGMLQuantizationType.BF16)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


# --- logits ------------------------------------------------------------------

def make(name, folder):
    build, arch, shifted = FAMILIES[name]
    torch.manual_seed(1)
    model = build().eval().to(torch.float32)
    model.set_attn_implementation("eager")
    with torch.no_grad():
        draw(model, shifted)
        model.tie_weights()
        ids = [(i * 37 + 11) % (VOCABULARY - 8) for i in range(POSITIONS)]
        logits = model(torch.tensor([ids]), use_cache=False).logits[0]
        write_gguf(model, arch, shifted, folder / f"{name}.gguf")
    np.save(folder / f"{name}.npy", logits.numpy().astype("<f4"))
    config = json.loads(model.config.to_json_string(use_diff=False))
    if getattr(model.config, "head_dim", None):
        config["head_dim"] = model.config.head_dim
    keys = sorted(k for k in config if not k.startswith("_") and "token" not in k
                  or k == "num_experts_per_tok")
    text = json.dumps({k: config[k] for k in keys}, indent=1)
    (folder / f"{name}.config.json").write_text(text + "\n", encoding="utf-8")
    print(f"{name:16} {sum(p.numel() for p in model.parameters()):7} parameters, logits "
          f"{float(logits.min()):.2f} to {float(logits.max()):.2f}, spread between rows "
          f"{float(logits.std(0).mean()):.3f}")


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or FAMILIES:
        make(name, folder)


if __name__ == "__main__":
    main()
