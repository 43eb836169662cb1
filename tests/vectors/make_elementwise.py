#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write elementwise.h and its parts: inputs and expected outputs of operations element by
element, for tests/unit/test_plain_elementwise.c.

    python3 make_elementwise.py FOLDER

Expectations are NumPy formulas in float64 (integers: in their own type) over whole arrays. Inputs
are multiples of 1/16, so they are the same number in every type that holds them."""
import math
import sys

import numpy as np

import vector_files

rng = np.random.default_rng(20261121)
arrays, cases = {}, []
TYPES = {"F32": np.float32, "F64": np.float64, "F16": np.float16, "I8": np.int8, "I16": np.int16,
         "I32": np.int32, "I64": np.int64, "U8": np.uint8, "U16": np.uint16, "U32": np.uint32,
         "BOOL": np.bool_}
TOLERANCE = {"F32": 4e-7, "F16": 1e-3, "F64": 1e-14}


def number(x, digits=10):
    x = float(x)
    if math.isnan(x):
        return "NAN"
    if math.isinf(x):
        return "INFINITY" if x > 0 else "-INFINITY"
    return "%.*g" % (digits, x)


def wrapped(indent, words):
    lines, line = [], " " * indent
    for word in words:
        if len(line) + 1 + len(word) > 100:
            lines.append(line)
            line = " " * indent
        line += (" " if line.strip() else "") + word
    return "\n".join(lines + [line])


def array(values, digits):
    """Name of an array with these numbers, each set of which is written once."""
    values = np.asarray(values).ravel() if np.size(values) else [0]
    text = wrapped(4, [number(x, digits) + "," for x in values])
    return arrays.setdefault(text, "e%d" % len(arrays))


def tensor(kind, values):
    values = np.asarray(values)
    extents = ", ".join(str(n) for n in values.shape) or "0"
    digits = 17 if kind in ("F64", "I64") else 10
    return "{ HET_DTYPE_%s, %d, { %s }, %s }" % (kind, values.ndim, extents, array(values, digits))


def case(op, inputs, outputs, tolerance=None, opset=20, **attrs):
    """inputs and outputs: (type, array), or None where one is left out."""
    text = []
    for name, value in attrs.items():
        if isinstance(value, str):
            text.append('{ "%s", .kind = HET__ATTR_STRING, .u.string = "%s" }' % (name, value))
        elif isinstance(value, float):
            text.append('{ "%s", .kind = HET__ATTR_FLOAT, .u.f = (float)%s }'
                        % (name, number(value)))
        else:
            text.append('{ "%s", .kind = HET__ATTR_INT, .u.i = %d }' % (name, value))
    if tolerance is None:
        tolerance = max(TOLERANCE.get(kind, 0) for kind, _ in outputs)
    listed = lambda items: "{ " + ", ".join(items or ["{ 0 }"]) + " }"
    none = "{ HET_DTYPE_NONE, 0, { 0 }, NULL }"
    line = '{ "%s", %d, %d, %s, %d, %s, %d, %s, %s },' % (
        op, opset, len(attrs), listed(text), len(inputs),
        listed([tensor(*t) if t else none for t in inputs]), len(outputs),
        listed([tensor(*t) for t in outputs]), number(tolerance))
    cases.append(wrapped(4, line.split(" ")))


def grid(*shape, low=-4.0, high=4.0):
    return np.round(rng.uniform(low, high, shape) * 16) / 16


def erf(x):
    return np.vectorize(math.erf)(x)


def softplus(x):
    return np.log1p(np.exp(x))


def unary():
    sigmoid = lambda x: 1 / (1 + np.exp(-x))
    f = lambda x: float(np.float32(x))
    plain = {
        "Abs": np.abs, "Atan": np.arctan, "Asinh": np.arcsinh, "Ceil": np.ceil, "Cos": np.cos,
        "Cosh": np.cosh, "Erf": erf, "Exp": np.exp, "Floor": np.floor, "Neg": np.negative,
        "Relu": lambda x: np.maximum(x, 0), "Round": np.rint, "Sigmoid": sigmoid, "Sign": np.sign,
        "Sin": np.sin, "Sinh": np.sinh, "Softplus": softplus,
        "Softsign": lambda x: x / (1 + np.abs(x)), "Tan": np.tan, "Tanh": np.tanh,
        "HardSwish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
        "Mish": lambda x: x * np.tanh(softplus(x)),
        "Gelu": lambda x: 0.5 * x * (1 + erf(x / math.sqrt(2))),
        "com.microsoft:Gelu": lambda x: 0.5 * x * (1 + erf(x / math.sqrt(2))),
        "Celu": lambda x: np.maximum(x, 0) + np.minimum(0, np.expm1(x)),
        "Elu": lambda x: np.where(x < 0, np.expm1(x), x),
        "HardSigmoid": lambda x: np.clip(f(0.2) * x + 0.5, 0, 1),
        "LeakyRelu": lambda x: np.where(x < 0, f(0.01) * x, x),
        "Selu": lambda x: f(1.05070102214813232421875) * np.where(
            x > 0, x, f(1.67326319217681884765625) * np.expm1(x)),
        "Shrink": lambda x: np.where(x < -0.5, x, np.where(x > 0.5, x, 0)),
        "ThresholdedRelu": lambda x: np.where(x > 1, x, 0), "Swish": lambda x: x * sigmoid(x),
    }
    tail = {"Gelu": 4e-6, "com.microsoft:Gelu": 4e-6, "Tan": 1e-6}
    for op, formula in plain.items():
        x = grid(3, 7)
        for kind in ("F32", "F64", "F16") if op in ("Sigmoid", "Gelu", "Neg", "Cos") else ("F32",):
            loose = {"F32": tail.get(op), "F16": 2e-3}.get(kind)
            case(op, [(kind, x)], [(kind, formula(x))], loose, opset=24)
    for op, formula, low, high in (
            ("Acos", np.arccos, -1, 1), ("Asin", np.arcsin, -1, 1),
            ("Atanh", np.arctanh, -0.9, 0.9), ("Acosh", np.arccosh, 1, 9),
            ("Log", np.log, 0.1, 20), ("Sqrt", np.sqrt, 0, 20),
            ("Reciprocal", np.reciprocal, 0.1, 20)):
        x = grid(2, 9, low=low, high=high)
        case(op, [("F32", x)], [("F32", formula(x))])
    x = grid(17)
    tanh = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))
    case("Gelu", [("F32", x)], [("F32", tanh)], 4e-6, approximate="tanh")
    case("com.microsoft:FastGelu", [("F32", x), ("F32", np.zeros(17))], [("F32", tanh)], 4e-6)
    case("com.microsoft:FastGelu", [("F32", x)], [("F32", tanh)], 4e-6)
    case("LeakyRelu", [("F32", x)], [("F32", np.where(x < 0, 0.25 * x, x))], alpha=0.25)
    case("Celu", [("F32", x)], [("F32", np.maximum(x, 0) + np.minimum(0, 2 * np.expm1(x / 2)))],
         alpha=2.0)
    case("HardSigmoid", [("F32", x)], [("F32", np.clip(0.5 * x + 0.25, 0, 1))], alpha=0.5,
         beta=0.25)
    case("Shrink", [("F32", x)], [("F32", np.where(x < -1.5, x + 1, np.where(x > 1.5, x - 1, 0)))],
         lambd=1.5, bias=1.0)
    case("Swish", [("F32", x)], [("F32", x / (1 + np.exp(-1.5 * x)))], opset=24, alpha=1.5)
    special = np.array([0, 1, np.inf, -np.inf, np.nan, -3])
    for kind in ("F32", "F16", "F64"):
        case("IsNaN", [(kind, special)], [("BOOL", np.isnan(special))])
        case("IsInf", [(kind, special)], [("BOOL", np.isinf(special))])
        case("IsInf", [(kind, special)], [("BOOL", special == np.inf)], detect_negative=0)
        case("IsInf", [(kind, special)], [("BOOL", special == -np.inf)], detect_positive=0)
        case("Relu", [(kind, special)], [(kind, np.maximum(special, 0))])
        case("Sign", [(kind, special)], [(kind, np.sign(special))])
    small = np.array([-128, -127, -1, 0, 1, 127], np.int8)
    case("Abs", [("I8", small)], [("I8", np.abs(small))])
    case("Neg", [("I8", small)], [("I8", -small)])
    case("Sign", [("I8", small)], [("I8", np.sign(small))])
    case("Relu", [("I8", small)], [("I8", np.maximum(small, 0))])
    case("BitwiseNot", [("I8", small)], [("I8", ~small)])
    case("BitwiseNot", [("U16", np.array([0, 1, 65535]))], [("U16", np.array([65535, 65534, 0]))])
    case("Not", [("BOOL", [0, 1, 1])], [("BOOL", [1, 0, 0])])


SHAPES = [((2, 3, 4), (2, 3, 4)), ((2, 3, 4), ()), ((), (5,)), ((2, 3, 4), (4,)),
          ((2, 3, 4), (3, 1)), ((1, 5), (4, 1)), ((2, 1, 3, 1), (1, 2, 1, 3)), ((0, 3), (3,)),
          ((1, 1), (1,))]


def integers(kind, shape):
    limits = np.iinfo(TYPES[kind])
    wide = rng.integers(limits.min, limits.max, shape, endpoint=True, dtype=TYPES[kind])
    return np.where(rng.integers(0, 2, shape) == 0, wide, wide % 7).astype(TYPES[kind])


def trunc_divide(a, b):
    q = a // b
    return (q + ((q < 0) & (q * b != a)).astype(q.dtype)).astype(a.dtype)


def pairs(a_shape, b_shape, every_type):
    for kind in ("F32", "F16", "F64") if every_type else ("F32",):
        a, b = grid(*a_shape), grid(*b_shape, low=0.25)
        for op, f in (("Add", np.add), ("Sub", np.subtract), ("Mul", np.multiply),
                      ("Div", np.divide), ("Max", np.maximum), ("Min", np.minimum)):
            case(op, [(kind, a), (kind, b)], [(kind, f(a, b))])
    for kind in ("I8", "U8", "U16", "I32", "I64") if every_type else ():
        a, b = integers(kind, a_shape), integers(kind, b_shape)
        if kind == "I64":
            a, b = a % 1000003, b % 1009
        by = np.where(b == 0, 1, b).astype(TYPES[kind])
        for op, f, y in (("Add", np.add, b), ("Sub", np.subtract, b),
                         ("Mul", np.multiply, b), ("Max", np.maximum, b),
                         ("Min", np.minimum, b), ("Mod", np.mod, by),
                         ("Div", trunc_divide, by), ("BitwiseXor", np.bitwise_xor, b)):
            case(op, [(kind, a), (kind, y)], [(kind, f(a, y))])
        case("Mod", [(kind, a), (kind, by)], [(kind, np.fmod(a, by))], fmod=1)
        for op, f in (("Equal", np.equal), ("Greater", np.greater), ("Less", np.less),
                      ("GreaterOrEqual", np.greater_equal),
                      ("LessOrEqual", np.less_equal)):
            case(op, [(kind, a), (kind, b)], [("BOOL", f(a, b))])
    p, q = rng.integers(0, 2, a_shape), rng.integers(0, 2, b_shape)
    for op, f in (("And", np.logical_and), ("Or", np.logical_or), ("Xor", np.logical_xor)):
        case(op, [("BOOL", p), ("BOOL", q)], [("BOOL", f(p, q))])
    a, b = grid(*a_shape), grid(*b_shape)
    case("Where", [("BOOL", p), ("F32", a), ("F32", b)], [("F32", np.where(p, a, b))])
    case("Where", [("BOOL", q), ("I8", np.rint(a)), ("I8", np.rint(b))],
         [("I8", np.where(q, np.rint(a), np.rint(b)))])


def binary_types():
    with np.errstate(over="ignore"):
        pairs(*SHAPES[0], True)


def binary_shapes():
    for a_shape, b_shape in SHAPES[1:]:
        pairs(a_shape, b_shape, False)


def binary_special():
    a, b = grid(3, 4), grid(4)
    case("Mod", [("F32", a), ("F32", b + 8)], [("F32", np.fmod(a, b + 8))], fmod=1)
    case("PRelu", [("F32", a), ("F32", b)], [("F32", np.where(a < 0, a * b, a))])
    case("PRelu", [("F32", grid(2, 3, 2) * 0 - 1), ("F32", [2, 3, 4])],
         [("F32", -np.array([2, 2, 3, 3, 4, 4, 2, 2, 3, 3, 4, 4]).reshape(2, 3, 2))], opset=6)
    case("Add", [("F32", np.zeros((2, 3, 2))), ("F32", [2, 3, 4])],
         [("F32", np.array([2, 2, 3, 3, 4, 4, 2, 2, 3, 3, 4, 4]).reshape(2, 3, 2))], opset=6,
         broadcast=1, axis=1)
    case("Pow", [("F32", np.abs(a)), ("F32", b)], [("F32", np.abs(a) ** b)], 2e-6)
    case("Pow", [("F32", a), ("I64", 2)], [("F32", a ** 2)])
    case("Pow", [("I32", [2, -3, 7]), ("F32", [3, 2, 0.5])], [("I32", [8, 9, 2])])
    case("Pow", [("I64", [2, -3, 1, -1, 5]), ("I32", [40, 3, -4, -3, -1])],
         [("I64", [2 ** 40, -27, 1, -1, 0])])
    for op, f in (("Max", np.maximum), ("Min", np.minimum), ("Sum", np.add)):
        c = grid(3, 1)
        case(op, [("F32", a), ("F32", b), ("F32", c)], [("F32", f(f(a, b), c))])
        case(op, [("F32", a)], [("F32", a)])
    case("Mean", [("F32", a), ("F32", b)], [("F32", (a + b) / 2)])
    nan = np.array([1, np.nan, 3])
    case("Max", [("F32", nan), ("F32", 2)], [("F32", np.maximum(nan, 2))])
    case("Min", [("F32", 2), ("F32", nan)], [("F32", np.minimum(2, nan))])
    case("BitShift", [("U8", [1, 255, 3]), ("U8", [7, 1, 9])], [("U8", [128, 254, 0])],
         direction="LEFT")
    case("BitShift", [("U16", [65535, 9, 8]), ("U16", [8, 3, 17])], [("U16", [255, 1, 0])],
         direction="RIGHT")


def casts():
    a = np.array([-3.75, -1, -0.0, 0.0625, 0.5, 1, 2.5, 100.25])
    for to, number_of in (("F32", 1), ("F64", 11), ("F16", 10), ("I8", 3), ("I32", 6), ("I64", 7),
                          ("BOOL", 9)):
        for source in ("F32", "F64", "F16"):
            case("Cast", [(source, a)], [(to, a.astype(TYPES[to]))], 0, to=number_of)
    wide = np.array([-129, -128, 255, 256, 65537, 2 ** 31 - 1], np.int64)
    for to, number_of in (("I8", 3), ("U8", 2), ("I16", 5), ("U16", 4), ("I32", 6), ("U32", 12),
                          ("F32", 1), ("F64", 11), ("BOOL", 9)):
        case("Cast", [("I64", wide)], [(to, wide.astype(TYPES[to]))], 0, to=number_of)
        case("CastLike", [("I64", wide), (to, np.zeros(1))], [(to, wide.astype(TYPES[to]))], 0)
    case("Clip", [("F32", a)], [("F32", np.clip(a, -1, 2))], opset=6, min=-1.0, max=2.0)
    case("Clip", [("F32", a), ("F32", -1), ("F32", 2)], [("F32", np.clip(a, -1, 2))])
    case("Clip", [("F32", a), None, ("F32", 2)], [("F32", np.minimum(a, 2))])
    case("Clip", [("F32", a), ("F32", 2), ("F32", 1)], [("F32", np.ones(8))])
    case("Clip", [("I8", [-9, 0, 9]), ("I8", -3)], [("I8", [-3, 0, 9])])


def codes(quotient, zero, low, high):
    return np.clip(np.rint(quotient) + zero, low, high)


def quantised():
    ranges = {"U8": (0, 255), "I8": (-128, 127), "U16": (0, 65535), "I16": (-32768, 32767),
              "U4": (0, 15), "I4": (-8, 7), "U2": (0, 3), "I2": (-2, 1)}
    x = grid(2, 4, 3, low=-9, high=9)
    for kind, (low, high) in ranges.items():
        zero = 1 if low == 0 else -1
        y = codes(x / 0.5, zero, low, high)
        case("QuantizeLinear", [("F32", x), ("F32", 0.5), (kind, zero)], [(kind, y)])
        case("DequantizeLinear", [(kind, y), ("F32", 0.5), (kind, zero)],
             [("F32", (y - zero) * 0.5)])
        for axis in (0, 1, -1):
            n = x.shape[axis]
            scale, zeros = 2.0 ** np.arange(n), np.arange(n) % 2
            shape = [1, 1, 1]
            shape[axis] = n
            s, z = scale.reshape(shape), zeros.reshape(shape)
            y = codes(x / s, z, low, high)
            case("QuantizeLinear", [("F32", x), ("F32", scale), (kind, zeros)], [(kind, y)],
                 axis=axis)
            case("DequantizeLinear", [(kind, y), ("F32", scale), (kind, zeros)],
                 [("F32", (y - z) * s)], axis=axis)
    for axis, block in ((0, 2), (1, 3), (1, 2), (2, 2), (2, 3)):
        shape = list(x.shape)
        shape[axis] = -(-shape[axis] // block)
        scale = 2.0 ** rng.integers(-2, 3, shape)
        s = np.take(np.repeat(scale, block, axis), np.arange(x.shape[axis]), axis)
        y = codes(x / s, 0, -8, 7)
        case("QuantizeLinear", [("F32", x), ("F32", scale), ("I4", np.zeros(shape))], [("I4", y)],
             opset=21, axis=axis, block_size=block)
        case("DequantizeLinear", [("I4", y), ("F32", scale)], [("F32", y * s)], opset=21, axis=axis,
             block_size=block)
    case("QuantizeLinear", [("F32", x), ("F32", 0.5)], [("U8", codes(x / 0.5, 0, 0, 255))])
    case("QuantizeLinear", [("F32", x), ("F32", 0.5)], [("I16", codes(x / 0.5, 0, -32768, 32767))],
         opset=21, output_dtype=5)
    half = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 300, -300, np.inf, -np.inf])
    case("QuantizeLinear", [("F32", half), ("F32", 1), ("I8", 0)],
         [("I8", [0, 2, 2, 0, -2, 127, -128, 127, -128])])
    wide = np.array([-2 ** 20, 7, 2 ** 20])
    case("DequantizeLinear", [("I32", wide), ("F32", 0.25)], [("F32", wide * 0.25)])
    case("DequantizeLinear", [("U8", [0, 128, 255]), ("F16", 0.5), ("U8", 128)],
         [("F16", [-64, 0, 63.5])])
    case("DynamicQuantizeLinear", [("F32", [-1.0, 0, 4.1])],
         [("U8", [0, 50, 255]), ("F32", np.float32(5.1) / 255), ("U8", 50)])
    case("DynamicQuantizeLinear", [("F32", [0.0, 0])], [("U8", [0, 0]), ("F32", 1), ("U8", 0)])
    for kind, (low, high) in (("U8", (0, 255)), ("I8", (-128, 127))):
        for a_shape, b_shape in SHAPES[:5]:
            a = rng.integers(low, high, a_shape, endpoint=True)
            b = rng.integers(low, high, b_shape, endpoint=True)
            for op, value in (("Add", (a - 3) * 0.5 + (b + 2) * 0.25),
                              ("Mul", (a - 3) * 0.5 * ((b + 2) * 0.25))):
                zero_b = 0 if low == 0 else -2
                if low == 0:
                    value = ((a - 3) * 0.5 + b * 0.25 if op == "Add" else
                             (a - 3) * 0.5 * (b * 0.25))
                if op == "Add":    # rounded behind the zero point
                    value = np.rint(value + 5) - 5
                case("com.microsoft:QLinear" + op,
                     [(kind, a), ("F32", 0.5), (kind, 3), (kind, b), ("F32", 0.25), (kind, zero_b),
                      ("F32", 1), (kind, 5)],
                     [(kind, codes(value, 5, low, high))], opset=1)
        x = rng.integers(low, high, (2, 3, 4, 5), endpoint=True)
        y = codes((x.mean((2, 3), keepdims=True) - 3) * 0.5 / 0.25, 5, low, high)
        rest = [("F32", 0.5), (kind, 3), ("F32", 0.25), (kind, 5)]
        case("com.microsoft:QLinearGlobalAveragePool", [(kind, x)] + rest, [(kind, y)], opset=1)
        case("com.microsoft:QLinearGlobalAveragePool", [(kind, np.moveaxis(x, 1, -1))] + rest,
             [(kind, np.moveaxis(y, 1, -1))], opset=1, channels_last=1)


def random():
    draw = np.random.RandomState(7)
    case("RandomUniformLike", [("F32", np.zeros((3, 5)))], [("F32", draw.rand(3, 5) * 3 - 1)],
         seed=7.0, low=-1.0, high=2.0)
    draw = np.random.RandomState(8)
    case("RandomNormalLike", [("F64", np.zeros((11, 2)))], [("F64", draw.randn(11, 2) * 2 + 1)],
         1e-13, seed=8.0, mean=1.0, scale=2.0)
    x = grid(4, 5)
    keep = np.random.RandomState(5).uniform(0, 1, x.shape) >= 0.75
    case("Dropout", [("F32", x), ("F32", 0.75), ("BOOL", 1)],
         [("F32", np.where(keep, x * 4, 0)), ("BOOL", keep)], seed=5)
    case("Dropout", [("F32", x), ("F32", 0.75), ("BOOL", 0)],
         [("F32", x), ("BOOL", np.ones(x.shape))], seed=5)
    case("Dropout", [("F32", x)], [("F32", x), ("F32", np.ones(x.shape))], opset=7, ratio=0.5)


def main():
    groups = {}
    for make in (unary, binary_types, binary_shapes, binary_special, casts, quantised, random):
        make()
        groups[make.__name__] = list(cases)
        cases.clear()
    definitions = {name: "static const double %s[] = {\n%s\n};" % (name, text)
                   for text, name in arrays.items()}
    vector_files.write(sys.argv[1], "elementwise", "vector_case",
                       "the type of a case stands in tests/unit/test_plain_elementwise.c.",
                       definitions, groups)


main()
