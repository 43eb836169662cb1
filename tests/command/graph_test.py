# SPDX-License-Identifier: Apache-2.0
"""The hetinfer command on ONNX graphs: arrays in and out, what is refused, what inspect shows.

    graph_test.py COMMAND ROOT
"""
import json
import os
import re
import struct
import sys

import command_test
import onnx_file as of
from command_test import check

X = [0.5, -1.0, 2.0, -3.0, 4.0, -5.0]
B = [1.0, -2.0, 3.0]


class Graphs(command_test.Command):
    """A command with a folder for files."""

    def file(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, 'wb') as f:
            f.write(data)
        return path

    def small(self):
        """y = Relu(x + b) and z = y * y of x[N,3]"""
        return self.file('small.onnx', of.model(
            [of.node('Add', ['x', 'b'], ['s'], 'add'), of.node('Relu', ['s'], ['y'], 'relu'),
             of.node('Mul', ['y', 'y'], ['z'], 'square')],
            [('x', 'float32', ['N', 3])],
            [('y', 'float32', ['N', 3]), ('z', 'float32', ['N', 3])], [('b', B)]))

    def identity(self, kind, shape=('N',)):
        return self.file(f'identity_{kind}.onnx', of.model(
            [of.node('Identity', ['x'], ['y'])], [('x', kind, shape)], [('y', kind, shape)]))

    def x(self, name='x.npy', **how):
        return self.file(name, of.npy('float32', (2, 3), X, **how))

    def out(self):
        return os.path.join(self.folder, 'out')

    def execute(self, model, *inputs, more=()):
        """{output: (descr, shape, values)}"""
        arguments = [word for i in inputs for word in ('--in', i)]
        root = json.loads(self.run('exec', model, *arguments, '--out', self.out(), '--json', *more))
        check(root['schema'] == 'hetinfer.exec/1', f'schema is {root["schema"]}')
        return {o['name']: of.read_npy(o['file']) for o in root['outputs']}


def want_y():
    return [max(0.0, x + B[i % 3]) for i, x in enumerate(X)]


def arrays_go_through(c):
    out = c.execute(c.small(), f'x={c.x()}')
    check(out['y'] == ('<f4', (2, 3), tuple(want_y())), f'y is {out["y"]}')
    check(out['z'][2] == tuple(v * v for v in want_y()), f'z is {out["z"]}')
    check(sorted(os.listdir(c.out())) == ['y.npy', 'z.npy'], f'{os.listdir(c.out())}')
    reference = c.execute(c.small(), f'x={c.x()}', more=['--devices', 'ref', '-t', '1'])
    check(reference == out, 'the reference device differs')
    one = c.file('one.npy', of.npy('float32', (1, 3), X[:3]))
    check(c.execute(c.small(), f'x={one}')['y'][1] == (1, 3), 'another extent')


def every_form_of_header_is_read(c):
    want = c.execute(c.small(), f'x={c.x()}')
    turned = [X[r * 3 + k] for k in range(3) for r in range(2)]
    columns_first = c.file('f.npy', of.npy('float32', (2, 3), turned, fortran=True))
    check(c.execute(c.small(), f'x={columns_first}') == want, 'columns first')
    for version in (2, 3):
        check(c.execute(c.small(), f'x={c.x(version=version)}') == want, f'version {version}')
    for header in ('{"shape":(2,3),"fortran_order":False,"descr":"<f4"}',
                   "{ 'fortran_order' : False , 'shape' : ( 2 , 3 , ) , 'descr' : '<f4' , }   "):
        check(c.execute(c.small(), f'x={c.x(header=header)}') == want, header)


def types_stay(c):
    values = {'bool': [True, False, True], 'float16': [0.5, -2.0, 65504.0],
              'float32': [2.0 ** -100, -0.0, 3.0], 'float64': [1e300, -1.5, 0.1]}
    for kind in of.DESCR:
        numbers = values.get(kind, [0, 1, 100] if kind.startswith('u') else [-100, 0, 99])
        path = c.file('t.npy', of.npy(kind, (3,), numbers))
        got = c.execute(c.identity(kind), f'x={path}')['y']
        check(got == (of.DESCR[kind][0], (3,), tuple(numbers)), f'{kind}: {got}')


def scalars_and_empty_arrays(c):
    scalar = c.file('s.npy', of.npy('int64', (), [7]))
    check(c.execute(c.identity('int64', ()), f'x={scalar}')['y'] == ('<i8', (), (7,)), 'scalar')
    empty = c.file('e.npy', of.npy('float32', (0,), []))
    check(c.execute(c.identity('float32'), f'x={empty}')['y'] == ('<f4', (0,), ()), 'empty')


def types_without_a_name_there(c):
    # 1 + 2^-8 lies between two numbers of bfloat16 and goes to the even one.
    path = c.file('t.npy', of.npy('float32', (4,), [1.0, 1.00390625, 1.01171875, -3.5]))
    got = c.execute(c.identity('bfloat16'), f'x={path}')['y']
    check(got == ('<f4', (4,), (1.0, 1.0, 1.015625, -3.5)), f'bfloat16: {got}')
    for kind, carrier, numbers in (('float8e4m3fn', 'uint8', [0, 56, 255]),
                                   ('int4', 'int8', [-8, 0, 7]), ('uint4', 'uint8', [0, 9, 15])):
        path = c.file('t.npy', of.npy(carrier, (3,), numbers))
        got = c.execute(c.identity(kind), f'x={path}')['y']
        check(got == (of.DESCR[carrier][0], (3,), tuple(numbers)), f'{kind}: {got}')


def names_become_files(c):
    names = ['a/b', 'a:b', '.hidden', '../up', 'y=x', 'ä', 'n' * 300, 'A_b.c-d']
    nodes = [of.node('Identity', ['in=put'], [n]) for n in names]
    model = c.file('names.onnx', of.model(nodes, [('in=put', 'float32', ['N'])],
                                          [(n, 'float32', ['N']) for n in names]))
    path = c.file('t=1.npy', of.npy('float32', (1,), [3.0]))
    before = set(os.listdir(c.folder))
    out = c.execute(model, f'in=put={path}')
    check(list(out) == names and all(v[2] == (3.0,) for v in out.values()), f'{out}')
    files = os.listdir(c.out())
    check(set(os.listdir(c.folder)) - before == {'out'}, 'a file outside of the folder')
    check(len(files) == len(names), f'{files}')
    check(all(re.fullmatch(r'[A-Za-z0-9_][A-Za-z0-9._-]*\.npy', f) for f in files), f'{files}')


def inputs_are_checked(c):
    model, x = c.small(), c.x()
    long = c.file('i.npy', of.npy('int64', (2, 3), [1] * 6))
    wide = c.file('w.npy', of.npy('float32', (3, 2), X))
    for arguments, words in (([], ['x', 'F32[N,3]']), ([f'nothing={x}'], ['nothing']),
                             ([f'x={long}'], ['I64', 'F32']), ([f'x={wide}'], ['F32[3,2]']),
                             ([f'x={x}', f'x={x}'], ['twice']), (['x=absent.npy'], ['absent'])):
        c.run('exec', model, *[w for a in arguments for w in ('--in', a)], status=1)
        lines = c.stderr.strip().splitlines()
        check(len(lines) == 1 and all(w in lines[0] for w in words), f'{arguments}: {c.stderr!r}')
    c.run('exec', model, '--in', f'x={x}', '--out', os.path.join(c.folder, 'no/where'), status=1)
    c.run('exec', c.model, status=1)
    check('language model' in c.stderr, f'{c.stderr!r}')
    for arguments in (['run', '-p', 'x'], ['eval', '--ids', '1'], ['bench', '-p', '8', '-n', '1']):
        c.run(arguments[0], model, *arguments[1:], status=1)
        check("'hetinfer exec'" in c.stderr and len(c.stderr.splitlines()) == 1, f'{c.stderr!r}')
    c.run('tokenize', model, '-p', 'x', status=1)
    c.run('inspect', c.file('text', b'no model at all'), status=1)
    check('neither' in c.stderr, f'{c.stderr!r}')
    plan = c.json('plan', model, '--phase', 'prefill')
    check(plan['totals']['unfused_count'] == 3 and plan['layers'], f'{plan["totals"]}')


def damaged_arrays_are_refused(c):
    model, good = c.small(), of.npy('float32', (2, 3), X)
    broken = {'empty': b'', 'short': good[:9], 'magic': b'X' + good[1:],
              'version': good[:6] + b'\x04' + good[7:], 'header': good[:20], 'data': good[:-1],
              'length': good[:8] + b'\xff\xff' + good[10:],
              'long': b'\x93NUMPY\x02\x00' + struct.pack('<I', 0xffffffff) + good[10:]}
    for name, descr, order, shape in (
            ('order', '<f4', '3', '(2, 3)'), ('big', '>f4', 'False', '(2, 3)'),
            ('object', '|O', 'False', '(2, 3)'), ('complex', '<c8', 'False', '(2, 3)'),
            ('negative', '<f4', 'False', '(-2, 3)'), ('rank', '<f4', 'False', '(1,) * 9'),
            ('nine', '<f4', 'False', '(1, 1, 1, 1, 1, 1, 1, 2, 3)'),
            ('huge', '<f4', 'False', '(999999999999999999, 999999999999999999)'),
            ('digits', '<f4', 'False', '(99999999999999999999, 3)'),
            ('open', '<f4', 'False', '(2')):
        broken[name] = of.npy('float32', (), X, header='{' f"'descr': '{descr}', 'fortran_order': "
                              f"{order}, 'shape': {shape}, " '}')
    for name, header in (('twice', "{'shape': (2, 3), 'shape': (2, 3)}"), ('none', '{}'),
                         ('key', "{'other': 1}"), ('text', "{'descr': '<f4"), ('nothing', ''),
                         ('more', "{'descr': '" + 'x' * 500 + "'}")):
        broken[name] = of.npy('float32', (), X, header=header)
    for name, data in broken.items():
        path = c.file(f'broken_{name}.npy', data)
        c.run('exec', model, '--in', f'x={path}', status=1)
        lines = c.stderr.strip().splitlines()
        check(len(lines) == 1 and path in lines[0], f'{name}: {c.stderr!r}')


def usage_errors_exit_2(c):
    model = c.small()
    for arguments in (['exec'], ['exec', model, '--in', 'x'], ['exec', model, '--repeat', '-1'],
                      ['exec', model, '--threads', '0'], ['exec', model, '--nonsense'],
                      ['exec', model, 'more']):
        out = c.run(*arguments, status=2)
        check(not out and c.stderr, f'{arguments}: a usage error goes to stderr alone')


def times_are_told(c):
    arguments = ['exec', c.small(), '--in', f'x={c.x()}']
    root = json.loads(c.run(*arguments, '--repeat', 5, '--json', '-q'))
    check(len(root['samples']) == 5 and root['median_s'] == sorted(root['samples'])[2], 'samples')
    check(root['min_s'] == min(root['samples']) and root['p95_s'] <= max(root['samples']), 'least')
    check(root['first_run_s'] > 0 and root['load_s'] > 0, 'first run')
    check(root['inputs'][0]['shape'] == [2, 3] and root['outputs'][1]['file'] is None, 'ports')
    root = json.loads(c.run(*arguments, '--json'))
    check(root['samples'] == [] and root['median_s'] is None, 'no repeats')
    out = c.run(*arguments, '--repeat', 3)
    check('F32[2,3]' in out and '3 runs' in c.stderr, 'no table')
    check(not c.run(*arguments, '-q') == '' and not c.stderr, f'--quiet says {c.stderr!r}')


def inspect_shows_the_graph(c):
    root = c.json('inspect', c.small(), '--all', '--weights')
    check(root['model']['format'] == 'onnx' and root['model']['name'] == 'small', 'facts')
    check(root['inputs'] == [{'name': 'x', 'dtype': 'F32', 'shape': ['N', 3]}], root['inputs'])
    check(root['outputs'] == [{'name': n, 'dtype': 'F32', 'shape': ['N', 3]} for n in 'yz'],
          f'{root["outputs"]}')
    unnamed = c.json('inspect', c.identity('int64', ('', 2)))
    check(unnamed['inputs'] == [{'name': 'x', 'dtype': 'I64', 'shape': [None, 2]}], f'{unnamed}')
    check({o['name']: o['nodes'] for o in root['operations']} == {'Add': 1, 'Mul': 1, 'Relu': 1} and
          all(o['known'] for o in root['operations']), f'{root["operations"]}')
    check(root['opsets'] == {'ai.onnx': 21, 'example': 1}, f'{root["opsets"]}')
    check({'key': 'colour', 'type': 'string', 'value': 'blue'} in root['metadata'], 'metadata')
    check(not any('operation' in m['type'] for m in root['metadata']), 'operations as metadata')
    check(root['weights'][0]['name'] == 'b' and root['weights'][0]['bytes'] == 12, 'weights')
    check(root['modules'] == [{'module': 'Add', 'weights': 1, 'parameters': 3, 'bytes': 12}],
          f'{root["modules"]}')
    text = c.run('inspect', c.small(), '-a', '-w')
    check('F32[N,3]' in text and 'Relu' in text and 'colour' in text, text)


def unknown_operations_are_named(c):
    model = c.file('unknown.onnx', of.model(
        [of.node('Wobble', ['x'], ['m'], 'the node', 'example'), of.node('Relu', ['m'], ['y'])],
        [('x', 'float32', ['N', 3])], [('y', 'float32', ['N', 3])]))
    operations = c.json('inspect', model)['operations']
    check({'name': 'example:Wobble', 'nodes': 1, 'known': False} in operations, f'{operations}')
    check('not known' in c.run('inspect', model), 'no note in the table')
    c.run('exec', model, '--in', f'x={c.x()}', status=1)
    check('example:Wobble' in c.stderr and 'the node' in c.stderr, f'{c.stderr!r}')


CASES = [arrays_go_through, every_form_of_header_is_read, types_stay, scalars_and_empty_arrays,
         types_without_a_name_there, names_become_files, inputs_are_checked,
         damaged_arrays_are_refused, usage_errors_exit_2, times_are_told, inspect_shows_the_graph,
         unknown_operations_are_named]


if __name__ == '__main__':
    sys.exit(command_test.run_cases(CASES, Graphs, sys.argv[1], sys.argv[2]))
