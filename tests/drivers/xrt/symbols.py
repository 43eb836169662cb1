# SPDX-License-Identifier: Apache-2.0
"""What hetinfer-xrt.so needs of XRT: python3 symbols.py NM MODULE STANDIN.

At most 21 symbols, and the stand-in has these and no other: what it proves would be of little use
if it offered more than the backend asks for.
"""
import subprocess
import sys

MOST = 21


def names(nm, path, *options):
    out = subprocess.run([nm, '-D', *options, path], check=True, capture_output=True, text=True)
    words = [line.split() for line in out.stdout.splitlines()]
    found = {w[-1].split('@')[0] for w in words if w}
    return {n for n in found if n.startswith(('_ZN3xrt', '_ZNK3xrt'))}


def is_inline(name):
    """Complete and base constructors are one function."""
    return 'C2E' in name


def main(nm, module, standin):
    needed = names(nm, module, '--undefined-only')
    offered = {n for n in names(nm, standin, '--defined-only') if not is_inline(n)}
    for name in sorted(needed):
        print(name)
    print(f'{len(needed)} symbols of XRT; the stand-in offers {len(offered)}')
    problems = [f'not in the stand-in: {n}' for n in sorted(needed - offered)]
    problems += [f'in the stand-in and not used: {n}' for n in sorted(offered - needed)]
    if not 0 < len(needed) <= MOST:
        problems.append(f'there may be at most {MOST}')
    print('\n'.join(problems))
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
