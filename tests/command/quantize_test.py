# SPDX-License-Identifier: Apache-2.0
"""hetinfer quantize from outside: exit statuses, both forms of output, mixtures, what is lost, and
that nothing is left behind by a failure.

    quantize_test.py COMMAND ROOT
"""
import json
import math
import pathlib
import resource
import shutil
import struct
import subprocess
import sys
import tempfile

TEXT = ('It was a dark and stormy evening, and the old house stood silent upon the hill. She had '
        'waited by the window for an hour, and when at last the carriage came, she could not find '
        'the strength to rise from her chair.\n') * 6


def check(condition, what):
    if not condition:
        sys.exit(f'failed: {what}')


class Command:
    def __init__(self, program, model):
        self.program = program
        self.model = model

    def run(self, *arguments, status=0, limit=None):
        def limited():
            if limit:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        result = subprocess.run([self.program, 'quantize', *map(str, arguments)],
                                capture_output=True, text=True, timeout=100, preexec_fn=limited)
        check(result.returncode == status,
              f'{arguments}: exit status {result.returncode}, want {status}: {result.stderr}')
        self.stderr = result.stderr
        return result.stdout

    def json(self, *arguments):
        root = json.loads(self.run(*arguments, '--json', '--quiet'))
        check(root['schema'] == 'hetinfer.quantize/1', root['schema'])
        return root


def report_fits_the_file(c, folder):
    out = folder / 'q8.gguf'
    root = c.json(c.model, out, '--type', 'Q8_0')
    totals, tensors = root['totals'], root['tensors']
    check(root['type'] == 'Q8_0' and root['check'] is None, root['type'])
    check(len(tensors) == totals['tensor_count'], totals)
    for key in ('source_bytes', 'target_bytes'):
        check(sum(t[key] for t in tensors) == totals[key], key)
    check(1.8 < totals['ratio'] < 1.9, totals)
    check(0.003 < totals['rms_error'] / totals['rms_value'] < 0.007, totals)
    check(0 < out.stat().st_size - totals['target_bytes'] < 100000, out.stat().st_size)
    for t in tensors:
        encoded = len(t['name'].split('.')) > 1 and 'norm' not in t['name']
        check((t['result'] == 'encoded') == encoded, t)
    inspected = json.loads(subprocess.run([c.program, 'inspect', out, '--json'], check=True,
                                          capture_output=True, text=True).stdout)
    check(inspected['schema'] == 'hetinfer.inspect/1', inspected['schema'])
    text = c.run(c.model, out, '--quiet')
    check('36 of 47 tensors encoded' in text, text[-400:])


def mixtures(c, folder):
    root = c.json(c.model, folder / 'm.gguf', '--type', 'q4_0', '--override', 'blk.0.*=q8_0',
                  '--override', '*ffn_down*=q6_k', '--override', '*attn_v*=keep',
                  '--keep-embedding')
    types = {t['name']: (t['type'], t['result']) for t in root['tensors']}
    check(types['blk.0.ffn_down.weight'] == ('Q8_0', 'encoded'), types)
    check(types['blk.1.ffn_down.weight'] == ('Q8_0', 'replaced'), types)
    check(types['blk.1.attn_v.weight'] == ('BF16', 'copied'), types)
    check(types['token_embd.weight'] == ('BF16', 'copied'), types)
    check(types['blk.1.ffn_up.weight'] == ('Q4_0', 'encoded'), types)


def losses_are_measured(c, folder):
    text, out = folder / 'text', folder / 'l.gguf'
    text.write_text(TEXT, encoding='utf-8')
    found = []
    for kind in ('f32', 'q8_0', 'q4_0'):
        lost = c.json(c.model, out, '--type', kind, '--check', text)['check']
        check(lost['scored'] > 100, lost)
        found.append(lost)
        print(kind, lost)
    same, q8, q4 = found
    check(abs(same['perplexity_after'] / same['perplexity_before'] - 1) < 0.002, same)
    check(same['divergence'] < 2e-4 and same['same_top'] > 0.97, same)
    check(abs(q8['perplexity_after'] / q8['perplexity_before'] - 1) < 0.005, q8)
    check(q8['divergence'] < 0.005 < q4['divergence'] and q8['same_top'] > q4['same_top'], q4)


def importance_helps(c, folder):
    text, out = folder / 'text', folder / 'i.gguf'
    text.write_text(TEXT, encoding='utf-8')
    plain = c.json(c.model, out, '--type', 'q4_1', '--check', text)
    weighed = c.json(c.model, out, '--type', 'q4_1', '--importance', text, '--check', text)
    print('q4_1', plain['check'], weighed['check'])
    check(weighed['check']['divergence'] < 0.9 * plain['check']['divergence'], weighed['check'])
    for report, told in ((plain, False), (weighed, True)):
        tensors = {t['name']: t['is_weighed'] for t in report['tensors']}
        check(tensors['blk.0.attn_q.weight'] is told, tensors)
        check(tensors['blk.4.ffn_down.weight'] is told, tensors)
        check(tensors['output_norm.weight'] is False, tensors)
    c.run(c.model, out, '--importance', folder / 'absent', status=1)


class Gguf:
    """Tensors of a file: name -> (extents, outermost first, type number, bytes)."""
    SIZES = {0: 4, 1: 2, 24: 1, 30: 2}

    def __init__(self, path):
        self.data, self.at, self.tensors = path.read_bytes(), 4, {}
        _, tensors, entries = self.number('I'), self.number('Q'), self.number('Q')
        for _ in range(entries):
            self.text()
            self.value(self.number('I'))
        found = [(self.text(), [self.number('Q') for _ in range(self.number('I'))][::-1],
                  self.number('I'), self.number('Q')) for _ in range(tensors)]
        start = (self.at + 31) // 32 * 32
        for name, extents, kind, offset in found:
            size = math.prod(extents) * self.SIZES[kind]
            self.tensors[name] = extents, kind, self.data[start + offset:start + offset + size]

    def number(self, code):
        size = struct.calcsize('<' + code)
        self.at += size
        return struct.unpack('<' + code, self.data[self.at - size:self.at])[0]

    def text(self):
        size = self.number('Q')
        self.at += size
        return self.data[self.at - size:self.at].decode()

    def value(self, kind):
        if kind == 8:
            self.text()
        elif kind == 9:
            inner, count = self.number('I'), self.number('Q')
            for _ in range(count):
                self.value(inner)
        else:
            self.number('BbHhIifB  Qqd'[kind])


def int8_is_what_numpy_makes(c, folder):
    try:
        import numpy as np
    except ImportError:
        return print('int8 is not compared: there is no NumPy')
    text, out = folder / 'text', folder / 'i8.gguf'
    text.write_text(TEXT, encoding='utf-8')
    root = c.json(c.model, out, '--type', 'int8', '--check', text)
    check(root['type'] == 'I8' and root['check']['divergence'] < 0.005, root['check'])
    before, after = Gguf(c.model).tensors, Gguf(out).tensors
    report = {t['name']: t for t in root['tensors']}
    count = 0
    for name, (extents, kind, data) in before.items():
        if report[name]['result'] == 'copied':
            check(after[name] == (extents, kind, data), name)
            continue
        check(kind == 30 and after[name][:2] == (extents, 24), f'{name}: {after[name][:2]}')
        bits = np.frombuffer(data, np.uint16).astype(np.uint32) << 16
        x = bits.view(np.float32).reshape(-1, extents[-1])
        exact = np.abs(x).max(axis=1) / np.float32(127)
        scale = exact.astype(np.float16)
        low = scale.astype(np.float32) < exact
        scale[low] = np.nextafter(scale[low], np.float16(np.inf))
        scale = scale.astype(np.float32)
        codes = np.rint(x / np.where(scale > 0, scale, 1)[:, None]).clip(-127, 127)
        shape, kind, data = after[name + '_scale']
        check(shape == extents[:-1] and kind == 0 and data == scale.tobytes(), f'{name}: scales')
        check(after[name][2] == codes.astype(np.int8).tobytes(), f'{name}: codes')
        error = x - codes * scale[:, None]
        rms = math.sqrt((error.astype(np.float64) ** 2).mean())
        check(abs(report[name]['rms_error'] / rms - 1) < 1e-4, report[name])
        check(report[name]['target_bytes'] == x.size + 4 * len(x), report[name])
        count += 1
    check(count == 36 and len(after) == len(before) + count, count)


def a_file_can_be_replaced(c, folder):
    path = folder / 'own.gguf'
    shutil.copyfile(c.model, path)
    before = path.stat().st_size
    text = folder / 'text'
    text.write_text(TEXT, encoding='utf-8')
    lost = c.json(path, path, '--check', text)['check']
    check(0 < lost['divergence'] < 0.005, lost)
    check(path.stat().st_size < before * 0.6, path.stat().st_size)
    check('0 of 47' in c.run(path, path, '--type', 'q4_0', '--quiet'), 'encoded again')
    check('36 of 47' in c.run(path, path, '--type', 'q4_0', '--again', '--quiet'), 'not again')


def folders_become_files(c, folder):
    root = c.model.parents[2] / 'tests/models/reference/folders/smollm3'
    out = folder / 'f.gguf'
    report = c.json(root, out, '--type', 'bf16')
    check(report['totals']['encoded_count'] == 0, report['totals'])
    check(out.read_bytes()[:4] == b'GGUF', 'no GGUF file')
    c.run(root.parent / 'smollm3-listed', folder / 'g.gguf', status=1)
    check('cannot be said in GGUF' in c.stderr, c.stderr)


def failures_leave_nothing(c, folder):
    for arguments, limit in (((c.model, folder / 'no' / 'x.gguf'), None),
                             ((folder / 'absent.gguf', folder / 'x.gguf'), None),
                             ((c.model, folder / 'x.gguf'), 100000)):
        check(not c.run(*arguments, status=1, limit=limit) and c.stderr, arguments)
        check(not list(folder.glob('x.gguf*')), 'something was left behind')


def usage_errors_exit_2(c, folder):
    out = folder / 'u.gguf'
    for arguments in ([], [c.model], [c.model, out, 'x'], [c.model, out, '--type', 'q9'],
                      [c.model, out, '--override', 'x'], [c.model, out, '--override', 'x=q9'],
                      [c.model, out, '--override', '=q8_0'], [c.model, out, '--nonsense']):
        check(not c.run(*arguments, status=2) and c.stderr, arguments)
    check(not out.exists(), 'written in spite of an error')
    check(not c.run(c.model, out, '--type', 'i32', status=1) and 'I32' in c.stderr, c.stderr)
    check('usage: hetinfer quantize MODEL OUT' in c.run('--help'), 'help')


def main(program, root):
    c = Command(program, pathlib.Path(root) / 'examples/models/hearth.gguf')
    cases = [report_fits_the_file, mixtures, losses_are_measured, importance_helps,
             int8_is_what_numpy_makes, a_file_can_be_replaced, folders_become_files,
             failures_leave_nothing, usage_errors_exit_2]
    for case in cases:
        with tempfile.TemporaryDirectory() as name:
            case(c, pathlib.Path(name))
    print(len(cases), 'cases')


if __name__ == '__main__':
    main(*sys.argv[1:])
