# SPDX-License-Identifier: Apache-2.0
"""The hetinfer command from outside: exit statuses, output forms, and that what one command says
agrees with what another does.

    command_test.py COMMAND ROOT

Uses the model of examples/, else the small one of the shared data folder, else skips.
"""
import json
import math
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time

TEXT = 'Once upon a time, there was a little girl named Lily.\nShe said: "héllo, 12 wörlds!"'


class Failure(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failure(what)


def find_model(root):
    candidates = [os.path.join(root, 'examples/models/hearth.gguf'),
                  os.path.join(root, 'examples/models/hearth-draft.gguf'),
                  os.path.join(os.environ.get('HETINFER_TEST_DATA', ''),
                               'llm/gguf/stories260K-F32.gguf')]
    return next((path for path in candidates if os.path.exists(path)), None)


class Command:
    def __init__(self, program, model, folder):
        self.program, self.model, self.folder = program, model, folder

    def run(self, *arguments, status=0, text=None):
        """Standard output; standard error stays in self.stderr."""
        result = subprocess.run([self.program, *map(str, arguments)], capture_output=True,
                                input=text.encode() if text is not None else None, timeout=300)
        self.stderr = result.stderr.decode(errors='replace')
        check(result.returncode == status,
              f'{arguments}: exit status {result.returncode}, want {status}: {self.stderr}')
        return result.stdout.decode(errors='replace')

    def json(self, name, *arguments):
        root = json.loads(self.run(name, *arguments, '--json'))
        check(root['schema'] == f'hetinfer.{name}/1', f'schema is {root["schema"]}')
        return root


def usage_errors_exit_2(c):
    for arguments in ([], ['nonsense'], ['run'], ['run', c.model], ['run', c.model, '--nonsense'],
                      ['run', c.model, '-p'], ['run', c.model, '-p', 'x', 'y'],
                      ['run', c.model, '-p', 'x', '-n', '0'],
                      ['run', c.model, '-p', 'x', '-n', '1x'],
                      ['run', c.model, '-p', 'x', '--temp', 'nan'],
                      ['run', c.model, '-p', 'x', '--kv', 'f8'],
                      ['run', c.model, '-p', 'x', '-f', 'y'],
                      ['run', c.model, '-p', 'x', '--system', 'y'],
                      ['template', c.model], ['template', c.model, '-p', 'x', '-m', 'y'],
                      ['run', c.model, '-p', 'x', '--quiet=1'], ['eval', c.model],
                      ['eval', c.model, '--ids', '1,,2'], ['eval', c.model, '--ids', ''],
                      ['inspect', c.model, '--dtype', 'q4_x'],
                      ['chat', c.model, '--quantize', 'q4_x'],
                      ['eval', c.model, '--ids', '1', '--quantize', 'q4_x'],
                      ['bench', c.model, '--quantize', 'none'],
                      ['detokenize', c.model], ['inspect'], ['devices', 'x'],
                      ['plan', c.model, '--phase', 'both'], ['bench', c.model, '-r', '-1']):
        out = c.run(*arguments, status=2)
        check(not out and c.stderr, f'{arguments}: a usage error goes to stderr alone')


def failures_exit_1(c):
    for name, *rest in (['run', '-p', 'x'], ['eval', '--ids', '1'], ['tokenize', '-p', 'x'],
                        ['inspect'], ['plan'], ['bench']):
        out = c.run(name, os.path.join(c.folder, 'absent.gguf'), *rest, status=1)
        lines = c.stderr.strip().splitlines()
        check(not out and len(lines) == 1 and 'absent.gguf' in lines[0],
              f'{name} of a missing file says {c.stderr!r}')
    broken = os.path.join(c.folder, 'broken.gguf')
    with open(c.model, 'rb') as f, open(broken, 'wb') as g:
        g.write(f.read(1000))
    c.run('inspect', broken, status=1)
    check(len(c.stderr.strip().splitlines()) == 1, f'a broken file says {c.stderr!r}')
    c.run('run', c.model, '-p', 'x', '--devices', 'nonsense', status=1)
    c.run('run', c.model, '-f', os.path.join(c.folder, 'absent.txt'), status=1)
    c.run('eval', c.model, '--ids', '2147483647', status=1)


def help_names_every_option(c):
    check('usage:' in c.run('--help'), 'no usage')
    check(re.fullmatch(r'hetinfer \d+\.\d+\.\d+\n', c.run('--version')), 'no version')
    for name in ('run', 'eval', 'tokenize', 'detokenize', 'inspect', 'devices', 'plan', 'bench'):
        check('--json' in c.run(name, '--help'), f'{name} --help')


def text_survives_tokenization(c):
    file = os.path.join(c.folder, 'text.txt')
    with open(file, 'w', encoding='utf-8') as f:
        f.write(TEXT)
    ids = c.run('tokenize', c.model, '-f', file).strip()
    check(re.fullmatch(r'\d+(,\d+)*', ids), f'ids are {ids!r}')
    check(c.run('detokenize', c.model, '--ids', ids).lstrip(' ') == TEXT, 'text changed')
    check(c.run('tokenize', c.model, '-f', '-', text=TEXT).strip() == ids, 'stdin differs')
    root = c.json('tokenize', c.model, '-p', TEXT)
    check(','.join(map(str, root['ids'])) == ids and root['count'] == len(root['pieces']),
          'JSON differs')
    check(c.json('detokenize', c.model, '--ids', ids)['text'].lstrip(' ') == TEXT, 'JSON text')
    plain = c.run('tokenize', c.model, '-p', 'Once', '--no-bos').strip()
    check(ids.split(',')[:1] + plain.split(',') == c.run('tokenize', c.model, '-p', 'Once').strip()
          .split(',') or plain.split(',')[0] == ids.split(',')[0], 'begin-of-sequence token')


def read_npy(path):
    with open(path, 'rb') as f:
        data = f.read()
    check(data[:8] == b'\x93NUMPY\x01\x00', 'no .npy magic')
    length = struct.unpack('<H', data[8:10])[0]
    header = eval(data[10:10 + length], {'__builtins__': {}})    # a Python literal by definition
    check(header['descr'] == '<f4' and not header['fortran_order'], f'header {header}')
    check((10 + length) % 64 == 0, 'data is not aligned')
    rows, columns = header['shape']
    check(len(data) == 10 + length + 4 * rows * columns, 'size does not fit the shape')
    return rows, columns, struct.unpack(f'<{rows * columns}f', data[10 + length:])


def surprise(row, index):
    top = max(row)
    return math.log(sum(math.exp(x - top) for x in row)) + top - row[index]


def logits_agree_with_perplexity(c):
    ids = [int(i) for i in c.run('tokenize', c.model, '-p', TEXT).split(',')]
    out = os.path.join(c.folder, 'logits.npy')
    result = c.json('eval', c.model, '--ids', ','.join(map(str, ids)), '--logits', out)
    rows, columns, values = read_npy(out)
    check((rows, columns) == (len(ids), c.json('inspect', c.model)['model']['vocabulary_size']),
          f'shape {rows} x {columns}')
    check(all(map(math.isfinite, values)), 'a logit is not finite')
    nll = sum(surprise(values[i * columns:(i + 1) * columns], ids[i + 1])
              for i in range(len(ids) - 1))
    check(abs(nll - result['nll']) < 1e-3 * abs(nll), f'nll {result["nll"]}, want {nll}')
    check(abs(result['perplexity'] - math.exp(nll / (len(ids) - 1))) < 1e-3 * result['perplexity'],
          'perplexity')
    # Steps of another size compute the same rows.
    c.run('eval', c.model, '--ids', ','.join(map(str, ids)), '--logits', out, '-b', 7,
          '--precision', 'exact')
    exact = read_npy(out)[2]
    c.run('eval', c.model, '--ids', ','.join(map(str, ids)), '--logits', out, '--precision',
          'exact')
    differ = max(abs(a - b) for a, b in zip(exact, read_npy(out)[2]))
    check(differ < 1e-3, f'logits differ by {differ} with the size of a step')
    file = os.path.join(c.folder, 'text.txt')
    with open(file, 'w', encoding='utf-8') as f:
        f.write(TEXT * 3)
    whole = c.json('eval', c.model, '--text', file)
    cut = c.json('eval', c.model, '--text', file, '--context', 24, '--stride', 8)
    check(cut['scored'] == whole['scored'] == whole['positions'] - 1, 'windows lose tokens')
    check(cut['nll'] >= 0.5 * whole['nll'], 'windows know more than the whole')


def greedy_text_is_reproducible(c):
    first = c.run('run', c.model, '-p', 'Once upon a time', '-n', 20, '--temp', 0)
    check(first.strip(), 'no text')
    for word in ('load', 'prompt', 'generated', 'memory'):
        check(word in c.stderr, f'no {word} in the statistics')
    check(first == c.run('run', c.model, '-p', 'Once upon a time', '-n', 20, '--temp', 0, '-q'),
          'a second run differs')
    check(not c.stderr, f'--quiet says {c.stderr!r}')
    root = c.json('run', c.model, '-p', 'Once upon a time', '-n', 20, '--temp', 0)
    check(root['text'] == first and 0 < root['generated_tokens'] <= 20, 'JSON differs')
    file = os.path.join(c.folder, 'prompt.txt')
    with open(file, 'w', encoding='utf-8') as f:
        f.write('Once upon a time')
    check(first == c.run('run', c.model, '-f', file, '-n', 20, '--temp', 0), '-f differs')
    echoed = c.run('run', c.model, '-p', 'Once upon a time', '-n', 20, '--temp', 0, '--echo')
    check(echoed == 'Once upon a time' + first, '--echo')
    middle = first[len(first) // 2:][:3]
    stopped = c.json('run', c.model, '-p', 'Once upon a time', '-n', 20, '--temp', 0, '--stop',
                     middle)
    check(stopped['text'] == first[:first.index(middle)] and stopped['finish'] == 'stop', '--stop')


def seeds_decide(c):
    sampled = [c.run('run', c.model, '-p', 'Once', '-n', 24, '--temp', 1.5, '--top-k', 0, '--top-p',
                     1, '--seed', seed, '-q') for seed in (1, 1, 2)]
    check(sampled[0] == sampled[1], 'one seed, two texts')
    check(sampled[0] != sampled[2], 'two seeds, one text')


def inspect_adds_up(c):
    root = c.json('inspect', c.model, '--all', '--weights')
    total = root['model']['weight_bytes']
    check(sum(m['bytes'] for m in root['modules']) == total, 'modules do not add up')
    check(sum(w['bytes'] for w in root['weights']) == total, 'weights do not add up')
    check(sum(m['parameters'] for m in root['modules']) == root['model']['parameter_count'],
          'parameters do not add up')
    check(total < os.path.getsize(c.model), 'more bytes than the file has')
    check(any(m['key'] == 'general.architecture' for m in root['metadata']), 'no metadata')
    check('total' in c.run('inspect', c.model, '-a', '-w'), 'no table')


def configurations_need_no_weights(c):
    path = os.path.join(c.folder, 'config.json')
    with open(path, 'w', encoding='utf-8') as file:
        json.dump({'model_type': 'gemma2', 'hidden_size': 256, 'intermediate_size': 512,
                   'num_hidden_layers': 4, 'num_attention_heads': 4, 'num_key_value_heads': 2,
                   'head_dim': 96, 'vocab_size': 1024, 'max_position_embeddings': 512}, file)
    facts = c.json('inspect', path)['model']
    quantised = c.json('inspect', c.folder, '--dtype', 'Q4_0')['model']
    check(facts['format'] == 'config' and facts['parameter_count'] == 3019008,
          f'{facts["parameter_count"]} parameters')
    check(0.25 < quantised['weight_bytes'] / facts['weight_bytes'] < 0.3,
          'four bits are not a quarter of sixteen')
    check('block 3' in c.run('plan', path, '--dtype', 'q8_0', '--phase', 'prefill'), 'no plan')
    c.run('inspect', path, '--dtype', 'q9_9', status=1)
    check('no type' in c.stderr, f'not said: {c.stderr}')
    c.run('run', path, '-p', 'x', status=1)
    check('without weights' in c.stderr, f'not said: {c.stderr}')


def devices_and_plans_agree(c):
    devices = c.json('devices')
    check(devices['devices'] and devices['report'], 'no devices')
    check(devices['devices'][0]['name'] in c.run('devices'), 'no table')
    for phase in ('decode', 'prefill'):
        plan = c.json('plan', c.model, '--phase', phase)
        layers = plan['layers']
        check(all(layer['reason'] for layer in layers), 'a layer without a reason')
        check(all(layer['device'] < len(devices['devices']) for layer in layers), 'device index')
        check(sum(layer['node_count'] for layer in layers) == plan['totals']['node_count'],
              'nodes do not add up')
        total = sum(layer['predicted_ns'] for layer in layers)
        check(total <= plan['totals']['predicted_ns'] * 1.001, 'layers take longer than the step')
    check('block 0' in c.run('plan', c.model), 'no table')
    text = c.run('plan', c.model, '--text')
    check(text and text == c.run('plan', c.model, '--text'), 'two plans differ')


def bench_reports_all(c):
    root = c.json('bench', c.model, '-p', 16, '-n', 4, '-r', 3, '-d', 8)
    check([t['name'] for t in root['tests']] == ['pp16', 'tg4 @ 8'], 'tests')
    for test in root['tests']:
        check(len(test['samples']) == 3 and min(test['samples']) > 0, 'samples')
        check(test['median'] == sorted(test['samples'])[1], 'median')
        check(test['share'] is None or test['share'] > 0, 'share')
        check(test['prediction'] is None, 'a prediction that nobody asked for')
    prompt, tokens = root['tests']
    check(abs(prompt['first_token_s'] - 16 / prompt['median']) < 1e-6, 'time to first token')
    check(prompt['token_p50_s'] is None and tokens['first_token_s'] is None, 'times of the other')
    check(0 < tokens['token_p50_s'] <= tokens['token_p95_s'], 'time per token')
    check(root['open_s'] > 0 and root['session_s'] > 0, 'load time')
    check(root['memory']['weight_bytes'] > 0 and root['memory']['kv_bytes'] > 0, 'memory')
    check(root['peak_memory_bytes'] > root['memory']['weight_bytes'], 'peak memory')
    labels = {t['name']: t['label'] for t in root['targets']}
    check(labels['tokens one by one'] == 'measured' and labels['pp512'] == 'unavailable' and
          labels['gain of a pipeline'] == labels['latency between devices'] == 'unavailable',
          f'labels {labels}')
    check('tg4' in c.run('bench', c.model, '-p', 16, '-n', 4, '-r', 1), 'no table')
    c.run('bench', c.model, '-p', 0, '-n', 0, status=2)
    c.run('bench', c.model, '-p', 16, '-n', 4, '-c', 8, status=2)
    for wrong in ('1,', ',1', '1,x', '-1', ','.join(['1'] * 17)):
        c.run('bench', c.model, '-p', wrong, status=2)


def bench_rows_multiply(c):
    root = c.json('bench', c.model, '-p', '8,16', '-n', 4, '-d', '0,8', '--sequences', '1,2,4',
                  '-r', 1, '--predict')
    tests = {t['name']: t for t in root['tests']}
    check(list(tests) == ['pp8', 'pp16', 'tg4', 'tg4 x 2', 'tg4 x 4', 'tg4 @ 8', 'tg4 x 2 @ 8',
                          'tg4 x 4 @ 8'], f'rows {list(tests)}')
    check(tests['tg4']['times_one_sequence'] is None, 'one sequence beside itself')
    for name, alone in (('tg4 x 4', 'tg4'), ('tg4 x 2 @ 8', 'tg4 @ 8')):
        ratio = tests[name]['median'] / tests[alone]['median']
        check(abs(tests[name]['times_one_sequence'] - ratio) < 1e-9, f'{name}: ratio')
    for test in tests.values():
        p = test['prediction']
        check(p['predicted_s'] > 0 and p['measured_s'] > 0, 'a prediction')
        check(abs(p['error_percent'] - 100 * (p['predicted_s'] / p['measured_s'] - 1)) < 1e-6,
              'its error')
    c.run('bench', c.model, '--sequences', '0', status=2)


def bench_suite_is_reproducible(c):
    first, second = (c.json('bench', c.model, '--suite', '-r', 1) for _ in range(2))
    rows = [[(t['name'], t['prompt'], t['tokens'], t['ids_hash']) for t in root['tests']]
            for root in (first, second)]
    check(rows[0] == rows[1], f'{rows[0]} and {rows[1]}')
    check([name.split()[0] for name, *_ in rows[0]] == ['chat', 'summarise', 'code'], 'names')
    check(len({row[3] for row in rows[0]}) == 3, 'two rows feed the same tokens')
    for test in first['tests']:
        check(test['first_token_s'] > 0 and test['token_p50_s'] > 0, 'times')


def bench_compares(c):
    now = c.json('bench', c.model, '-p', 16, '-n', 4, '-r', 3)

    def earlier(name, change):
        copy = json.loads(json.dumps(now))
        change(copy)
        path = os.path.join(c.folder, name)
        with open(path, 'w', encoding='utf-8') as f:
            json.dump(copy, f)
        return path

    def scale(factor):
        def change(root):
            for test in root['tests']:
                test['median'] *= factor
        return change

    def rename(root):
        for test in root['tests']:
            test['name'] += 'x'
    arguments = ['bench', c.model, '-p', 16, '-n', 4, '-r', 3, '--json', '--compare']
    slow, fast = earlier('slow.json', scale(1e-3)), earlier('fast.json', scale(1e3))
    rows = json.loads(c.run(*arguments, slow))['comparison']
    check([r['name'] for r in rows] == ['pp16', 'tg4'], 'rows')
    check(all(r['ratio'] > 1 and not r['slower'] for r in rows), f'slower than nothing: {rows}')
    rows = json.loads(c.run(*arguments, fast, status=1))['comparison']
    check(all(r['ratio'] < 1 and r['slower'] for r in rows), f'not slower: {rows}')
    check('slower' in c.stderr, f'says {c.stderr!r}')
    c.run(*arguments, fast, '--tolerance', 100)
    check('against' in c.run('bench', c.model, '-p', 16, '-n', 4, '-r', 1, '--compare', slow),
          'no table')
    c.run(*arguments, earlier('other.json', lambda r: r['model'].update(weight_bytes=1)), status=1)
    check('another model' in c.stderr, f'says {c.stderr!r}')
    c.run(*arguments, earlier('old.json', lambda r: r.update(schema='hetinfer.bench/0')), status=1)
    c.run(*arguments, earlier('rows.json', rename), status=1)
    c.run(*arguments, os.path.join(c.folder, 'absent.json'), status=1)


def traces_are_read_by_browsers(c):
    """Every layer of the plan runs once per step, within it, on its device's lane."""
    path = os.path.join(c.folder, 'trace.json')
    plan = c.json('plan', c.model)
    c.run('run', c.model, '-p', TEXT, '-n', 4, '--temp', 0, '--ignore-eos', '--trace', path)
    with open(path, encoding='utf-8') as f:
        trace = json.load(f)
    events = [e for e in trace['traceEvents'] if e['ph'] == 'X']
    steps = {e['args']['step']: e for e in events if e['cat'] == 'step'}
    check([steps[i]['name'] for i in sorted(steps)] == ['prefill'] + 3 * ['decode'], 'steps')
    for number, step in steps.items():
        programs = [e for e in events if e['cat'] == 'program' and e['args']['step'] == number]
        check(len(programs) == len(plan['layers']), f'{len(programs)} programs in step {number}')
        check(all(e['ts'] >= step['ts'] - 1e-3 and
                  e['ts'] + e['dur'] <= step['ts'] + step['dur'] + 1e-3 for e in programs),
              'programs outside of their step')
        check(all(e['tid'] % 2 == 1 and e['args']['operations'] for e in programs), 'lanes')
    c.run('run', c.model, '-p', 'x', '-n', 1, '--trace', os.path.join(c.folder, 'no', 'x'),
          status=1)


def bench_compares_layers(c):
    arguments = ['bench', c.model, '-p', 16, '-n', 4, '-r', 1, '-b', 16, '--steps']
    steps = c.json(*arguments)['steps']
    for phase, runs in (('prefill', 3), ('decode', 15)):  # the session has room for 16
        layers = steps[phase]['layers']
        check(layers and all(x['runs'] == runs and x['measured_s'] > 0 for x in layers), phase)
        total = sum(x['measured_s'] for x in layers)
        check(abs(total - steps[phase]['measured_s']) <= 1e-9 + 1e-6 * total, 'sums')
        check(steps[phase]['median_error_percent'] >= 0, 'error')
    check('median error' in c.run(*arguments), 'no table')
    plain = c.json(*arguments[:-1])
    check(plain['steps'] is None and plain['overhead'] is None, 'steps that nobody asked for')


def bench_tells_overhead(c):
    arguments = ['bench', c.model, '-p', 16, '-n', 4, '-r', 1, '--overhead']
    overhead = c.json(*arguments)['overhead']
    check(overhead['steps'] == 12, 'steps')  # the session has room for 16, four warm up
    check(0 < overhead['kernels_s'] <= overhead['step_s'], 'times')
    check(overhead['least_step_s'] <= overhead['step_s'], 'the shortest is the longer')
    check('beside kernels' in c.run(*arguments), 'no line')


def bench_draws_a_page(c):
    path = os.path.join(c.folder, 'bench.html')
    c.run('bench', c.model, '-p', 16, '-n', 4, '-r', 1, '--html', path)
    with open(path, encoding='utf-8') as f:
        page = f.read()
    check(page.startswith('<!DOCTYPE html>') and page.rstrip().endswith('</html>'), 'no page')
    check(page.count('class="speed"') == 2, 'bars')
    check('pp16' in page and 'tg4' in page and 'script' not in page and '://' not in page,
          'names, or something from elsewhere')
    c.run('bench', c.model, '-p', 16, '-n', 4, '-r', 1, '--html',
          os.path.join(c.folder, 'absent', 'x.html'), status=1)


def weight_cache_changes_nothing(c):
    arguments = ['run', c.model, '-p', 'Once upon a time', '-n', 12, '--temp', 0, '-q']
    folder = os.path.join(c.folder, 'cache')
    os.mkdir(folder)
    want = c.run(*arguments)
    arguments += ['--weight-cache', folder]
    check(c.run(*arguments) == want and not c.stderr, f'first start: {c.stderr!r}')
    files = [os.path.join(folder, name) for name in os.listdir(folder)
             if name.endswith('.weights')]
    if not files:    # the CPU backend is not in this build
        return
    check(len(files) == 1, f'{files}')
    state = os.stat(files[0])
    for more in ([], ['--mapped'], ['--threads', 1]):
        check(c.run(*arguments, *more) == want and not c.stderr, f'{more}: {c.stderr!r}')
    check(os.stat(files[0]).st_mtime_ns == state.st_mtime_ns, 'written again')
    os.truncate(files[0], state.st_size // 2)
    check(c.run(*arguments) == want, 'a damaged cache changes the text')
    check(files[0] in c.stderr, f'a damaged cache is not said: {c.stderr!r}')
    check(os.stat(files[0]).st_size == state.st_size, 'a damaged cache stays')
    c.run('run', c.model, '-p', 'Once', '-n', 1, '--weight-cache', '', status=1)
    check(c.run(*arguments[:-1], folder + '/absent') == want, 'an absent folder')
    check('absent' in c.stderr, 'an absent folder is not said')
    check(not [name for name in os.listdir(folder) if name.endswith('.tmp')], 'something is left')


def interrupt_keeps_statistics(c):
    """Best effort where the model is so quick that it ends first; both ends must be clean."""
    process = subprocess.Popen([c.program, 'run', c.model, '-p', 'Once', '-n', '100000', '-t', '1',
                                '--ignore-eos', '--temp', '0'], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    check(process.stdout.read(1), 'no text before the interrupt')
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    check(b'generated' in err, f'no statistics: {err!r}')
    interrupted = b'interrupted' in err
    check(process.returncode == int(interrupted), f'exit status {process.returncode}: {err!r}')


CASES = [usage_errors_exit_2, failures_exit_1, help_names_every_option, text_survives_tokenization,
         logits_agree_with_perplexity, greedy_text_is_reproducible, seeds_decide, inspect_adds_up,
         configurations_need_no_weights, devices_and_plans_agree, bench_reports_all,
         bench_rows_multiply,
         bench_suite_is_reproducible, bench_compares, bench_compares_layers, bench_tells_overhead,
         traces_are_read_by_browsers, bench_draws_a_page,
         weight_cache_changes_nothing,
         interrupt_keeps_statistics]


def run_cases(cases, kind, program, root):
    model = find_model(root)
    if not model:
        print('skipped: no model: examples/models/hearth.gguf and HETINFER_TEST_DATA are absent')
        return 77
    failed = 0
    for case in cases:
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            try:
                case(kind(program, model, folder))
                print(f'ok     {case.__name__} ({time.monotonic() - start:.1f} s)')
            except (Failure, AssertionError, subprocess.TimeoutExpired, ValueError,
                    KeyError) as error:
                failed += 1
                print(f'FAILED {case.__name__}: {error!r}')
    print(f'{len(cases)} cases, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(run_cases(CASES, Command, sys.argv[1], sys.argv[2]))
