#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write a trained checkpoint as a Hugging Face folder and as a GGUF file.

    export.py RUN_FOLDER OUTPUT_FOLDER --model hearth-draft

writes OUTPUT_FOLDER/MODEL/ and, of the llama architecture, OUTPUT_FOLDER/MODEL.gguf
(`hetinfer quantize --type bf16` makes the others').  All weights are first rounded to
bfloat16, so that both files hold exactly one function: the one that the reference
logits (reference.py) are computed with.
"""
import argparse
import json
import shutil
from pathlib import Path

import gguf
import numpy as np
import sentencepiece as spm
import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers
from tokenizers import processors
from transformers import AutoModelForCausalLM

import train

TITLES = {"hearth": "Hearth", "hearth-draft": "Hearth Draft"}
ROPE_THETA = 10000.0


def rounded_weights(checkpoint):
    """Name -> float32 tensor, every value one that bfloat16 can hold."""
    state = checkpoint["state"]
    return {name: tensor.to(torch.bfloat16).to(torch.float32).contiguous()
            for name, tensor in state.items() if name != "lm_head.weight"}


# --- Hugging Face folder -----------------------------------------------------

def hf_config(name):
    shape = train.SHAPES[name]
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": train.VOCAB_SIZE,
        **shape,
        "max_position_embeddings": train.MAX_POSITION,
        "rms_norm_eps": 1e-05,
        "rope_theta": ROPE_THETA,
        "rope_scaling": None,
        "hidden_act": "silu",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "initializer_range": 0.02,
        "pretraining_tp": 1,
        "use_cache": True,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "torch_dtype": "bfloat16",
    }


def merges_of(pieces):
    """The merge list that SentencePiece's BPE applies without writing it:
    each way to split a piece in two others, the best-ranked piece first."""
    rank = {piece: i for i, piece in enumerate(pieces)}
    found = []
    for piece, i in rank.items():
        pairs = [(piece[:k], piece[k:]) for k in range(1, len(piece))]
        pairs = [(a, b) for a, b in pairs if a in rank and b in rank]
        pairs.sort(key=lambda ab: (rank[ab[0]], rank[ab[1]]))
        found += [(i, a, b) for a, b in pairs]
    found.sort(key=lambda t: t[0])
    return [(a, b) for _, a, b in found]


def fast_tokenizer(sp):
    """The same tokenizer for the `tokenizers` library."""
    count = sp.vocab_size()
    vocab = {sp.id_to_piece(i): i for i in range(count)}
    normal = [sp.id_to_piece(i) for i in range(count)
              if not (sp.is_byte(i) or sp.is_control(i) or sp.is_unknown(i))]
    result = Tokenizer(models.BPE(
        vocab=vocab, merges=merges_of(normal), unk_token="<unk>",
        fuse_unk=True, byte_fallback=True))
    result.normalizer = normalizers.Sequence([
        normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    result.decoder = decoders.Sequence([
        decoders.Replace("\u2581", " "), decoders.ByteFallback(),
        decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    result.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1",
        special_tokens=[("<s>", 1)])
    result.add_special_tokens([
        AddedToken(t, special=True, normalized=False)
        for t in ("<unk>", "<s>", "</s>")])
    return result


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def write_class(name, checkpoint, folder):
    """As the class saves it, in bfloat16."""
    config = train.model_config(name)
    model = AutoModelForCausalLM.from_config(config)
    model.load_state_dict(checkpoint["state"])
    model.to(torch.bfloat16).save_pretrained(folder)
    path = folder / "config.json"
    saved = json.loads(path.read_text(encoding="utf-8"))
    saved["head_dim"] = config.head_dim  # the class of phimoe does not know that it has one
    for key in ("_name_or_path", "transformers_version"):
        saved.pop(key, None)
    write_json(path, saved)


def write_hf(name, checkpoint, weights, tokenizer_path, folder):
    folder.mkdir(parents=True, exist_ok=True)
    if name in ("hearth", "hearth-draft"):
        write_json(folder / "config.json", hf_config(name))
        save_file({k: v.to(torch.bfloat16) for k, v in weights.items()},
                  folder / "model.safetensors", metadata={"format": "pt"})
    else:
        write_class(name, checkpoint, folder)
    write_json(folder / "generation_config.json",
               {"bos_token_id": 1, "eos_token_id": 2, "do_sample": False})
    write_json(folder / "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
        "clean_up_tokenization_spaces": False,
        "model_max_length": train.MAX_POSITION,
    })
    shutil.copyfile(tokenizer_path, folder / "tokenizer.model")
    sp = spm.SentencePieceProcessor(str(tokenizer_path))
    fast_tokenizer(sp).save(str(folder / "tokenizer.json"), pretty=False)


# --- GGUF --------------------------------------------------------------------

GGUF_LAYER_NAMES = {
    "input_layernorm.weight": "attn_norm.weight",
    "self_attn.q_proj.weight": "attn_q.weight",
    "self_attn.k_proj.weight": "attn_k.weight",
    "self_attn.v_proj.weight": "attn_v.weight",
    "self_attn.o_proj.weight": "attn_output.weight",
    "post_attention_layernorm.weight": "ffn_norm.weight",
    "mlp.gate_proj.weight": "ffn_gate.weight",
    "mlp.up_proj.weight": "ffn_up.weight",
    "mlp.down_proj.weight": "ffn_down.weight",
}


def gguf_name(name):
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    _, _, layer, rest = name.split(".", 3)
    return f"blk.{layer}.{GGUF_LAYER_NAMES[rest]}"


def interleave_rows(weight, heads):
    """Reorder the rows of a query or key projection for rotation of adjacent
    pairs, as GGUF's llama architecture stores them: row i of a head's first
    half goes to 2i and row i of its second half to 2i + 1."""
    rows, columns = weight.shape
    half = rows // heads // 2
    return np.ascontiguousarray(
        weight.reshape(heads, 2, half, columns).swapaxes(1, 2)
        .reshape(rows, columns))


def bf16_bytes(array):
    """float32 values that bfloat16 can hold, as bfloat16's bytes."""
    bits = np.ascontiguousarray(array, dtype=np.float32).view(np.uint32)
    assert not np.any(bits & 0xFFFF)
    halves = (bits >> 16).astype(np.uint16)
    return halves.view(np.uint8).reshape(*array.shape[:-1], -1)


def token_type(sp, i):
    if sp.is_unknown(i):
        return gguf.TokenType.UNKNOWN
    if sp.is_control(i):
        return gguf.TokenType.CONTROL
    if sp.is_byte(i):
        return gguf.TokenType.BYTE
    return gguf.TokenType.NORMAL


def write_gguf(name, weights, tokenizer_path, path):
    shape = train.SHAPES[name]
    parameters = sum(w.numel() for w in weights.values())
    out = gguf.GGUFWriter(path, "llama")
    out.add_type("model")
    out.add_name(TITLES[name])
    out.add_basename("hearth")
    out.add_size_label(f"{parameters / 1e6:.1f}M")
    out.add_license("apache-2.0")
    out.add_description("Small English prose model, trained from scratch on "
                        "public-domain novels")
    out.add_languages(["en"])
    out.add_tags(["text-generation"])
    out.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)
    out.add_quantization_version(gguf.GGML_QUANT_VERSION)

    out.add_context_length(train.MAX_POSITION)
    out.add_embedding_length(shape["hidden_size"])
    out.add_block_count(shape["num_hidden_layers"])
    out.add_feed_forward_length(shape["intermediate_size"])
    out.add_head_count(shape["num_attention_heads"])
    out.add_head_count_kv(shape["num_key_value_heads"])
    out.add_key_length(shape["head_dim"])
    out.add_value_length(shape["head_dim"])
    out.add_layer_norm_rms_eps(1e-5)
    out.add_rope_dimension_count(shape["head_dim"])
    out.add_rope_freq_base(ROPE_THETA)
    out.add_vocab_size(train.VOCAB_SIZE)

    sp = spm.SentencePieceProcessor(str(tokenizer_path))
    ids = range(sp.vocab_size())
    out.add_tokenizer_model("llama")
    out.add_tokenizer_pre("default")
    out.add_token_list([sp.id_to_piece(i).encode("utf-8") for i in ids])
    out.add_token_scores([sp.get_score(i) for i in ids])
    out.add_token_types([int(token_type(sp, i)) for i in ids])
    out.add_bos_token_id(sp.bos_id())
    out.add_eos_token_id(sp.eos_id())
    out.add_unk_token_id(sp.unk_id())
    out.add_add_bos_token(True)
    out.add_add_eos_token(False)
    out.add_add_space_prefix(True)

    for key, tensor in weights.items():
        array = tensor.numpy()
        if key.endswith("q_proj.weight"):
            array = interleave_rows(array, shape["num_attention_heads"])
        elif key.endswith("k_proj.weight"):
            array = interleave_rows(array, shape["num_key_value_heads"])
        if array.ndim == 1:
            out.add_tensor(gguf_name(key), array)
        else:
            out.add_tensor(gguf_name(key), bf16_bytes(array),
                           raw_dtype=gguf.GGMLQuantizationType.BF16)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", help="folder that train.py wrote")
    parser.add_argument("output", help="folder for the exported models")
    parser.add_argument("--model", choices=train.SHAPES, default="hearth")
    args = parser.parse_args()

    run, output = Path(args.run), Path(args.output)
    output.mkdir(parents=True, exist_ok=True)
    checkpoint = torch.load(run / f"{args.model}.pt", map_location="cpu")
    weights = rounded_weights(checkpoint)
    tokenizer = run / "tokenizer.model"
    write_hf(args.model, checkpoint, weights, tokenizer, output / args.model)
    if args.model in TITLES:
        write_gguf(args.model, weights, tokenizer, output / f"{args.model}.gguf")
    print(json.dumps(checkpoint["info"], indent=2))


if __name__ == "__main__":
    main()
