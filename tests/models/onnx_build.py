#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Well-known vision networks with random weights, as ONNX files.

    onnx_build.py FOLDER NAME...     write FOLDER/NAME.onnx (NAME: "all" or as --list says)
    onnx_build.py --check            parameters and work of each against the published figures

Needs nothing but Python. On one machine the same options give the same bytes.
"""
import argparse
import os
import sys

import onnx_graph as og
import onnx_nets
import onnx_quantised
import onnx_weights

# Weights below this many bytes stay in the model when the others go to a file beside it.
EXTERNAL_BYTES = 1024


def build(name, source, size=None, classes=1000, quantised=False, **options):
    """The graph of one network."""
    function, usual, _, _ = onnx_nets.NETWORKS[name]
    make = onnx_quantised.QuantisedGraph if quantised else og.Graph
    graph = make(name, source, **options)
    function(graph, size or usual, classes)
    return graph


def file_name(name, args):
    flags = {'decomposed': args.decomposed, 'dropout': args.keep_dropout, 'int8': args.int8,
             'external': args.external}
    parts = [name] + [f'{args.size}px'] * bool(args.size) + [k for k, v in flags.items() if v]
    return '-'.join(parts) + '.onnx'


def check():
    """Exit status."""
    failed = 0
    for name, (_, _, parameters, work) in onnx_nets.NETWORKS.items():
        graph = build(name, onnx_weights.NoWeights())
        right = graph.parameters == parameters and abs(graph.macs / 1e9 - work) < 0.5e-4
        failed += not right
        print(f'{"ok    " if right else "FAILED"} {name}: {graph.parameters} parameters, want '
              f'{parameters}; {graph.macs / 1e9:.4f}e9 multiply-adds, want {work}')
    return 1 if failed else 0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('folder', nargs='?', help='where files are written')
    parser.add_argument('names', nargs='*', metavar='name', help='networks, or "all"')
    parser.add_argument('--list', action='store_true', help='names of the networks')
    parser.add_argument('--check', action='store_true', help='compare with published figures')
    parser.add_argument('--size', type=int, help='height and width of the images')
    parser.add_argument('--classes', type=int, default=1000)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--decomposed', action='store_true',
                        help='LayerNormalization as the operations that it consists of')
    parser.add_argument('--keep-dropout', action='store_true',
                        help='with the nodes that do nothing outside training')
    parser.add_argument('--int8', action='store_true',
                        help='with QuantizeLinear and DequantizeLinear (convolutional ones, mlp)')
    parser.add_argument('--external', action='store_true', help='weights in a file beside it')
    return parser, parser.parse_args()


def main():
    parser, args = arguments()
    if args.list:
        print('\n'.join(onnx_nets.NETWORKS))
        return 0
    if args.check:
        return check()
    unknown = set(args.names) - {'all', *onnx_nets.NETWORKS}
    if not args.folder or not args.names or unknown:
        parser.error(f'unknown: {", ".join(unknown)}' if unknown else 'FOLDER and NAME are needed')
    os.makedirs(args.folder, exist_ok=True)
    for name in onnx_nets.NETWORKS if 'all' in args.names else args.names:
        try:
            graph = build(name, onnx_weights.RandomWeights(args.seed), args.size, args.classes,
                          args.int8, decomposed=args.decomposed, keep_dropout=args.keep_dropout)
        except onnx_quantised.Unsupported as error:
            print(f'{name}: {error} in 8 bits is not made here')
            continue
        path = os.path.join(args.folder, file_name(name, args))
        graph.write(path, external_bytes=EXTERNAL_BYTES if args.external else None)
        print(f'{path}: {graph.parameters} parameters, {len(graph.nodes)} nodes')
    return 0


if __name__ == '__main__':
    sys.exit(main())
