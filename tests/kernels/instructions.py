# SPDX-License-Identifier: Apache-2.0
"""Instructions that pieces of work take, against a recorded budget: a guard that no other load on
the machine disturbs.

    instructions.py PROGRAM BUILD [--record]

PROGRAM is count_instructions; what it counts and how is said there. BUILD names compiler and build
type, "gcc 12, release": code differs between them, so each has budgets of its own in
instructions.json, and one without is skipped. A count that is more than 1 % above its budget fails;
one that is more than 1 % below passes and is worth recording. --record writes the counts of this
run as the budgets of BUILD.
"""
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile

BUDGETS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'instructions.json')
TOLERANCE = 0.01


class Skip(Exception):
    pass


def output(command, **more):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            **more)
    if result.returncode == 77:
        raise Skip(result.stdout.strip().splitlines()[-1])
    if result.returncode != 0:
        raise RuntimeError(f'{command[0]} exits with {result.returncode}: {result.stderr[-500:]}')
    return result.stdout.splitlines()


def count_with_callgrind(program):
    if not shutil.which('valgrind'):
        raise Skip('valgrind is not installed')
    with tempfile.TemporaryDirectory() as folder:
        dump = os.path.join(folder, 'dump')
        names = output(['valgrind', '--tool=callgrind', '--toggle-collect=count_region',
                        '--dump-after=count_region', '--combine-dumps=yes',
                        f'--callgrind-out-file={dump}', program])
        with open(dump, encoding='utf-8') as f:
            totals = [int(line.split()[1]) for line in f if line.startswith('totals:')]
    # The last dump is that of the end, after all pieces.
    if not names or len(totals) != len(names) + 1:
        raise RuntimeError(f'{len(names)} pieces, {len(totals)} dumps')
    return dict(zip(names, totals))


def count_by_steps(program):
    rows = [line.split('\t') for line in output([program, '--step'])]
    return {name: int(count) for name, count in rows}


def count_all(program):
    """Counts by name, and the reasons why some are missing."""
    counts, missing = {}, []
    for method in (count_with_callgrind, count_by_steps):
        try:
            counts.update(method(program))
        except Skip as reason:
            missing.append(f'{method.__name__}: {reason}')
    return counts, missing


def read_budgets():
    if not os.path.exists(BUDGETS):
        return {'schema': 'hetinfer.instructions/1', 'budgets': {}}
    with open(BUDGETS, encoding='utf-8') as f:
        return json.load(f)


def record(build, counts):
    root = read_budgets()
    root['budgets'][build] = {'libc': ' '.join(platform.libc_ver()), 'counts': counts}
    with open(BUDGETS, 'w', encoding='utf-8') as f:
        json.dump(root, f, indent=1)
        f.write('\n')
    print(f'{len(counts)} budgets recorded for {build}')
    return 0


def compare(budget, counts, missing):
    worse = 0
    for name, count in counts.items():
        allowed = budget['counts'].get(name)
        if allowed is None:
            print(f'no budget      {name}: {count}')
            worse += 1
        elif count > allowed * (1 + TOLERANCE):
            print(f'over budget    {name}: {count}, budget {allowed}: '
                  f'{100 * (count / allowed - 1):+.1f} %')
            worse += 1
        elif count < allowed * (1 - TOLERANCE):
            print(f'better         {name}: {count}, budget {allowed}: '
                  f'{100 * (count / allowed - 1):+.1f} %')
    if not missing:
        for name in sorted(set(budget['counts']) - set(counts)):
            print(f'not counted    {name}')
            worse += 1
    return worse


def main(program, build, *flags):
    counts, missing = count_all(program)
    for reason in missing:
        print(f'skipped: {reason}')
    if not counts:
        return 77
    if '--record' in flags:
        return record(build, counts) if not missing else 1
    budget = read_budgets()['budgets'].get(build)
    if not budget:
        print(f'skipped: no budgets for {build}; --record makes them')
        return 77
    worse = compare(budget, counts, missing)
    print(f'{len(counts)} counts, {worse} beyond their budget ({build}, {budget["libc"]}, here '
          f'{" ".join(platform.libc_ver())})')
    if worse:
        print(f'if that is the price of something better, record it:\n    python3 '
              f'{os.path.relpath(__file__)} {os.path.relpath(program)} "{build}" --record')
    return 1 if worse else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
