# SPDX-License-Identifier: Apache-2.0
"""Policies become a table in C, so that the library needs no data files.

    embed_presets.py OUTPUT.c FILE.yaml…
"""
import pathlib
import sys


def array(index, data):
    data += b'\0'
    lines = [', '.join(str(byte) for byte in data[i:i + 20]) for i in range(0, len(data), 20)]
    return f'static const unsigned char text_{index}[] = {{\n' + ',\n'.join(lines) + '\n};\n'


def main(output, names):
    paths = sorted((pathlib.Path(name) for name in names), key=lambda path: path.stem)
    out = ['/* Made by embed_presets.py from the policies of lib/partition/presets. */',
           '#include "lib/partition/policy_parts.h"\n']
    out += [array(i, path.read_bytes()) for i, path in enumerate(paths)]
    out.append('const het__preset het__presets[] = {')
    out += [f'    {{ "{path.stem}", (const char *)text_{i} }},' for i, path in enumerate(paths)]
    out.append(f'}};\nconst uint32_t het__preset_count = {len(paths)};')
    pathlib.Path(output).write_text('\n'.join(out) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main(sys.argv[1], sys.argv[2:])
