# SPDX-License-Identifier: Apache-2.0
"""The cost model against measured networks: fitted on some, asked for the others, all splits.

    costs.py PROGRAM DATA

DATA/measured/<cpu>/<network>_b1.json has the time of each group of operations of a network, as
PyTorch runs them one by one. PROGRAM (cost_splits.c) reads these groups as text and predicts whole
networks by every choice of networks to fit on. Skips (77) without DATA.
"""
import json
import pathlib
import subprocess
import sys

import networks

# Memory as the makers state it, bytes/s, and cores. Peaks are in the data.
CPUS = {'i7_12700k': (76.8e9, 12), 'ryzen_9_8945hs': (89.6e9, 8)}
# What one call of the interpreter and of a kernel takes, before anything is known.
LAUNCH_NS = 1000


def text_of(folder, bandwidth, cores):
    known = networks.networks()
    lines, peak = [], 0
    for path in sorted(folder.glob('*_b1.json')):
        data = json.loads(path.read_text(encoding='utf-8'))
        peak = data['theoretical_peak_flops']
        net = known[data['model']]
        lines.append(f'network {data["model"]}')
        for group in data['subgraphs']:
            ops = [op for name in group['node_names'] for op in net.get(name, [networks.CALL])]
            time = group['measured_latency']
            spread = time['std'] / time['mean'] if time['mean'] > 0 else 0
            lines.append(f'group {time["mean"] * 1e6:.0f} {spread * 1000:.0f} {len(ops)}')
            lines += [' '.join(str(x) for x in op) for op in ops]
    return '\n'.join([f'cpu {folder.name} {peak:.0f} {bandwidth:.0f} {LAUNCH_NS} {cores}', *lines,
                      'end', ''])


def main(program, data):
    folders = [pathlib.Path(data) / 'measured' / cpu for cpu in CPUS]
    if not all(f.is_dir() for f in folders):
        print('skipped: no measured networks (DATA/measured)')
        return 77
    status = 0
    for folder in folders:
        text = text_of(folder, *CPUS[folder.name])
        done = subprocess.run([program], input=text, text=True, check=False)
        status = status or done.returncode
    return status


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
