#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the hand-made part of the corpora: small files, valid ones and ones broken in one place.

Usage: seeds.py [folder]     (default: corpora, next to this script)

Files that a fuzzer found are added by hand under names that say what they broke; this script leaves
them alone.
"""
import base64
import json
import math
import pathlib
import struct
import sys

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
FORMS = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "B", U64: "Q",
         I64: "q", F64: "d"}


def text(s):
    b = s if isinstance(s, bytes) else s.encode()
    return struct.pack("<Q", len(b)) + b


def value(kind, v):
    return text(v) if kind == STRING else struct.pack("<" + FORMS[kind], v)


def entry(key, kind, v):
    return text(key) + struct.pack("<I", kind) + value(kind, v)


def array(key, kind, values, count=None):
    n = len(values) if count is None else count
    return (text(key) + struct.pack("<IIQ", ARRAY, kind, n)
            + b"".join(value(kind, v) for v in values))


def tensor(name, kind, extents, offset):
    return (text(name) + struct.pack("<I", len(extents))
            + b"".join(struct.pack("<Q", e) for e in extents) + struct.pack("<IQ", kind, offset))


def gguf(entries=(), tensors=(), data=b"", version=3, magic=b"GGUF", align=32, entry_count=None,
         tensor_count=None):
    head = magic + struct.pack(
        "<IQQ", version, len(tensors) if tensor_count is None else tensor_count,
        len(entries) if entry_count is None else entry_count)
    head += b"".join(entries) + b"".join(tensors)
    return head + b"\0" * (-len(head) % align) + data if data else head


def gguf_seeds():
    arch = entry("general.architecture", STRING, "llama")
    scalars = [entry(f"k.{k}", k, 1) for k in FORMS]
    w = tensor("w", 0, [4, 2], 0)
    two = [w, tensor("v", 8, [32], 32)]
    data = bytes(range(66))
    huge = 2**64 - 1
    return {
        "valid_empty": gguf(),
        "valid_version_2": gguf([arch], [w], data, version=2),
        "valid_scalars": gguf([arch] + scalars),
        "valid_floats": gguf([array("f", F32, [0.1, -1e30, float("nan"), float("inf"), 1e-45]),
                              array("d", F64, [0.1, 1e300]), entry("e", F64, -0.5)]),
        "valid_arrays": gguf([array(f"a.{k}", k, [0, 1, 1]) for k in FORMS]
                             + [array("none", U64, [])]),
        "valid_tokenizer": gguf([entry("tokenizer.ggml.model", STRING, "llama"),
                                 array("tokenizer.ggml.tokens", STRING,
                                       ["<s>", b"\xff\xfe", "", "\u2581a", 'q"\\\n'] * 2),
                                 array("tokenizer.ggml.scores", F32, [0.0] * 10)]),
        "valid_text": gguf([entry("t", STRING, b"a\0b\xc3\xa9\xed\xa0\x80\n\x1b")]),
        "valid_tensors": gguf([arch], two, data),
        "valid_ranks": gguf([], [tensor("r0", 0, [], 0), tensor("r1", 24, [3], 0),
                                 tensor("r4", 24, [2, 2, 2, 2], 32)], data),
        "valid_blocks": gguf([], [tensor(f"b{i}", t, [n], 0) for i, (t, n) in enumerate(
            [(2, 32), (3, 32), (6, 32), (7, 32), (20, 32), (39, 32), (10, 256), (11, 256),
             (12, 256), (13, 256), (14, 256), (15, 256), (23, 256)])], bytes(292)),
        "valid_alignment_1": gguf([entry("general.alignment", U32, 1)],
                                  [tensor("a", 24, [3], 0), tensor("b", 24, [1], 3)], b"abcd",
                                  align=1),
        "valid_alignment_i64": gguf([entry("general.alignment", I64, 8)],
                                    [tensor("a", 24, [3], 8)], bytes(11), align=8),
        "valid_split_1": gguf([entry("split.count", U16, 1)]),
        "broken_magic": gguf(magic=b"GGML"),
        "broken_version_1": gguf(version=1),
        "broken_version_4": gguf(version=4),
        "broken_big_endian": gguf(version=0x03000000),
        "broken_header_short": gguf()[:19],
        "broken_entry_count": gguf([arch], entry_count=huge),
        "broken_tensor_count": gguf([arch], tensor_count=2**40),
        "broken_string_length": gguf([text("k") + struct.pack("<IQ", STRING, huge)]),
        "broken_array_length": gguf([array("k", F64, [1.0], count=2**61 + 1)]),
        "broken_string_array": gguf([array("k", STRING, ["a", "b"], count=3)]),
        "broken_nested_array": gguf([text("k") + struct.pack("<IIQIQ", ARRAY, ARRAY, 1, U8, 0)]),
        "broken_value_type": gguf([text("k") + struct.pack("<IQ", 13, 0)]),
        "broken_bool": gguf([array("k", BOOL, [0, 1, 2])]),
        "broken_key_twice": gguf([entry("k", U8, 1), entry("k", U8, 1)]),
        "broken_key_control": gguf([entry("a\0b", U8, 1)]),
        "broken_key_length": gguf([struct.pack("<Q", 65536) + bytes(40)]),
        "broken_alignment_48": gguf([entry("general.alignment", U32, 48)]),
        "broken_alignment_type": gguf([entry("general.alignment", F32, 32)]),
        "broken_split_3": gguf([entry("split.count", U16, 3)]),
        "broken_tensor_twice": gguf([], [w, w], data),
        "broken_tensor_type": gguf([], [tensor("w", 16, [256], 0)], bytes(66)),
        "broken_tensor_rank": gguf([], [tensor("w", 0, [1] * 5, 0)], data),
        "broken_tensor_extent_0": gguf([], [tensor("w", 0, [4, 0], 0)], data),
        "broken_tensor_overflow": gguf([], [tensor("w", 0, [2**31, 2**31], 0)], data),
        "broken_tensor_row": gguf([], [tensor("w", 2, [33], 0)], data),
        "broken_tensor_offset": gguf([], [tensor("w", 0, [4], 16)], data),
        "broken_tensor_outside": gguf([], [tensor("w", 0, [4], 2**64 - 32)], data),
        "broken_data_short": gguf([arch], two, data)[:-1],
    }


def vocabulary(spm, rule, options, flags, pieces, content, own_bytes=True):
    """Input of fuzz_tokenizer: pieces are (type, text)."""
    first = (1 if spm else 0) | (0 if own_bytes else 8)
    listed = b"".join(bytes([kind << 5 | len(t.encode())]) + t.encode() for kind, t in pieces)
    content = content if isinstance(content, bytes) else content.encode()
    return bytes([first, rule, options, flags, len(pieces)]) + listed + content


def tokenizer_seeds():
    normal, unknown, control, user = 1, 2, 3, 4
    prefix, squeeze, bos_eos_unknown = 0x20, 0x40, 7
    letters = [(normal, "ab"), (normal, "c"), (normal, "\u0120a"), (user, "<|x|>")]
    seeds = {
        "spm_words": vocabulary(True, 0, prefix, 0, [
            (normal, "\u2581"), (normal, "\u2581a"), (normal, "ab"), (normal, "abc")],
            "abc a  ab \u00e9\U0001f600"),
        "spm_special": vocabulary(True, 0, prefix, 3, [
            (control, "<s>"), (user, "\n"), (user, "<x>"), (unknown, "<unk>"), (normal, "a")],
            "<s>a<x>\n\nb<unk>"),
        "spm_no_bytes": vocabulary(True, 0, bos_eos_unknown, 1, [
            (control, "<s>"), (control, "</s>"), (unknown, "<unk>"), (normal, "a"),
            (normal, "\u2581")], "a b \u00e9", own_bytes=False),
        "spm_family": vocabulary(True, 0, prefix, 2, [
            (control, "<|placeholder1|>"), (control, "<|end|>")], "a<|end|>\n \nb"),
        "spm_squeeze": vocabulary(True, 0, prefix | squeeze, 0, [
            (normal, "\u2581\u2581"), (normal, "a\u2581")], "  a   a  "),
        "bpe_broken": vocabulary(False, 1, 0, 2, [(normal, "ab"), (control, "<|e|>")],
                                 b"\xff\xf0\x9f\x98a\xed\xa0\x80\0<|e|>"),
        "bpe_no_bytes": vocabulary(False, 3, bos_eos_unknown, 1, [
            (normal, "a"), (normal, "b"), (unknown, "u"), (normal, "ab")], "ab cab",
            own_bytes=False),
        "empty": b"",
    }
    for rule in range(16):
        seeds[f"bpe_rule_{rule:02}"] = vocabulary(
            False, rule, 0, 0, letters,
            "abc  ab's 12345 HelloWORLD,<|x|>\r\n\n \u00e9\u5b57\U0001f600 ")
    return seeds


PAGE, PART = 4096, 1 << 19


def weights(entries, parts=None, count=None, magic=b"HETCACH\n", order=0x01020304, version=1,
            size=None, part_bytes=PART, tail=0):
    """Input of fuzz_cache: entries are (offset, bytes, first part). The target repairs key and
    checksum."""
    parts = sum(-(-e[1] // PART) for e in entries) if parts is None else parts
    end = max([e[0] + e[1] for e in entries if e[0] + e[1] < 1 << 20], default=0)
    table = b"".join(
        bytes([i] * 16) + struct.pack("<qqQQIIII", 16, 32, offset, length, 40, 6, 1, part)
        for i, (offset, length, part) in enumerate(entries))
    table += struct.pack("<Q", 0) * min(parts, 8)
    whole = max(end, 88 + len(table)) + tail
    head = magic + struct.pack("<II", order, version) + bytes([1, 2, 3]) + bytes(13)
    head += b"fuzz" + bytes(12) + struct.pack("<II", 7, 1)
    head += struct.pack("<IIQQQ", len(entries) if count is None else count, parts, part_bytes,
                        whole if size is None else size, 0)
    return (head + table).ljust(whole, b"\0")


def cache_seeds():
    one, two = [(PAGE, 100, 0)], [(PAGE, 100, 0), (2 * PAGE, 64, 1)]
    huge = 2**64 - 1
    return {
        "valid_empty": weights([]),
        "valid_one": weights(one),
        "valid_two": weights(two),
        "broken_magic": weights(one, magic=b"GGUF\0\0\0\0"),
        "broken_order": weights(one, order=0x04030201),
        "broken_version": weights(one, version=2),
        "broken_size": weights(one, size=1 << 40),
        "broken_part_bytes": weights(one, part_bytes=0),
        "broken_short": weights(one)[:87],
        "broken_count": weights(one, count=2**32 - 1),
        "broken_parts": weights(one, parts=2**32 - 1),
        "broken_parts_many": weights(one, parts=2),
        "broken_parts_few": weights(two, parts=1),
        "broken_part": weights([(PAGE, 100, 1)]),
        "broken_unaligned": weights([(PAGE + 64, 100, 0)]),
        "broken_in_header": weights([(0, 100, 0)]),
        "broken_overlap": weights([(PAGE, PAGE + 1, 0), (2 * PAGE, 64, 1)]),
        "broken_backwards": weights([(2 * PAGE, 64, 0), (PAGE, 64, 1)]),
        "broken_nothing": weights([(PAGE, 0, 0)]),
        "broken_outside": weights([(2**63, 64, 0)]),
        "broken_overflow": weights([(PAGE, huge, 0)], parts=1),
        "broken_end": weights([(PAGE, 100, 0)])[:-1],
    }


# ---- ONNX: messages of fields, each its number, wire type and value ----

def number(x):
    x &= 2**64 - 1
    out = bytearray()
    while x > 127:
        out.append(x & 127 | 128)
        x >>= 7
    return bytes(out + bytes([x]))


def field(n, *values):
    """One field for each value: an integer, a float, or text, bytes and messages."""
    out = b""
    for v in values:
        if isinstance(v, int):
            out += number(n << 3) + number(v)
        elif isinstance(v, float):
            out += number(n << 3 | 5) + struct.pack("<f", v)
        else:
            b = v.encode() if isinstance(v, str) else v
            out += number(n << 3 | 2) + number(len(b)) + b
    return out


def onnx_tensor(name, kind, extents, raw=None, rest=b""):
    return (field(1, *extents) + field(2, kind) + field(8, name)
            + (b"" if raw is None else field(9, raw)) + rest)


def onnx_value(name, kind=1, extents=None):
    shape = b"" if extents is None else field(2, b"".join(
        field(1, field(1, e) if isinstance(e, int) else field(2, e)) for e in extents))
    return field(1, name) + (field(2, field(1, field(1, kind) + shape)) if kind else b"")


def onnx_node(op, inputs, outputs, *attrs, domain=""):
    return (field(1, *inputs) + field(2, *outputs) + field(4, op) + field(5, *attrs)
            + (field(7, domain) if domain else b""))


def onnx_attr(name, kind, n, *values):
    return field(1, name) + field(20, kind) + field(n, *values)


def onnx_graph(nodes, weights=(), inputs=(), outputs=()):
    return (field(1, *nodes) + field(2, "g") + field(5, *weights) + field(11, *inputs)
            + field(12, *outputs))


def onnx_model(graph, *rest, ir=9, opset=17):
    return field(1, ir) + field(7, graph) + field(8, field(2, opset)) + b"".join(rest)


def onnx_function(name, inputs, outputs, *nodes, rest=b""):
    return field(25, field(1, name) + field(4, *inputs) + field(5, *outputs) + field(7, *nodes)
                 + field(10, "f") + rest)


def onnx_simple(*nodes, weights=(), inputs=(), outputs=("y",), model=b""):
    return onnx_model(onnx_graph(nodes, weights,
                                 (onnx_value("x", 1, ["n", 3]), onnx_value("c", 9, [])) + inputs,
                                 [onnx_value(o, 0) for o in outputs]), model)


def onnx_seeds():
    relu = onnx_node("Relu", ["x"], ["y"])
    f32 = struct.pack("<3f", 1, 2, 3)
    branch = onnx_graph([onnx_node("Sum", ["x", "w", "k"], ["t"])], (), (), [onnx_value("t", 0)])
    other = onnx_graph([], [onnx_tensor("v", 7, [2], struct.pack("<2q", 1, 2))], (),
                       [onnx_value("v", 0)])
    loop = onnx_graph([onnx_node("Add", ["v", "x"], ["v2"])], (),
                      (onnx_value("i", 7, []), onnx_value("go", 9), onnx_value("v")),
                      (onnx_value("go", 0), onnx_value("v2", 0), onnx_value("v2", 0)))
    k = onnx_node("Constant", [], ["k"], onnx_attr("value_floats", 6, 7, 1.0, 2.0))
    both = onnx_node("If", ["c"], ["y"], onnx_attr("then_branch", 5, 6, branch),
                     onnx_attr("else_branch", 5, 6, other))
    inner = onnx_graph([onnx_node("Loop", ["", "c", "x"], ["a", "b"],
                                  onnx_attr("body", 5, 6, loop))], (), (), [onnx_value("b", 0)])
    w = onnx_tensor("w", 1, [3], f32)
    small = [onnx_tensor("t%d" % i, kind, [3], raw) for i, (kind, raw) in enumerate([
        (2, b"abc"), (9, b"\0\1\2"), (10, b"abcdef"), (21, b"ab"), (22, b"ab"), (23, b"ab"),
        (25, b"a"), (26, b"a"), (16, b"abcdef"), (17, b"abc")])]
    typed = [onnx_tensor("n0", 1, [2], rest=field(4, struct.pack("<2f", 1, 2))),
             onnx_tensor("n1", 1, [2], rest=field(4, 1.0, 2.0)),
             onnx_tensor("n2", 7, [2], rest=field(7, b"\1\2")),
             onnx_tensor("n3", 6, [2], rest=field(5, 1, -1)),
             onnx_tensor("n4", 22, [3], rest=field(5, b"\x21\3")),
             onnx_tensor("n5", 12, [1], rest=field(11, 5))]
    outside = onnx_tensor("w", 1, [3], rest=field(14, 1) + field(13, field(1, "location")
                                                                 + field(2, "w.bin")))
    scale = onnx_function("Scale", ["p", "q"], ["r"], onnx_node(
        "Elu", ["p"], ["e"], field(1, "alpha") + field(20, 1) + field(21, "by")),
        onnx_node("Max", ["e", "q"], ["r"]), rest=field(11, onnx_attr("by", 1, 2, 3.0)))
    twice = onnx_function("Twice", ["p"], ["q"], onnx_node("Scale", ["p"], ["i"], domain="f"),
                          onnx_node("Scale", ["i", "p"], ["q"], domain="f"))
    calls = [onnx_node("Twice", ["x"], ["a"], domain="f"),
             onnx_node("Scale", ["a"], ["y"], onnx_attr("by", 1, 2, 2.0), domain="f")]
    chain = b"".join(onnx_function("F%d" % i, ["p"], ["q"], *[
        onnx_node("F%d" % (i + 1), [a], [b], domain="f") for a, b in ("pi", "iq")])
        for i in range(20))
    return {
        "valid_relu": onnx_simple(relu),
        "valid_about": onnx_simple(relu, model=field(2, "p") + field(3, "1") + field(5, 2)
                                   + field(6, "d") + field(14, field(1, "k") + field(2, "v"))),
        "valid_types": onnx_simple(relu, weights=small),
        "valid_numbers": onnx_simple(relu, weights=typed),
        "valid_identity": onnx_simple(relu, weights=[w], outputs=("y", "x", "w", "y")),
        "valid_if": onnx_simple(k, both, weights=[w]),
        "valid_nested": onnx_simple(onnx_node("If", ["c"], ["y"],
                                              onnx_attr("then_branch", 5, 6, inner))),
        "valid_functions": onnx_simple(*calls, model=scale + twice),
        "valid_unsorted": onnx_simple(onnx_node("Neg", ["b"], ["y"]),
                                      onnx_node("Abs", ["x"], ["b"])),
        "valid_unknown": onnx_simple(onnx_node(
            "Thing", ["x", "", "c"], ["", "y"], onnx_attr("s", 3, 4, "t"),
            onnx_attr("ss", 8, 9, "a", "b"), onnx_attr("is", 7, 8, 1, -1),
            onnx_attr("t", 4, 5, w), onnx_attr("i", 2, 3, 5), field(1, "g") + field(2, 1.0),
            onnx_attr("odd", 13, 14, b""), domain="own")),
        "broken_cycle": onnx_simple(onnx_node("Add", ["x", "z"], ["y"]),
                                    onnx_node("Neg", ["y"], ["z"])),
        "broken_undefined": onnx_simple(onnx_node("Neg", ["z"], ["y"])),
        "broken_twice": onnx_simple(relu, relu),
        "broken_arity": onnx_simple(onnx_node("Relu", ["x", "c"], ["y"])),
        "broken_version": onnx_model(onnx_graph([relu]), opset=28),
        "broken_ir": onnx_model(onnx_graph([relu]), ir=99),
        "broken_outside": onnx_simple(relu, weights=[outside]),
        "broken_contents": onnx_simple(relu, weights=[onnx_tensor("w", 1, [4], f32)]),
        "broken_extents": onnx_simple(relu, weights=[onnx_tensor("w", 1, [-1, 2**62], f32)]),
        "broken_sequence": onnx_simple(relu, inputs=(field(1, "s") + field(2, field(4, b"")),)),
        "broken_recursion": onnx_simple(
            onnx_node("R", ["x"], ["y"], domain="f"),
            model=onnx_function("R", ["p"], ["q"], onnx_node("R", ["p"], ["q"], domain="f"))),
        "broken_explosion": onnx_simple(onnx_node("F0", ["x"], ["y"], domain="f"), model=chain),
        "broken_end": onnx_simple(relu)[:-1],
        "tensor": onnx_tensor("w", 1, [3], f32),
    }

# ---- graphs that run ----

def floats(name, extents, values):
    return onnx_tensor(name, 1, extents, struct.pack("<%df" % len(values), *values))


def ramp(name, *extents):
    return floats(name, extents, [(i * 7 % 11 - 4) / 8 for i in range(math.prod(extents))])


def longs(name, *values, rank=1):
    return onnx_tensor(name, 7, [len(values)] if rank else [],
                       struct.pack("<%dq" % len(values), *values))


def onnx_ints(name, *values):
    return onnx_attr(name, 7, 8, *values)


def onnx_int(name, value):
    return onnx_attr(name, 2, 3, value)


def onnx_chain(x, *steps, weights=(), opset=17, outputs=("y",), more=()):
    """Each step: (operation, further inputs, attributes); the last one's output is y."""
    nodes, at = [], "x"
    for i, (op, inputs, *attrs) in enumerate(steps):
        made = "y" if i + 1 == len(steps) else "t%d" % i
        made_too = ["indices"] if op == "TopK" else []
        nodes.append(onnx_node(op, [at, *inputs], [made, *made_too], *attrs))
        at = made
    return onnx_model(onnx_graph([*nodes, *more], weights, [onnx_value("x", 1, x)],
                                 [onnx_value(o, 0) for o in outputs]), opset=opset)


def graph_images():
    image = ["n", 4, 6, 6]
    same = onnx_ints("pads", 1, 1, 1, 1)
    norm = [ramp("s", 4), ramp("o", 4), ramp("m", 4), floats("v", [4], [1, 2, 3, 4])]
    shape = onnx_ints("kernel_shape", 3, 3)
    return {
        "conv_norm_relu": onnx_chain(
            image, ("Conv", ["w", "b"], same), ("BatchNormalization", ["s", "o", "m", "v"]),
            ("Relu", []), ("Add", ["x"]), weights=[ramp("w", 4, 4, 3, 3), ramp("b", 4), *norm]),
        "conv_depth": onnx_chain(
            image, ("Pad", ["p"]), ("Conv", ["w"], onnx_int("group", 4),
                                    onnx_ints("strides", 2, 2)), ("HardSwish", []),
            weights=[longs("p", 0, 0, 1, 1, 0, 0, 1, 1), ramp("w", 4, 1, 3, 3)]),
        "conv_transpose": onnx_chain(
            image, ("ConvTranspose", ["w"], onnx_ints("strides", 2, 2),
                    onnx_ints("output_padding", 1, 1)), ("Sigmoid", []),
            weights=[ramp("w", 4, 2, 3, 3)]),
        "pools": onnx_chain(
            image, ("MaxPool", [], shape, onnx_ints("strides", 2, 2), same),
            ("AveragePool", [], onnx_ints("kernel_shape", 2, 2), onnx_int("ceil_mode", 1)),
            ("GlobalAveragePool", []), ("Flatten", [])),
        "squeeze_excite": onnx_chain(
            image, ("GlobalAveragePool", []), ("Conv", ["w"]), ("Relu", []), ("Conv", ["w"]),
            ("Sigmoid", []), ("Mul", ["x"]), weights=[ramp("w", 4, 4, 1, 1)]),
        "resize": onnx_chain(
            image, ("Resize", ["", "s"], onnx_attr("mode", 3, 4, "cubic"), onnx_int(
                "antialias", 1)), weights=[floats("s", [4], [1, 1, 1.5, 0.5])], opset=18),
        "grid_sample": onnx_chain(
            [1, 4, 6, 6], ("GridSample", ["g"], onnx_attr("mode", 3, 4, "bicubic")),
            weights=[ramp("g", 1, 2, 2, 2)]),
        "roi_align": onnx_chain(image, ("RoiAlign", ["r", "i"], onnx_int("output_height", 2)),
                                weights=[floats("r", [1, 4], [0, 0, 5, 5]), longs("i", 0)]),
        "depth_to_space": onnx_chain(image, ("DepthToSpace", [], onnx_int("blocksize", 2)),
                                     ("LRN", [], onnx_int("size", 1))),
        "norms": onnx_chain(image, ("InstanceNormalization", ["s", "o"]),
                            ("GroupNormalization", ["s", "o"], onnx_int("num_groups", 2)),
                            ("LpNormalization", []), weights=norm, opset=21),
        "quantised": onnx_chain(
            image, ("QuantizeLinear", ["q", "z"]), ("DequantizeLinear", ["q", "z"]),
            ("Conv", ["w"]), ("QuantizeLinear", ["q", "z"]), ("DequantizeLinear", ["q", "z"]),
            weights=[floats("q", [], [0.125]), onnx_tensor("z", 2, [], b"\x80"),
                     ramp("w", 2, 4, 1, 1)]),
    }


def graph_tokens():
    tokens, norm = ["n", 5, 8], [ramp("s", 8), ramp("o", 8)]
    heads = [longs("h", 0, 0, 2, 4), longs("f", 0, 0, 8)]
    turn = onnx_ints("perm", 0, 2, 1, 3)
    qkv = [onnx_node(op, [a, b], [c], *rest) for n in "qkv" for op, a, b, c, *rest in [
        ("MatMul", "x", n, n + "0"), ("Reshape", n + "0", "h", n + "1")]]
    qkv += [onnx_node("Transpose", [n + "1"], [n + "2"], turn) for n in "qv"]
    attention = onnx_model(onnx_graph(
        [*qkv, onnx_node("Transpose", ["k1"], ["k2"], onnx_ints("perm", 0, 2, 3, 1)),
         onnx_node("MatMul", ["q2", "k2"], ["a"]), onnx_node("Mul", ["a", "c"], ["b"]),
         onnx_node("Softmax", ["b"], ["p"]), onnx_node("MatMul", ["p", "v2"], ["d"]),
         onnx_node("Transpose", ["d"], ["e"], turn), onnx_node("Reshape", ["e", "f"], ["y"])],
        [ramp(n, 8, 8) for n in "qkv"] + [*heads, floats("c", [], [0.5])],
        [onnx_value("x", 1, tokens)], [onnx_value("y", 0)]))
    return {
        "attention": attention,
        "layer_norm": onnx_chain(
            tokens, ("LayerNormalization", ["s", "o"]), ("MatMul", ["w"]), ("Gelu", []),
            weights=[*norm, ramp("w", 8, 3)], opset=20),
        "attention_operation": onnx_chain(
            [1, 2, 3, 4], ("Attention", ["x", "x"], onnx_int("is_causal", 1)), opset=23),
        "gemm": onnx_chain([3, 4], ("Gemm", ["w", "b"], onnx_int("transB", 1)),
                           ("LogSoftmax", []), weights=[ramp("w", 2, 4), ramp("b", 2)]),
        "einsum": onnx_chain(["n", 4], ("Einsum", ["w"], onnx_attr("equation", 3, 4, "ij,jk->ki")),
                             weights=[ramp("w", 4, 3)]),
        "lstm": onnx_chain([3, "n", 4], ("LSTM", ["w", "r"], onnx_int("hidden_size", 2)),
                           weights=[ramp("w", 1, 8, 4), ramp("r", 1, 8, 2)]),
        "gru": onnx_chain([3, "n", 4], ("GRU", ["w", "r"], onnx_int("hidden_size", 2)),
                          weights=[ramp("w", 1, 6, 4), ramp("r", 1, 6, 2)]),
        "gather": onnx_chain(["n", 3], ("Gather", ["i"], onnx_int("axis", 1)),
                             ("Concat", ["x"], onnx_int("axis", 1)), ("Slice", ["b", "e"]),
                             weights=[longs("i", 2, -1), longs("b", -9), longs("e", 2**40)]),
        "scatter": onnx_chain(["n", 3], ("ScatterND", ["i", "u"]), weights=[
            onnx_tensor("i", 7, [1, 1], struct.pack("<q", 0)), ramp("u", 1, 3)]),
        "top": onnx_chain(["n", 3], ("TopK", ["k"]), ("CumSum", ["a"]),
                          weights=[longs("k", 2), longs("a", 0, rank=0)]),
        "stft": onnx_chain(
            [1, 16, 1], ("STFT", ["s", "w"]), weights=[longs("s", 4, rank=0), ramp("w", 8)]),
        "dft": onnx_chain(["n", 6, 1], ("DFT", []), opset=17),
        "shapes": onnx_model(onnx_graph(
            [onnx_node("Shape", ["x"], ["s"]), onnx_node("Gather", ["s", "i"], ["a"]),
             onnx_node("Concat", ["a", "m"], ["c"], onnx_int("axis", 0)),
             onnx_node("Reshape", ["x", "c"], ["r"]), onnx_node("Expand", ["r", "e"], ["f"]),
             onnx_node("Tile", ["f", "e"], ["y"])],
            [longs("i", 0), longs("m", -1), longs("e", 1, 4)], [onnx_value("x", 1, ["n", 4])],
            [onnx_value("y", 0)])),
    }


def graph_control():
    def body(nodes, outputs):
        return onnx_graph(nodes, [longs("one", 1, rank=0)],
                          (onnx_value("i", 7, []), onnx_value("go", 9, []), onnx_value("v")),
                          [onnx_value(o, 0) for o in outputs])

    def loop(trips, inner, inputs, opset=17):
        return onnx_model(onnx_graph(
            [onnx_node("Loop", ["m", "", "x"], ["y", "z"], onnx_attr("body", 5, 6, inner))],
            [longs("m", trips, rank=0)], inputs, [onnx_value("y", 0), onnx_value("z", 0)]),
            opset=opset)

    step = [onnx_node("Add", ["v", "v"], ["v2"]), onnx_node("Identity", ["go"], ["g2"])]
    grow = [onnx_node("Concat", ["v", "v"], ["v2"], onnx_int("axis", 0)),
            onnx_node("Identity", ["go"], ["g2"])]
    x = [onnx_value("x", 1, ["n", 3])]
    fixed = onnx_node("Loop", ["m", "", "k"], ["y", "z"],
                      onnx_attr("body", 5, 6, body(step, ["g2", "v2", "v2"])))
    scan = onnx_graph([onnx_node("Add", ["s", "e"], ["t"])], (),
                      (onnx_value("s"), onnx_value("e")), (onnx_value("t", 0), onnx_value("t", 0)))
    pick = onnx_graph([onnx_node("Neg", ["x"], ["p"])], (), (), [onnx_value("p", 0)])
    other = onnx_graph([onnx_node("Abs", ["x"], ["q"])], (), (), [onnx_value("q", 0)])
    return {
        "loop": loop(3, body(step, ["g2", "v2", "v2"]), x),
        "loop_for_ever": loop(2**62, body(step, ["g2", "v2", "v2"]), x),
        "loop_of_nothing": onnx_model(onnx_graph(
            [onnx_node("Loop", ["m", ""], [""], onnx_attr("body", 5, 6, onnx_graph(
                [], (), (onnx_value("i", 7, []), onnx_value("go", 9, [])),
                [onnx_value("go", 0)]))), onnx_node("Relu", ["x"], ["y"])],
            [longs("m", 2**62, rank=0)], x, [onnx_value("y", 0)])),
        "loop_that_grows": loop(2**62, body(grow, ["g2", "v2", "v"]), x),
        "loop_of_constants": onnx_model(onnx_graph(
            [fixed], [longs("m", 2**62, rank=0), ramp("k", 4)], x, [onnx_value("y", 0)])),
        "scan": onnx_model(onnx_graph(
            [onnx_node("Scan", ["b", "x"], ["y", "z"], onnx_attr("body", 5, 6, scan),
                       onnx_int("num_scan_inputs", 1))], [ramp("b", 3)], x,
            [onnx_value("y", 0), onnx_value("z", 0)])),
        "if_by_size": onnx_model(onnx_graph(
            [onnx_node("Size", ["x"], ["n"]), onnx_node("Greater", ["n", "m"], ["c"]),
             onnx_node("If", ["c"], ["y"], onnx_attr("then_branch", 5, 6, pick),
                       onnx_attr("else_branch", 5, 6, other))],
            [longs("m", 6, rank=0)], x, [onnx_value("y", 0)])),
        "non_zero": onnx_chain(["n", 3], ("NonZero", []), ("Transpose", [])),
        "non_max": onnx_chain([1, 4, 4], ("NonMaxSuppression", ["s", "k"]), weights=[
            ramp("s", 1, 1, 4), longs("k", 2)]),
        "unique": onnx_chain(["n", 3], ("Unique", []), opset=11),
    }


def graph_hostile():
    """What a rule has to refuse, or a device to survive."""
    image, kernel = ["n", 4, 6, 6], onnx_ints("kernel_shape", 3, 3)
    return {
        "conv_no_stride": onnx_chain(image, ("Conv", ["w"], onnx_ints("strides", 0, 0)),
                                     weights=[ramp("w", 4, 4, 3, 3)]),
        "conv_groups": onnx_chain(image, ("Conv", ["w"], onnx_int("group", 2**33)),
                                  weights=[ramp("w", 4, 4, 1, 1)]),
        "pool_pads": onnx_chain(image, ("MaxPool", [], kernel, onnx_ints(
            "pads", 2**62, 2**62, 2**62, 2**62))),
        "pad_huge": onnx_chain(["n", 3], ("Pad", ["p"]), weights=[
            longs("p", 2**61, 2**61, 2**61, 2**61)]),
        "reshape_zero": onnx_chain([0, 3], ("Reshape", ["s"]), weights=[longs("s", 0, -1)]),
        "expand_huge": onnx_chain([1], ("Expand", ["s"]), weights=[longs("s", 2**31, 2**31)]),
        "gather_outside": onnx_chain(["n", 3], ("Gather", ["i"]), weights=[longs("i", 2**40)]),
        "slice_step": onnx_chain(["n", 3], ("Slice", ["b", "b", "b", "b"]),
                                 weights=[longs("b", 0)]),
        "einsum_huge": onnx_chain(["n", 3], ("Einsum", ["w"] * 6, onnx_attr(
            "equation", 3, 4, "ab,cd,ef,gh,ij,kl,mn->")), weights=[ramp("w", 16, 16)]),
        "dft_length": onnx_chain(["n", 6, 1], ("DFT", ["l"]), weights=[longs("l", 2**50, rank=0)]),
        "roi_samples": onnx_chain(image, ("RoiAlign", ["r", "i"], onnx_int(
            "sampling_ratio", 2**30)), weights=[floats("r", [1, 4], [0, 0, 5, 5]), longs("i", 0)]),
        "lrn_size": onnx_chain(image, ("LRN", [], onnx_int("size", 2**40))),
        "top_negative": onnx_chain(["n", 3], ("TopK", ["k"]), weights=[longs("k", -5)]),
        "split_none": onnx_chain(["n", 3], ("Split", [], onnx_int("num_outputs", 0)), opset=18),
    }


def graph_seeds():
    return {**graph_images(), **graph_tokens(), **graph_control(), **graph_hostile()}


def simulation(tasks, policy=0, lanes=2, groups=((10, 0, 0),), depth=0, flags=1, buffers=0,
               in_flight=0, slow=(), losses=(), errors=(), retries=0, backoff=0, fallback=(3, 3)):
    """A problem as fuzz_simulate.c reads it; numbers below 128 are themselves."""
    b = [policy, lanes - 1, len(groups), depth, flags, buffers, in_flight]
    for group in groups:
        b += group
    for _ in range(lanes):
        b += [0, 0, 2, 1]
    b.append(len(slow) | len(losses) << 2 | len(errors) << 4)
    for fault in (*slow, *losses, *errors):
        b += fault
    b += [retries, backoff, *fallback]
    for lane, launch, compute, size, *before in tasks:
        b += [1 | 2 | len(before) << 6, lane, launch, compute, size, *before]
    return bytes(b)


def simulation_seeds():
    pair = [(0, 1, 9, 60), (1, 1, 9, 60)]
    chain = [(0, 1, 9, 60), (1, 1, 9, 60, 0), (0, 1, 9, 60, 0), (1, 1, 9, 60, 0, 1)]
    raw = struct.pack("<d", math.nan)
    return {
        "empty": b"",
        "pair_shares": simulation(pair),
        "pair_tokens": simulation(pair, policy=2, groups=((20, 8, 0),)),
        "pair_token_size": simulation(pair, policy=1, groups=((20, 8, 5),)),
        "chain_in_order": simulation(chain),
        "chain_fifo": simulation(chain, policy=1),
        "chain_bandwidth": simulation(chain * 4, policy=2),
        "chain_critical_path": simulation(chain * 4, policy=3),
        "queue_full": simulation(chain * 4, policy=1, depth=1),
        "slow": simulation(chain, slow=[(0, 5, 20, 4), (0, 10, 30, 2)]),
        "lost": simulation(chain * 3, policy=1, losses=[(0, 12)], fallback=(1, 3)),
        "lost_in_order": simulation(chain * 3, losses=[(0, 12)], fallback=(1, 3)),
        "lost_both": simulation(chain, losses=[(0, 12), (1, 15)], fallback=(1, 0)),
        "errors": simulation(chain, policy=3, errors=[(0, 2), (1, 1)], retries=3, backoff=5),
        "errors_move": simulation(chain, errors=[(0, 9)], retries=1, backoff=5, fallback=(1, 3)),
        "batches": simulation(chain * 6, flags=3),
        "rounds": simulation(chain, flags=1 | 3 << 2 | 1 << 4, buffers=2),
        "rounds_decode": simulation(chain, flags=1 | 3 << 2 | 2 << 4 | 2 << 6, in_flight=1),
        "no_limit": simulation(chain, groups=((0, 0, 0),)),
        "not_a_number": simulation([]) + bytes([2, 0, 250]) + raw,
        "huge_and_tiny": simulation([]) + bytes([2, 0, 240, 255, 130, 1, 2, 1, 130, 1, 240, 255]),
    }


def config_seeds():
    """Small configurations of every family, and ones that are wrong in one place."""
    base = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 64,
            "max_position_embeddings": 128}
    experts = {"num_local_experts": 4, "num_experts_per_tok": 2}
    streams = {"hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": 60,
               "laurel_rank": 4, "num_kv_shared_layers": 1, "head_dim": 8, "sliding_window": 16,
               "layer_types": ["full_attention", "full_attention"],
               "activation_sparsity_pattern": [0.95, 0.0]}

    def config(kind, **more):
        return json.dumps({"model_type": kind, **base, **more}).encode()

    def llama(**more):
        return config("llama", **more)
    return {
        "gemma": config("gemma", head_dim=16),
        "gemma2": config("gemma2", sliding_window=16, attn_logit_softcapping=None),
        "gemma3": config("gemma3_text", sliding_window_pattern=2),
        "gemma3n": config("gemma3n_text", **streams),
        "gemma3n_nested": json.dumps({"model_type": "gemma3n", "text_config": {
            "model_type": "gemma3n_text", **base, **streams}}).encode(),
        "llama3_rope": llama(rope_scaling={"rope_type": "llama3", "factor": 8.0}),
        "llama_linear": llama(rope_scaling={"type": "linear", "factor": 2}),
        "mistral": config("mistral", sliding_window=32),
        "mixtral": config("mixtral", **experts),
        "phi3": config("phi3", rope_scaling={"type": "longrope",
                                             "short_factor": [1.0, 1.1, 1.2, 1.3]},
                       original_max_position_embeddings=64),
        "phimoe": config("phimoe", attention_bias=True, lm_head_bias=True, **experts),
        "qwen2": config("qwen2", use_sliding_window=True, max_window_layers=1, sliding_window=8),
        "qwen3": config("qwen3", head_dim=24, rope_parameters={"rope_theta": 5e5}),
        "smollm3": config("smollm3", no_rope_layers=[1] * 64, no_rope_layer_interval=3,
                          use_sliding_window=True, sliding_window=16),
        "qwen3moe": config("qwen3_moe", num_experts=4, num_experts_per_tok=2, head_dim=8,
                           moe_intermediate_size=8, norm_topk_prob=True),
        "per_layer_rope": config("gemma3_text", rope_parameters={
            "full_attention": {"rope_theta": 1e6}, "sliding_attention": {"rope_theta": 1e4}}),
        "broken_activation": llama(hidden_act="relu"),
        "broken_deep": b'{"a":' + b"[" * 100 + b"]" * 100 + b"}",
        "broken_escape": b'{"model_type":"\\ud800"}',
        "broken_float": llama(rms_norm_eps=1e300),
        "broken_heads": llama(num_key_value_heads=3),
        "broken_layers": llama(num_hidden_layers=1 << 40),
        "broken_list": llama(intermediate_size=[48]),
        "broken_text": b'{"model_type": "llama", "hidden_size": 3',
        "broken_type": llama(vocab_size="many"),
        "broken_unknown": config("mamba\x1b[31m"),
    }


def safetensors(tensors, data=b"", header=None, length=None):
    """tensors: {name: (type, shape, begin, end)}"""
    h = header if header is not None else json.dumps(
        {k: {"dtype": t, "shape": s, "data_offsets": [b, e]}
         for k, (t, s, b, e) in tensors.items()}).encode()
    return struct.pack("<Q", len(h) if length is None else length) + h + data


def safetensors_seeds():
    """Files of one or two small tensors, and ones that are wrong in one place."""
    layer = "model.layers.0."
    one = {layer + "self_attn.q_proj.weight": ("F32", [2, 3], 0, 24)}
    two = {layer + "mlp.experts.11.w1.weight": ("BF16", [2, 2], 8, 16),
           layer + "input_layernorm.weight": ("F16", [4], 0, 8)}

    def place(begin, end, dtype="U8", shape=(8,)):
        return safetensors({"a": (dtype, list(shape), begin, end)}, bytes(8))
    return {
        "empty": safetensors({}),
        "metadata": safetensors({}, header=b'{"__metadata__":{"format":"pt"}}'),
        "one": safetensors(one, bytes(24)),
        "two": safetensors(two, bytes(range(16))),
        "padded": safetensors({}, bytes(2), header=b'{"b":{"dtype":"I8","shape":[2],'
                                                   b'"data_offsets":[0,2]}}       '),
        "scalar_and_nothing": safetensors({"s": ("I64", [], 0, 8), "n": ("F32", [0, 5], 8, 8)},
                                          bytes(8)),
        "names": safetensors({n: ("BOOL", [1], i, i + 1) for i, n in enumerate(
            ["model.language_model.norm.weight", "lm_head.bias", "vision_tower.x",
             "altup_projections.2.weight", "model.layers.7.mlp.experts.gate_up_proj",
             "layers.99999999.mlp.gate.weight", "model.layers.1.rotary_emb.inv_freq"])}, bytes(7)),
        "broken_nothing": b"",
        "broken_short": b"\x02\0\0",
        "broken_length": safetensors(one, bytes(24), length=1 << 40),
        "broken_length_over": safetensors(one, bytes(24), length=(1 << 64) - 8),
        "broken_json": safetensors({}, header=b'{"a":'),
        "broken_list": safetensors({}, header=b"[]"),
        "broken_deep": safetensors({}, header=b'{"a":' + b"[" * 50 + b"]" * 50 + b"}"),
        "broken_twice": safetensors({}, header=b'{"a":{},"a":{}}'),
        "broken_type": place(0, 8, "F7"),
        "broken_bytes": place(0, 8, "F32"),
        "broken_order": place(8, 0),
        "broken_end": place(0, 9),
        "broken_gap": place(4, 8, shape=(4,)),
        "broken_tail": place(0, 4, shape=(4,)),
        "broken_negative": place(-8, 0),
        "broken_shape": place(0, 8, shape=(-8,)),
        "broken_overflow": place(0, 8, "F64", (1 << 62, 1 << 62, 16)),
        "broken_rank": place(0, 8, shape=(1,) * 40),
        "broken_overlap": safetensors({"a": ("U8", [6], 0, 6), "b": ("U8", [4], 4, 8)}, bytes(8)),
        "broken_escape": safetensors({"a\x1b[31m": ("U8", [1], 0, 9)}, bytes(8)),
    }


def token_file(pre=None, normal=None, decode=None, post=None, added=(), mark=b"", **model):
    vocab = model.pop("vocab", None) or {c: i for i, c in enumerate(
        ["a", "b", "c", "ab", "abc", "\u0120", "\u0120a", "e", "\u00c3", "\u00a9"])}
    return json.dumps({
        "added_tokens": list(added), "normalizer": normal, "pre_tokenizer": pre,
        "post_processor": post, "decoder": decode,
        "model": {"type": "BPE", "vocab": vocab, "merges": ["a b", "ab c", "\u0120 a"], **model},
    }).encode() + mark


def hf_tokenizer_seeds():
    """Both forms of tokenizer.json, SentencePiece models, and steps that are not read."""
    level = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
    bytes_form = {"pre": level, "decode": level}
    blank = "\u2581"
    blanks = {"normal": {"type": "Sequence", "normalizers": [
        {"type": "Prepend", "prepend": blank},
        {"type": "Replace", "pattern": {"String": " "}, "content": blank}]},
        "decode": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": blank}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "vocab": {"<unk>": 0, "<0x0A>": 1, "<0xC3>": 2, "a": 3, "b": 4, "c": 5, "ab": 6, "abc": 7,
                  blank: 8, blank + "a": 9}, "unk_token": "<unk>", "byte_fallback": True,
        "fuse_unk": True}
    meta = {"type": "Metaspace", "replacement": blank, "prepend_scheme": "first", "split": True}

    def split(pattern, behavior="Isolated", invert=False):
        return {**bytes_form, "pre": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": pattern}, "behavior": behavior,
             "invert": invert}, {**level, "use_regex": False}]}}
    special = {"id": 12, "content": "<|end|>", "special": True, "rstrip": True, "lstrip": True}
    template = {"type": "TemplateProcessing", "single": [
        {"SpecialToken": {"id": "<|end|>", "type_id": 0}}, {"Sequence": {"id": "A"}}],
        "special_tokens": {"<|end|>": {"id": "<|end|>", "ids": [12], "tokens": ["<|end|>"]}}}

    # A double array of which "a" is the text behind it.
    units = [1 << 10] + [0] * 127
    units[1 ^ ord("a")], units[2 ^ 1 ^ ord("a")] = ord("a") | 1 << 8 | 2 << 10, 1 << 31
    charsmap = struct.pack("<I", 4 * len(units)) + struct.pack("<128I", *units) + b"bc\0"

    def unigram(pre, steps, vocab=None):
        return json.dumps({
            "normalizer": {"type": "Sequence", "normalizers": steps}, "pre_tokenizer": pre,
            "decoder": meta, "model": {"type": "Unigram", "unk_id": 0, "vocab": vocab or [
                ["<unk>", 0.0], [blank, -2.0], ["a", -3.0], [blank + "a", -3.5], ["bc", -4.25],
                ["c", -3.0], ["H", -9.0], ["<0x41>", -1.0]]},
        }).encode() + b"\xffa  bc a\xc3\xa9 \xff<unk>A\n"

    def piece(text, score, kind=1):
        inner = field(1, text.encode()) + b"\x15" + struct.pack("<f", score) + field(3, kind)
        return field(1, inner)
    pieces = (piece("<unk>", 0, 2) + piece("<s>", 0, 3) + piece("</s>", 0, 3)
              + piece("<0x0A>", 0, 6) + piece(blank + "a", -1) + piece("a", -2) + piece(blank, -3))
    return {
        "byte_level": token_file(**bytes_form),
        "byte_level_text": token_file(**bytes_form, mark=b"\xffabc abc \xc3\xa9\xff\0 ab"),
        "prefix_space": token_file(pre={**level, "add_prefix_space": True}, decode=level),
        "special": token_file(**bytes_form, added=[special], post=template),
        "normal_form": token_file(**bytes_form, normal={"type": "NFC"}),
        "split": token_file(**split(r"(?i:'s|'t)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}"
                                    r"\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")),
        "split_removed": token_file(**split(r"\p{L}+|\u0031|\x{32}", "Removed", True)),
        "split_empty": token_file(**split(r"x*")),
        "split_slow": token_file(**split(r"(?:a+)+b"), mark=b"\xff" + b"a" * 60),
        "blanks": token_file(**blanks),
        "blanks_pairs": token_file(**blanks, merges=[["a", "b"], ["ab", "c"], [" ", "x"]]),
        "metaspace": token_file(**{**blanks, "normal": None, "pre": meta, "decode": meta}),
        "digits": token_file(pre={"type": "Sequence", "pretokenizers": [
            {"type": "Digits", "individual_digits": True}, {"type": "Punctuation"}, level]},
            decode=level),
        "model": pieces + field(2, field(3, 2) + field(41, 1) + field(42, 2)),
        "model_squeezed": pieces + field(2, field(3, 2)) + field(3, field(3, 0) + field(4, 1)),
        "model_unigram": pieces + field(2, field(3, 1)),
        "model_charsmap": pieces + field(2, field(3, 1)) + field(3, field(2, charsmap)),
        "unigram": unigram(meta, [{"type": "Precompiled", "precompiled_charsmap":
                                   base64.b64encode(charsmap).decode()},
                                  {"type": "Replace", "pattern": {"Regex": " {2,}"},
                                   "content": " "}]),
        "unigram_split": unigram({"type": "Sequence", "pretokenizers": [
            {"type": "WhitespaceSplit"}, {**meta, "prepend_scheme": "always"}]},
            [{"type": "Strip", "strip_left": True, "strip_right": True}]),
        "broken_unigram_score": unigram(meta, [], vocab=[["a", "b"]]),
        "broken_unigram_base64": unigram(meta, [{"type": "Precompiled",
                                                 "precompiled_charsmap": "A*"}]),
        "broken_unigram_charsmap": unigram(meta, [{"type": "Precompiled",
                                                   "precompiled_charsmap": "/////w=="}]),
        "broken_model_kind": pieces + field(2, field(3, 3)),
        "broken_model_length": b"\x0a\xff\xff\xff\xff\x0f",
        "broken_model_type": field(1, field(1, b"a") + field(3, 9)),
        "broken_nothing": b"",
        "broken_json": b'{"model":',
        "broken_unigram": token_file(type="Unigram"),
        "broken_regex": token_file(**split(r"(a")),
        "broken_regex_lines": token_file(**split(r"^a$")),
        "broken_regex_class": token_file(**split(r"[a[b]]")),
        "broken_id": token_file(**bytes_form, vocab={"a": 1 << 40}),
        "broken_id_twice": token_file(**bytes_form, vocab={"a": 1, "b": 1}),
        "broken_ids_apart": token_file(**bytes_form, vocab={"a": 1, "b": 9999999}),
        "broken_merge": token_file(**bytes_form, merges=[["a"]]),
        "broken_template": token_file(**bytes_form, post=template),
        "broken_step": token_file(**bytes_form, normal={"type": "Lower\x1b[31m"}),
        "broken_mixture": token_file(pre=level, decode=meta),
    }


def chip_table(form, content, size, fields=(), said=None):
    """A table of AMD's driver: fields are (place, format, value), the rest is not told."""
    table = bytearray(b"\xff" * size)
    struct.pack_into("<HBB", table, 0, size if said is None else said, form, content)
    for place, how, number in fields:
        struct.pack_into("<" + how, table, place, number)
    return bytes(table)


def hardware_seeds():
    third = [(4, "H", 5512), (8, "H", 6001), (42, "H", 37), (46, "H", 80), (94, "H", 20000),
             (96, "H", 5000), (116, "H", 1500), (124, "I", 12250), (132, "I", 21000),
             (174, "H", 2100), (180, "H", 1267)]
    second = [(4, "H", 4800), (8, "H", 5200), (28, "H", 2550), (46, "H", 7000), (64, "H", 1600)]
    xe = (b"pos:\t0\nflags:\t0100002\ndrm-driver:\txe\ndrm-client-id:\t3\n"
          b"drm-pdev:\t0000:00:02.0\ndrm-total-gtt:\t192 KiB\ndrm-resident-gtt:\t192 KiB\n"
          b"drm-cycles-rcs:\t28257900\ndrm-total-cycles-rcs:\t7655183225\n"
          b"drm-cycles-ccs:\t5\ndrm-total-cycles-ccs:\t7655183225\n"
          b"drm-engine-capacity-ccs:\t4\n")
    return {
        "table_3_0": chip_table(3, 0, 264, third),
        "table_3_0_hundredths": chip_table(3, 0, 264, third + [(42, "H", 3700), (46, "H", 9000)]),
        "table_3_0_empty": chip_table(3, 0, 264),
        "table_3_0_short": chip_table(3, 0, 200, [(4, "H", 5512)]),
        "table_3_0_cut": chip_table(3, 0, 264, third)[:100],
        "table_3_0_longer": chip_table(3, 0, 300, third),
        "table_2_1": chip_table(2, 1, 120, second),
        "table_2_4": chip_table(2, 4, 168, second),
        "table_1_3": chip_table(1, 3, 120),
        "table_later": chip_table(4, 0, 400),
        "table_nothing": chip_table(0, 0, 4),
        "table_too_small": chip_table(3, 0, 8, said=3),
        "fdinfo_xe": xe,
        "fdinfo_i915": b"drm-driver:\ti915\ndrm-pdev:\t0000:00:02.0\ndrm-client-id:\t7\n"
                       b"drm-engine-render:\t9288864723 ns\ndrm-engine-copy:\t2035071108 ns\n"
                       b"drm-engine-capacity-video:\t2\ndrm-engine-compute:\t0 ns\n",
        "fdinfo_amdgpu": b"drm-driver:\tamdgpu\ndrm-memory-vram:\t10 KiB\n"
                         b"drm-resident-vram:\t10 KiB\ndrm-engine-gfx:\t77 ns",
        "fdinfo_amdxdna": b"drm-driver:\tamdxdna_accel_driver\n"
                          b"drm-engine-npu-amdxdna:\t4 ns\ndrm-total-memory:\t64 MiB\n",
        "fdinfo_large": b"drm-driver:x\ndrm-engine-gfx:99999999999999999999 ns\n"
                        b"drm-resident-x:18446744073709551615 MiB\n",
        "fdinfo_odd": b"drm-driver:\n:\n\n drm-pdev:x\ndrm-client-id: -3\ndrm-engine-gfx: 4 s\n"
                      b"drm-cycles-rcs:\t7\ndrm-pdev:" + b"y" * 80,
        "fdinfo_none": b"pos:\t0\nflags:\t02\nmnt_id:\t15\n",
        "empty": b"",
    }


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else
                        pathlib.Path(__file__).parent / "corpora")
    for target, seeds in {"cache": cache_seeds(), "config": config_seeds(), "gguf": gguf_seeds(),
                          "graph": graph_seeds(), "hardware": hardware_seeds(),
                          "hf_tokenizer": hf_tokenizer_seeds(),
                          "onnx": onnx_seeds(), "safetensors": safetensors_seeds(),
                          "simulate": simulation_seeds(),
                          "tokenizer": tokenizer_seeds()}.items():
        folder = root / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in seeds.items():
            assert len(content) < 16384
            (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
