# SPDX-License-Identifier: Apache-2.0
"""`hetinfer plan` on machines that are only described: sums, shards, memory, text and back.

    plan_test.py COMMAND
"""
import json
import os
import subprocess
import sys
import tempfile

CONFIG = {'model_type': 'llama', 'num_hidden_layers': 6, 'hidden_size': 1024,
          'intermediate_size': 2816, 'num_attention_heads': 16, 'num_key_value_heads': 4,
          'vocab_size': 32000, 'max_position_embeddings': 2048, 'torch_dtype': 'bfloat16'}
MACHINE = 'amd-8945hs'


class Failure(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failure(what)


class Plan:
    def __init__(self, program, folder):
        self.program, self.model = program, os.path.join(folder, 'config.json')
        self.folder = folder
        with open(self.model, 'w', encoding='utf-8') as f:
            json.dump(CONFIG, f)

    def run(self, *arguments, status=0):
        done = subprocess.run([self.program, 'plan', self.model, *arguments], text=True,
                              capture_output=True, check=False)
        check(done.returncode == status,
              f'{arguments}: status {done.returncode}, not {status}: {done.stderr}')
        self.stderr = done.stderr
        return done.stdout

    def json(self, *arguments):
        return json.loads(self.run('--json', *arguments))


def sums_are_right(p):
    for phase in ('decode', 'prefill'):
        plan = p.json('--machine', MACHINE, '--phase', phase)
        totals, devices = plan['totals'], plan['devices']
        check(plan['schema'] == 'hetinfer.plan/1' and plan['machine'] == MACHINE, f'{plan}')
        check(sum(d['node_count'] for d in devices) == totals['node_count'], 'nodes of devices')
        check(sum(t['bytes'] for t in plan['transfers']) == totals['transfer_bytes'], 'transfers')
        check(len(plan['transfers']) == totals['transfer_count'], 'count of transfers')
        for d in devices:
            held = d['weight_bytes'] + d['state_bytes'] + d['io_bytes'] + d['activation_bytes']
            check(held <= d['limit_bytes'], f'{d}')
            check(d['single_total'] is None or totals['total'] <= d['single_total'] * (1 + 1e-9),
                  'a device alone is better')
        check(totals['greedy_total'] is None or
              totals['total'] <= totals['greedy_total'] * (1 + 1e-9), 'greedy is better')
        check(totals['split_ns'] <= totals['simulated_ns'], 'a split that does not pay')
        layers = plan['shards']
        check(sum(s['entries'] for s in layers) == len(plan['layers']), f'{layers}')
        check(sum(s['stored_bytes'] for s in layers) ==
              sum(entry['stored_bytes'] for entry in plan['layers']), f'{layers}')
        for a, b in zip(layers, layers[1:]):
            check(a['device'] != b['device'], f'{layers}')


def text_comes_back(p):
    path = os.path.join(p.folder, 'plan.txt')
    text = p.run('--machine', MACHINE, '--text', '--no-split', '--phase', 'prefill')
    check(text == p.run('--machine', MACHINE, '--text', '--no-split', '--phase', 'prefill'),
          'two runs differ')
    check(text.startswith('plan 2\n') and text.endswith('\nend\n'), text[:80])
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text)
    again = p.run('--machine', MACHINE, '--text', '--no-split', '--phase', 'prefill', '--from',
                  path)

    def nodes(t):
        return [line for line in t.splitlines() if line.startswith(('node ', 'transfer '))]
    check(nodes(again) == nodes(text), 'another placement')
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text.replace('\nnode 3 ', '\nnode 4 ', 1))
    p.run('--machine', MACHINE, '--phase', 'prefill', '--from', path, status=1)
    check('plan:' in p.stderr and len(p.stderr.splitlines()) == 1, p.stderr)


def tables_are_there(p):
    table = p.run('--machine', MACHINE, '--phase', 'prefill')
    for word in ('block 5', 'best device alone', 'first device that can', 'simulated', 'of limit'):
        check(word in table, f'no {word} in {table}')
    for objective in ('throughput', 'energy'):
        check(f'\n{objective}: ' in p.run('--machine', MACHINE, '--objective', objective),
              objective)


def presets_are_plans(p):
    """Each preset has its way on the documents' laptop, in both phases, and the NPU is given only
    what its backend would run."""
    for preset in ('amd_phoenix', 'cpu_only', 'intel_185h', 'unicorn_e4b'):
        for phase in ('decode', 'prefill'):
            text = p.run('--machine', MACHINE, '--policy', preset, '--phase', phase, '--text',
                         '--no-split')
            npus = {line.split()[1] for line in text.splitlines()
                    if line.startswith('device ') and 'amd_xrt_npu' in line}
            nodes = [line.split() for line in text.splitlines() if line.startswith('node ')]
            own = [n[2] for n in nodes if n[n.index('device') + 1] in npus]
            check(nodes and npus, text)
            check(set(own) <= {'"linear"', '"gated"', '"matmul"'}, (preset, phase, own))
            if preset in ('amd_phoenix', 'unicorn_e4b'):
                check('"linear"' in own, (preset, phase, own))
            if preset == 'cpu_only':
                check(not own, (preset, phase, own))


def mistakes_are_named(p):
    p.run('--machine', 'no-such-machine', status=1)
    check('no-such-machine' in p.stderr, p.stderr)
    p.run('--machine', MACHINE, '--devices', 'cpu_onednn', status=2)
    p.run('--machine', MACHINE, '--policy', 'no-such-policy', status=1)
    check('no-such-policy' in p.stderr, p.stderr)
    p.run('--objective', 'beauty', status=2)


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        p = Plan(sys.argv[1], folder)
        for case in (sums_are_right, text_comes_back, tables_are_there, presets_are_plans,
                     mistakes_are_named):
            try:
                case(p)
                print('ok    ', case.__name__)
            except Failure as e:
                print('FAILED', case.__name__, e)
                failed += 1
    sys.exit(failed != 0)


if __name__ == '__main__':
    main()
