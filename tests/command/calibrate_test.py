# SPDX-License-Identifier: Apache-2.0
"""`hetinfer calibrate`: what it measures is printed and kept, and plans use it until it is broken.

    calibrate_test.py COMMAND
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import onnx_file

CLASSES = 18
ROWS, COLUMNS = 64, 512


class Failure(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failure(what)


class Command:
    def __init__(self, program, folder):
        self.program, self.folder = program, pathlib.Path(folder)
        self.cache = self.folder / 'cache'

    def run(self, *arguments, status=0, cache=None):
        env = dict(os.environ, HETINFER_CALIBRATION=str(cache or self.cache))
        done = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True,
                              timeout=250, env=env)
        check(done.returncode == status, f'{arguments}: exit status {done.returncode}: '
              f'{done.stderr.strip()}')
        return done

    def json(self, *arguments, **more):
        return json.loads(self.run(*arguments, '--json', **more).stdout)

    def files(self):
        return sorted(self.cache.glob('*.yaml')) if self.cache.is_dir() else []


def small_model(path):
    shape = ('x', 'float32', [ROWS, COLUMNS])
    nodes = [onnx_file.node('Add', ['x', 'b'], ['h']), onnx_file.node('Softmax', ['h'], ['y'])]
    weights = [('b', [0.5] * COLUMNS)]
    path.write_bytes(onnx_file.model(nodes, [shape], [('y', 'float32', [ROWS, COLUMNS])], weights))


def source_of(command, model, **more):
    return command.json('plan', model, '--threads', 1, **more)['totals']['figures_source']


def check_report(out, quick):
    check(out['schema'] == 'hetinfer.calibrate/1' and out['quick'] == quick, 'schema or quick')
    for device in out['devices']:
        check(device['samples'] > 20 and 0 < device['residual'] < 0.6,
              f'{device["samples"]} samples, residual {device["residual"]}')
        check(len(device['classes']) == CLASSES, 'classes')
        for one in device['classes']:
            rates = [one[key] for key in ('launch_ns', 'ops_per_s', 'read_bytes_per_s',
                                          'write_bytes_per_s', 'weight_bytes_per_s')]
            check(all(0 < r < 1e18 for r in rates), f'{one}')
        check(any(one['samples'] > 0 for one in device['classes']), 'no class has samples')
    return out['devices']


# The analysis of this machine uses the same, and says so; a profile is a profile.
def check_analysis(command, model):
    def machine_of(*arguments, **more):
        out = command.json('analyze', model, *arguments, **more)['machine']
        return out['figures_basis'], out['figures_source'], out['bytes_per_s']

    basis, source, rate = machine_of('--threads', 1)
    check((basis, source) == ('calibrated', 'measured'), f'analyze: {basis}, {source}')
    check(machine_of('--threads', 1, '--machine', 'this') == (basis, source, rate), 'this')
    kept = [float(found) for file in command.files()
            for found in re.findall(r'^ *bandwidth: (\d+)', file.read_text(), re.M)]
    check(any(abs(rate / found - 1) < 0.01 for found in kept), f'{rate} bytes/s, kept: {kept}')
    check(machine_of('--threads', 1, cache='off')[:2] == ('probed', 'assumed'), 'off')
    check(machine_of('--threads', 2)[0] == 'probed', 'for one thread, used for two')
    check(machine_of('--machine', 'amd-8945hs')[0] == 'profile', 'a profile')
    with_it = command.json('analyze', model, '--threads', 1)['totals']['predicted_ns']
    planned = command.json('plan', model, '--threads', 1)['totals']['figures_source']
    check(with_it > 0 and planned == 'measured', 'plan and analysis')
    command.run('analyze', model, '--threads', 1, '--machine', 'amd-8945hs', status=2)


def run(command):
    model = command.folder / 'small.onnx'
    small_model(model)
    usage = command.run('calibrate', '--dry-run', '-o', 'x', status=2)
    check('--dry-run' in usage.stderr, usage.stderr)
    command.run('calibrate', 'model', status=2)
    check(source_of(command, model) == 'assumed', 'figures before anything was measured')

    devices = check_report(command.json('calibrate', '--quick', '--threads', 1, '--dry-run'), True)
    if not devices:
        print('skipped: no device that is worth measuring')
        return 77
    check(not command.files(), '--dry-run has written a file')
    devices = check_report(command.json('calibrate', '--quick', '--threads', 1), True)
    files = command.files()
    check(len(files) == len(devices), f'{len(files)} files of {len(devices)} devices')
    check(source_of(command, model) == 'measured', 'the plan does not use what was measured')
    check(source_of(command, model, cache='off') == 'assumed', 'HETINFER_CALIBRATION=off')
    check_analysis(command, model)
    two = command.json('plan', model, '--threads', 2)['totals']['figures_source']
    check(two == 'assumed', 'a plan for two threads uses what was measured with one')

    files[0].write_text(files[0].read_text()[:700])
    broken = command.run('plan', model, '--threads', 1)
    check(files[0].name in broken.stderr and 'assumed' in broken.stdout,
          f'a broken file: {broken.stderr}')
    return 0


def main():
    with tempfile.TemporaryDirectory() as folder:
        try:
            return run(Command(sys.argv[1], folder))
        except Failure as failure:
            print(f'FAILED {failure}')
            return 1


if __name__ == '__main__':
    sys.exit(main())
