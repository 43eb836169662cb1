# SPDX-License-Identifier: Apache-2.0
"""Each public header compiles alone, without a warning.

    check_headers.py ROOT STANDARD COMPILER…

-Wpadded is the point of the C run: padding that the compiler inserts is room that two compilers
may fill differently. clang lays a struct out only when it is used, so a use is added for each.
"""
import os
import subprocess
import sys
import tempfile

import headers

WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Wpadded', '-Wundef', '-Wshadow', '-Wconversion',
            '-Werror']


def main(root, standard, compiler):
    cxx = standard.startswith('c++')
    include = os.path.join(root, 'include')
    structs = headers.structs(root)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for path in headers.files(root):
            name = os.path.relpath(path, include)
            text = path.read_text(encoding='utf-8')
            uses = ''.join(f'extern char size_of_{s}[sizeof({s})];\n' for s in structs
                           if f'}} {s};' in text)
            source = os.path.join(folder, 'header.cpp' if cxx else 'header.c')
            with open(source, 'w', encoding='utf-8') as f:
                # Twice: the guard must hold.
                f.write(f'#include <{name}>\n#include <{name}>\n{uses}')
            command = compiler + [f'-std={standard}'] + WARNINGS + [
                '-I', include, '-c', source, '-o', os.path.join(folder, 'header.o')]
            result = subprocess.run(command, capture_output=True, text=True)
            if result.returncode != 0:
                failed += 1
                print(f'{name} as {standard}:\n{result.stderr}')
    print(f'{len(headers.files(root))} headers as {standard}, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
