# SPDX-License-Identifier: Apache-2.0
"""hetinfer policy from outside: exit statuses, both forms of output, and that what one verb prints
another one reads.

    policy_test.py COMMAND
"""
import json
import pathlib
import subprocess
import sys
import tempfile

PRESETS = ['amd_phoenix', 'cpu_only', 'intel_185h', 'unicorn_e4b']


def check(condition, what):
    if not condition:
        sys.exit(f'failed: {what}')


class Command:
    def __init__(self, program):
        self.program = program

    def run(self, *arguments, status=0):
        result = subprocess.run([self.program, 'policy', *arguments], capture_output=True,
                                text=True, timeout=60)
        check(result.returncode == status,
              f'{arguments}: exit status {result.returncode}, want {status}: {result.stderr}')
        self.stderr = result.stderr
        return result.stdout

    def json(self, *arguments, status=0):
        root = json.loads(self.run(*arguments, '--json', status=status))
        check(root['schema'] == 'hetinfer.policy/1', root['schema'])
        return root


def presets_can_be_listed_shown_checked(c, folder):
    lines = c.run('list').splitlines()
    check([line.split()[0] for line in lines] == PRESETS, lines)
    listed = c.json('list')['presets']
    check([p['name'] for p in listed] == PRESETS, listed)
    check(all(p['description'] for p in listed), listed)
    for name in PRESETS:
        text = c.run('show', name)
        check(text == c.json('show', name)['text'], name)
        path = folder / f'{name}.yaml'
        path.write_text(text, encoding='utf-8')
        check(c.run('show', str(path)) == text, f'{name} is not its own normal form')
        check(c.run('check', str(path)) == c.run('check', name), name)


def check_names_what_is_kept(c, folder):
    path = folder / 'kept.yaml'
    path.write_text('hetinfer-policy: 1\nobjective: energy\nrules:\n'
                    '  - {class: ffn, must: cpu}\n  - {must: cpu}\n'
                    'telemetry: {enable: true}\n', encoding='utf-8')
    root = c.json('check', str(path))
    notes = {note['key']: note for note in root['notes']}
    check(root['valid'] is True, root)
    check(sorted(notes) == ['objective', 'rules', 'rules[0]', 'telemetry.enable'], notes)
    check('plans' in notes['objective']['honoured'], notes['objective'])
    check(notes['telemetry.enable']['honoured'] == [] and
          notes['telemetry.enable']['text'].startswith('has no effect'), notes['telemetry.enable'])
    check(notes['rules[0]']['line'] == 4 and 'no effect' in notes['rules[0]']['text'], notes)
    text = c.run('check', str(path))
    check('the policy is valid' in text and 'rules[0]' in text, text)


def refusals_name_file_and_line(c, folder):
    path = folder / 'bad.yaml'
    path.write_text('hetinfer-policy: 1\n\ncolour: red\n', encoding='utf-8')
    for verb in ('check', 'show'):
        check(not c.run(verb, str(path), status=1), 'nothing goes to standard output')
        check(f'{path.name}:3: ' in c.stderr and len(c.stderr.splitlines()) == 1, c.stderr)
    root = c.json('check', str(path), status=1)
    check(root['valid'] is False and 'bad.yaml:3: ' in root['message'], root)
    c.run('check', str(folder / 'absent.yaml'), status=1)
    check('absent.yaml' in c.stderr, c.stderr)


def usage_errors_exit_2(c):
    for arguments in ([], ['nonsense'], ['show'], ['check'], ['list', 'x'], ['show', 'a', 'b'],
                      ['list', '--nonsense']):
        check(not c.run(*arguments, status=2) and c.stderr, arguments)
    for arguments in (['--help'], ['show', '--help'], ['list', '-h']):
        check('usage: hetinfer policy' in c.run(*arguments), arguments)


def main(program):
    c = Command(program)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        presets_can_be_listed_shown_checked(c, folder)
        check_names_what_is_kept(c, folder)
        refusals_name_file_and_line(c, folder)
        usage_errors_exit_2(c)
    print('4 cases')


if __name__ == '__main__':
    main(sys.argv[1])
