# SPDX-License-Identifier: Apache-2.0
"""A llama-architecture forward pass in NumPy, straight from a GGUF file.

It shares nothing with export.py and the transformers library but the file, so
that an error in the exported metadata or in the order of the rows shows.
"""
import gguf
import numpy as np


def _scalar(reader, key):
    return reader.get_field(key).contents()


def _array(tensor):
    """A tensor as a float64 array in row-major order."""
    shape = [int(n) for n in reversed(tensor.shape)]
    if tensor.tensor_type == gguf.GGMLQuantizationType.F32:
        return np.asarray(tensor.data, dtype=np.float64).reshape(shape)
    if tensor.tensor_type == gguf.GGMLQuantizationType.BF16:
        raw = np.ascontiguousarray(tensor.data).view(np.uint8).view(np.uint16)
        bits = raw.astype(np.uint32) << 16
        return bits.view(np.float32).astype(np.float64).reshape(shape)
    raise ValueError(f"{tensor.name}: unexpected type {tensor.tensor_type}")


def _normalise(x, weight, eps):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * weight


def _rotate(x, base, count):
    """Rotary embedding of adjacent pairs; x is (positions, heads, size)."""
    frequency = base ** (-np.arange(0, count, 2) / count)
    angle = np.arange(x.shape[0])[:, None, None] * frequency
    cos, sin = np.cos(angle), np.sin(angle)
    even, odd = x[..., 0:count:2], x[..., 1:count:2]
    out = x.copy()
    out[..., 0:count:2] = even * cos - odd * sin
    out[..., 1:count:2] = even * sin + odd * cos
    return out


def logits(path, ids):
    """float64 logits for every position of ids: (positions, vocabulary)."""
    reader = gguf.GGUFReader(path)
    assert _scalar(reader, "general.architecture") == "llama"
    layers = _scalar(reader, "llama.block_count")
    heads = _scalar(reader, "llama.attention.head_count")
    kv_heads = _scalar(reader, "llama.attention.head_count_kv")
    size = _scalar(reader, "llama.attention.key_length")
    eps = _scalar(reader, "llama.attention.layer_norm_rms_epsilon")
    base = _scalar(reader, "llama.rope.freq_base")
    count = _scalar(reader, "llama.rope.dimension_count")
    w = {t.name: _array(t) for t in reader.tensors}

    n = len(ids)
    x = w["token_embd.weight"][ids]
    future = np.triu(np.full((n, n), -np.inf), 1)
    for i in range(layers):
        def weight(part, block=f"blk.{i}."):
            return w[block + part + ".weight"]

        h = _normalise(x, weight("attn_norm"), eps)
        q = (h @ weight("attn_q").T).reshape(n, heads, size)
        k = (h @ weight("attn_k").T).reshape(n, kv_heads, size)
        v = (h @ weight("attn_v").T).reshape(n, kv_heads, size)
        q, k = _rotate(q, base, count), _rotate(k, base, count)
        k = np.repeat(k, heads // kv_heads, axis=1)
        v = np.repeat(v, heads // kv_heads, axis=1)
        score = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(size) + future
        score = np.exp(score - score.max(-1, keepdims=True))
        score /= score.sum(-1, keepdims=True)
        mixed = np.einsum("hqk,khd->qhd", score, v).reshape(n, heads * size)
        x = x + mixed @ weight("attn_output").T

        h = _normalise(x, weight("ffn_norm"), eps)
        gate = h @ weight("ffn_gate").T
        up = h @ weight("ffn_up").T
        x = x + (gate / (1 + np.exp(-gate)) * up) @ weight("ffn_down").T
    x = _normalise(x, w["output_norm.weight"], eps)
    head = w.get("output.weight", w["token_embd.weight"])
    return x @ head.T
