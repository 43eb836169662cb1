# SPDX-License-Identifier: Apache-2.0
"""docs/profiles.md says what the built-in profiles say, and `hetinfer machine` does what the manual
says.

    profiles_test.py COMMAND ROOT [--write]     --write: make the page anew
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

MARK = '<!-- From here on made by tests/command/profiles_test.py --write; a test compares. -->\n'


class Failure(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failure(what)


class Machine:
    def __init__(self, program):
        self.program = program

    def run(self, *arguments, status=0):
        result = subprocess.run([self.program, *arguments], capture_output=True, text=True,
                                timeout=60)
        check(result.returncode == status, f'{arguments}: exit status {result.returncode}: '
              f'{result.stderr.strip()}')
        return result.stderr if status else result.stdout

    def names(self):
        listed = json.loads(self.run('machine', 'list', '--json'))
        check(listed['schema'] == 'hetinfer.machines/1', 'schema of the list')
        return [entry['profile'] for entry in listed['machines']]

    def show(self, name):
        shown = json.loads(self.run('machine', 'show', name, '--json'))
        check(shown['schema'] == 'hetinfer.machine/1', 'schema of a machine')
        return shown


def scaled(value, unit):
    """As examples/hetinfer/machine_print.c writes it."""
    if unit in ('', '/h'):
        return f'{value:.6g} {unit}'.strip()
    if unit == 'B' and value % 1024 == 0:
        at = 0
        while value >= 1024 and at < 4:
            value, at = value / 1024, at + 1
        return f'{value:.6g} {["B", "KiB", "MiB", "GiB", "TiB"][at]}'
    if unit == 'ns':
        value, unit = value * 1e-9, 's'
    prefixes, at = ['p', 'n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P'], 4
    while value >= 999.9995 and at < 9:
        value, at = value / 1000, at + 1
    while value < 0.9999995 and at > 0:
        value, at = value * 1000, at - 1
    return f'{value:.6g} {prefixes[at]}{unit}'


def row(name, figure):
    label = 'unverified' if figure['unverified'] else figure['source']
    origin = figure['origin'].replace('|', '\\|')
    return f'| {name} | {scaled(figure["value"], figure["unit"])} | {label} | {origin} |'


def describe_device(device):
    backend = f', `{device["backend"]}`' if device['backend'] else ''
    lines = [f'**{device["name"]}** ({device["kind"]}{backend}; units are {device["units_are"]})',
             '', '| figure | value | source | origin |', '|---|---|---|---|']
    lines += [row(name, figure) for name, figure in device['figures'].items() if figure]
    return lines + ['']


def describe(name, machine):
    lines = [f'### {name}', '', f'{machine["name"]}.', '', machine['about'], '']
    for device in machine['devices']:
        lines += describe_device(device)
    shared = {f'memory {d["memory"]["name"]}: {key}': d['memory'][key]
              for d in machine['devices'] for key in ('bandwidth', 'size') if d['memory'][key]}
    for link in machine['links'][:1]:
        shared.update({f'between devices: {key}': link[key] for key in ('bandwidth', 'latency')
                       if link[key]})
    lines += ['**Shared**', '', '| figure | value | source | origin |', '|---|---|---|---|']
    return lines + [row(key, figure) for key, figure in shared.items()] + ['']


def page(machine, before):
    names = machine.names()
    shown = {name: machine.show(name) for name in names}
    lines = ['', '| profile | machine | devices |', '|---|---|---|']
    lines += [f'| [{name}](#{name}) | {shown[name]["name"]} | '
              f'{", ".join(d["name"] for d in shown[name]["devices"])} |' for name in names]
    lines.append('')
    for name in names:
        lines += describe(name, shown[name])
    return before + MARK + '\n'.join(lines).rstrip('\n') + '\n'


def check_origins(machine):
    """Every number of the page has a citation or says that there is none."""
    count = 0
    for name in machine.names():
        for device in machine.show(name)['devices']:
            for key, figure in device['figures'].items():
                check(not figure or figure['origin'] or figure['unverified'],
                      f'{name}: {device["name"]}: {key} has no origin')
                count += bool(figure)
    return count


def check_commands(machine):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'here.yaml')
        check(machine.run('machine', 'record', '-o', path, '--threads', '1') == '', 'quiet record')
        text = pathlib.Path(path).read_text(encoding='utf-8')
        check(text == machine.run('machine', 'show', path, '--text'), 'a record shows itself')
        check(text == machine.run('machine', 'record', '--threads', '1'), 'two records are equal')
        check('source: assumed' in text and 'hetinfer-machine: 1' in text, text)
        table = machine.run('devices', '--machine', path)
        check('units are cores' in table and 'memory host' in table, table)
        check(table == machine.run('machine', 'show', path), 'devices --machine shows the same')
        check(machine.run('machine', 'show', 'this', '--text') == machine.run('machine', 'record'),
              'this machine is not what is recorded of it')
        pathlib.Path(path).write_text(text.replace('kind: reference', 'kind: abacus'),
                                      encoding='utf-8')
        error = machine.run('machine', 'show', path, status=1)
        check('here.yaml:' in error and 'abacus' in error, error)
    for name in machine.names():
        text = machine.run('machine', 'show', name)
        check('between devices' in text or len(machine.show(name)['devices']) == 1, text)
    check('intel-185h ' in machine.run('machine', 'list'), 'list')
    check('no-such' in machine.run('machine', 'show', 'no-such', status=1), 'an unknown name')
    machine.run('machine', status=2)
    machine.run('machine', 'make', status=2)
    machine.run('machine', 'show', status=2)
    machine.run('devices', '--machine', 'tpu-v4', '--measure', status=2)


def main(program, root, *options):
    machine = Machine(program)
    path = pathlib.Path(root) / 'docs/profiles.md'
    try:
        text = path.read_text(encoding='utf-8')
        made = page(machine, text.partition(MARK)[0])
        if '--write' in options:
            path.write_text(made, encoding='utf-8')
        check(text == made or '--write' in options,
              'docs/profiles.md is not what the profiles say: see --write')
        count = check_origins(machine)
        check_commands(machine)
    except Failure as failure:
        print(failure)
        return 1
    print(f'{count} figures of {len(machine.names())} profiles')
    return 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
