# SPDX-License-Identifier: Apache-2.0
"""What can be wrong in documents is checked: links, variables, the program in README.md.

    docs.py ROOT COMPILER…
"""
import pathlib
import re
import subprocess
import sys
import tempfile


def documents(root):
    skip = ('build', 'subprojects', '.git')
    return [p for p in sorted(root.rglob('*.md'))
            if not p.relative_to(root).parts[0].startswith(skip)]


def anchors(text):
    """The names that headings can be linked by."""
    titles = re.findall(r'^#+ (.*)$', text, re.M)
    return {re.sub(r'[^\w\- ]', '', t.lower()).replace(' ', '-') for t in titles}


def check_links(root, problems):
    count = 0
    for path in documents(root):
        text = path.read_text(encoding='utf-8')
        for target in re.findall(r'\]\(([^)\s]+)\)', text):
            if re.match(r'[a-z]+:', target):
                continue
            count += 1
            name, _, anchor = target.partition('#')
            place = (path.parent / name) if name else path
            if not place.exists():
                problems.append(f'{path.relative_to(root)}: no {target}')
            elif anchor and anchor not in anchors(place.read_text(encoding='utf-8')):
                problems.append(f'{path.relative_to(root)}: no heading {target}')
    return count


def check_variables(root, problems):
    """Every variable that the library reads is described."""
    described = (root / 'docs/ENVIRONMENT.md').read_text(encoding='utf-8')
    for folder in ('lib', 'backends'):
        for path in sorted((root / folder).rglob('*.c')):
            for name in re.findall(r'"(HETINFER_[A-Z_]+)"', path.read_text(encoding='utf-8')):
                if f'`{name}`' not in described:
                    problems.append(f'{path.relative_to(root)}: {name} is not in ENVIRONMENT.md')


def check_program(root, compiler, problems):
    programs = re.findall(r'^```c\n(.*?)^```', (root / 'README.md').read_text(encoding='utf-8'),
                          re.S | re.M)
    if not programs:
        problems.append('README.md has no program')
    for program in programs:
        with tempfile.NamedTemporaryFile('w', suffix='.c', encoding='utf-8') as f:
            f.write(program)
            f.flush()
            result = subprocess.run(compiler + ['-std=c11', '-Wall', '-Wextra', '-Wpedantic',
                                                '-Werror', '-fsyntax-only', '-I',
                                                str(root / 'include'), f.name],
                                    capture_output=True, text=True)
        if result.returncode != 0:
            problems.append(f'the program in README.md does not compile:\n{result.stderr}')


def main(root, compiler):
    root = pathlib.Path(root).resolve()
    problems = []
    count = check_links(root, problems)
    check_variables(root, problems)
    check_program(root, compiler, problems)
    for line in problems:
        print(line)
    print(f'{count} links, {len(problems)} problems')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1], sys.argv[2:]))
