# SPDX-License-Identifier: Apache-2.0
"""The example with an operator of its own prints each row turned around, times two."""
import subprocess
import sys

WANTED = '6 4 2\n12 10 8\n'


def main(program):
    done = subprocess.run([program], capture_output=True, text=True, timeout=60)
    print(done.stdout + done.stderr, end='')
    if done.returncode or done.stdout != WANTED or done.stderr:
        print(f'exit status {done.returncode}, wanted {WANTED!r} and nothing else')
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
