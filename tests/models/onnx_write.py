# SPDX-License-Identifier: Apache-2.0
"""ONNX files from plain Python: the few protobuf messages that a model is made of.

A message is a list of byte strings and their total length, so that a weight of many megabytes is
never copied, and one block that is repeated is stored once in memory. Field numbers are those of
onnx.proto; only fields that are set are written.
"""
import array
import os
import struct
import sys

FLOAT, UINT8, INT8, INT32, INT64 = 1, 2, 3, 6, 7
TYPE_CODES = {FLOAT: 'f', UINT8: 'B', INT8: 'b', INT32: 'i', INT64: 'q'}

_VARINT, _BYTES, _FIXED32 = 0, 2, 5
_ATTRIBUTE_FLOAT, _ATTRIBUTE_INT, _ATTRIBUTE_STRING, _ATTRIBUTE_TENSOR = 1, 2, 3, 4
_ATTRIBUTE_FLOATS, _ATTRIBUTE_INTS = 6, 7
_EXTERNAL = 1
# Data of external tensors begins on a page, as the format recommends for mapping.
_PAGE = 4096


def _varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class Message:
    """A protobuf message under construction."""

    def __init__(self):
        self.parts, self.size = [], 0

    def _add(self, part):
        self.parts.append(part)
        self.size += len(part)

    def int(self, field, value):
        self._add(_varint(field << 3 | _VARINT) + _varint(value))
        return self

    def float(self, field, value):
        self._add(_varint(field << 3 | _FIXED32) + struct.pack('<f', value))
        return self

    def bytes(self, field, value):
        """value: text, bytes, a list of bytes, or a message."""
        if isinstance(value, str):
            value = value.encode()
        if isinstance(value, bytes):
            parts, size = [value], len(value)
        elif isinstance(value, Message):
            parts, size = value.parts, value.size
        else:
            parts, size = value, sum(map(len, value))
        self._add(_varint(field << 3 | _BYTES) + _varint(size))
        self.parts += parts
        self.size += size
        return self


class Tensor:
    """A constant: data is a list of byte strings, little-endian, row-major."""

    def __init__(self, name, dtype, extents, data):
        self.name, self.dtype, self.extents, self.data = name, dtype, tuple(extents), data

    def bytes(self):
        return sum(map(len, self.data))


def to_bytes(dtype, values):
    """A sequence of numbers as the bytes of a tensor."""
    data = array.array(TYPE_CODES[dtype], values)
    if sys.byteorder == 'big':
        data.byteswap()
    return data.tobytes()


def make_tensor(name, dtype, extents, values):
    return Tensor(name, dtype, extents, [to_bytes(dtype, values)])


def _tensor_message(tensor, place=None):
    """place: (file, offset) of data that lies outside."""
    m = Message()
    for extent in tensor.extents:
        m.int(1, extent)
    m.int(2, tensor.dtype).bytes(8, tensor.name)
    if place is None:
        return m.bytes(9, tensor.data)
    for key, value in (('location', place[0]), ('offset', place[1]), ('length', tensor.bytes())):
        m.bytes(13, Message().bytes(1, key).bytes(2, str(value)))
    return m.int(14, _EXTERNAL)


def _attribute(name, value):
    m = Message().bytes(1, name)
    if isinstance(value, Tensor):
        return m.bytes(5, _tensor_message(value)).int(20, _ATTRIBUTE_TENSOR)
    if isinstance(value, str):
        return m.bytes(4, value).int(20, _ATTRIBUTE_STRING)
    if isinstance(value, float):
        return m.float(2, value).int(20, _ATTRIBUTE_FLOAT)
    if isinstance(value, int):
        return m.int(3, value).int(20, _ATTRIBUTE_INT)
    if value and isinstance(value[0], float):
        for x in value:
            m.float(7, x)
        return m.int(20, _ATTRIBUTE_FLOATS)
    for x in value:
        m.int(8, x)
    return m.int(20, _ATTRIBUTE_INTS)


def make_node(op, inputs, outputs, name, attributes):
    m = Message()
    for x in inputs:
        m.bytes(1, x)
    for x in outputs:
        m.bytes(2, x)
    m.bytes(3, name).bytes(4, op)
    for key, value in attributes.items():
        m.bytes(5, _attribute(key, value))
    return m


def _value_info(name, dtype, extents):
    """extents: numbers, or names of symbolic extents."""
    shape = Message()
    for extent in extents:
        symbolic = isinstance(extent, str)
        shape.bytes(1, Message().bytes(2, extent) if symbolic else Message().int(1, extent))
    return Message().bytes(1, name).bytes(
        2, Message().bytes(1, Message().int(1, dtype).bytes(2, shape)))


def _write(path, parts):
    with open(path, 'wb') as f:
        f.writelines(parts)


def _place_outside(tensors, path, least_bytes):
    """Write tensors of at least least_bytes to path.data. Returns {name: (file, offset)}."""
    places, parts, end = {}, [], 0
    for tensor in tensors:
        if tensor.bytes() < least_bytes:
            continue
        gap = -end % _PAGE
        places[tensor.name] = (os.path.basename(path) + '.data', end + gap)
        parts += [bytes(gap), *tensor.data]
        end += gap + tensor.bytes()
    _write(path + '.data', parts)
    return places


def write_model(path, name, opset, nodes, inputs, outputs, tensors, properties=None,
                external_bytes=None):
    """inputs, outputs: (name, dtype, extents). external_bytes: tensors of at least that size go
    to a file of their own beside the model; None: all weights are in the model."""
    places = {}
    if external_bytes is not None:
        places = _place_outside(tensors, path, external_bytes)
    graph = Message()
    for node in nodes:
        graph.bytes(1, node)
    graph.bytes(2, name)
    for tensor in tensors:
        graph.bytes(5, _tensor_message(tensor, places.get(tensor.name)))
    for value in inputs:
        graph.bytes(11, _value_info(*value))
    for value in outputs:
        graph.bytes(12, _value_info(*value))
    model = Message().int(1, 8).bytes(2, 'libhetinfer tests').bytes(7, graph)
    model.bytes(8, Message().bytes(1, '').int(2, opset))
    for key, value in (properties or {}).items():
        model.bytes(14, Message().bytes(1, key).bytes(2, value))
    _write(path, model.parts)
