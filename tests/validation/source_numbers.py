# SPDX-License-Identifier: Apache-2.0
"""The rows of docs/source-numbers.md about networks and machines: what documents state beside what
`hetinfer analyze`, `groups` and `sweep` say; and the tables of networks on machines beside this
file. Fails where they say something else.

    source_numbers.py COMMAND ROOT [--write]

Every figure here comes from graphs and profiles, so it is the same on any computer.
"""
import csv
import io
import json
import math
import os
import subprocess
import sys
import tempfile

BEGIN = '<!-- written by tests/validation/source_numbers.py --write -->'
END = '<!-- up to here -->'

# GFLOP, operations, most side by side, longest chain, operations per byte, character.
GRAPHS = {
    'resnet18': ('ResNet-18', 4.49, 60, 12, 9, 31, 'compute-intensive'),
    'mobilenet_v2': ('MobileNet-V2', 1.91, 141, 12, 24, 14, 'memory-bound'),
    'efficientnet_b0': ('EfficientNet-B0', 2.39, 214, 27, 13, 17, 'balanced'),
}
# Millions of parameters, GFLOP measured and in theory, tiles.
FAMILY = {
    'resnet18': ('ResNet-18', 11.69, 3.79, 3.59, 17),
    'resnet34': ('ResNet-34', 21.80, 7.49, 7.3, 33),
    'resnet50': ('ResNet-50', 25.56, 10.80, 10.5, 49),
}
# Operations, groups, how many to one, MB and percent saved.
FUSION = {
    'resnet18': ('ResNet-18', 60, 32, 1.9, 19.2, 19.6),
    'mobilenet_v2': ('MobileNet-V2', 141, 66, 2.1, 51.1, 42.0),
}
# Name, arithmetic that the rate is of, times the Ryzen's speed, inferences/s of a block of 59
# GFLOP, J/GFLOP.
MACHINES = {
    'h100-pcie': ('H100 PCIe', 'bf16', 1250, 21100, 0.501),
    'tpu-v4': ('TPU v4', 'bf16', 458, 7740, 0.200),
    'kpu-t100': ('KPU-T100', 'fastest', 167, 2810, 0.100),
    'kpu-t2': ('KPU-T2', 'int8', 3.3, 56, 0.100),
    'intel-core-i7': ('Core i7', 'f32', 1.5, 25, 1.004),
    'amd-ryzen-7': ('Ryzen 7', 'f32', 1.0, 17, 1.004),
}
BASE = 'amd-ryzen-7'
BLOCK = 59e9


class Zeros:
    """Weights that take no time to make."""

    def __init__(self, write):
        self.write = write

    def normal(self, name, shape, *_):
        return self.write.Tensor(name, self.write.FLOAT, shape, [bytes(4 * math.prod(shape))])

    filters = uniform = normal


class Source:
    """Asks the command, each question once."""

    def __init__(self, program, root, folder):
        self.program, self.folder, self.known = program, folder, {}
        sys.path.insert(0, os.path.join(root, 'tests/models'))
        sys.dont_write_bytecode = True
        import onnx_build
        import onnx_write
        self.build, self.weights = onnx_build.build, Zeros(onnx_write)

    def model(self, name):
        path = os.path.join(self.folder, f'{name}.onnx')
        if not os.path.exists(path):
            self.build(name, self.weights, keep_dropout=True).write(path)
        return path

    def run(self, *arguments):
        if arguments not in self.known:
            ran = subprocess.run([self.program, *arguments], capture_output=True, text=True)
            if ran.returncode:
                sys.exit(f'{" ".join(arguments)}: status {ran.returncode}: {ran.stderr}')
            self.known[arguments] = ran.stdout
        return self.known[arguments]

    def analyze(self, name, *more):
        return json.loads(self.run('analyze', self.model(name), '--json', '--machine', BASE, *more))

    def groups(self, name, *more):
        return json.loads(self.run('groups', self.model(name), '--json', *more))['totals']

    def sweep(self, name, machine, *more):
        text = self.run('sweep', self.model(name), '--machines', machine, *more)
        return next(csv.DictReader(io.StringIO(text)))


def row(*cells):
    return '| ' + ' | '.join(str(c) for c in cells) + ' |'


def table(head, rows):
    return [row(*head), '|' + '---|' * len(head), *rows, '']


def short(x):
    return f'{x:.0f}' if x >= 100 else f'{x:.3g}'


def off(stated, right):
    return f'{100 * (stated / right - 1):+.1f} %'.replace('-', '−')


def graph_rows(s):
    for name, (title, gflop, ops, width, chain, ai, character) in GRAPHS.items():
        full, compat = s.analyze(name), s.analyze(name, '--compat')
        t, c, d = full['totals'], full['concurrency'], compat['concurrency']
        right = 2e-9 * t['macs']
        yield row(title, 'GFLOP', gflop, f'{right:.4f}', off(gflop, right))
        yield row('', 'operations', ops, t['node_count'],
                  f'{compat["totals"]["node_count"]} without functions')
        yield row('', 'longest chain', chain, c['critical_path'],
                  f'{d["critical_path"]} without functions and their edges')
        yield row('', 'most side by side', width, c['width'],
                  f'{d["width"]} without functions and their edges')
        yield row('', 'operations per byte', ai, f'{t["mac_intensity"]:.1f}',
                  off(ai, t['mac_intensity']))
        yield row('', 'character', character, t['label'],
                  'the same' if character == t['label'] else 'as its operations per byte say')


def family_rows(s):
    for name, (title, parameters, measured, theory, tiles) in FAMILY.items():
        out = s.analyze(name)
        right = 2e-9 * out['totals']['macs']
        yield row(title, f'{parameters} M', f'{out["model"]["parameter_count"]:.0f}',
                  f'{measured}, {theory}', f'{right:.4f}',
                  f'{off(measured, right)}, {off(theory, right)}', tiles,
                  out['totals']['tile_count'])


def fusion_rows(s):
    for name, (title, ops, groups, ratio, mb, percent) in FUSION.items():
        f, c = s.analyze(name)['fusion'], s.analyze(name, '--compat')['fusion']
        saved = f['traffic_bytes'] - f['grouped_bytes']
        rest = c['ungrouped_bytes'] - c['inner_bytes']
        yield row(title, f'{ops} → {groups}, {ratio}',
                  f'{f["node_count"]} → {f["group_count"]}, '
                  f'{f["node_count"] / f["group_count"]:.2f}',
                  f'{mb} MB, {percent} %', f'{f["inner_bytes"] / 1e6:.1f} MB, '
                  f'{100 * c["inner_bytes"] / rest:.1f} %',
                  f'{saved / 1e6:.1f} MB, {100 * saved / f["traffic_bytes"]:.1f} %')
    apart = s.groups('vit_b_16', '--rule', 'patterns')
    joined = s.groups('vit_b_16', '--rule', 'greedy', '--recognise')
    less = 100 * (1 - apart['traffic_bytes'] / apart['unfused_bytes'])
    more = 100 * (1 - joined['traffic_bytes'] / joined['spelled_bytes'])
    yield row('ViT-B/16', '', f'{joined["spelled_count"]} → {joined["group_count"]}',
              '5.7 % → 45 %', '', f'{less:.1f} % by patterns, {more:.1f} % with attention as one')


def peak_of(s, machine):
    found = s.sweep('resnet18', machine, '--arithmetic', MACHINES[machine][1])
    return float(found['peak_inferences_per_s']) * 2 * float(found['macs'])


def machine_rows(s):
    base = peak_of(s, BASE)
    energy = float(s.sweep('resnet18', BASE)['joules'])
    for machine, (title, arithmetic, speed, throughput, joules) in MACHINES.items():
        peak = peak_of(s, machine)
        found = s.sweep('resnet18', machine, '--arithmetic', arithmetic)
        here = float(found['joules'])
        yield row(title, speed, f'{peak / base:.4g}', throughput, f'{peak / BLOCK:.5g}',
                  short(MACHINES[BASE][4] / joules), short(energy / here) if here else 'unknown',
                  short(float(found['inferences_per_s'])))


def utilisation_rows(s):
    sweep = ','.join(map(str, range(1, 17)))
    out = json.loads(s.run('analyze', s.model('resnet18'), '--json', '--machine', 'h100-pcie',
                           '--batch-sweep', sweep))
    compat = s.analyze('resnet18', '--compat')['concurrency']['width']
    t, at = out['totals'], out['batch_sweep']['units_filled_at']
    units = out['nodes'][0]['mapping']['unit_count']
    yield row('units of an H100 that ResNet-18 keeps busy, one image', '24 of 132, about 20 %',
              f'{100 * t["unit_fill"]:.0f} % of {units:.0f} have work, '
              f'{100 * t["utilisation"]:.0f} % of the peak can be reached',
              f'{compat} side by side on 2 multiprocessors each, of 132: '
              f'{100 * 2 * compat / 132:.1f} %')
    yield row('images from which on all units of an H100 have work', '10 or more',
              at if at else 'more than 16', 'a layer is spread over all units, not over two')


def page(s):
    lines = [BEGIN, '', 'Networks at 224 × 224, one image. The last column says how far what is '
             'stated is from what is counted, or what gives the stated figure.', '']
    lines += table(('network', 'figure', 'stated', 'here', 'note'), graph_rows(s))
    lines += ['Residual networks; tiles are groups of operations that end in an activation.', '']
    lines += table(('network', 'parameters stated', 'here', 'GFLOP stated (measured, theory)',
                    'here', 'off', 'tiles stated', 'here'), family_rows(s))
    lines += ['Fusion by patterns. What is stated counts values that stay inside a group once and '
              'divides by what is left; written and read is twice, of what there was.', '']
    lines += table(('network', 'operations → groups stated', 'here', 'saved stated',
                    'the same way here', 'written and read, of all'), fusion_rows(s))
    lines += ['Machines, by the profiles of this library. Speed: peak against the Ryzen 7. '
              'Throughput: peak divided by 59 GFLOP. Energy: of ResNet-18, the Ryzen 7 divided by '
              'the machine. The last column is what one image of ResNet-18 would take, launches '
              'and idle units included.', '']
    lines += table(('machine', 'speed stated', 'here', 'blocks/s stated', 'here',
                    'energy stated', 'here', 'images/s of ResNet-18'), machine_rows(s))
    lines += table(('use of a large machine', 'stated', 'here', 'note'), utilisation_rows(s))
    return '\n'.join(lines) + END


# Tables as `hetinfer sweep` writes them: networks of each.
TABLES = {
    'sweep_results.csv': ('resnet18', 'mobilenet_v2', 'efficientnet_b0', 'vit_b_16'),
    'resnet_family_results.csv': ('resnet18', 'resnet34', 'resnet50'),
}


def sweep_table(s, names):
    return s.run('sweep', *(s.model(name) for name in names), '--relative', '--machines',
                 ','.join([BASE, *(m for m in MACHINES if m != BASE)]))


def make(program, root):
    """{path: (what stands there, what should)}"""
    with tempfile.TemporaryDirectory() as folder:
        source = Source(program, root, folder)
        path = os.path.join(root, 'docs/source-numbers.md')
        with open(path, encoding='utf-8') as f:
            text = f.read()
        before, _, rest = text.partition(BEGIN)
        after = rest.partition(END)[2]
        wanted = {path: (text, before + page(source) + after)}
        for name, networks in TABLES.items():
            path = os.path.join(root, 'tests/validation', name)
            text = ''
            if os.path.exists(path):
                with open(path, encoding='utf-8') as f:
                    text = f.read()
            wanted[path] = text, sweep_table(source, networks)
    return wanted


def compare(path, have, want):
    """Exit status."""
    lines = have.split('\n')
    for i, line in enumerate(want.split('\n')):
        if i >= len(lines) or lines[i] != line:
            print(f'FAILED {path}:{i + 1}: has "{lines[i] if i < len(lines) else ""}", should have '
                  f'"{line}"; source_numbers.py --write puts it right')
            return 1
    print(f'ok     {path}: {len(lines)} lines')
    return have != want


def main():
    program, root = sys.argv[1:3]
    status = 0
    for path, (have, want) in make(program, root).items():
        if '--write' not in sys.argv:
            status |= compare(path, have, want)
            continue
        with open(path, 'w', encoding='utf-8') as f:
            f.write(want)
    return status


if __name__ == '__main__':
    sys.exit(main())
