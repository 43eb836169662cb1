# SPDX-License-Identifier: Apache-2.0
"""Cases for C tests as headers: one per group of cases, with the arrays that the group is the first
to need, and one that includes them all and lists them.

    STEM_GROUP.h    static const TYPE STEM_GROUP[] = { cases };
    STEM.h          static const struct { const TYPE *cases; size_t count; } STEM_groups[]
"""
import os
import re


def write(folder, stem, type_name, about, arrays, groups):
    """arrays: definitions by name, in order; groups: lists of cases (text) by name."""
    maker = f'Made by make_{stem}.py; {about}'
    left = dict(arrays)
    for group, cases in groups.items():
        body = '\n'.join(cases)
        used = set(re.findall(r'\b\w+\b', body))
        definitions = [left.pop(name) for name in list(left) if name in used]
        with open(os.path.join(folder, f'{stem}_{group}.h'), 'w') as f:
            f.write('/* SPDX-License-Identifier: Apache-2.0 */\n'
                    f'/* {maker} */\n' + '\n'.join(definitions) +
                    f'\nstatic const {type_name} {stem}_{group}[] = {{\n{body}\n}};\n')
    assert not left, f'arrays that no case needs: {", ".join(left)}'
    with open(os.path.join(folder, f'{stem}.h'), 'w') as f:
        f.write('/* SPDX-License-Identifier: Apache-2.0 */\n'
                f'/* {maker} */\n')
        for group in groups:
            f.write(f'#include "{stem}_{group}.h"\n')
        f.write(f'\nstatic const struct {{\n    const {type_name} *cases;\n    size_t count;\n'
                f'}} {stem}_groups[] = {{\n')
        for group in groups:
            name = f'{stem}_{group}'
            f.write(f'    {{ {name},\n      sizeof {name} / sizeof *{name} }},\n')
        f.write('};\n')
