# SPDX-License-Identifier: Apache-2.0
"""Weights that come for each step, from outside: a simulated device with little memory by policy
says the same as one with enough, and the plan says which layers come and why.

    stream_test.py COMMAND SOURCE
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ENVIRONMENT = dict(os.environ, HETINFER_SIM='h100-pcie:gpu', HETINFER_SIM_SCALE='0')
FORM = 'hetinfer-policy: 1\nlimits:\n  simulated: {{ memory: {} B, stream: {} }}\n'


def check(condition, what):
    if not condition:
        sys.exit(f'failed: {what}')


def run(*arguments, status=0):
    result = subprocess.run([*map(str, arguments)], capture_output=True, text=True, timeout=120,
                            env=ENVIRONMENT)
    check(result.returncode == status,
          f'{arguments}: exit status {result.returncode}, want {status}: {result.stderr}')
    return result.stdout if status == 0 else result.stderr


def device_line(text):
    """Bytes by what they are for."""
    words = next(line for line in text.splitlines() if line.startswith('device 0 '))
    words = words[words.rindex('"') + 2:].split()
    return dict(zip(words[::2], words[1::2]))


def least(works, low, high):
    """The least number that works, to a thousandth of the highest."""
    while high - low > 2000:
        middle = (low + high) // 2
        low, high = (low, middle) if works(middle) else (middle, high)
    return high


def main():
    command, source = sys.argv[1], pathlib.Path(sys.argv[2])
    model = source / 'examples/models/hearth.gguf'
    with tempfile.TemporaryDirectory() as folder:
        policy = pathlib.Path(folder) / 'policy.yaml'
        plan = [command, 'plan', model, '--devices', 'sim', '--context', '200', '--policy', policy]
        say = [command, 'run', model, '--devices', 'sim', '-p', 'The fire', '-n', '20', '--temp',
               '0', '-q', '--policy', policy]

        def session(memory, stream):
            """What it says; None: the memory is too little."""
            policy.write_text(FORM.format(memory, stream), encoding='utf-8')
            out = subprocess.run([*map(str, say)], capture_output=True, text=True, timeout=120,
                                 env=ENVIRONMENT)
            check(out.returncode == 0 or 'fit' in out.stderr, out.stderr)
            return out.stdout if out.returncode == 0 else None

        policy.write_text(FORM.format(8000000000, 'true'), encoding='utf-8')
        whole = run(*plan, '--text')
        check('\nstream ' not in whole, 'weights come though all of them fit')
        held = device_line(whole)
        most = int(held['weights']) + int(held['states'])
        policy.write_text(FORM.format(most, 'true'), encoding='utf-8')
        text = run(*plan, '--text')
        check('\nstream 0 slots 2 ' in text and 'weights come for each step' in text, text)
        now = device_line(text)
        check(int(now['weights']) < int(held['weights']), f'{now} instead of {held}')
        root = json.loads(run(*plan, '--json'))
        check(any('weights come' in layer['reason'] for layer in root['layers']), root['layers'])
        device = root['devices'][0]
        words = next(line for line in text.splitlines() if line.startswith('stream 0 ')).split()
        check([device['stream_slot_count'], device['stream_slot_bytes'],
               device['stream_layer_count'], device['stream_layer_max'], device['stream_bytes']] ==
              [int(words[k]) for k in (3, 5, 7, 9, 11)], f'{device} and {words}')
        check(device['slot_count'] == 0, device)
        coming = [layer['stream_bytes'] for layer in root['layers'] if layer['stream_bytes'] > 0]
        check(len(coming) == device['stream_layer_count'] and
              sum(coming) == device['stream_bytes'], f'{coming} of {device}')
        page = pathlib.Path(folder) / 'plan.html'
        run(*plan, '--html', page)
        phrase = f"of {device['stream_layer_count']} of {device['stream_layer_max']} layers"
        check(phrase in page.read_text(encoding='utf-8'), f'no {phrase} in the page')
        saved = pathlib.Path(folder) / 'plan.txt'
        saved.write_text(text, encoding='utf-8')
        again = run(*plan, '--from', saved, '--text')
        check('\nstream 0 ' in again, again)

        want = session(8000000000, 'true')
        needed = least(lambda memory: session(memory, 'false') is not None, 0, 16000000)
        check(session(needed, 'true') == want, 'another text where all fits')
        check(session(needed - 4000, 'true') == want, 'another text where weights come')
        few = least(lambda memory: session(memory, 'true') is not None, 0, needed)
        check(few < needed - 200000, f'{few} bytes instead of {needed}')
        check(session(few, 'true') == want, 'another text with the least memory')

        policy.write_text(FORM.format(most, 'false'), encoding='utf-8')
        why = run(*plan, status=1)
        check('fits' in why, why)
        notes = run(command, 'policy', 'check', policy)
        check('limits.simulated.stream' in notes and 'go elsewhere' in notes, notes)
        print(f'{needed} bytes, or {few}')


if __name__ == '__main__':
    main()
