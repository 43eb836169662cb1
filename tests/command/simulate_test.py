# SPDX-License-Identifier: Apache-2.0
"""`hetinfer simulate` and `hetinfer plan --html` on a network of true size (weights all zero) and
machines that are only described: output is well-formed, complete and the same twice; times are
those of the plan; faults, limits and schedules do what they say.

    simulate_test.py COMMAND ROOT
"""
import csv
import html.parser
import json
import math
import os
import subprocess
import sys
import tempfile

MACHINE = '''hetinfer-machine: 1
name: two
link: {bandwidth: {value: 20 GB/s, source: assumed}, latency: {value: 5 us, source: assumed}}
memories:
  - {name: dram, bandwidth: {value: 60 GB/s, source: assumed}}
devices:
  - name: left
    kind: cpu
    f32: {value: 500 Gop/s, source: assumed}
    bandwidth: {value: 50 GB/s, source: assumed}
    launch: {value: 2 us, source: assumed}
    power: {value: 40 W, source: assumed}
  - name: right
    kind: igpu
    f32: {value: 500 Gop/s, source: assumed}
    bandwidth: {value: 50 GB/s, source: assumed}
    launch: {value: 2 us, source: assumed}
    power: {value: 20 W, source: assumed}
'''
# Which half of the network goes where; layers of a graph are pieces of about as much work.
POLICY = '''hetinfer-policy: 1
rules:
  - {layers: 0-3, must: cpu}
  - {layers: 4-, must: igpu}
'''
VOID = {'meta', 'rect', 'br'}


class Failure(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failure(what)


def near(got, want, what, tolerance=1e-6):
    check(math.isclose(got, want, rel_tol=tolerance, abs_tol=1e-3), f'{what}: {got}, want {want}')


class Zeros:
    """Weights that take no time to make."""

    def __init__(self, write):
        self.write = write

    def normal(self, name, shape, *_):
        return self.write.Tensor(name, self.write.FLOAT, shape, [bytes(4 * math.prod(shape))])

    filters = uniform = normal


class Page(html.parser.HTMLParser):
    """Elements close in order; nothing is fetched from elsewhere."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.seen, self.text = [], {}, ''

    def handle_starttag(self, tag, attributes):
        self.seen[tag] = self.seen.get(tag, 0) + 1
        names = [name for name, _ in attributes]
        check(len(names) == len(set(names)), f'{tag} says something twice')
        for name, value in attributes:
            check(name not in ('src', 'href'), f'{tag} fetches {value}')
            if name in ('x', 'y', 'width', 'height') and tag == 'rect':
                check(float(value) >= 0, f'rect {name}={value}')
        if tag not in VOID or (tag == 'rect' and not self.self_closed()):
            self.open.append(tag)

    def self_closed(self):
        return self.get_starttag_text().endswith('/>')

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag):
        check(self.open and self.open[-1] == tag, f'</{tag}> in {self.open[-3:]}')
        self.open.pop()

    def handle_data(self, data):
        self.text += data


class Simulate:
    def __init__(self, program, root, folder):
        self.program, self.folder = program, folder
        sys.path.insert(0, os.path.join(root, 'tests/models'))
        sys.dont_write_bytecode = True
        import onnx_build
        import onnx_write
        self.model = os.path.join(folder, 'resnet18.onnx')
        onnx_build.build('resnet18', Zeros(onnx_write), keep_dropout=True).write(self.model)
        self.machine = self.write('two.yaml', MACHINE)
        self.policy = self.write('halves.yaml', POLICY)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
        return path

    def path(self, name):
        return os.path.join(self.folder, name)

    def read(self, name):
        with open(self.path(name), encoding='utf-8') as f:
            return f.read()

    def run(self, *arguments, status=0, command='simulate', policy=True):
        line = [self.program, command, self.model, '--machine', self.machine, *arguments]
        if policy:
            line += ['--policy', self.policy]
        result = subprocess.run(line, capture_output=True, text=True, timeout=120)
        check(result.returncode == status, f'{arguments}: exit status {result.returncode}: '
              f'{result.stderr.strip()}')
        return result.stdout if status == 0 else result.stderr

    def simulate(self, *arguments, **more):
        """Totals and events; what is true of all of them is checked."""
        out = json.loads(self.run('--json', *arguments, **more))
        check(out['schema'] == 'hetinfer.simulate/1', 'schema')
        makespan, last = out['totals']['makespan_ns'], {}
        for i, e in enumerate(out['events']):
            check(e['begin_ns'] >= last.get(e['lane'], 0), f'event {i} overlaps')
            last[e['lane']] = e['end_ns']
            check(e['after'] is None or e['after'] < len(out['events']), f'event {i}: after')
        for lane in out['lanes']:
            near(sum(lane[f'{what}_ns'] for what in ('busy', 'throttled', 'idle', 'lost')),
                 makespan, f"times of {lane['name']}")
        for memory in out['memories']:
            check(memory['peak_bytes_per_s'] <= memory['bytes_per_s'] * (1 + 1e-9), 'peak')
        return out


def one_step(s):
    out = s.simulate()
    plan = json.loads(s.run('--json', '--no-split', command='plan'))
    totals = out['totals']
    near(totals['makespan_ns'], plan['totals']['predicted_ns'], 'one step')
    near(totals['round_ns'], totals['makespan_ns'], 'one round')
    check(totals['complete'] and totals['figures_source'] == 'assumed', 'totals')
    check([lane['name'] for lane in out['lanes']] == ['left', 'right', 'left to right'], 'lanes')
    nodes = s.simulate('--nodes')
    near(nodes['totals']['makespan_ns'], totals['makespan_ns'], 'by node')
    check(len(nodes['events']) > len(out['events']), 'a task per node')


def pipeline(s):
    """Rounds overlap on two devices; with one at a time they do not."""
    one = s.simulate()['totals']['round_ns']
    out = s.simulate('--steps', '40')
    busiest = max(lane['busy_ns'] for lane in out['lanes'])
    check(out['totals']['makespan_ns'] < 1.1 * busiest, 'the busiest lane is always busy')
    check(out['totals']['makespan_ns'] < 0.8 * 40 * one, 'a pipeline is faster')
    serial = s.simulate('--steps', '40', '--pipeline', '1')
    near(serial['totals']['makespan_ns'], 40 * one, 'serial')
    near(s.simulate('--steps', '40')['totals']['token_count'], 40, 'runs')
    table = json.loads(s.run('--json', '--compare', '--steps', '40'))['schedules']
    check([row['schedule'] for row in table] ==
          ['in_order', 'fifo', 'bw_aware', 'critical_path'], 'schedules')


def same_twice(s):
    arguments = ['--steps', '5', '--streams', '2', '--slow', 'igpu@1-3:2', '--error', 'cpu@1:1',
                 '--retries', '2', '--backoff', '0.1']
    runs = []
    for i in range(2):
        out = s.run('--json', *arguments, '--html', s.path(f'{i}.html'), '--csv',
                    s.path(f'{i}.csv'), '--trace', s.path(f'{i}.trace'))
        runs.append((out, s.read(f'{i}.html'), s.read(f'{i}.csv'), s.read(f'{i}.trace')))
    check(runs[0] == runs[1], 'two runs differ')
    out, page, table, trace = runs[0]
    out = json.loads(out)
    rows = list(csv.DictReader(table.splitlines()))
    check(len(rows) == len(out['events']), 'rows of the table')
    for row, event in zip(rows, out['events']):
        near(float(row['begin_ns']), event['begin_ns'], 'begin', 1e-3)
        check(row['name'] == event['name'] and row['outcome'] == event['outcome'], 'row')
    trace = json.loads(trace)['traceEvents']
    check(sum(e['ph'] == 'X' for e in trace) == len(out['events']), 'events of the trace')
    check(sum(e['ph'] == 'C' for e in trace) == len(out['rates']), 'rates of the trace')
    check_page(page, len(out['events']))
    check(sum(e['outcome'] == 'failed' for e in out['events']) == 1, 'one attempt fails')


def check_page(text, events):
    page = Page()
    page.feed(text)
    page.close()
    check(not page.open, f'not closed: {page.open}')
    check(page.seen['svg'] >= 2 and page.seen['title'] > events, 'drawings')
    check(page.seen['rect'] >= events and page.seen['script'] == 1, 'rectangles')
    check('Decisions' in page.text and 'What the end waited for' in page.text, 'tables')


def plan_page(s):
    s.run('--html', s.path('plan.html'), command='plan')
    text = s.read('plan.html')
    plan = json.loads(s.run('--json', command='plan'))
    check_page(text, 1)
    for layer in plan['layers']:
        reason = layer['reason'].replace('&', '&#38;').replace('<', '&#60;').replace('>', '&#62;')
        check(reason.replace('"', '&#34;') in text, f"no reason: {layer['reason']}")


def faults(s):
    whole = s.simulate('--steps', '10')['totals']['makespan_ns']
    at = whole / 2e6
    lost = s.simulate('--steps', '10', '--fail', f'right@{at}')
    check(lost['totals']['complete'] and lost['totals']['makespan_ns'] > whole, 'goes on')
    right = [e for e in lost['events'] if e['lane'] == 1]
    check(all(e['end_ns'] <= at * 1e6 + 1 for e in right), 'nothing runs on a lost device')
    check(sum(e['outcome'] == 'lost' for e in lost['events']) <= 1, 'one attempt is lost')
    none = s.simulate('--fail', 'cpu@0', '--fail', 'igpu@0')
    check(not none['totals']['complete'] and none['totals']['makespan_ns'] == 0, 'nobody is left')
    slow = s.simulate('--steps', '10', '--slow', 'left@0:3', '--slow', '1@0:3')
    check(2 * whole < slow['totals']['makespan_ns'] < 3.01 * whole, 'three times as slow')


def limits(s):
    free = s.simulate('--steps', '20')['totals']['makespan_ns']
    out = s.simulate('--steps', '20', '--bandwidth', '1')
    check(out['memories'][0]['peak_bytes_per_s'] <= 1e9 * (1 + 1e-9), 'tokens')
    check(out['totals']['makespan_ns'] > free, 'tokens take time')
    check(sum(lane['throttled_ns'] for lane in out['lanes']) > 0, 'throttled')
    out = s.simulate('--steps', '20', '--queue', '1')
    check(all(lane['queue_peak'] <= 1 for lane in out['lanes']), 'queue')
    check(out['totals']['held_ns'] > 0, 'held back')


def usage(s):
    for arguments in (['--fail', 'right'], ['--slow', 'right@5'], ['--slow', 'right@5-2:2'],
                      ['--error', 'cpu@x'], ['--slow', 'cpu@1:0.5']):
        check('wants' in s.run(*arguments, status=2), f'{arguments}')
    check('no device' in s.run('--fail', 'tpu@1', status=1), 'unknown device')
    check('/nonexistent/x' in s.run('--html', '/nonexistent/x', status=1), 'no folder')
    text = s.run('--steps', '2')
    check('waited for' in text and 'lanes waited for:' in text, 'table')


def profiles(s):
    """Without any policy, on machines that the library brings."""
    for name in ('amd-8945hs', 'intel-185h'):
        s.machine = name
        out = s.simulate('--steps', '8', policy=False)
        check(out['totals']['complete'], name)
        check(out['totals']['makespan_ns'] >= out['totals']['bound_ns'] * (1 - 1e-9), name)


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        s = Simulate(sys.argv[1], sys.argv[2], folder)
        for case in (one_step, pipeline, same_twice, plan_page, faults, limits, usage, profiles):
            try:
                case(s)
                print('ok    ', case.__name__)
            except Failure as failure:
                print('FAILED', case.__name__, failure)
                failed = 1
    return failed


if __name__ == '__main__':
    sys.exit(main())
