# SPDX-License-Identifier: Apache-2.0
"""Well-known networks with random weights (tests/models/onnx_build.py) by `hetinfer exec`: all
devices compute what the reference device does, one image among others what it does alone, and the
same network in another form the same.

    networks_test.py COMMAND ROOT [NAME...]
"""
import json
import os
import random
import subprocess
import sys
import tempfile
import time

import onnx_file as of

TOLERANCE = 1e-4    # of the range of the scores
IMAGES = 2

# Network, image size, forms that must give the same scores: keywords of onnx_build.build(), or
# external for weights in a file of their own.
CASES = [
    ('mlp', 32, ['external']),
    ('resnet18', 64, ['external']),
    ('resnet50', 32, []),
    ('mobilenet_v2', 64, ['keep_dropout']),
    ('efficientnet_b0', 64, ['keep_dropout']),
    ('vit_tiny', 48, ['decomposed']),
    ('mlp-int8', 32, []),
    ('resnet18-int8', 32, []),
]


class Failure(Exception):
    pass


class Networks:
    def __init__(self, program, root, folder):
        self.program, self.folder = program, folder
        sys.path.insert(0, os.path.join(root, 'tests/models'))
        sys.dont_write_bytecode = True
        import onnx_build
        import onnx_weights
        self.build, self.weights = onnx_build.build, onnx_weights.RandomWeights

    def write(self, name, size, form=None):
        name, _, bits = name.partition('-')
        options = {form: True} if form and form != 'external' else {}
        graph = self.build(name, self.weights(1), size, quantised=bits == 'int8', **options)
        path = os.path.join(self.folder, f'{name}-{form}.onnx')
        graph.write(path, external_bytes=1024 if form == 'external' else None)
        return path

    def images(self, size, values):
        shape = (len(values) // (3 * size * size), 3, size, size)
        path = os.path.join(self.folder, f'images{shape[0]}.npy')
        with open(path, 'wb') as f:
            f.write(of.npy('float32', shape, values))
        return path

    def scores(self, model, images, *more):
        command = [self.program, 'exec', model, '--in', f'image={images}', '--out', self.folder,
                   '--threads', '2', '--json', *more]
        result = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if result.returncode != 0:
            raise Failure(f'exit status {result.returncode}: {result.stderr.strip()}')
        out = json.loads(result.stdout)['outputs'][0]
        return of.read_npy(out['file'])[2]


def differences(what, got, want):
    """Of each score; what is not a number differs infinitely."""
    reach = max(want) - min(want)
    if len(got) != len(want) or not 0.1 < reach < 1e4:
        raise Failure(f'{what}: {len(got)} scores, want {len(want)} in a range of {reach}')
    return [abs(g - w) if g == g else float('inf') for g, w in zip(got, want)], reach


def compare(what, got, want):
    """Largest difference as a share of the range."""
    off, reach = differences(what, got, want)
    if not max(off) <= TOLERANCE * reach:
        raise Failure(f'{what}: off by {max(off) / reach:.2e} of the range')
    return max(off) / reach


def compare_steps(what, got, want):
    """Scores of 8 bits lie on a grid; one in a thousand may be its neighbour. Share of those."""
    off, _ = differences(what, got, want)
    levels = sorted(set(want))
    step = min(b - a for a, b in zip(levels, levels[1:]))
    share = sum(x > step / 2 for x in off) / len(off)
    if share > 1e-3 or max(off) > 1.5 * step:
        raise Failure(f'{what}: {share:.2%} are off, by {max(off) / step:.1f} steps at most')
    return share


def run(n, name, size, forms):
    generator = random.Random(2)
    values = [generator.gauss(0, 1) for _ in range(IMAGES * 3 * size * size)]
    images, one = n.images(size, values), n.images(size, values[:3 * size * size])
    model = n.write(name, size)
    want = n.scores(model, images, '--devices', 'ref')
    classes = len(want) // IMAGES
    if want[:classes] == want[classes:]:
        raise Failure('two images have the same scores')
    same = compare_steps if name.endswith('int8') else compare
    worst = [same('all devices', n.scores(model, images), want),
             same('one image', n.scores(model, one), want[:classes])]
    os.remove(model)
    for form in forms:
        other = n.write(name, size, form)
        worst.append(same(form, n.scores(other, images), want))
        os.remove(other)
    return max(worst)


def main(program, root, *names):
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        networks = Networks(program, root, folder)
        for name, size, forms in CASES:
            if names and name not in names:
                continue
            start = time.monotonic()
            try:
                worst = run(networks, name, size, forms)
                print(f'ok     {name}: {worst:.1e} ({time.monotonic() - start:.1f} s)')
            except (Failure, subprocess.TimeoutExpired) as error:
                failed += 1
                print(f'FAILED {name}: {error}')
    print(f'{failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
