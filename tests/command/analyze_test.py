# SPDX-License-Identifier: Apache-2.0
"""`hetinfer analyze` and `sweep`: the figures of well-known networks (tests/models/onnx_build.py,
weights all zero), to the digit; the forms of the result; and that a wrong network is found out.

    analyze_test.py COMMAND ROOT
"""
import csv
import io
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

# Parameters and multiply-adds at 224 x 224 as torchvision's documentation has them (its "GFLOPS"
# are multiply-adds, rounded to four digits), reckoned layer by layer.
COUNTS = {
    'resnet18': (11689512, 1814073344),
    'resnet34': (21797672, 3663761408),
    'resnet50': (25557032, 4089184256),
    'mobilenet_v2': (3504872, 300774272),
    'efficientnet_b0': (5288548, 385814752),
    'vit_b_16': (86567656, 17563828224),
}
# Nodes, longest chain, most side by side: of the graph, and with functions and their edges dropped,
# which is what published tables of such figures turn out to count.
STAGES = {
    'resnet18': ((69, 63, 2), (60, 9, 12)),
    'resnet50': ((175, 167, 2), (158, 12, 20)),
    'mobilenet_v2': ((153, 153, 1), (141, 24, 12)),
    'efficientnet_b0': ((249, 249, 1), (214, 13, 27)),
}
# Groups by pattern; MB of all operations alone; saved when writing and reading are counted, and its
# share; kept inside counted once, and its share of the rest, as those tables count.
FUSION = {
    'resnet18': (32, 117.0, 38.3, 32.8, 19.2, 19.6),
    'mobilenet_v2': (66, 173.1, 102.3, 59.1, 51.1, 42.0),
}
# Groups that end in an activation: calls of ReLU.
TILES = {'resnet18': 17, 'resnet34': 33, 'resnet50': 49}
# Two operations per multiply-add and byte of traffic, and what that makes of the network.
INTENSITY = {
    'resnet18': (31.0, 'compute-intensive'),
    'mobilenet_v2': (3.5, 'memory-bound'),
    'efficientnet_b0': (3.7, 'memory-bound'),
}
# Language models from their configuration alone: parameters, those that a decoded token reads,
# bytes of keys and values per token in F16. From the extents of the published models.
LANGUAGE = {
    'phi-tiny-moe': ({'model_type': 'phimoe', 'num_hidden_layers': 32, 'hidden_size': 4096,
                      'intermediate_size': 448, 'num_local_experts': 16, 'num_experts_per_tok': 2,
                      'num_attention_heads': 16, 'num_key_value_heads': 4, 'head_dim': 128,
                      'vocab_size': 32064, 'max_position_embeddings': 4096, 'rope_theta': 10000.0,
                      'attention_bias': True, 'lm_head_bias': True, 'tie_word_embeddings': False,
                      'torch_dtype': 'bfloat16'}, 3755220288, 1157635392, 65536),
    'gemma-2-2b': ({'model_type': 'gemma2', 'num_hidden_layers': 26, 'hidden_size': 2304,
                    'intermediate_size': 9216, 'num_attention_heads': 8, 'num_key_value_heads': 4,
                    'head_dim': 256, 'vocab_size': 256000, 'max_position_embeddings': 8192,
                    'attn_logit_softcapping': 50.0, 'final_logit_softcapping': 30.0,
                    'query_pre_attn_scalar': 256, 'sliding_window': 4096},
                   2614341888, 2614341888, 106496),
    'gemma-3n-e4b': ({'model_type': 'gemma3n_text'}, 6866696688, 4517886448, 40960),
    'tinyllama': ({'model_type': 'llama', 'num_hidden_layers': 22, 'hidden_size': 2048,
                   'intermediate_size': 5632, 'num_attention_heads': 32, 'num_key_value_heads': 4,
                   'vocab_size': 32000, 'max_position_embeddings': 2048,
                   'tie_word_embeddings': False}, 1100048384, 1034512384, 22528),
}
KEYS = {'schema', 'model', 'machine', 'totals', 'modules', 'nodes', 'unsupported_ops',
        'custom_kernels', 'partition', 'bandwidth_strategy', 'concurrency', 'fusion', 'support'}
PROFILES = ('amd-ryzen-7', 'intel-core-i7', 'h100-pcie', 'tpu-v4', 'kpu-t2', 'kpu-t100')


class Failure(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failure(what)


def same(got, want, digits, what):
    check(round(got, digits) == want, f'{what}: {got:.4f}, want {want}')


class Zeros:
    """Weights that take no time to make."""

    def __init__(self, write):
        self.write = write

    def normal(self, name, shape, *_):
        return self.write.Tensor(name, self.write.FLOAT, shape, [bytes(4 * math.prod(shape))])

    filters = uniform = normal


class Command:
    def __init__(self, program, root, folder):
        self.program, self.folder, self.root = program, folder, root
        sys.path.insert(0, os.path.join(root, 'tests/models'))
        sys.dont_write_bytecode = True
        import onnx_build
        import onnx_graph
        import onnx_nets
        import onnx_write
        self.build, self.weights = onnx_build.build, Zeros(onnx_write)
        self.graph, self.nets = onnx_graph.Graph, onnx_nets

    def write(self, name):
        path = os.path.join(self.folder, f'{name}.onnx')
        if not os.path.exists(path):
            self.build(name, self.weights, keep_dropout=True).write(path)
        return path

    def run(self, *arguments, status=0):
        result = subprocess.run([self.program, *arguments], capture_output=True, text=True,
                                timeout=300)
        check(result.returncode == status, f'{arguments}: exit status {result.returncode}: '
              f'{result.stderr.strip()}')
        return result.stdout

    def analyze(self, path, *more):
        return json.loads(self.run('analyze', path, '--json', *more))


# ---- figures ----

def check_counts(out, name):
    parameters, macs = COUNTS[name]
    check(out['model']['parameter_count'] == parameters,
          f'{name}: {out["model"]["parameter_count"]:.0f} parameters, want {parameters}')
    check(out['totals']['macs'] == macs, f'{name}: {out["totals"]["macs"]:.0f} macs, want {macs}')


def check_stages(out, want, name):
    got = (out['totals']['node_count'], out['concurrency']['critical_path'],
           out['concurrency']['width'])
    check(got == want, f'{name}: nodes, longest chain, width {got}, want {want}')


def check_fusion(out, compat, name):
    groups, alone, saved, saved_share, inner, inner_share = FUSION[name]
    f, c = out['fusion'], compat['fusion']
    check(f['group_count'] == groups, f'{name}: {f["group_count"]} groups, want {groups}')
    same(f['traffic_bytes'] / 1e6, alone, 1, 'traffic of each alone')
    less = f['traffic_bytes'] - f['grouped_bytes']
    same(less / 1e6, saved, 1, 'saved')
    same(100 * less / f['traffic_bytes'], saved_share, 1, 'share saved')
    same(f['inner_bytes'] / 1e6, inner, 1, 'kept inside')
    # The published share leaves statistics of normalisation out of the traffic.
    rest = c['ungrouped_bytes'] - c['inner_bytes']
    same(100 * c['inner_bytes'] / rest, inner_share, 1, 'share kept inside')


def check_sums(out, name):
    """What is true of every analysis."""
    t, nodes, c = out['totals'], out['nodes'], out['concurrency']
    for key in ('macs', 'flops', 'input_bytes', 'output_bytes', 'weight_bytes', 'mapped_ns'):
        check(math.isclose(sum(n[key] for n in nodes), t[key]), f'{name}: {key}')
        if key in ('macs', 'flops', 'mapped_ns'):
            check(math.isclose(sum(m[key] for m in out['modules']), t[key]), f'{name}: {key}')
    listed = sorted(n for stage in c['stages'] for n in stage)
    check(listed == list(range(len(nodes))), f'{name}: stages do not hold every node once')
    check(len(c['stages']) == c['critical_path'], f'{name}: as many stages as the longest chain')
    check(max(map(len, c['stages'])) == c['width'], f'{name}: width')
    check(math.isclose(c['efficiency'], len(nodes) / (c['critical_path'] * c['width'])),
          f'{name}: efficiency')
    for node in nodes:
        check(node['stage'] == max((nodes[b]['stage'] + 1 for b in node['before']), default=0),
              f'{node["name"]}: stage')
        m = node['mapping']
        check(m['used_unit_count'] <= m['unit_count'], f'{node["name"]}: more units than there are')
        check(0 <= m['utilisation'] <= 1, f'{node["name"]}: utilisation')
        check(node['mapped_ns'] == 0 or node['mapped_ns'] >= node['roofline_ns'], node['name'])
    below = {n['node'] for n in out['bandwidth_strategy']['nodes']}
    balance = out['bandwidth_strategy']['balance']
    for i, node in enumerate(nodes):
        work = node['input_bytes'] + node['output_bytes'] + node['weight_bytes'] > 0
        check((i in below) == (work and node['intensity'] < balance),
              f'{node["name"]}: {node["intensity"]} operations per byte, balance {balance}')


def check_network(command, name):
    path = command.write(name)
    out, compat = command.analyze(path), command.analyze(path, '--compat')
    check_counts(out, name)
    check_sums(out, name)
    if name in STAGES:
        check_stages(out, STAGES[name][0], name)
        check_stages(compat, STAGES[name][1], f'{name} without functions')
    if name in FUSION:
        check_fusion(out, compat, name)
    if name in TILES:
        check(out['totals']['tile_count'] == TILES[name], f'{name}: {out["totals"]["tile_count"]}')
    if name in INTENSITY:
        same(out['totals']['mac_intensity'], INTENSITY[name][0], 1, 'operations per byte')
        check(out['totals']['label'] == INTENSITY[name][1], f'{name}: {out["totals"]["label"]}')
    check(sum(n['parameters'] for n in out['nodes']) == COUNTS[name][0], f'{name}: of nodes')
    depthwise = sum(n['parallelism']['depthwise'] for n in out['nodes'])
    check(name != 'mobilenet_v2' or depthwise == 17, f'{depthwise} depthwise convolutions')
    return out


def check_wrong(command):
    """A network with one block of features too wide is no ResNet-18."""
    graph = command.graph('resnet18', command.weights, keep_dropout=True)
    command.nets._resnet(graph, 224, 1001, command.nets._basic_block, 1, (2, 2, 2, 2))
    path = os.path.join(command.folder, 'wrong.onnx')
    graph.write(path)
    out = command.analyze(path)
    try:
        check_counts(out, 'resnet18')
    except Failure as failure:
        print(f'       found out: {failure}')
        return
    raise Failure('a network with another head passes for ResNet-18')


def check_language(command, name):
    config, parameters, active, kv = LANGUAGE[name]
    path = os.path.join(command.folder, f'{name}.json')
    with open(path, 'w', encoding='utf-8') as f:
        json.dump(config, f)
    decode = command.analyze(path, '--context', '1000')
    prefill = command.analyze(path, '--phase', 'prefill')
    for out in (decode, prefill):
        m = out['model']
        got = (m['parameter_count'], m['active_parameter_count'], m['kv_bytes_per_token'])
        check(got == (parameters, active, kv), f'{name}: {got}, want {parameters}, {active}, {kv}')
        check_sums(out, name)
        check(out['partition'] and out['unsupported_ops'] == [], f'{name}: partition')
        kernels = [k for entry in out['custom_kernels'] for k in entry['kernels']]
        check(sorted(kernels) == (['expert_ffn', 'gather', 'scatter', 'topk'] if 'moe' in name
                                  else []), f'{name}: {kernels}')
    check(decode['totals']['label'] == 'memory-bound', f'{name}: decode')
    if name == 'tinyllama':  # 18 bytes for 32 numbers; norms, in F32, are next to nothing
        fewer = command.analyze(path, '--dtype', 'Q4_0')['totals']['weight_bytes']
        check(abs(fewer / (active * 18 / 32) - 1) < 2e-3, f'{fewer} bytes of weights in Q4_0')
    check(prefill['totals']['label'] == 'compute-intensive' or 'moe' in name, f'{name}: prefill')
    print(f'ok     {name}: {parameters} parameters, {active} read per token, {kv} bytes of keys '
          f'and values; {decode["totals"]["mac_intensity"]:.2f} operations per byte in decode, '
          f'{prefill["totals"]["mac_intensity"]:.0f} in prefill')


# Bytes that fusion saves in a block, and that stay inside, values being F32 like positions are
# I32: width w, f inner columns, k columns of keys.
def fusion_of(w, f, k, tokens):
    joined = 2 * w  # q, k, v: the input is read once, not three times
    rotations = 2 * (w + k) + 2  # q and k are written turned, and read; positions are read once
    sums = 2 * 2 * w  # of both products: written and read
    gated = w + 6 * f  # one reading of the input; gate, up and the activation written and read
    inside = (w + k) + 2 * w + 3 * f
    return 4 * tokens * (joined + rotations + sums + gated), 4 * tokens * inside


def check_language_fusion(command):
    path = os.path.join(command.folder, 'tinyllama.json')
    for phase, tokens in (('decode', 1), ('prefill', 512)):
        out = command.analyze(path, '--phase', phase, '--tokens', str(tokens))
        f, blocks = out['fusion'], 22
        check((f['spelled_count'], f['group_count']) == (16 * blocks + 4, 7 * blocks + 4),
              f'{phase}: {f["spelled_count"]} operations in {f["group_count"]} groups')
        check(sum(g['operation_count'] for g in f['groups']) == f['spelled_count'],
              f'{phase}: operations of the groups')
        saved, inside = (blocks * x for x in fusion_of(2048, 5632, 256, tokens))
        check(abs(f['ungrouped_bytes'] - f['grouped_bytes'] - saved) <= 1e-9 * saved,
              f'{phase}: {f["ungrouped_bytes"] - f["grouped_bytes"]} bytes saved, want {saved}')
        check(f['inner_bytes'] == inside, f'{phase}: {f["inner_bytes"]} inside, want {inside}')
        groups = json.loads(command.run('groups', path, '--json', '--phase', phase, '--tokens',
                                        str(tokens), '-q'))
        totals = groups['totals']
        check((groups['rule'], groups['phase']) == ('fused', phase), f'{phase}: rule')
        check((totals['node_count'], totals['group_count'], totals['unfused_bytes'],
               totals['traffic_bytes'], totals['inner_bytes']) ==
              (f['spelled_count'], f['group_count'], f['ungrouped_bytes'], f['grouped_bytes'],
               f['inner_bytes']), f'{phase}: groups and analyze differ')
        check([g['operations'] for g in groups['groups']] ==
              [g['operations'] for g in f['groups']], f'{phase}: operations')
    page = os.path.join(command.folder, 'language.html')
    table = command.run('analyze', path, '--fusion', '--html', page, '-q')
    check('356 operations in 158 groups' in table and 'linear,linear,unary,mul' in table, 'table')
    text = open(page, encoding='utf-8').read()
    check('158 groups' in text and 'linear,linear,unary,mul' in text, 'groups of the page')
    print(f'ok     tinyllama: 356 operations in 158 groups, {saved * 1e-6:.1f} MB of a prompt '
          'saved')


# ---- forms ----

def check_schema(out):
    check(out['schema'] == 'hetinfer.analyze/1', out['schema'])
    check(KEYS <= set(out), f'missing: {KEYS - set(out)}')
    for key in ('modules', 'nodes', 'unsupported_ops', 'custom_kernels', 'partition', 'support'):
        check(isinstance(out[key], list), key)
    check(out['unsupported_ops'] == [] and out['custom_kernels'] == [], 'all is supported')
    check(out['partition'] and all(p['reason'] and p['backend'] for p in out['partition']),
          'no partition')
    node = out['nodes'][0]
    for key, kind in (('name', str), ('operations', str), ('macs', float), ('bottleneck', str),
                      ('label', str), ('parallelism', dict), ('mapping', dict), ('stage', int)):
        check(isinstance(node[key], kind), f'{key} of a node')
    groups = out['fusion']['groups']
    members = sorted(n for group in groups for n in group['nodes'])
    check(members == list(range(len(out['nodes']))), 'groups do not hold every node once')
    for i, n in enumerate(out['nodes']):
        check(i in groups[n['group']]['nodes'], f'node {i} is not in its group')


def check_csv(command, path, out):
    files = [os.path.join(command.folder, f'{i}.csv') for i in range(2)]
    for file in files:
        command.run('analyze', path, '--csv', file, '-q')
    data = [open(file, 'rb').read() for file in files]
    check(data[0] == data[1], 'two runs give different files')
    rows = list(csv.DictReader(io.StringIO(data[0].decode())))
    check(len(rows) == len(out['nodes']), 'a row per operation')
    check(sum(float(r['macs']) for r in rows) == out['totals']['macs'], 'macs of the rows')
    check([r['name'] for r in rows] == [n['name'] for n in out['nodes']], 'names of the rows')


def check_html(command, path):
    file = os.path.join(command.folder, 'page.html')
    command.run('analyze', path, '--html', file, '--batch-sweep', '1,2,4,8', '-q')
    text = open(file, encoding='utf-8').read()
    page = xml.etree.ElementTree.fromstring(text.split('\n', 1)[1])
    check(len(page.findall('.//circle')) > 60, 'a circle per operation')
    check(len(page.findall('.//svg')) >= 4, 'roofline, parts, stages, batches')
    check(not page.findall('.//script') and not re.search(r'(src|href|url)\s*[=(]', text),
          'the page needs something else')
    for element in page.iter():
        for key in ('x', 'y', 'cx', 'cy', 'r', 'width', 'height'):
            check(math.isfinite(float(element.get(key, '0'))), f'{element.tag} {element.attrib}')


def check_sweep(command, path, machine):
    out = command.analyze(path, '--batch-sweep', '1,2,3,4,5,6,8,10,12,16,24,32', *machine)
    points = out['batch_sweep']['points']
    fill = [p['unit_fill'] for p in points]
    check(all(b >= a - 1e-12 for a, b in zip(fill, fill[1:])),
          f'units with work fall with the batch: {fill}')
    check([p['macs'] for p in points] == [p['batch'] * points[0]['macs'] for p in points], 'macs')
    check([p['intensity'] for p in points] == sorted(p['intensity'] for p in points),
          'operations per byte fall with the batch')
    at = out['batch_sweep']['units_filled_at']
    print(f'       all units of {out["machine"]["device"]} have work from a batch of {at} on')


def check_machines(command, paths):
    profiles = ','.join(PROFILES)
    runs = [command.run('sweep', *paths, '--machines', profiles, '--relative') for _ in range(2)]
    check(runs[0] == runs[1], 'two sweeps differ')
    rows = list(csv.DictReader(io.StringIO(runs[0])))
    check(len(rows) == len(paths) * len(PROFILES), f'{len(rows)} rows')
    for row in rows[::len(PROFILES)]:
        check(float(row['speed_ratio']) == float(row['peak_ratio']) == 1, 'the first machine')
    for row in rows:
        check(float(row['mapped_ms']) >= float(row['roofline_ms']), f'{row["machine"]}')
        check(math.isclose(float(row['peak_inferences_per_s']) * 2 * float(row['macs']),
                           float(row['peak_ratio']) *
                           float(rows[0]['peak_inferences_per_s']) * 2 * float(rows[0]['macs']),
                           rel_tol=1e-4), f'{row["machine"]}: inferences at the peak')
    file = os.path.join(command.folder, 'sweep.csv')
    command.run('sweep', *paths, '--machines', profiles, '--relative', '--csv', file)
    check(open(file, encoding='utf-8').read() == runs[0], 'the file is not what is printed')
    check_sweep(command, paths[0], ('--machine', 'h100-pcie'))


def check_options(command, path):
    check('stages: 63' in command.run('analyze', path, '--fusion', '--support', '--all'), 'table')
    for bad in (('--batch', '0'), ('--phase', 'x'), ('--batch-sweep', '1,x'), ('--rule', 'x')):
        command.run('analyze', path, *bad, status=2)
    command.run('analyze', path, '--device', '99', status=1)
    command.run('analyze', path, '--csv', command.folder + '/no/such', status=1)
    command.run('analyze', path, '--machine', '/no/such', status=1)
    here = command.run('sweep', path)
    rows = list(csv.DictReader(io.StringIO(command.run('sweep', path, '--machines',
                                                       'this,amd-8945hs'))))
    check([(r['machine'], r['basis']) for r in rows] ==
          [('this', 'probed'), ('amd-8945hs', 'profile')], f'machines of a sweep: {rows}')
    check(list(csv.DictReader(io.StringIO(here))) == rows[:1], 'this machine without a list')
    for more, basis in ((), 'probed'), (('--machine', 'this'), 'probed'), \
            (('--machine', 'amd-8945hs'), 'profile'):
        check(command.analyze(path, *more)['machine']['figures_basis'] == basis, f'{more}')
    command.run('sweep', path, '--machines', 'a,,b', status=1)
    command.run('sweep', '--machines', 'x', status=2)


def run(command):
    for name in COUNTS:
        out = check_network(command, name)
        print(f'ok     {name}: {out["model"]["parameter_count"]:.0f} parameters, '
              f'{out["totals"]["macs"]:.0f} multiply-adds, {out["totals"]["node_count"]} nodes, '
              f'{out["concurrency"]["critical_path"]} on the longest chain')
    for name in LANGUAGE:
        check_language(command, name)
    check_language_fusion(command)
    path = command.write('resnet18')
    out = command.analyze(path)
    check_wrong(command)
    check_schema(out)
    check_csv(command, path, out)
    check_html(command, path)
    check_sweep(command, path, ())
    check_machines(command, [path, command.write('mobilenet_v2')])
    check_options(command, path)
    print('ok     forms')


def main():
    program, root = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as folder:
        try:
            run(Command(program, root, folder))
        except Failure as failure:
            print(f'FAILED {failure}')
            return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
