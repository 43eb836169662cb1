#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write window.h or product.h: cases for tests/unit/test_plain_window.c and test_plain_product.c.

    python3 make_windows.py window > window.h
    python3 make_windows.py product > product.h

Wants torch and NumPy. Convolutions, pools and norms are torch's in F64, products NumPy's; quantised
results are formulas in F32 written out here. Inputs are multiples of 1/16, so they are the same
number in every type."""
import sys

import numpy as np
import torch
import torch.nn.functional as F

rng = np.random.default_rng(20261121)
torch.set_default_dtype(torch.float64)
arrays, cases = [], []


def uniform(*shape):
    return np.round(rng.uniform(-1, 1, shape) * 16) / 16


def integers(low, high, *shape):
    return rng.integers(low, high, shape).astype(np.int64)


# ---- C text ----

def array(values):
    numbers = np.asarray(values, dtype=np.float64).ravel()
    text = ", ".join(("%.0f" if x == np.rint(x) else "%.9g") % x for x in numbers) or "0"
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
    return '{ "%s", HET__ATTR_INTS, %d,\n          { .ints = (const int64_t[]){ %s } } }' % (
        name, len(value), ", ".join(str(v) for v in value))


def case(name, op, opset, inputs, outputs, tolerance=2e-7, **attrs):
    outputs = outputs if isinstance(outputs, list) else [outputs]
    cases.append("""    { "%s", "%s", %d, %g, %d, %d, %d,
      { %s },
      { %s },
      { %s } },""" % (name, op, opset, tolerance, len(attrs), len(inputs), len(outputs),
                      ",\n        ".join(attribute(k, v) for k, v in attrs.items()) or "{ 0 }",
                      ",\n        ".join(tensor(t) for t in inputs),
                      ",\n        ".join(tensor(t) for t in outputs)))


def wrapped(text):
    line, lines = "   ", []
    for word in text.split(" "):
        if len(line) + len(word) + 1 > 98:
            lines.append(line)
            line = "   "
        line += " " + word
    return "\n".join(lines + [line])


def write():
    print("/* SPDX-License-Identifier: Apache-2.0 */")
    print("/* Made by make_windows.py; see there. */")
    for i, text in enumerate(arrays):
        print("static const double data_%d[] = {\n%s\n};" % (i, wrapped(text)))
    print("static const vector_case vector_cases[] = {\n%s\n};" % "\n".join(cases))


# ---- windows ----

CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
SPREAD = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVERAGE = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def padded(x, begin, end):
    sides = [n for pair in zip(reversed(begin), reversed(end)) for n in pair]
    return F.pad(torch.tensor(np.asarray(x, dtype=np.float64)), sides)


def conv(x, w, bias, begin, end, **how):
    w = torch.tensor(np.asarray(w, dtype=np.float64))
    b = None if bias is None else torch.tensor(np.asarray(bias, dtype=np.float64))
    return CONV[w.ndim - 2](padded(x, begin, end), w, b, **how).numpy()


def convolutions():
    x, w, b = uniform(2, 4, 7, 6), uniform(6, 2, 3, 2), uniform(6)
    y = conv(x, w, b, [1, 0], [2, 1], stride=[2, 1], dilation=[1, 2], groups=2)
    given = dict(strides=[2, 1], dilations=[1, 2], pads=[1, 0, 2, 1], group=2)
    case("two groups", "Conv", 11, [x, w, b], y, **given)
    case("two groups of doubles", "Conv", 11, [("F64", t) for t in (x, w, b)], ("F64", y), 1e-8,
         **given)
    case("two groups of halves", "Conv", 11, [("F16", t) for t in (x, w, b)], ("F16", y), 1e-3,
         **given)
    case("two groups of short floats", "Conv", 22, [("BF16", t) for t in (x, w, b)], ("BF16", y),
         1e-2, **given)
    x, w, b = uniform(1, 3, 9), uniform(5, 3, 4), uniform(5)
    case("one axis", "Conv", 7, [x, w], conv(x, w, None, [2], [1], stride=3), strides=[3],
         pads=[2, 1], kernel_shape=[4])
    x, w, b = uniform(1, 2, 4, 5, 3), uniform(3, 2, 2, 3, 3), uniform(3)
    case("three axes", "Conv", 11, [x, w, b],
         conv(x, w, b, [0, 1, 1], [1, 0, 1], stride=[1, 2, 1]), strides=[1, 2, 1],
         pads=[0, 1, 1, 1, 0, 1])
    x, w = uniform(2, 5, 3, 4), uniform(6, 5, 1, 1)
    case("pointwise", "Conv", 11, [x, w, uniform(6) * 0 + 0.5],
         conv(x, w, np.full(6, 0.5), [0, 0], [0, 0]))
    x, w = uniform(1, 5, 6, 7), uniform(5, 1, 3, 3)
    case("depthwise", "Conv", 11, [x, w], conv(x, w, None, [1, 1], [1, 1], stride=2, groups=5),
         strides=[2, 2], pads=[1, 1, 1, 1], group=5)
    x, w = uniform(1, 1, 5, 6), uniform(1, 1, 2, 3)
    case("more at the end", "Conv", 11, [x, w], conv(x, w, None, [0, 0], [1, 1], stride=[1, 2]),
         auto_pad="SAME_UPPER", strides=[1, 2])
    case("more at the beginning", "Conv", 11, [x, w],
         conv(x, w, None, [1, 1], [0, 0], stride=[1, 2]), auto_pad="SAME_LOWER", strides=[1, 2])
    x, w = integers(0, 256, 1, 2, 4, 4), integers(-128, 128, 3, 2, 2, 2)
    case("integers", "ConvInteger", 10, [("U8", x), ("I8", w), ("U8", np.array(3)),
                                         ("I8", np.array([5, -7, 0]))],
         ("I32", conv(x - 3, w - np.array([5, -7, 0]).reshape(3, 1, 1, 1), None, [1, 0], [1, 1])),
         0, pads=[1, 0, 1, 1])
    steps = np.array([1 / 32, 1 / 64, 1 / 16], np.float32)
    bias = integers(-2000, 2000, 3)
    sums = conv(x - 128, w, bias, [1, 1], [1, 1]).astype(np.int64)
    factor = (np.float32(0.25) * steps / np.float32(3)).reshape(1, 3, 1, 1)
    y = np.clip(np.rint(sums.astype(np.float32) * factor) - 5, -128, 127)
    case("quantised", "QLinearConv", 10,
         [("U8", x), np.array(0.25), ("U8", np.array(128)), ("I8", w), steps,
          ("I8", np.zeros(3)), np.array(3.0), ("I8", np.array(-5)), ("I32", bias)], ("I8", y), 0,
         pads=[1, 1, 1, 1])


def transposed():
    x, w, b = uniform(1, 4, 3, 4), uniform(4, 3, 3, 2), uniform(6)
    y = SPREAD[2](torch.tensor(x), torch.tensor(w), torch.tensor(b), stride=(2, 3), padding=(1, 0),
                  output_padding=(1, 0), groups=2, dilation=(1, 2)).numpy()
    case("spread in groups", "ConvTranspose", 11, [x, w, b], y, strides=[2, 3], pads=[1, 0, 1, 0],
         output_padding=[1, 0], group=2, dilations=[1, 2])
    x, w = uniform(2, 2, 4), uniform(2, 3, 3)
    full = SPREAD[1](torch.tensor(x), torch.tensor(w), stride=2).numpy()
    case("spread on one axis", "ConvTranspose", 7, [x, w], full[:, :, 1:-2], strides=[2],
         pads=[1, 2])
    case("spread, more at the end", "ConvTranspose", 11, [x, w], full[:, :, :-1], strides=[2],
         auto_pad="SAME_UPPER")
    case("spread, more at the beginning", "ConvTranspose", 11, [x, w], full[:, :, 1:],
         strides=[2], auto_pad="SAME_LOWER")
    case("spread to an extent", "ConvTranspose", 11, [x, w], full[:, :, 2:-1], strides=[2],
         output_shape=[6])
    case("spread beyond the taps", "ConvTranspose", 11, [x, w],
         np.pad(full, ((0, 0), (0, 0), (0, 2))), strides=[2], output_shape=[11])
    x, w = uniform(1, 2, 2, 3, 2), uniform(2, 1, 2, 1, 3)
    case("spread on three axes", "ConvTranspose", 11, [x, w],
         SPREAD[3](torch.tensor(x), torch.tensor(w), stride=2).numpy(), strides=[2, 2, 2])
    x, w = uniform(1, 3, 2, 5), uniform(3, 2, 1, 1)
    case("spread pointwise", "ConvTranspose", 11, [x, w],
         SPREAD[2](torch.tensor(x), torch.tensor(w)).numpy())


def deformed():
    """Every tap bilinear at a place of its own, zero outside."""
    x, w = uniform(1, 4, 4, 5), uniform(2, 2, 2, 2)
    offset, mask, b = uniform(1, 16, 3, 4) * 2, uniform(1, 8, 3, 4), uniform(2)
    y = np.zeros((1, 2, 3, 4))
    for o in range(2):
        for i in range(3):
            for j in range(4):
                total = b[o]
                for c in range(2):
                    channel = 2 * o + c
                    for u in range(2):
                        for v in range(2):
                            t = 2 * o * 4 + (u * 2 + v) * 2
                            at = (i + u + offset[0, t, i, j], j + v + offset[0, t + 1, i, j])
                            low = [int(np.floor(a)) for a in at]
                            for p in range(2):
                                for q in range(2):
                                    r, s = low[0] + p, low[1] + q
                                    if 0 <= r < 4 and 0 <= s < 5:
                                        total += (w[o, c, u, v] * x[0, channel, r, s] *
                                                  (1 - abs(at[0] - r)) * (1 - abs(at[1] - s)) *
                                                  mask[0, o * 4 + u * 2 + v, i, j])
                y[0, o, i, j] = total
    case("deformed", "DeformConv", 19, [x, w, offset, b, mask], y, group=2, offset_group=2)


def pools():
    x = uniform(2, 2, 7, 6)
    y, at = MAX[2](torch.tensor(x), (3, 2), (2, 3), (1, 1), ceil_mode=True, return_indices=True)
    at = at.numpy() + np.arange(4).reshape(2, 2, 1, 1) * 42
    given = dict(kernel_shape=[3, 2], strides=[2, 3], pads=[1, 1, 1, 1], ceil_mode=1)
    case("largest", "MaxPool", 12, [x], [y.numpy(), ("I64", at)], 0, **given)
    turned = at // 42 * 42 + at % 42 % 6 * 7 + at % 42 // 6
    case("largest, column major", "MaxPool", 12, [("F64", x)], [("F64", y.numpy()),
                                                               ("I64", turned)], 0,
         storage_order=1, **given)
    y = MAX[1](torch.tensor(x[0]), 3, 2, 1, 2).numpy()
    case("largest, dilated", "MaxPool", 10, [x[:1, 0]], y[:1], 0, kernel_shape=[3], strides=[2],
         pads=[1, 1], dilations=[2])
    z = integers(-128, 128, 1, 1, 2, 4, 5)
    y = MAX[3](torch.tensor(z.astype(float)), (1, 2, 2)).numpy()
    case("largest of bytes", "MaxPool", 12, [("I8", z)], ("I8", y), 0, kernel_shape=[1, 2, 2],
         strides=[1, 2, 2])
    for whole in (0, 1):
        y = AVERAGE[2](torch.tensor(x), (3, 2), (3, 3), (1, 1), True, bool(whole)).numpy()
        case("average %d" % whole, "AveragePool", 11, [x], y, kernel_shape=[3, 2], strides=[3, 3],
             pads=[1, 1, 1, 1], ceil_mode=1, count_include_pad=whole)
    y = AVERAGE[1](torch.tensor(x[0]), 2, 2, 0).numpy()
    case("average of a row", "AveragePool", 7, [x[0]], y, kernel_shape=[2], strides=[2],
         auto_pad="VALID")
    y = F.lp_pool2d(torch.tensor(np.abs(x)), 3.0, (2, 3), 2).numpy()
    case("norm", "LpPool", 18, [x], y, kernel_shape=[2, 3], strides=[2, 2], p=3)
    whole = torch.tensor(x)
    case("average of all", "GlobalAveragePool", 1, [x], whole.mean((2, 3), True).numpy())
    case("largest of all", "GlobalMaxPool", 1, [x], whole.amax((2, 3), True).numpy())
    case("norm of all", "GlobalLpPool", 2, [x],
         whole.abs().pow(3).sum((2, 3), True).pow(1 / 3).numpy(), p=3)
    z = uniform(1, 5, 2, 3)
    y = F.local_response_norm(torch.tensor(z), 3, 0.5, 0.75, 2.0).numpy()
    case("neighbours", "LRN", 13, [z], y, size=3, alpha=0.5, beta=0.75, bias=2.0)


# ---- products ----

def products():
    a, b = uniform(2, 1, 3, 6), uniform(3, 6, 5)
    case("batches", "MatMul", 13, [a, b], a @ b)
    case("batches of doubles", "MatMul", 9, [("F64", a), ("F64", b)], ("F64", a @ b), 1e-8)
    a, b = uniform(5, 4), uniform(4)
    case("matrix by vector", "MatMul", 9, [a, b], a @ b)
    case("vector by matrix", "MatMul", 9, [b, a.T.copy()], b @ a.T)
    case("vector by vector", "MatMul", 9, [b, b], b @ b)
    case("halves", "MatMul", 13, [("F16", a), ("F16", a.T.copy())], ("F16", a @ a.T), 1e-3)
    a, b = integers(-9, 9, 3, 4), integers(-9, 9, 4, 2)
    case("integers", "MatMul", 9, [("I32", a), ("I32", b)], ("I32", a @ b), 0)
    case("long integers", "MatMul", 9, [("I64", a * 2**20), ("I64", b * 2**20)],
         ("I64", (a @ b) * 2.0**40), 0)
    a, b, c = uniform(6, 3), uniform(4, 6), uniform(3, 1)
    case("all of Gemm", "Gemm", 13, [a, b, c], 0.5 * a.T @ b.T - 0.25 * c, transA=1, transB=1,
         alpha=0.5, beta=-0.25)
    case("Gemm of a row", "Gemm", 11, [a[:, :1].T.copy(), b, uniform(4) * 0 + 1],
         a[:, :1].T @ b.T + 1, transB=1)
    case("Gemm of products only", "Gemm", 11, [a.T.copy(), b.T.copy()], a.T @ b.T)
    a, b = integers(0, 256, 2, 3, 5), integers(-128, 128, 5, 4)
    rows, columns = integers(0, 256, 3), integers(-9, 9, 4)
    case("bytes", "MatMulInteger", 10, [("U8", a), ("I8", b), ("U8", rows), ("I8", columns)],
         ("I32", (a - rows[:, None]) @ (b - columns)), 0)
    case("bytes as they are", "MatMulInteger", 10, [("U8", a), ("I8", b)], ("I32", a @ b), 0)
    c = integers(-128, 128, 2, 5, 4)
    first, second = integers(0, 9, 2, 3, 1), integers(0, 9, 2, 1, 4)
    case("bytes with zeros of each matrix", "MatMulInteger", 10,
         [("U8", a), ("I8", c), ("U8", first), ("I8", second)],
         ("I32", (a - first) @ (c - second)), 0)
    steps = np.array([1 / 32, 1 / 64, 1 / 16, 1 / 128], np.float32)
    factor = np.float32(0.5) * steps / np.float32(7)
    sums = ((a - 100) @ (b - columns)).astype(np.float32)
    case("quantised", "QLinearMatMul", 10,
         [("U8", a), np.array([0.5]), ("U8", np.array([100])), ("I8", b), steps, ("I8", columns),
          np.array(7.0), ("U8", np.array(60))],
         ("U8", np.clip(np.rint(sums * factor) + 60, 0, 255)), 0)
    # Halves go to the even neighbour.
    ones = np.array([[1], [3], [5], [-3]])
    case("ties", "QLinearMatMul", 10,
         [("I8", ones), np.array(1.0), ("I8", np.array(0)), ("I8", np.array([[1]])), np.array(1.0),
          ("I8", np.array(0)), np.array(2.0), ("I8", np.array(1))],
         ("I8", np.array([[1], [3], [3], [-1]])), 0)
    a = uniform(2, 3, 3)
    case("determinants", "Det", 11, [a], np.linalg.det(a), 1e-6)


def sums():
    a, b, c = uniform(3, 4), uniform(4, 5), uniform(2, 3, 4)
    for equation, inputs in [("ij,jk->ik", [a, b]), ("ij,jk->ki", [a, b]), ("ij, jk", [a, b]),
                             ("ij->", [a]), ("ba", [a]), ("bij,jk->bik", [c, b]),
                             ("...ij,jk->...ik", [c, b]), ("b...,b...->...", [c, c]),
                             ("i...->...", [c]), ("ij,ij,ij->j", [a, a, a]),
                             ("bij,kij->bk", [c, c]), ("aij,ik->jk", [c, a]),
                             ("ab,cd->", [a, b]), ("Ab,bC->AC", [a, b]),
                             ("bqd,bkd->bqk", [c, c + 0.5]), ("i,j->ij", [a[0], b[0]])]:
        case(equation, "Einsum", 12, inputs, np.einsum(equation.replace(" ", ""), *inputs),
             equation=equation)
    d = uniform(2, 3, 3)
    case("diagonals", "Einsum", 12, [d], np.einsum("...ii->...i", d), equation="...ii->...i")
    case("traces", "Einsum", 12, [d], np.einsum("bii", d), equation="bii")
    case("broadcast", "Einsum", 12, [uniform(1, 4) * 0 + 0.5, b],
         np.einsum("ij,jk->ik", np.full((1, 4), 0.5), b), equation="ij,jk->ik")
    case("scalars", "Einsum", 12, [np.array(0.5), np.array(3.0)], np.array(1.5), equation=",->")
    n = integers(-9, 9, 3, 3)
    case("sums of integers", "Einsum", 12, [("I64", n), ("I64", n)],
         ("I64", np.einsum("ij,ji->i", n, n)), 0, equation="ij,ji->i")


if sys.argv[1] == "window":
    convolutions()
    transposed()
    deformed()
    pools()
else:
    products()
    sums()
write()
