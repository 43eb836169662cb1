# SPDX-License-Identifier: Apache-2.0
"""Trained networks by `hetinfer exec`, against reference outputs and against ONNX Runtime.

    models_onnx.py COMMAND DATA [--devices LIST] [--only WORD] [--threads N] [--seeds N]

DATA has onnx/models/*.onnx and onnx/io/*.npz (inputs and outputs by name). Models in floating point
may differ by 1e-4 of the range of the output; of models that end in integers 99.9 % of the values
are equal and none is off by more than one step. Skips (77) without NumPy or without DATA; without
onnxruntime only the reference outputs are compared, and that is said.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError:
    print('skipped: NumPy is not installed')
    sys.exit(77)
try:
    import onnxruntime
except ImportError:
    onnxruntime = None

FLOAT_TOLERANCE = 1e-4    # of the output's range
# What counts as equal anyway: ONNX Runtime's sigmoid gives multiples of about 2^-24 near zero,
# which is much beside an output that never leaves it.
FLOAT_FLOOR = 2.0 ** -22
EQUAL_SHARE = 0.999       # of integers
TYPES = {'F32': 'float32', 'F16': 'float16', 'F64': 'float64', 'I8': 'int8', 'I16': 'int16',
         'I32': 'int32', 'I64': 'int64', 'U8': 'uint8', 'U16': 'uint16', 'U32': 'uint32',
         'U64': 'uint64', 'BOOL': 'bool'}
# Extents that a model leaves open, in their order, and inputs that are not free to be anything.
OPEN = {'ppocrv3_det_en': [192, 160], 'silero_vad_op18_ifless': [2, 576],
        'super_resolution_10': [2]}
FIXED = {('silero_vad_op18_ifless', 'sr'): np.array(16000, 'int64')}
# Models whose output stands for integers: the step between two of them is found in the output.
INTEGER = {'shufflenet-v2-12-int8'}


class Failure(Exception):
    pass


class Command:
    def __init__(self, program, options, folder):
        self.program, self.options, self.folder = program, options, pathlib.Path(folder)

    def call(self, *arguments):
        done = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True,
                              timeout=600)
        if done.returncode != 0:
            raise Failure(done.stderr.strip() or f'exit status {done.returncode}')
        return json.loads(done.stdout)

    def inspect(self, model):
        return self.call('inspect', model, '--json')

    def execute(self, model, inputs):
        """{output name: array} of {input name: array}"""
        arguments = []
        for i, (name, array) in enumerate(inputs.items()):
            path = self.folder / f'input_{i}.npy'
            np.save(path, array)
            arguments += ['--in', f'{name}={path}']
        result = self.call('exec', model, *arguments, '--out', self.folder / 'out', '--json', '-q',
                           *self.options)
        return {o['name']: np.load(o['file']) for o in result['outputs']}


def compare(name, got, want, integer):
    """What differs most, as text; raises Failure if it is too much."""
    if got.shape != want.shape or got.dtype != want.dtype:
        raise Failure(f'{name} is {got.dtype}{list(got.shape)}, '
                      f'want {want.dtype}{list(want.shape)}')
    if want.size == 0:
        return 'empty'
    if not np.isfinite(got).all():
        raise Failure(f'{name} is not finite')
    differ = np.abs(got.astype('float64') - want.astype('float64'))
    if integer or want.dtype.kind in 'iub':
        gaps = np.diff(np.unique(want.astype('float64'))) if integer else np.array([1.0])
        step = gaps.min() if gaps.size else 1.0
        equal = float((differ < step / 2).mean())
        text = f'{100 * equal:.3f} % equal, at most {differ.max() / step:.2f} steps'
        if equal < EQUAL_SHARE or differ.max() > 1.01 * step:
            raise Failure(f'{name}: {text}')
        return text
    extent = float(want.max()) - float(want.min())
    share = float(differ.max()) / (extent if extent > 0 else 1.0)
    if not (share <= FLOAT_TOLERANCE or differ.max() <= FLOAT_FLOOR):
        raise Failure(f'{name}: off by {share:.2e} of its range {extent:.4g}')
    return f'{share:.1e} of the range'


# ---- reference outputs ----

def rows_of(array, port):
    """A batch as the model takes it: whole, or one by one where its first extent is fixed."""
    batch = port['shape'][0] if port['shape'] else None
    if not isinstance(batch, int) or batch == array.shape[0]:
        return [array]
    return [array[i:i + batch] for i in range(0, array.shape[0], batch)]


def check_reference(command, model, path):
    description = command.inspect(model)
    arrays = dict(np.load(path))
    port = description['inputs'][0]
    inputs = arrays.pop(port['name'], None)
    if inputs is None:
        inputs = arrays.pop(next(iter(arrays)))
    (want,) = arrays.values()
    made = [next(iter(command.execute(model, {port['name']: rows}).values()))
            for rows in rows_of(inputs, port)]
    return compare(description['outputs'][0]['name'], np.concatenate(made), want, False)


# ---- ONNX Runtime ----

def random_inputs(description, stem, seed):
    random = np.random.default_rng(seed)
    lengths = iter(OPEN.get(stem, []))
    symbols, inputs = {}, {}
    for port in description['inputs']:
        shape = []
        for extent in port['shape']:
            if isinstance(extent, int):
                shape.append(extent)
            elif extent is not None and extent in symbols:
                shape.append(symbols[extent])
            else:
                shape.append(next(lengths, 1))
                symbols[extent] = shape[-1]
        kind = np.dtype(TYPES[port['dtype']])
        if (stem, port['name']) in FIXED:
            array = FIXED[stem, port['name']]
        elif kind.kind == 'f':
            array = random.normal(size=shape) if seed % 2 else random.uniform(size=shape)
        else:
            array = random.integers(0, 2, size=shape)
        inputs[port['name']] = np.asarray(array, kind)
    return inputs


def fields(message):
    """[(number, start, end, start of the content)] of a protobuf message"""
    at, found = 0, []

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at, value, shift = at + 1, value | (byte & 0x7f) << shift, shift + 7
            if byte < 0x80:
                return value

    while at < len(message):
        start = at
        key = varint()
        size = {0: varint, 1: lambda: 8, 2: varint, 5: lambda: 4}[key & 7]()
        content = at
        at += 0 if key & 7 == 0 else size
        found.append((key >> 3, start, at, content))
    return found


def encode(value):
    return (bytes([value & 0x7f | 0x80]) + encode(value >> 7)) if value > 0x7f else bytes([value])


def without_shapes(model):
    """The file without what it says of values inside (some say what is not so)."""
    out = b''
    for number, start, end, content in fields(model):
        if number == 7:
            graph = model[content:end]
            kept = b''.join(graph[s:e] for n, s, e, _ in fields(graph) if n != 13)
            out += bytes([7 << 3 | 2]) + encode(len(kept)) + kept
        else:
            out += model[start:end]
    return out


def open_runtime(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 4
    providers = ['CPUExecutionProvider']
    try:
        return onnxruntime.InferenceSession(str(model), options, providers)
    except Exception:    # its classes have no common public one
        return onnxruntime.InferenceSession(without_shapes(model.read_bytes()), options, providers)


def check_runtime(command, model, seed):
    stem = model.stem
    inputs = random_inputs(command.inspect(model), stem, seed)
    session = open_runtime(model)
    names = [o.name for o in session.get_outputs()]
    want = dict(zip(names, session.run(names, inputs)))
    got = command.execute(model, inputs)
    if list(got) != names:
        raise Failure(f'outputs are {list(got)}, want {names}')
    return ', '.join(sorted({compare(n, got[n], want[n], stem in INTEGER) for n in names})[-2:])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('command')
    parser.add_argument('data', type=pathlib.Path)
    parser.add_argument('--devices')
    parser.add_argument('--only', default='')
    parser.add_argument('--threads', default='2')
    parser.add_argument('--seeds', type=int, default=2)
    a = parser.parse_args()
    models = sorted((a.data / 'onnx/models').glob('*.onnx'))
    if not models:
        print(f'skipped: no onnx/models in {a.data}')
        return 77
    if not onnxruntime:
        print('onnxruntime is not installed: reference outputs only')
    options = ['--threads', a.threads] + (['--devices', a.devices] if a.devices else [])
    failed = count = 0
    with tempfile.TemporaryDirectory() as folder:
        command = Command(a.command, options, folder)
        checks = [(path.stem, check_reference,
                   (a.data / 'onnx/models' / f'{path.stem.split("_io")[0]}.onnx', path))
                  for path in sorted((a.data / 'onnx/io').glob('*.npz'))]
        if onnxruntime:
            checks += [(f'{m.stem} seed {seed}', check_runtime, (m, seed)) for m in models
                       for seed in range(a.seeds)]
        for name, check, arguments in checks:
            if a.only not in name:
                continue
            count += 1
            try:
                print(f'ok     {name:40} {check(command, *arguments)}', flush=True)
            except (Failure, subprocess.TimeoutExpired, KeyError, ValueError) as error:
                failed += 1
                print(f'FAILED {name:40} {error}', flush=True)
    print(f'{count} comparisons, {failed} failed')
    return 1 if failed or not count else 0


if __name__ == '__main__':
    sys.exit(main())
