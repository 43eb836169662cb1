# SPDX-License-Identifier: Apache-2.0
"""abi_layout*.c pin every field of every public struct and every public constant."""
import pathlib
import re
import sys

import headers

FLAG = r'^#define (HET_\w+) \(U?INT'


def main(root):
    text = ''.join(path.read_text(encoding='utf-8') for path in
                   sorted(pathlib.Path(root, 'tests/abi').glob('abi_layout*.c')))
    pinned_fields = set(re.findall(r'^FIELD\((\w+), (\w+),', text, re.M))
    pinned_sizes = set(re.findall(r'^SIZE\((\w+),', text, re.M))
    pinned_values = set(re.findall(r'^VALUE\((\w+),', text, re.M))
    missing = []
    field_count = 0
    for struct, fields in headers.structs(root).items():
        if struct not in pinned_sizes:
            missing.append(f'SIZE({struct}, …)')
        for field in fields:
            field_count += 1
            if (struct, field) not in pinned_fields:
                missing.append(f'FIELD({struct}, {field}, …)')
    for names in headers.enums(root).values():
        missing += [f'VALUE({name}, …)' for name in names
                    if not name.endswith('_FORCE_32') and name not in pinned_values]
    for path in headers.files(root):
        text = path.read_text(encoding='utf-8')
        missing += [f'VALUE({name}, …)' for name in re.findall(FLAG, text, re.M)
                    if name not in pinned_values]
    for line in missing:
        print(f'tests/abi/abi_layout*.c lack {line}')
    print(f'{field_count} fields, {len(pinned_values)} values, {len(missing)} missing')
    return 1 if missing or not field_count else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
