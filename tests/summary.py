# SPDX-License-Identifier: Apache-2.0
"""Sum up the runs of several builds: the last line is `N passed, N failed, N skipped`.

    summary.py NAME=BUILD …        BUILD/meson-logs/testlog*.json are read
    summary.py NAME=missing        a build that did not come about counts as one failure

Skipped tests are listed with the reason that they printed.
"""
import glob
import json
import os
import sys

PASSED = {'OK', 'EXPECTEDFAIL'}
SKIPPED = {'SKIP'}


def read_log(build):
    """Results of every meson test run in a build folder; the last one of each test counts."""
    results = {}
    for path in sorted(glob.glob(os.path.join(build, 'meson-logs', 'testlog*.json')),
                       key=os.path.getmtime):
        with open(path, encoding='utf-8') as f:
            for line in f:
                entry = json.loads(line)
                results[entry['name']] = entry
    return results


def reason(entry):
    lines = [line for line in entry.get('stdout', '').splitlines() if line.strip()]
    said = [line for line in lines if 'skipped' in line]
    return (said or lines or ['no reason given'])[-1].strip()


def main(arguments):
    passed = failed = skipped = 0
    for argument in arguments:
        name, build = argument.split('=', 1)
        results = read_log(build)
        if not results:
            print(f'FAILED  {name}: no test results (the build did not come about)')
            failed += 1
        for entry in results.values():
            if entry['result'] in PASSED:
                passed += 1
            elif entry['result'] in SKIPPED:
                skipped += 1
                print(f'SKIPPED {name}: {entry["name"]}: {reason(entry)}')
            else:
                failed += 1
                print(f'FAILED  {name}: {entry["name"]} ({entry["result"].lower()})')
    print(f'{passed} passed, {failed} failed, {skipped} skipped')
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
