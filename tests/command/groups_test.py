# SPDX-License-Identifier: Apache-2.0
"""`hetinfer groups` on well-known networks (tests/models/onnx_build.py, weights all zero): as many
groups, and as much memory traffic, as are known of them.

    groups_test.py COMMAND ROOT
"""
import json
import math
import os
import subprocess
import sys
import tempfile

# Operations and groups by pattern; MB (10^6 bytes): traffic of each operation alone, what groups
# save of it (write and read), and what stays inside, each value counted once; the share of the
# second, and of the third in what is left without it, percent.
PATTERNS = {
    'resnet18': (69, 32, 117.0, 38.3, 19.2, 32.8, 19.6),
    'resnet34': (125, 56, 195.0, 58.4, 29.2, 29.9, 17.6),
    'resnet50': (175, 73, 426.0, 165.8, 82.9, 38.9, 24.2),
    # 42.0 if means and variances of norms are not counted among the weights.
    'mobilenet_v2': (153, 66, 173.1, 102.3, 51.1, 59.1, 41.9),
    'efficientnet_b0': (249, 167, 209.4, 103.2, 51.6, 49.3, 32.7),
}
# Two of them go to rows of 96 channels of 112x112 elements and stay in the largest group.
LARGEST_INNER = 2 * 96 * 112 * 112 * 4
TRANSFORMERS = ('vit_b_16', 'vit_b_16_split')
BLOCKS = 12


class Failure(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failure(what)


def same(got, want, what):
    check(round(got, 1) == want, f'{what}: {got:.3f}, want {want}')


class Zeros:
    """Weights that take no time to make."""

    def __init__(self, write):
        self.write = write

    def normal(self, name, shape, *_):
        return self.write.Tensor(name, self.write.FLOAT, shape, [bytes(4 * math.prod(shape))])

    filters = uniform = normal


class Groups:
    def __init__(self, program, root, folder):
        self.program, self.folder = program, folder
        sys.path.insert(0, os.path.join(root, 'tests/models'))
        sys.dont_write_bytecode = True
        import onnx_build
        import onnx_write
        self.build, self.weights = onnx_build.build, Zeros(onnx_write)

    def write(self, name):
        path = os.path.join(self.folder, f'{name}.onnx')
        self.build(name, self.weights, keep_dropout=True).write(path)
        return path

    def run(self, *arguments, status=0):
        result = subprocess.run([self.program, 'groups', *arguments], capture_output=True,
                                text=True, timeout=300)
        check(result.returncode == status, f'{arguments}: exit status {result.returncode}: '
              f'{result.stderr.strip()}')
        return result.stdout

    def make(self, path, rule, *more):
        """Totals and groups; what is true of all of them is checked."""
        out = json.loads(self.run(path, '--rule', rule, '--json', *more))
        check(out['schema'] == 'hetinfer.groups/1' and out['rule'] == rule, 'schema or rule')
        totals, groups = out['totals'], out['groups']
        check(len(groups) == totals['group_count'], 'groups are not as many as the totals say')
        nodes = [name for group in groups for name in group['nodes']]
        check(len(nodes) == totals['node_count'], f'{len(nodes)} nodes in the groups, want '
              f'{totals["node_count"]}')
        # Nodes that a pass makes have the name of what they stand for.
        check(len(set(nodes)) == len(nodes) or '--recognise' in more, 'a node is in two groups')
        for field in ('unfused_bytes', 'traffic_bytes', 'inner_bytes'):
            check(math.isclose(sum(g[field] for g in groups), totals[field]), field)
        check(math.isclose(sum(g['predicted_ns'] for g in groups), totals['predicted_ns']),
              'predicted_ns is not that of the groups')
        return totals, groups


def percent(part, whole):
    return 100 * part / whole


def check_patterns(g, name, path):
    count, groups, alone, saved, inner, saved_share, inner_share = PATTERNS[name]
    t, _ = g.make(path, 'patterns')
    check((t['node_count'], t['group_count']) == (count, groups),
          f'{t["node_count"]} operations in {t["group_count"]} groups, want {count} in {groups}')
    less = t['unfused_bytes'] - t['traffic_bytes']
    same(t['unfused_bytes'] / 1e6, alone, 'traffic of each alone')
    same(less / 1e6, saved, 'saved')
    same(t['inner_bytes'] / 1e6, inner, 'kept inside')
    same(percent(less, t['unfused_bytes']), saved_share, 'share saved')
    same(percent(t['inner_bytes'], t['unfused_bytes'] - t['inner_bytes']), inner_share,
         'share kept inside')
    return t


def check_search(g, path, *more):
    """Never dearer than the greedy rules, and the same again."""
    greedy, _ = g.make(path, 'greedy', *more)
    best, groups = g.make(path, 'search', *more)
    check(best['predicted_ns'] <= min(best['greedy_ns'], best['patterns_ns']), 'search is dearer')
    check(math.isclose(greedy['predicted_ns'], best['greedy_ns']), 'greedy is not the same')
    check(greedy['group_count'] == best['greedy_count'], 'greedy makes other groups')
    check(groups == g.make(path, 'search', *more)[1], 'search makes other groups')
    return greedy, best


def check_largest(g, path):
    """The expansion whose two intermediate results are the largest: 63 % when each counts once."""
    _, groups = g.make(path, 'patterns')
    group = max(groups, key=lambda x: x['inner_bytes'])
    check(group['inner_bytes'] == LARGEST_INNER, f'the largest keeps {group["inner_bytes"]} bytes')
    check(group['operations'] == 'Conv,BatchNormalization,Clip', group['operations'])
    share = percent(group['inner_bytes'], group['unfused_bytes'] - group['inner_bytes'])
    check(62.5 < share < 63.5, f'{share:.1f} % of it is kept inside, want 63')


def check_transformer(g, path):
    """Blocks of more than 15 operations become 8 groups at most, with 30 % less traffic."""
    spelled, _ = g.make(path, 'greedy')
    t, groups = g.make(path, 'greedy', '--recognise')
    check(spelled['node_count'] == t['spelled_count'], 'recognition changes what was there before')
    check(t['spelled_count'] > 15 * BLOCKS, f'{t["spelled_count"]} operations before recognition')
    most = 0
    for block in range(BLOCKS):
        mark = f'encoder_layer_{block}/'
        here = f'encoder_layer_{block}.'
        inside = [x for x in groups if any(mark in n or here in n for n in x['nodes'])]
        check(len(inside) > 1, f'block {block} has {len(inside)} groups')
        most = max(most, len(inside))
    check(most <= 8, f'a block has {most} groups')
    less = percent(t['spelled_bytes'] - t['traffic_bytes'], t['spelled_bytes'])
    check(less >= 30, f'{less:.1f} % less traffic')
    print(f'       {t["spelled_count"]} operations, {t["node_count"]} recognised, at most {most} '
          f'groups in a block, {less:.1f} % less traffic')
    check_search(g, path, '--recognise')


def check_options(g, path):
    usual, _ = g.make(path, 'greedy')
    _, groups = g.make(path, 'greedy', '--max-ops', '3')
    check(max(len(x['nodes']) for x in groups) == 3, '--max-ops 3')
    fewer, _ = g.make(path, 'greedy', '--max-bytes', '1000000')
    check(fewer['group_count'] > usual['group_count'], '--max-bytes')
    twice, _ = g.make(path, 'patterns', '--shape', 'image=2,3,224,224')
    once, _ = g.make(path, 'patterns')
    check(once['inner_bytes'] * 2 == twice['inner_bytes'], '--shape')
    tight, _ = g.make(path, 'greedy', '--near-bytes', '1')
    check(tight['traffic_bytes'] > usual['traffic_bytes'], '--near-bytes')
    for bad in ('image=1,3', 'image=1,3,-2,4', 'image=1,x', 'other=1'):
        g.run(path, '--shape', bad, status=2 if '-2' in bad or 'x' in bad else 1)
    g.run(path, '--rule', 'nonsense', status=2)
    check('groups (greedy' in g.run(path), 'the table has no totals')


def run(g):
    for name in PATTERNS:
        path = g.write(name)
        t = check_patterns(g, name, path)
        greedy, best = check_search(g, path)
        print(f'ok     {name}: {t["node_count"]} operations, patterns {t["group_count"]}, greedy '
              f'{greedy["group_count"]}, search {best["group_count"]} groups; ms '
              f'{t["unfused_ns"] / 1e6:.2f}, {t["predicted_ns"] / 1e6:.2f}, '
              f'{greedy["predicted_ns"] / 1e6:.2f}, {best["predicted_ns"] / 1e6:.2f}')
        if name == 'mobilenet_v2':
            check_largest(g, path)
            check_options(g, path)
        os.remove(path)
    for name in TRANSFORMERS:
        path = g.write(name)
        check_transformer(g, path)
        print(f'ok     {name}')
        os.remove(path)


def main():
    program, root = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as folder:
        try:
            run(Groups(program, root, folder))
        except Failure as failure:
            print(f'FAILED {failure}')
            return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
