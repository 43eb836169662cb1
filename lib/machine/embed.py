# SPDX-License-Identifier: Apache-2.0
"""Machine files become a table in C, so that the library needs no data files.

    embed.py OUTPUT.c FILE.yaml…
"""
import pathlib
import sys


def array(index, data):
    lines = [', '.join(str(byte) for byte in data[i:i + 20]) for i in range(0, len(data), 20)]
    return f'static const unsigned char text_{index}[] = {{\n' + ',\n'.join(lines) + '\n};\n'


def main(output, names):
    paths = sorted((pathlib.Path(name) for name in names), key=lambda path: path.stem)
    texts = [path.read_bytes() for path in paths]
    out = ['/* Made by embed.py from the machine files of lib/machine/profiles. */',
           '#include "lib/machine/profile.h"\n']
    out += [array(i, text) for i, text in enumerate(texts)]
    out.append('const het__profile het__profiles[] = {')
    out += [f'    {{ "{path.stem}", (const char *)text_{i}, sizeof text_{i} }},'
            for i, path in enumerate(paths)]
    out.append(f'}};\nconst uint32_t het__profile_count = {len(paths)};')
    pathlib.Path(output).write_text('\n'.join(out) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main(sys.argv[1], sys.argv[2:])
