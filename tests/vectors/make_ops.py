#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write ops.h and its parts: inputs and expected outputs of every operation, for
tests/unit/test_ops.c.

    python3 make_ops.py FOLDER

Expectations are NumPy float64 formulas over whole arrays: dense attention with a mask instead of
pages, rotation as complex multiplication, block formats unpacked as arrays. Inputs are multiples
of 1/16, so they are the same number in every type that holds them."""
import math
import sys

import numpy as np

import vector_files

rng = np.random.default_rng(20240607)
arrays, cases = {}, []
F32, F16, BF16, I32 = "F32", "F16", "BF16", "I32"
T, B, R, P, PAGES = "TOKENS", "SEQUENCES", "ROWS", "PAGES", "STATE_PAGES"


def uniform(*shape, scale=2.0):
    return np.round(rng.uniform(-scale, scale, shape) * 16) / 16


# ---- C text ----

def number(x):
    if math.isinf(x):
        return "INFINITY" if x > 0 else "-INFINITY"
    return "%.9g" % x


def exact(x):
    """A float in a float's initialiser: the suffix where the text as a double is not a float."""
    text = number(x)
    return text + "f" if "e" in text and math.isfinite(x) else text


def array(values, ctype):
    values = np.asarray(values).ravel()
    name = "v%d" % len(arrays)
    write = {"float": exact, "double": number}.get(ctype, lambda v: str(int(v)))
    texts = [write(float(v)) for v in values]
    lines, line = [], "   "
    for text in texts:
        if len(line) + len(text) + 2 > 100:
            lines.append(line)
            line = "   "
        line += " " + text + ","
    lines.append(line)
    arrays[name] = "static const %s %s[] = {\n%s\n};" % (ctype, name, "\n".join(lines))
    return name


def extents(shape):
    """Each extent is a number, or a symbol."""
    texts = ["S(%s)" % e if isinstance(e, str) else "N(%d)" % e for e in shape]
    return "%d, { %s }" % (len(texts), ", ".join(texts))


def raw(values, dtype):
    values = np.asarray(values)
    if dtype == F32:
        return array(values, "float")
    if dtype == F16:
        return array(values.astype(np.float16).view(np.uint16), "uint16_t")
    if dtype == BF16:
        return array(values.astype(np.float32).view(np.uint32) >> 16, "uint16_t")
    if dtype == I32:
        return array(values, "int32_t")
    return array(values, "uint8_t")


def tensor(kind, dtype, shape, values, after=None):
    return "%s(%s, %s, %s, %s)" % (kind, dtype, raw(values, dtype),
                                   "NULL" if after is None else array(after, "double"),
                                   extents(shape))


def given(values, shape, dtype=F32):
    return tensor("INPUT", dtype, shape, values)


def const(values, dtype=F32, shape=None):
    return tensor("CONST", dtype, shape or np.shape(values), values)


ABSENT = "ABSENT"


def case(name, op, attrs, symbols, inputs, outputs, tolerance=1e-6):
    syms = ", ".join("[HET__SYM_%s] = %d" % kv for kv in symbols.items())
    outs = ", ".join("{ %s, %s }" % (extents(s), array(v, "double")) for v, s in outputs)
    cases.append(
        "    { .name = \"%s\", .op = HET__OP_%s, .tolerance = %g,\n      .attrs = { %s },\n"
        "      .symbols = { %s },\n      .input_count = %d,\n      .inputs = { %s },\n"
        "      .output_count = %d,\n      .outputs = { %s } },"
        % (name, op, tolerance, attrs, syms, len(inputs), ",\n                  ".join(inputs),
           len(outputs), outs))


def single(x):
    """A float attribute: the nearest float, which may not be the decimal text as a double."""
    return "(float)" + number(x)


# ---- block formats: random bytes and what they mean ----

def halves(count, scale):
    return (rng.uniform(0.25, 1.0, count) * scale).astype(np.float16)


def blocks_q8_0(rows, columns):
    n = rows * columns // 32
    d, q = halves(n, 0.02), rng.integers(-127, 128, (n, 32)).astype(np.int8)
    data = np.hstack([d.view(np.uint8).reshape(n, 2), q.view(np.uint8)])
    return data, (d.astype(np.float64)[:, None] * q).reshape(rows, columns)


def blocks_q4_0(rows, columns):
    n = rows * columns // 32
    d, q = halves(n, 0.2), rng.integers(0, 256, (n, 16)).astype(np.uint8)
    data = np.hstack([d.view(np.uint8).reshape(n, 2), q])
    codes = np.concatenate([q & 15, q >> 4], axis=1).astype(np.float64) - 8
    return data, (d.astype(np.float64)[:, None] * codes).reshape(rows, columns)


def blocks_q4_k(rows, columns):
    n = rows * columns // 256
    d, dmin = halves(n, 0.01), halves(n, 0.01)
    scale, low = rng.integers(0, 64, (n, 8)), rng.integers(0, 64, (n, 8))
    packed = np.zeros((n, 12), np.uint8)
    packed[:, 0:4] = scale[:, :4] | (scale[:, 4:] >> 4) << 6
    packed[:, 4:8] = low[:, :4] | (low[:, 4:] >> 4) << 6
    packed[:, 8:12] = (scale[:, 4:] & 15) | (low[:, 4:] & 15) << 4
    code = rng.integers(0, 16, (n, 4, 2, 32))
    q = (code[:, :, 0] | code[:, :, 1] << 4).astype(np.uint8).reshape(n, 128)
    data = np.hstack([d.view(np.uint8).reshape(n, 2), dmin.view(np.uint8).reshape(n, 2), packed, q])
    big = d.astype(np.float64)[:, None] * scale
    small = dmin.astype(np.float64)[:, None] * low
    values = big[:, :, None] * code.reshape(n, 8, 32) - small[:, :, None]
    return data, values.reshape(rows, columns)


BLOCKS = {"Q8_0": blocks_q8_0, "Q4_0": blocks_q4_0, "Q4_K": blocks_q4_k}


def weight(rows, columns, dtype):
    """The tensor's C text and its values."""
    if dtype in BLOCKS:
        data, values = BLOCKS[dtype](rows, columns)
        return const(data, dtype, (rows, columns)), values
    values = uniform(rows, columns)
    return const(values, dtype), values


# ---- rows ----

def embed_cases():
    for dtype, width, scale in ((F32, 6, 1.0), (F16, 6, 2.5), (BF16, 6, 0.5), ("Q8_0", 64, 1.0),
                                ("Q4_0", 32, 8.0), ("Q4_K", 256, 1.0)):
        ids = [4, 0, 4]
        text, values = weight(5, width, dtype)
        case("embed %s" % dtype, "EMBED", ".embed = { .scale = %s }" % single(scale), {T: 3},
             [text, given(ids, [T], I32)], [(values[ids] * scale, [T, width])])


def rms(x, w, eps):
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps) * w


def norm_cases():
    for name, kind, width, group, bias, dtype in (
            ("rms", "RMS", 24, 24, False, F32), ("rms of heads", "RMS", 24, 8, False, F16),
            ("layer", "LAYER", 24, 24, True, F32), ("layer, no bias", "LAYER", 24, 24, False, F32),
            ("layer in groups", "LAYER", 24, 6, True, BF16)):
        eps = float(np.float32(1e-2))
        x, w, b = uniform(4, width), uniform(group), uniform(group) if bias else None
        parts = x.reshape(4, -1, group)
        if kind == "LAYER":
            y = (parts - parts.mean(-1, keepdims=True)) / np.sqrt(
                parts.var(-1, keepdims=True) + eps) * w
        else:
            y = rms(parts, w, eps)
        if bias:
            y = y + b
        case("norm: %s" % name, "NORM",
             ".norm = { HET__NORM_%s, %s, %d }" % (kind, single(eps), group), {T: 4},
             [given(x, [T, width]), const(w, dtype)] + ([const(b)] if bias else []),
             [(y.reshape(4, width), [T, width])])


def softmax_rows_cases():
    x = uniform(5, 9)
    x[1] = [1e4, -1e4, 1e4 - 1, 0, 9999.5, 0, 0, 0, 1]
    x[2] = [3e38, 1, 2, 3, 4, 5, 6, 7, 8]
    x[3] = -3e38
    x[4] = [-np.inf, 0, 1, -np.inf, 2, 3, -np.inf, -np.inf, -np.inf]
    x = x.astype(np.float32).astype(np.float64)
    e = np.exp(x - x.max(-1, keepdims=True))
    case("softmax", "SOFTMAX", "{ 0 }", {T: 5}, [given(x, [T, 9])],
         [(e / e.sum(-1, keepdims=True), [T, 9])])
    x, rows = uniform(6, 5), [5, 0, 3, 3]
    case("rows", "ROWS", "{ 0 }", {T: 6, R: 4}, [given(x, [T, 5]), given(rows, [R], I32)],
         [(x[rows], [R, 5])])


# ---- elementwise ----

ACTIVATIONS = {
    "SILU": lambda x: x * 0.5 * (1 + np.tanh(x / 2)),
    "GELU_TANH": lambda x: 0.5 * x * (
        1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3))),
    "GELU_ERF": lambda x: x * np.vectorize(lambda v: 0.5 * math.erfc(-v / math.sqrt(2)))(x),
    "RELU": lambda x: np.maximum(x, 0),
    "TANH": np.tanh,
    "SIGMOID": lambda x: 0.5 * (1 + np.tanh(x / 2)),
}


def elementwise_cases():
    for op, f in (("ADD", np.add), ("MUL", np.multiply)):
        a, b, row = uniform(3, 7), uniform(3, 7), uniform(7)
        shape = [T, 7]
        case("%s" % op.lower(), op, "{ 0 }", {T: 3}, [given(a, shape), given(b, shape)],
             [(f(a, b), shape)])
        case("%s: a row" % op.lower(), op, "{ 0 }", {T: 3}, [given(a, shape), const(row, F16)],
             [(f(a, row), shape)])
    for kind, f in ACTIVATIONS.items():
        ends = [[-100, -20, -1, -0.015625, 0, 0.015625, 1, 8, 20, 100]]
        x = np.concatenate([uniform(2, 10, scale=6.0), ends])
        case("unary: %s" % kind.lower(), "UNARY",
             ".unary = { .kind = HET__UNARY_%s }" % kind, {T: 3},
             [given(x, [T, 10])], [(f(x), [T, 10])])


# ---- products ----

def linear_cases():
    def one(name, dtypes, inner, widths, biases, residual, tokens):
        x = uniform(tokens, inner)
        xs = [T, inner]
        inputs = [given(x, xs), ABSENT]
        outputs = []
        extra = 0
        if residual:
            extra = uniform(tokens, widths[0])
            inputs[1] = given(extra, [T, widths[0]])
        for dtype, n, has_bias in zip(dtypes, widths, biases):
            text, w = weight(n, inner, dtype)
            b = uniform(n)
            inputs += [text, const(b, F32) if has_bias else ABSENT]
            outputs.append((x @ w.T + (b if has_bias else 0) + extra, [T, n]))
        case("linear: " + name, "LINEAR", ".linear = { %d, %s }"
             % (len(widths), "true" if residual else "false"), {T: tokens}, inputs, outputs, 2e-6)
    for dtype in (F32, F16, BF16):
        one(dtype, [dtype], 19, [5], [False], False, 3)
    one("Q8_0", ["Q8_0"], 64, [3], [False], False, 2)
    one("Q4_0", ["Q4_0"], 32, [4], [False], False, 1)
    one("Q4_K", ["Q4_K"], 256, [2], [True], False, 2)
    one("bias", [F32], 8, [6], [True], False, 3)
    one("residual", [F32], 8, [6], [False], True, 3)
    one("bias and residual", [F16], 8, [6], [True], True, 3)
    one("three projections", [F32, "Q8_0", F16], 32, [6, 4, 2], [True, False, True], False, 3)


def gated_cases():
    for kind, f in ACTIVATIONS.items():
        dtype = "Q8_0" if kind == "SILU" else F32
        inner, n = 32 if dtype == "Q8_0" else 12, 5
        x = uniform(2, inner)
        (gate, wg), (up, wu) = weight(n, inner, dtype), weight(n, inner, dtype)
        case("gated: %s" % kind.lower(), "GATED", ".gated = { HET__UNARY_%s }" % kind, {T: 2},
             [given(x, [T, inner]), gate, up], [(f(x @ wg.T) * (x @ wu.T), [T, n])], 2e-6)


# ---- rope and attention ----

def rope(x, positions, size, rotated, interleaved, theta, scale, magnitude, factors):
    """x [T, heads*size]; each pair is a complex number that is turned."""
    y = x.reshape(len(x), -1, size).copy()
    n = rotated // 2
    frequency = theta ** (-np.arange(n) * 2.0 / max(rotated, 1))
    if factors is not None:
        frequency = frequency / factors
    turn = magnitude * np.exp(1j * np.outer(np.asarray(positions) * scale, frequency))[:, None, :]
    part = (slice(0, rotated, 2), slice(1, rotated, 2)) if interleaved else (
        slice(0, n), slice(n, rotated))
    z = (y[..., part[0]] + 1j * y[..., part[1]]) * turn
    y[..., part[0]], y[..., part[1]] = z.real, z.imag
    return y.reshape(x.shape)


def rope_text(size, rotated, interleaved, theta, scale, magnitude):
    return "{ %d, %d, %s, %s, %s, %s }" % (size, rotated, "true" if interleaved else "false",
                                           single(theta), single(scale), single(magnitude))


def rope_cases():
    for name, heads, size, rotated, interleaved, theta, scale, magnitude, factored in (
            ("halves", 3, 8, 8, False, 10000.0, 1.0, 1.0, False),
            ("interleaved", 3, 8, 8, True, 10000.0, 1.0, 1.0, False),
            ("partial halves", 2, 10, 4, False, 500000.0, 1.0, 1.0, False),
            ("partial interleaved", 2, 10, 4, True, 500000.0, 1.0, 1.0, False),
            ("factors", 2, 8, 8, False, 10000.0, 1.0, 1.0, True),
            ("scale and magnitude", 2, 8, 6, True, 10000.0, 0.25, 1.25, True),
            ("none", 2, 6, 0, False, 10000.0, 1.0, 1.0, False)):
        positions = [0, 1, 77, 4095]
        x, factors = uniform(4, heads * size), None
        inputs = [given(x, [T, heads * size]), given(positions, [T], I32)]
        if factored:
            factors = np.array([1.0, 1.5, 4.0, 8.0])[:rotated // 2]
            inputs.append(const(factors))
        y = rope(x, positions, size, rotated, interleaved, theta, scale, magnitude, factors)
        case("rope: %s" % name, "ROPE",
             ".rope = " + rope_text(size, rotated, interleaved, theta, scale, magnitude), {T: 4},
             inputs, [(y, [T, heads * size])], 2e-6)


def attend(q, k, v, before, heads, kv_heads, size, scale, softcap, window):
    """Dense: q [n, H*d] against the whole k, v [before+n, G*d] of one sequence, under a mask."""
    n, total = len(q), len(k)
    q = q.reshape(n, heads, size)
    k = np.repeat(k.reshape(total, kv_heads, size), heads // kv_heads, axis=1)
    v = np.repeat(v.reshape(total, kv_heads, size), heads // kv_heads, axis=1)
    s = np.einsum("qhd,khd->hqk", q, k) * scale
    if softcap:
        s = softcap * np.tanh(s / softcap)
    distance = (before + np.arange(n))[:, None] - np.arange(total)[None, :]
    hidden = distance < 0
    if window:
        hidden |= distance >= window
    s = np.where(hidden, -np.inf, s)
    w = np.exp(s - s.max(-1, keepdims=True))
    w /= w.sum(-1, keepdims=True)
    return np.einsum("hqk,khd->qhd", w, v).reshape(n, heads * size)


def attention_case(name, steps, heads=2, kv_heads=2, size=4, page=2, dtype=F32, softcap=0.0,
                   window=0, qk_norm=False, turn=None, factored=False):
    """steps: (positions before, new rows) per sequence."""
    scale = float(np.float32(1 / math.sqrt(size)))
    eps = float(np.float32(1e-5))
    width, kv_width = heads * size, kv_heads * size
    tokens = sum(n for _, n in steps)
    needed = [-(-(before + n) // page) for before, n in steps]
    state_pages = sum(needed) + 1
    table = rng.permutation(state_pages)[:sum(needed)]
    hold = (lambda x: x.astype(np.float16).astype(np.float64)) if dtype == F16 else (
        lambda x: x.astype(np.float32).astype(np.float64))
    norms = [uniform(size) for _ in range(2)] if qk_norm else [None, None]
    factors = np.array([1.0, 2.0, 3.0, 5.0])[:turn[0] // 2] if factored else None
    state = {c: uniform(state_pages, kv_heads, page, size) for c in "kv"}
    after = {c: state[c].copy() for c in "kv"}
    q, new = uniform(tokens, width), {c: uniform(tokens, kv_width) for c in "kv"}
    positions, slots, segments, out = [], [], [], []
    row = first_page = 0
    for (before, n), count in zip(steps, needed):
        pages = table[first_page:first_page + count]
        at = before + np.arange(n)
        rows = slice(row, row + n)
        own = {"q": q[rows], "k": new["k"][rows], "v": new["v"][rows]}
        for c, w in zip("qk", norms):
            if w is not None:
                own[c] = rms(own[c].reshape(n, -1, size), w, eps).reshape(n, -1)
            if turn:
                own[c] = rope(own[c], at, size, *turn, factors)
        history = {}
        for c in "kv":
            old = state[c][pages].transpose(0, 2, 1, 3).reshape(-1, kv_width)[:before]
            history[c] = np.concatenate([old, hold(own[c])])
            for i, p in enumerate(at):
                after[c][pages[p // page], :, p % page] = hold(own[c][i]).reshape(kv_heads, size)
        out.append(attend(own["q"], history["k"], history["v"], before, heads, kv_heads, size,
                          scale, softcap, window))
        positions += list(at)
        slots += [pages[p // page] * page + p % page for p in at]
        segments.append([row, n, before, first_page])
        row += n
        first_page += count
    shape = [PAGES, kv_heads, page, size]
    optional = [const(w) if w is not None else ABSENT for w in norms + [factors]]
    attrs = ".attention = { %d, %d, %d, %d, %s, %s, %d, %s, %s }" % (
        heads, kv_heads, size, page, single(scale), single(softcap), window, single(eps),
        rope_text(size, *turn) if turn else "{ .rotated = 0 }")
    case("attention: %s" % name, "ATTENTION", attrs,
         {T: tokens, B: len(steps), P: len(table), PAGES: state_pages},
         [given(q, [T, width]), given(new["k"], [T, kv_width]),
          given(new["v"], [T, kv_width]),
          tensor("STATE", dtype, shape, state["k"], after["k"]),
          tensor("STATE", dtype, shape, state["v"], after["v"]),
          given(positions, [T], I32), given(slots, [T], I32),
          given(segments, [B, 4], I32), given(table, [P], I32)] + optional,
         [(np.concatenate(out), [T, width])], 2e-6)


def attention_cases():
    attention_case("causal prefill", [(0, 6)])
    attention_case("one token", [(9, 1)], page=4)
    attention_case("grouped heads", [(3, 4)], heads=6, kv_heads=2)
    attention_case("window", [(5, 6)], window=3)
    attention_case("window wider than the past", [(2, 3)], window=64)
    attention_case("softcap", [(2, 4)], softcap=1.5)


def attention_wide_cases():
    """Several sequences; norms and rotation inside."""
    several = [(0, 3), (5, 1), (3, 2)]
    attention_case("several sequences", several, heads=4, kv_heads=2)
    attention_case("several sequences, F16 state", several, heads=4, kv_heads=1, dtype=F16)
    attention_case("norms", [(2, 3)], heads=4, kv_heads=2, qk_norm=True)
    attention_case("norms and rotation", several, heads=4, kv_heads=2, size=8, qk_norm=True,
                   turn=(8, False, 10000.0, 1.0, 1.0))
    attention_case("partial rotation, factors, magnitude", [(0, 4), (6, 2)], heads=2, kv_heads=1,
                   size=8, turn=(6, True, 10000.0, 0.5, 1.25), factored=True)
    attention_case("everything", several, heads=4, kv_heads=2, size=8, dtype=F16, softcap=4.0,
                   window=4, qk_norm=True, turn=(8, False, 500000.0, 1.0, 1.0), factored=True)


# ---- mixtures and streams ----

def mixer(s, jitter):
    """SparseMixer of one row: expert -> share."""
    shares, taken = {}, np.zeros(len(s), bool)
    for _ in range(2):
        best = int(np.argmax(np.where(taken, -np.inf, s)))
        near = (s[best] - s) / np.maximum(np.abs(s), s[best]) <= 2 * jitter
        shares[best] = 1 / np.sum(np.exp(s - s[best])[near & ~taken])
        taken[best] = True
    return shares


def largest(s, used, normalise):
    p = np.exp(s - s.max())
    p /= p.sum()
    best = np.argsort(-s, kind="stable")[:used]
    total = p[best].sum() if normalise else 1.0
    return {int(e): p[e] / total for e in best}


def moe_case(name, router, used, dtype, width, inner, experts, tokens, normalise=False,
             scale=1.0):
    x, s = uniform(tokens, width), uniform(tokens, experts)
    s[-1] = 1 + np.arange(experts) / 256  # shares of several experts near the best
    texts, w = [], []
    for rows, columns in ((inner, width), (inner, width), (width, inner)):
        text, values = weight(experts * rows, columns, dtype)
        texts.append(text.replace("2, { N(%d), N(%d) }" % (experts * rows, columns),
                                  "3, { N(%d), N(%d), N(%d) }" % (experts, rows, columns)))
        w.append(values.reshape(experts, rows, columns))
    y = np.zeros((tokens, width))
    for t in range(tokens):
        shares = (mixer(s[t], float(np.float32(0.01))) if router == "SPARSE_MIXER"
                  else largest(s[t], used, normalise))
        for e, share in shares.items():
            hidden = ACTIVATIONS["SILU"](w[0][e] @ x[t]) * (w[1][e] @ x[t])
            y[t] += scale * share * (w[2][e] @ hidden)
    case("moe: " + name, "MOE",
         ".moe = { %d, HET__ROUTER_%s, %s, %s, %s, HET__UNARY_SILU }"
         % (used, router, "true" if normalise else "false", single(scale), single(0.01)),
         {T: tokens}, [given(x, [T, width]), given(s, [T, experts])] + texts,
         [(y, [T, width])], 4e-6)


def moe_cases():
    moe_case("largest two", "SOFTMAX", 2, F32, 6, 5, 4, 7)
    moe_case("largest three, normalised", "SOFTMAX", 3, F16, 6, 4, 5, 4, True, 1.5)
    moe_case("all", "SOFTMAX", 3, "Q8_0", 32, 32, 3, 2, True)
    moe_case("sparse mixer", "SPARSE_MIXER", 2, BF16, 8, 6, 6, 9)


def stream_cases():
    x = uniform(3, 10)
    case("columns", "COLUMNS", ".columns = { 3, 4 }", {T: 3}, [given(x, [T, 10])],
         [(x[:, 3:7], [T, 4])])
    x = uniform(4, 12)
    least = x.mean(-1, keepdims=True) + np.float64(np.float32(0.75)) * x.std(-1, keepdims=True)
    case("cut", "CUT", ".cut = { 0.75f }", {T: 4}, [given(x, [T, 12])],
         [(np.maximum(x - least, 0), [T, 12])])
    x, like = uniform(4, 9), uniform(4, 9)
    x[1] = 0
    x[2] /= 16
    least = np.float64(np.float32(1e-2))
    factor = np.sqrt((like ** 2).mean(-1)) / np.sqrt(np.maximum((x ** 2).mean(-1), least))
    case("match", "MATCH", ".match = { %s }" % single(1e-2), {T: 4},
         [given(x, [T, 9]), given(like, [T, 9])], [(x * factor[:, None], [T, 9])])
    n, h = 3, uniform(3, 4, 5)
    c = uniform(4, n * n)
    y = np.einsum("tba,atd->btd", c.reshape(4, n, n), h) + h
    case("predict", "PREDICT", "{ 0 }", {T: 4},
         [given(c, [T, n * n])] + [given(s, [T, 5]) for s in h], [(s, [T, 5]) for s in y])
    c, x = uniform(4, n), uniform(4, 5)
    y = h + (c.T[:, :, None] + 1) * (x - h[1])
    case("correct", "CORRECT", ".correct = { 1 }", {T: 4},
         [given(c, [T, n]), given(x, [T, 5])] + [given(s, [T, 5]) for s in h],
         [(s, [T, 5]) for s in y])


def bare_cases():
    """Norms without a weight, functions with a number, ids beyond the table."""
    x, eps = uniform(3, 8), float(np.float32(1e-2))
    case("norm: no weight", "NORM", ".norm = { HET__NORM_RMS, %s, 4 }" % single(eps), {T: 3},
         [given(x, [T, 8]), ABSENT],
         [(rms(x.reshape(3, 2, 4), 1.0, eps).reshape(3, 8), [T, 8])])
    case("unary: scale", "UNARY", ".unary = { HET__UNARY_SCALE, -1.5f }", {T: 3},
         [given(x, [T, 8])], [(x * -1.5, [T, 8])])
    case("unary: softcap", "UNARY", ".unary = { HET__UNARY_SOFTCAP, 0.5f }", {T: 3},
         [given(x, [T, 8])], [(0.5 * np.tanh(x / 0.5), [T, 8])])
    text, values = weight(4, 6, F32)
    case("embed: beyond the table", "EMBED", ".embed = { .scale = 2.0f }", {T: 3},
         [text, given([3, 4, 1000], [T], I32)], [(2 * values[[3, 0, 0]], [T, 6])])


def join_cases():
    parts = [uniform(3, n) for n in (4, 1, 6)]
    case("join", "JOIN", "{ 0 }", {T: 3}, [given(x, [T, x.shape[1]]) for x in parts],
         [(np.concatenate(parts, axis=1), [T, 11])])


def fold(text):
    lines = []
    for line in text.split("\n"):
        while len(line) > 100:
            cut = line.rfind(", ", 0, 100) + 1
            lines.append(line[:cut])
            line = " " * 17 + line[cut:]
        lines.append(line)
    return "\n".join(lines)


def main():
    makers = {"rows": (embed_cases, norm_cases, softmax_rows_cases, elementwise_cases),
              "linear": (linear_cases,), "gated": (gated_cases,), "rope": (rope_cases,),
              "attention": (attention_cases,),
              "attention_wide": (attention_wide_cases,), "moe": (moe_cases,),
              "streams": (stream_cases, bare_cases, join_cases)}
    groups = {}
    for group, functions in makers.items():
        for make in functions:
            make()
        groups[group] = [fold(text) for text in cases]
        cases.clear()
    vector_files.write(sys.argv[1], "ops", "ops_case",
                       "its macros and types stand in tests/unit/test_ops.c.", arrays, groups)


main()
