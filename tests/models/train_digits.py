#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Train the digits networks of examples/models, and write their reference scores.

    train_digits.py MODELS_FOLDER REFERENCE_FOLDER

Writes MODELS_FOLDER/digits-{conv,vit,conv-int8}.onnx, and of them the scores of the images in
REFERENCE_FOLDER/digits.images.npy: for the float networks as torch computes them in double
precision from the same weights, for the one in 8 bits as onnxruntime does without optimisations.
Fails if a network is worse than it should be, or if onnxruntime computes something else.

Needs numpy, onnx, onnxruntime, scikit-learn and torch; takes about a minute.
"""
import argparse
import copy
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

import digits_nets
import draw_digits
import onnx_graph as og
import onnx_nets
import onnx_quantised
import onnx_weights

# Name: module, layers, epochs, rate, least accuracy on images that were held out.
NETWORKS = {
    'digits-conv': (digits_nets.Conv, onnx_nets.digits_conv, 60, 1e-2, 0.97),
    'digits-vit': (digits_nets.Vit, onnx_nets.digits_vit, 120, 4e-3, 0.95),
}
PROPERTIES = {
    'licence': 'Apache-2.0',
    'description': 'handwritten digits, 8x8, strokes bright, values in [0, 1]',
}


def given(net):
    return onnx_weights.GivenWeights({name: value.flatten().tolist()
                                      for name, value in net.state_dict().items()})


def run(path, images, optimised=False):
    """All outputs as {name: array}."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {onnx_nets.IMAGE: images})))


def reference_images():
    """100 images without a foreign one: the ten drawn digits, each of them under nine mixtures of
    noise and other digits."""
    rows = [draw_digits.shrink(draw_digits.draw(digit, 64), 8) for digit in range(10)]
    drawn = np.asarray(rows, np.float32)[:, None]
    generator = np.random.default_rng(1)
    parts = [drawn]
    for _ in range(9):
        share = generator.uniform(0, 0.6, (10, 1, 1, 1))
        other = drawn[generator.permutation(10)] * generator.uniform(0, 1, (10, 1, 1, 1))
        noise = generator.uniform(0, 1, drawn.shape) * generator.integers(0, 2, (10, 1, 1, 1))
        parts.append((1 - share) * drawn + share * np.maximum(other, noise))
    return np.concatenate(parts).astype(np.float32)


def ranges_of(source, images, folder):
    """Lowest and highest value of everything that is computed, over the images."""
    graph = onnx_quantised.QuantisedGraph('digits', source, quantise=False)
    onnx_nets.digits_conv(graph)
    path = folder / 'ranges.onnx.tmp'
    inner = [value for value in graph.values.values()
             if value.shape[:1] == (og.BATCH,) and value.name != graph.outputs[0][0]]
    graph.write(path, more_outputs=inner)
    values = run(path, images)
    path.unlink()
    values[onnx_nets.IMAGE] = images
    return {name: (float(v.min()), float(v.max())) for name, v in values.items()}


def write(name, graph, folder):
    path = folder / f'{name}.onnx'
    graph.write(path, PROPERTIES)
    onnx.checker.check_model(str(path), full_check=True)
    return path


def share_right(path, images, labels):
    scores = run(path, images, optimised=True)[onnx_nets.SCORES]
    return float((scores.argmax(1) == labels).mean())


def make_float(name, splits, images, models, references):
    """Train, write, compare. Returns the weights."""
    module, layers, epochs, rate, least = NETWORKS[name]
    train_images, train_labels, test_images, test_labels = splits
    torch.manual_seed(0)
    net = module()
    start = time.monotonic()
    digits_nets.train(net, train_images, train_labels, epochs, rate)
    right = digits_nets.accuracy(net, test_images, test_labels)
    parameters = sum(p.numel() for p in net.parameters())
    print(f'{name}: {parameters} parameters, {time.monotonic() - start:.0f} s, '
          f'{100 * right:.1f} % of the test images')
    graph = og.Graph(name, given(net), decomposed=True)
    layers(graph)
    assert graph.parameters == parameters
    path = write(name, graph, models)
    with torch.no_grad():
        exact = copy.deepcopy(net).double()(torch.from_numpy(images).double()).numpy()
    difference = np.abs(run(path, images)[onnx_nets.SCORES] - exact).max()
    drawn = exact[:10].argmax(1)
    print(f'  onnxruntime differs by {difference:.1e}; scores up to {np.abs(exact).max():.1f}; '
          f'drawn digits seen as {drawn}')
    if right < least or difference > 1e-4 or any(drawn != np.arange(10)):
        sys.exit(f'{name} is not as it should be')
    np.save(references / f'{name}.scores.npy', exact.astype(np.float32))
    return given(net)


def make_quantised(source, splits, images, models, references):
    name = 'digits-conv-int8'
    ranges = ranges_of(source, splits[0].numpy(), models)
    graph = onnx_quantised.QuantisedGraph(name, source, ranges)
    onnx_nets.digits_conv(graph)
    path = write(name, graph, models)
    right = share_right(path, splits[2].numpy(), splits[3].numpy())
    plain, optimised = (run(path, images, o)[onnx_nets.SCORES] for o in (False, True))
    step = graph.scales[f'/head/Gemm_output'][0]
    steps = np.abs(np.rint((plain - optimised) / step))
    drawn = plain[:10].argmax(1)
    print(f'{name}: {100 * right:.1f} % of the test images; drawn digits seen as {drawn}; integer '
          f'kernels differ in {int((steps > 0).sum())} of {steps.size} scores, by {steps.max():.0f}'
          ' steps at most')
    if right < 0.965 or any(drawn != np.arange(10)):
        sys.exit(f'{name} is not as it should be')
    np.save(references / f'{name}.scores.npy', plain)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('models', type=Path)
    parser.add_argument('references', type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    splits = digits_nets.data()
    images = reference_images()
    np.save(args.references / 'digits.images.npy', images)
    sources = {name: make_float(name, splits, images, args.models, args.references)
               for name in NETWORKS}
    make_quantised(sources['digits-conv'], splits, images, args.models, args.references)


if __name__ == '__main__':
    main()
