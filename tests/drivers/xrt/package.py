# SPDX-License-Identifier: Apache-2.0
"""Design packages for the stand-in: python3 package.py FOLDER.

A package is what a user would build (docs/npu.md), but for its xclbin, which here is a text that
the stand-in reads (standin.cpp). Sums are short and tiles are small, so that little products have
several parts, cuts and pieces. Those of BF16 lie a folder deeper (FOLDER/bf16), for tests that ask
for them.
"""
import pathlib
import sys

MANIFEST = """name: {name}
devices: [{device}]
columns: {columns}
xclbin: array.xclbin
kernel: MLIR_AIE
types: {{input: {type}, weight: {type}, output: {sum}, accumulator: {sum}}}
tile: {{rows: {rows}, inner: {inner}, columns: {width}}}
inner: {whole}
layout: {{input: row, weight: row, output: row}}
instructions: {{source: {source}, form: "{form}"}}
figures: {{{peak}: {speed}, launch: 50 us, bandwidth: 10 GB/s, source: assumed}}
"""

XCLBIN = """stand-in xclbin
kernel MLIR_AIE
uuid {name}
columns {columns}
core_rows {core_rows}
tile_rows {rows}
tile_inner {inner}
tile_columns {width}
inner {whole}
bf16 {is_bf16}
"""

DESIGNS = [
    {'name': 'small-single', 'device': 'npu1', 'columns': 1, 'core_rows': 1, 'rows': 8, 'inner': 16,
     'width': 16, 'whole': 32, 'source': 'single-core-v1', 'form': '0.1', 'speed': '100 Gop/s'},
    {'name': 'small-whole', 'device': 'npu1', 'columns': 4, 'core_rows': 4, 'rows': 4, 'inner': 16,
     'width': 8, 'whole': 64, 'source': 'whole-array-v1', 'form': '1.0', 'speed': '1 Top/s'},
]


TYPES = [
    ('.', {'type': 'i8', 'sum': 'i32', 'peak': 'int8', 'is_bf16': 0}),
    ('bf16', {'type': 'bf16', 'sum': 'f32', 'peak': 'bf16', 'is_bf16': 1}),
]


def main(folder):
    for below, types in TYPES:
        write(pathlib.Path(folder) / below, types)


def write(folder, types):
    for design in ({**design, **types} for design in DESIGNS):
        place = folder / design['name']
        place.mkdir(parents=True, exist_ok=True)
        (place / 'design.yaml').write_text(MANIFEST.format(**design), encoding='utf-8')
        (place / 'array.xclbin').write_text(XCLBIN.format(**design), encoding='utf-8')


if __name__ == '__main__':
    main(sys.argv[1])
