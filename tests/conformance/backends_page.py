# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/BACKENDS.md are what the devices say.

    backends_page.py PROGRAM PAGE [--write]

A part of the page between "begin: DEVICE…" and "end" is what PROGRAM --markdown DEVICE… prints.
Parts whose devices this build or machine does not have are left alone. --write puts it there.
"""
import re
import subprocess
import sys

PART = re.compile(r'(<!-- begin: ([^\n]*) -->\n)(.*?)(<!-- end -->)', re.S)


def made(program, devices):
    result = subprocess.run([program, '--markdown'] + devices, capture_output=True, text=True)
    if result.returncode == 77:
        return None, result.stderr
    if result.returncode != 0:
        raise SystemExit(f'{program} {" ".join(devices)}: {result.stderr}')
    return result.stdout, ''


def main(program, page, write):
    with open(page, encoding='utf-8') as f:
        text = f.read()
    problems, parts = [], 0

    def replace(match):
        nonlocal parts
        devices = match[2].split()
        body, why = made(program, devices)
        if body is None:
            print(f'not looked at: {match[2]}: {why.strip()}')
            return match[0]
        parts += 1
        body = f'\n{body}\n'
        if body != match[3]:
            problems.append(match[2])
        return match[1] + body + match[4]

    new = PART.sub(replace, text)
    if write:
        with open(page, 'w', encoding='utf-8') as f:
            f.write(new)
        return 0
    for devices in problems:
        print(f'{page}: what {devices} run is not what stands there: run this with --write')
    print(f'{parts} parts, {len(problems)} problems')
    return 1 if problems or not parts else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1], sys.argv[2], '--write' in sys.argv[3:]))
