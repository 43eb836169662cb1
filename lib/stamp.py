# SPDX-License-Identifier: Apache-2.0
"""The name of a build's insides: a backend that is a file of its own works only with the same.

    stamp.py OUTPUT.h DEPFILE ROOT VERSION

Structures that the core and a backend share stand in headers, so their text is what counts.
"""
import hashlib
import pathlib
import sys


def main(output, depfile, root, version):
    root = pathlib.Path(root)
    headers = sorted(p for folder in ('include', 'lib') for p in (root / folder).rglob('*.h'))
    digest = hashlib.sha256()
    for path in headers:
        digest.update(path.relative_to(root).as_posix().encode() + b'\0' + path.read_bytes())
    pathlib.Path(output).write_text(
        '/* Made by stamp.py from all headers. */\n'
        f'#define HET__MODULE_BUILD "{version}-{digest.hexdigest()[:32]}"\n', encoding='utf-8')
    names = ' '.join(str(path).replace(' ', '\\ ') for path in headers)
    pathlib.Path(depfile).write_text(f'{output}: {names}\n', encoding='utf-8')


if __name__ == '__main__':
    main(*sys.argv[1:])
