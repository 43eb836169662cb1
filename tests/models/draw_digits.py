#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Digits drawn with a round pen, white on black: pictures that belong to nobody else.

    draw_digits.py DIGIT OUT.png [--size PIXELS]

Needs nothing but Python.
"""
import argparse
import math
import struct
import zlib


def _arc(x, y, rx, ry, begin, end, steps=24):
    """Points of an ellipse; degrees, clockwise from the right as y points down."""
    angles = (math.radians(begin + (end - begin) * i / steps) for i in range(steps + 1))
    return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]


# Lines through points of a unit square, y down.
_STROKES = {
    0: [_arc(.5, .5, .24, .4, 0, 360)],
    1: [[(.34, .28), (.54, .1), (.54, .9)]],
    2: [_arc(.5, .32, .24, .22, 190, 385) + [(.27, .89), (.76, .89)]],
    3: [_arc(.48, .3, .22, .2, 200, 450) + _arc(.48, .69, .25, .21, 270, 515)],
    4: [[(.6, .92), (.6, .1), (.23, .62), (.8, .62)]],
    5: [[(.73, .1), (.33, .1), (.3, .45)] + _arc(.48, .66, .24, .24, 225, 510)],
    6: [_arc(.75, .62, .48, .53, 245, 180) + _arc(.5, .68, .23, .22, 180, 540)],
    7: [[(.27, .1), (.74, .1), (.44, .92)], [(.36, .5), (.74, .5)]],
    8: [_arc(.5, .3, .2, .2, 0, 360), _arc(.5, .7, .24, .2, 0, 360)],
    9: [_arc(.5, .32, .23, .22, 0, 360) + [(.72, .36), (.62, .92)]],
}


def _distance(x, y, a, b):
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = dx * dx + dy * dy
    t = ((x - a[0]) * dx + (y - a[1]) * dy) / length if length else 0.0
    t = min(max(t, 0.0), 1.0)
    return math.hypot(x - a[0] - t * dx, y - a[1] - t * dy)


def draw(digit, size, pen=0.075):
    """Rows of brightness in [0, 1]; edges are one pixel soft."""
    segments = [s for line in _STROKES[digit] for s in zip(line, line[1:])]

    def brightness(row, column):
        x, y = (column + 0.5) / size, (row + 0.5) / size
        nearest = min(_distance(x, y, a, b) for a, b in segments)
        return min(max((pen - nearest) * size + 0.5, 0.0), 1.0)

    return [[brightness(r, c) for c in range(size)] for r in range(size)]


def shrink(rows, size):
    """Averages of square blocks."""
    block = len(rows) // size
    return [[sum(rows[r * block + i][c * block + k] for i in range(block) for k in range(block))
             / block ** 2 for c in range(size)] for r in range(size)]


def png(rows):
    """An 8-bit grey picture as the bytes of a file."""
    lines = b''.join(b'\0' + bytes(round(x * 255) for x in row) for row in rows)

    def chunk(kind, data):
        body = kind + data
        return struct.pack('>I', len(data)) + body + struct.pack('>I', zlib.crc32(body))

    header = struct.pack('>IIBBBBB', len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) +
            chunk(b'IDAT', zlib.compress(lines, 9)) + chunk(b'IEND', b''))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('digit', type=int, choices=range(10))
    parser.add_argument('out')
    parser.add_argument('--size', type=int, default=64)
    args = parser.parse_args()
    with open(args.out, 'wb') as f:
        f.write(png(draw(args.digit, args.size)))


if __name__ == '__main__':
    main()
