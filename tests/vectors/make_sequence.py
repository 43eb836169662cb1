#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write sequence.h and its parts: recurrent layers, attention and signals for
tests/unit/test_plain_sequence.c.

    python3 make_sequence.py FOLDER

Wants torch and NumPy. Recurrent layers are torch's own where torch has the variant, else NumPy
formulas over whole gates; attention is dense with one bias array; transforms are numpy.fft. Inputs
are multiples of 1/16, so they are the same number in every type."""
import sys

import numpy as np
import torch

import vector_files

rng = np.random.default_rng(20261121)
torch.set_default_dtype(torch.float64)
arrays, cases, groups = [], [], {}
INF = np.inf


def uniform(*shape, scale=1.0):
    return np.round(rng.uniform(-scale, scale, shape) * 16) / 16


# ---- C text ----

def number(x):
    return ("-" if x < 0 else "") + "INFINITY" if np.isinf(x) else "%.9g" % x


def array(values):
    text = ", ".join(number(x) for x in np.asarray(values, dtype=np.float64).ravel())
    if text not in arrays:
        arrays.append(text)
    return "data_%d" % arrays.index(text)


def tensor(t):
    if t is None:
        return "{ 0 }"
    dtype, values = t if isinstance(t, tuple) else ("F32", t)
    values = np.asarray(values)
    extents = ", ".join(str(n) for n in values.shape) or "0"
    return "{ HET_DTYPE_%s, %d, { %s }, %s }" % (dtype, values.ndim, extents, array(values))


def attribute(name, value):
    if isinstance(value, str):
        return '{ "%s", HET__ATTR_STRING, 0, { .string = "%s" } }' % (name, value)
    if isinstance(value, float):
        return '{ "%s", HET__ATTR_FLOAT, 0, { .f = %s } }' % (name, repr(value) + "F")
    if isinstance(value, int):
        return '{ "%s", HET__ATTR_INT, 0, { .i = %d } }' % (name, value)
    if isinstance(value[0], str):
        kind, ctype, field = "STRINGS", "const char *const", "strings"
        body = ", ".join('"%s"' % v for v in value)
    else:
        kind, ctype, field = "FLOATS", "float", "floats"
        body = ", ".join(repr(float(v)) + "F" for v in value)
    return '{ "%s", HET__ATTR_%s, %d,\n          { .%s = (%s[]){ %s } } }' % (
        name, kind, len(value), field, "const float" if ctype == "float" else ctype, body)


def case(name, op, opset, inputs, outputs, tolerance=2e-6, **attrs):
    cases.append("""    { "%s", "%s", %d, %g, %d, %d, %d,
      { %s },
      { %s },
      { %s } },""" % (name, op, opset, tolerance, len(attrs), len(inputs), len(outputs),
                      ",\n        ".join(attribute(k, v) for k, v in attrs.items()) or "{ 0 }",
                      ",\n        ".join(tensor(t) for t in inputs),
                      ",\n        ".join(tensor(t) for t in outputs)))


# ---- recurrent layers ----

STEPS, BATCH, WIDTH, HIDDEN = 3, 2, 5, 3
X = uniform(STEPS, BATCH, WIDTH, scale=2)


def end_group(name):
    """The cases so far are a group."""
    groups[name] = list(cases)
    cases.clear()


def weights(gates, directions):
    return (uniform(directions, gates * HIDDEN, WIDTH), uniform(directions, gates * HIDDEN, HIDDEN),
            uniform(directions, 2 * gates * HIDDEN), uniform(directions, BATCH, HIDDEN))


def from_torch(layer, order, w, r, b, h, c=None):
    """order: where torch's gates stand among ours."""
    gates = len(order)
    pick = np.concatenate([np.arange(g * HIDDEN, (g + 1) * HIDDEN) for g in order])
    for d, end in enumerate(["_l0", "_l0_reverse"][:w.shape[0]]):
        for name, value in (("weight_ih", w[d][pick]), ("weight_hh", r[d][pick]),
                            ("bias_ih", b[d][:gates * HIDDEN][pick]),
                            ("bias_hh", b[d][gates * HIDDEN:][pick])):
            getattr(layer, name + end).data = torch.tensor(value)
    state = torch.tensor(h) if c is None else (torch.tensor(h), torch.tensor(c))
    with torch.no_grad():
        y, last = layer(torch.tensor(X), state)
    y = y.numpy().reshape(STEPS, BATCH, w.shape[0], HIDDEN).transpose(0, 2, 1, 3)
    return [y] + ([last.numpy()] if c is None else [s.numpy() for s in last])


w, r, b, h = weights(4, 2)
c = uniform(2, BATCH, HIDDEN)
lstm = from_torch(torch.nn.LSTM(WIDTH, HIDDEN, bidirectional=True), (0, 2, 3, 1), w, r, b, h, c)
case("lstm both ways", "LSTM", 22, [X, w, r, b, None, h, c], lstm, direction="bidirectional",
     hidden_size=HIDDEN)
case("lstm of doubles", "LSTM", 14, [("F64", t) if t is not None else None
                                     for t in (X, w, r, b, None, h, c)],
     [("F64", t) for t in lstm], 1e-8, direction="bidirectional")
case("lstm of halves", "LSTM", 7, [("F16", t) if t is not None else None
                                   for t in (X, w, r, b, None, h, c)],
     [("F16", t) for t in lstm], 1e-3, direction="bidirectional")
case("lstm batch first", "LSTM", 14,
     [X.transpose(1, 0, 2), w, r, b, None, h.transpose(1, 0, 2), c.transpose(1, 0, 2)],
     [lstm[0].transpose(2, 0, 1, 3), lstm[1].transpose(1, 0, 2), lstm[2].transpose(1, 0, 2)],
     direction="bidirectional", layout=1)
w, r, b, h = weights(3, 2)
gru = from_torch(torch.nn.GRU(WIDTH, HIDDEN, bidirectional=True), (1, 0, 2), w, r, b, h)
case("gru both ways", "GRU", 22, [X, w, r, b, None, h], gru, direction="bidirectional",
     linear_before_reset=1)
w, r, b, h = weights(1, 1)
rnn = from_torch(torch.nn.RNN(WIDTH, HIDDEN, nonlinearity="relu"), (0,), w, r, b, h)
case("rnn with relu", "RNN", 14, [X, w, r, b, None, h], rnn, activations=["Relu"])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def run(cell, length, backwards=False):
    """cell(x, states) -> states; per sequence, so that lengths may differ."""
    y = np.zeros((STEPS, 1, BATCH, HIDDEN))
    last = []
    for n in range(BATCH):
        states = cell(None, None, n)
        for t in (reversed(range(length[n])) if backwards else range(length[n])):
            states = cell(X[t, n], states, n)
            y[t, 0, n] = states[0]
        last.append(states if length[n] else [0 * s for s in states])
    return [y] + [np.stack([s[k] for s in last])[None] for k in range(len(last[0]))]


w, r, b, h = weights(3, 1)
wb, rb = b[0, :3 * HIDDEN], b[0, 3 * HIDDEN:]
M = HIDDEN


def gru_cell(x, states, n):
    if x is None:
        return [h[0, n]]
    gates = w[0] @ x + wb
    again = r[0][:2 * M] @ states[0] + rb[:2 * M]
    z, reset = sigmoid(gates[:M] + again[:M]), sigmoid(gates[M:2 * M] + again[M:])
    fresh = np.tanh(gates[2 * M:] + r[0][2 * M:] @ (reset * states[0]) + rb[2 * M:])
    return [(1 - z) * fresh + z * states[0]]


case("gru backwards, lengths", "GRU", 7, [X, w, r, b, ("I32", [3, 2]), h],
     run(gru_cell, [3, 2], True), direction="reverse")

w, r, b, h = weights(4, 1)
c, peep = uniform(1, BATCH, HIDDEN), uniform(1, 3 * HIDDEN)


def lstm_cell(f, g, last, clip, coupled):
    def cell(x, states, n):
        if x is None:
            return [h[0, n], c[0, n]]
        clipped = lambda v: np.clip(v, -clip, clip)
        i, o, k, u = np.split(w[0] @ x + r[0] @ states[0] + b[0, :4 * M] + b[0, 4 * M:], 4)
        pi, po, pk = np.split(peep[0], 3)
        i = f(clipped(i + pi * states[1]))
        k = 1 - i if coupled else f(clipped(k + pk * states[1]))
        new = k * states[1] + i * g(clipped(u))
        return [f(clipped(o + po * new)) * last(new), new]
    return cell


case("lstm with peepholes and clip", "LSTM", 22, [X, w, r, b, None, h, c, peep],
     run(lstm_cell(sigmoid, np.tanh, np.tanh, 0.5, False), [3, 3]), clip=0.5)
case("lstm coupled, other curves", "LSTM", 22, [X, w, r, b, ("I32", [0, 3]), h, c, peep],
     run(lstm_cell(lambda v: np.clip(0.25 * v + 0.5, 0, 1), lambda v: v / (1 + abs(v)),
                   lambda v: 1.5 * np.tanh(0.5 * v), INF, True), [0, 3]),
     input_forget=1, activations=["HardSigmoid", "softsign", "ScaledTanh"],
     activation_alpha=[0.25, 1.5], activation_beta=[0.5, 0.5])
w, r, b, h = weights(1, 1)
for name, curve, extra in (
        ("Affine", lambda v: 2 * v - 0.25, dict(activation_alpha=[2], activation_beta=[-0.25])),
        ("LeakyRelu", lambda v: np.where(v >= 0, v, 0.01 * v), {}),
        ("ThresholdedRelu", lambda v: np.where(v >= 0.5, v, 0), dict(activation_alpha=[0.5])),
        ("Elu", lambda v: np.where(v >= 0, v, np.exp(np.minimum(v, 0)) - 1), {}),
        ("Softplus", lambda v: np.log1p(np.exp(v)), {})):
    case("rnn with " + name, "RNN", 22, [X, w, r, b], run(
        lambda x, s, n: [np.zeros(M)] if x is None else
        [curve(w[0] @ x + r[0] @ s[0] + b[0, :M] + b[0, M:])], [3, 3]), activations=[name], **extra)


end_group("recurrent")

# ---- attention ----

def attention(q, k, v, bias, scale=None, softcap=0.0):
    """Of rank 4; bias is an array over all scores. Returns output, raw scores, weights."""
    group = q.shape[1] // k.shape[1]
    k, v = np.repeat(k, group, 1), np.repeat(v, group, 1)
    raw = q @ k.swapaxes(2, 3) * (scale or 1 / np.sqrt(q.shape[3]))
    score = softcap * np.tanh(raw / softcap) if softcap else raw
    score = score + bias
    top = score.max(-1, keepdims=True)
    e = np.where(np.isinf(score), 0, np.exp(score - np.where(np.isinf(top), 0, top)))
    total = e.sum(-1, keepdims=True)
    p = e / np.where(total == 0, 1, total)
    return p @ v, raw, p


def packed(x):
    return x.transpose(0, 2, 1, 3).reshape(x.shape[0], x.shape[2], -1)


q, k, v = uniform(2, 4, 3, 8), uniform(2, 2, 5, 8), uniform(2, 2, 5, 4)
zero = np.zeros((2, 4, 3, 5))
case("attention with groups", "Attention", 23, [q, k, v], [attention(q, k, v, zero)[0]])
case("attention, heads packed", "Attention", 23, [packed(q), packed(k), packed(v)],
     [packed(attention(q, k, v, zero)[0])], q_num_heads=4, kv_num_heads=2)
mask = rng.uniform(size=(4, 3, 5)) < 0.6
mask[1, 2] = False
shut = np.broadcast_to(np.where(mask, 0, -INF), zero.shape)
out, _, p = attention(q, k, v, shut)
case("attention, boolean mask", "Attention", 23, [q, k, v, ("BOOL", mask)], [out, k, v, p],
     qk_matmul_output_mode=3)
soft = uniform(3, 4)
bias = np.concatenate([np.broadcast_to(soft, (2, 4, 3, 4)), np.full((2, 4, 3, 1), -INF)], 3)
out, _, _ = attention(q, k, v, bias, 0.75, 2.0)
case("attention, short mask and softcap", "Attention", 24, [q, k, v, soft], [out], scale=0.75,
     softcap=2.0)
pk, pv = uniform(2, 2, 2, 8), uniform(2, 2, 2, 4)
i, j = np.arange(3)[:, None], np.arange(7)[None]
allk, allv = np.concatenate([pk, k], 2), np.concatenate([pv, v], 2)
causal = np.broadcast_to(np.where(j <= i + 2, 0, -INF), (2, 4, 3, 7))
out, raw, _ = attention(q, allk, allv, causal)
case("attention with a cache", "Attention", 24, [packed(q), packed(k), packed(v), None, pk, pv],
     [packed(out), allk, allv, raw], q_num_heads=4, kv_num_heads=2, is_causal=1)
lengths = np.array([5, 2])
i, j, n = np.arange(3)[:, None], np.arange(5)[None], lengths[:, None, None]
reach = np.where((j <= i + n - 3) & (j < n) & (j >= i + n - 3 - 1), 0, -INF)[:, None] + zero
case("attention, lengths and window", "Attention", 25,
     [q, k, v, None, None, None, ("I64", lengths)], [attention(q, k, v, reach)[0]], is_causal=1,
     left_window_size=1)
valid = np.where(j < n, 0, -INF)[:, None] + zero
case("attention, lengths", "Attention", 24, [q, k, v, None, None, None, ("I64", lengths)],
     [attention(q, k, v, valid)[0]])
case("attention of doubles", "Attention", 23, [("F64", q), ("F64", k), ("F64", v)],
     [("F64", attention(q, k, v, zero)[0])], 1e-8)
case("flexible attention", "ai.onnx.preview:FlexAttention", 1, [q, k, v],
     [attention(q, k, v, zero)[0]])

# ---- linear attention, causal convolution ----

B, T, HQ, HK, DK, DV = 2, 3, 4, 2, 4, 3
q, k, v = uniform(B, T, HQ, DK), uniform(B, T, HK, DK), uniform(B, T, HK, DV)
past, decay, beta = uniform(B, HK, DK, DV), -abs(uniform(B, T, HK, DK)), abs(uniform(B, T, HK))


def linear(rule):
    state, out = past.copy(), np.zeros((B, T, HQ, DV))
    for t in range(T):
        fade = np.exp(decay[:, t])[..., None] if "gated" in rule else 1
        state = fade * state
        write = v[:, t]
        if "delta" in rule:
            write = beta[:, t][..., None] * (write - np.einsum("bhkv,bhk->bhv", state, k[:, t]))
        state = state + np.einsum("bhk,bhv->bhkv", k[:, t], write)
        out[:, t] = np.einsum("bhkv,bhk->bhv", np.repeat(state, HQ // HK, 1), q[:, t]) / DK ** 0.5
    return [out.reshape(B, T, -1), state]


flat = [x.reshape(B, T, -1) for x in (q, k, v)]
for rule in ("linear", "gated", "delta", "gated_delta"):
    case("linear attention, " + rule, "LinearAttention", 27,
         flat + [past, decay.reshape(B, T, -1) if "gated" in rule else None,
                 beta if "delta" in rule else None], linear(rule),
         q_num_heads=HQ, kv_num_heads=HK, update_rule=rule)
x, kernel, bias, past = uniform(2, 3, 4), uniform(3, 1, 3), uniform(3), uniform(2, 3, 2)
line = np.concatenate([past, x], 2)
y = sum(kernel[:, 0, n][None, :, None] * line[:, :, n:n + 4] for n in range(3)) + bias[:, None]
case("causal convolution", "CausalConvWithState", 27, [x, kernel, bias, past],
     [y * sigmoid(y), line[:, :, 4:]], activation="silu")

# ---- rotation ----

x, angle = uniform(2, 2, 3, 6), rng.uniform(0, 6, (7, 2))
at = np.array([[4, 0, 6], [1, 1, 5]])
turn = np.exp(1j * np.round(angle * 16) / 16)[at][:, None]


def rotated(pairs, back):
    z = (pairs[0] + 1j * pairs[1]) * turn
    y = x.copy()
    back(y, z)
    return y


def by_halves(y, z):
    y[..., 0:2], y[..., 2:4] = z.real, z.imag


def by_pairs(y, z):
    y[..., 0:4:2], y[..., 1:4:2] = z.real, z.imag


table = np.exp(1j * np.round(angle * 16) / 16)
case("rotation by halves", "RotaryEmbedding", 23, [x, table.real, table.imag, ("I64", at)],
     [rotated((x[..., 0:2], x[..., 2:4]), by_halves)], rotary_embedding_dim=4)
case("rotation by pairs, heads packed", "RotaryEmbedding", 23,
     [packed(x), table[at].real, table[at].imag],
     [packed(rotated((x[..., 0:4:2], x[..., 1:4:2]), by_pairs))], rotary_embedding_dim=4,
     interleaved=1, num_heads=2)


end_group("attention")

# ---- signals ----

def parts(z):
    return np.stack([z.real, z.imag], -1)


for n in (1, 2, 7, 16, 17, 32, 45):
    z = uniform(n) + 1j * uniform(n)
    case("transform of %d" % n, "DFT", 20, [parts(z)], [parts(np.fft.fft(z))], 4e-6)
z = uniform(2, 20, 3) + 1j * uniform(2, 20, 3)
case("back along an axis", "DFT", 17, [parts(z)], [parts(np.fft.ifft(z, axis=1))], inverse=1)
case("longer than the signal", "DFT", 20, [parts(z), ("I64", 24), ("I64", -3)],
     [parts(np.fft.fft(z, 24, 1))], 1e-5)
case("one side", "DFT", 20, [z.real[..., None], ("I32", 9), ("I64", 1)],
     [parts(np.fft.rfft(z.real, 9, 1))], 5e-6, onesided=1)
case("real from one side, even", "DFT", 20, [parts(z), None, ("I64", 1)],
     [np.fft.irfft(z, axis=1)[..., None]], inverse=1, onesided=1)
case("real from one side, odd", "DFT", 19, [parts(z), ("I64", 11)],
     [np.fft.irfft(z, 11, axis=1)[..., None]], inverse=1, onesided=1, axis=1)
x, window = uniform(2, 20), abs(uniform(6))
frames = np.stack([x[:, s:s + 6] * window for s in range(0, 15, 4)], 1)
case("short transforms", "STFT", 17, [x[..., None], ("I64", 4), window],
     [parts(np.fft.rfft(frames, axis=2))], 4e-6)
case("short transforms, both sides", "STFT", 17, [parts(z[:, :, 0]), ("I64", 5), None, ("I64", 8)],
     [parts(np.fft.fft(np.stack([z[:, s:s + 8, 0] for s in range(0, 13, 5)], 1), axis=2))], 4e-6,
     onesided=0)
for op, window in (("Hann", torch.hann_window), ("Blackman", torch.blackman_window)):
    case(op + " window", op + "Window", 17, [("I64", 7)], [window(7).numpy()])
    case(op + " window, symmetric", op + "Window", 17, [("I32", 8)],
         [("F64", window(8, periodic=False).numpy())], 1e-9, periodic=0, output_datatype=11)
case("Hamming window", "HammingWindow", 17, [("I64", 9)],
     [torch.hamming_window(9, True, 25 / 46, 21 / 46).numpy()])
end_group("signals")

definitions = {}
for n, text in enumerate(arrays):
    lines = ["static const double data_%d[] = {" % n]
    for word in text.split(" "):
        if len(lines[-1]) + len(word) > 96:
            lines.append("   ")
        lines[-1] += " " + word
    definitions["data_%d" % n] = "\n".join(lines) + " };"
vector_files.write(sys.argv[1], "sequence", "vector_case", "see there.", definitions, groups)
