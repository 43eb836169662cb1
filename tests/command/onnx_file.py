# SPDX-License-Identifier: Apache-2.0
"""Small ONNX files and .npy files, byte by byte, so that tests need no package."""
import struct

TYPES = {'float32': 1, 'uint8': 2, 'int8': 3, 'uint16': 4, 'int16': 5, 'int32': 6, 'int64': 7,
         'bool': 9, 'float16': 10, 'float64': 11, 'uint32': 12, 'uint64': 13, 'bfloat16': 16,
         'float8e4m3fn': 17, 'uint4': 21, 'int4': 22}
# NumPy's name of a type and that of struct.
DESCR = {'float32': ('<f4', 'f'), 'uint8': ('|u1', 'B'), 'int8': ('|i1', 'b'),
         'uint16': ('<u2', 'H'), 'int16': ('<i2', 'h'), 'int32': ('<i4', 'i'),
         'int64': ('<i8', 'q'), 'bool': ('|b1', '?'), 'float16': ('<f2', 'e'),
         'float64': ('<f8', 'd'), 'uint32': ('<u4', 'I'), 'uint64': ('<u8', 'Q')}


def varint(value):
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def value_info(name, kind, shape):
    dimensions = b''.join(field(1, field(1, d) if isinstance(d, int) else field(2, d) if d else b'')
                          for d in shape)
    tensor = field(1, TYPES[kind]) + field(2, dimensions)
    return field(1, name) + field(2, field(1, tensor))


def node(operation, inputs, outputs, name='', domain=''):
    return (b''.join(field(1, i) for i in inputs) + b''.join(field(2, o) for o in outputs) +
            field(3, name) + field(4, operation) + (field(7, domain) if domain else b''))


def floats(name, values):
    return (field(1, len(values)) + field(2, 1) + field(8, name) +
            field(9, struct.pack(f'<{len(values)}f', *values)))


def model(nodes, inputs, outputs, weights=(), opset=21):
    """inputs, outputs: [(name, type, shape)]; weights: [(name, [float, …])]"""
    graph = b''.join(field(1, n) for n in nodes) + field(2, 'small')
    graph += b''.join(field(5, floats(*w)) for w in weights)
    graph += b''.join(field(11, value_info(*i)) for i in inputs)
    graph += b''.join(field(12, value_info(*o)) for o in outputs)
    return (field(1, 10) + field(2, 'a test') + field(7, graph) +
            field(8, field(1, '') + field(2, opset)) + field(8, field(1, 'example') + field(2, 1)) +
            field(14, field(1, 'colour') + field(2, 'blue')))


def npy(kind, shape, values, version=1, fortran=False, header=None):
    """The file's bytes. header: instead of the right one."""
    descr, code = DESCR[kind]
    if header is None:
        header = repr({'descr': descr, 'fortran_order': fortran, 'shape': tuple(shape)})
    text = header.encode('utf-8') + b'\n'
    length = struct.pack('<H' if version == 1 else '<I', len(text))
    return (b'\x93NUMPY' + bytes([version, 0]) + length + text +
            struct.pack(f'<{len(values)}{code}', *values))


def read_npy(path):
    """(descr, shape, values) of a file as the library writes it."""
    with open(path, 'rb') as f:
        data = f.read()
    assert data[:8] == b'\x93NUMPY\x01\x00', 'no .npy magic'
    length = struct.unpack('<H', data[8:10])[0]
    header = eval(data[10:10 + length], {'__builtins__': {}})    # a Python literal by definition
    assert (10 + length) % 64 == 0 and not header['fortran_order'], f'header {header}'
    code = {d: c for d, c in DESCR.values()}[header['descr']]
    count = 1
    for extent in header['shape']:
        count *= extent
    assert len(data) == 10 + length + count * struct.calcsize(code), 'size does not fit the shape'
    values = struct.unpack_from(f'<{count}{code}', data, 10 + length)
    return header['descr'], header['shape'], values
