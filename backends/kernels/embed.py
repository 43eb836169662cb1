# SPDX-License-Identifier: Apache-2.0
"""Kernel files become a table in C, so that the library needs no data files.

    embed.py OUTPUT.c FOLDER FILE.cl…

A line #include "OTHER.cl" is replaced by that file's text, once; each kernel file begins with
common.cl. Files that others include are not entries of the table of their own.
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^#include "(\w+\.cl)"$')
PARTS = ('blocks', 'codes', 'common', 'product')


def expand(folder, name, seen):
    """Lines of a file with those that it includes; line numbers stay those of the file."""
    if name in seen:
        return []
    seen.add(name)
    lines = [f'#line 1 "{name}"']
    for number, line in enumerate((folder / name).read_text(encoding='utf-8').splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            lines += expand(folder, match[1], seen) + [f'#line {number + 1} "{name}"']
        else:
            lines.append(line)
    return lines


def array(index, data):
    lines = [', '.join(str(byte) for byte in data[i:i + 20]) for i in range(0, len(data), 20)]
    return f'static const unsigned char text_{index}[] = {{\n' + ',\n'.join(lines) + '\n};\n'


def main(output, folder, names):
    folder = pathlib.Path(folder)
    stems = sorted(stem for stem in (pathlib.Path(name).stem for name in names)
                   if stem not in PARTS)
    out = ['/* Made by embed.py from the files of backends/kernels. */',
           '#include "backends/kernels/kernels.h"\n']
    for i, stem in enumerate(stems):
        seen = set()
        lines = expand(folder, 'common.cl', seen) + expand(folder, stem + '.cl', seen)
        out.append(array(i, ('\n'.join(lines) + '\n').encode()))
    out.append('const het__kernel_source het__kernel_sources[] = {')
    out += [f'    {{ "{stem}", (const char *)text_{i}, sizeof text_{i} }},'
            for i, stem in enumerate(stems)]
    out.append(f'}};\nconst uint32_t het__kernel_source_count = {len(stems)};')
    pathlib.Path(output).write_text('\n'.join(out) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
