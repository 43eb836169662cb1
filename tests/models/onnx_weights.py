# SPDX-License-Identifier: Apache-2.0
"""Where the weights of a network come from: random numbers, a trained network, or nowhere."""
import math
import random

import onnx_write as ow


class RandomWeights:
    """Normal numbers: one table, whose length is a prime so that no two rows of a matrix are equal,
    permuted for each tensor. The same seed and the same order of calls give the same bytes."""

    PERIOD = 65521

    def __init__(self, seed):
        self.random = random.Random(seed)
        table = [self.random.gauss(0, 1) for _ in range(self.PERIOD)]
        mean = math.fsum(table) / self.PERIOD
        deviation = math.sqrt(math.fsum((x - mean) ** 2 for x in table) / self.PERIOD)
        self.table = [(x - mean) / deviation for x in table]

    def _block(self, n, function):
        """Bytes of n elements in pieces: function of a permutation of the table, repeated."""
        start, stride = self.random.randrange(self.PERIOD), self.random.randrange(1, self.PERIOD)
        period = min(n, self.PERIOD)
        block = function(self.table[(start + i * stride) % self.PERIOD] for i in range(period))
        whole, rest = divmod(n, period)
        return [block] * whole + [block[:rest * (len(block) // period)]]

    def normal(self, name, shape, mean, deviation):
        data = self._block(math.prod(shape), lambda table: ow.to_bytes(
            ow.FLOAT, (mean + deviation * x for x in table)))
        return ow.Tensor(name, ow.FLOAT, shape, data)

    def _rows(self, shape):
        """Rows that sum to nothing: what all inputs of a layer have in common, and activation
        functions give them much of that, is not handed on to become the same for every image.
        Rows of one channel keep their sum, to pass smooth parts of images."""
        row, period = math.prod(shape[1:]), self.PERIOD
        start, stride = self.random.randrange(period), self.random.randrange(1, period)
        table = [self.table[(start + i * stride) % period] for i in range(period)]
        table += table[:row]
        for r in range(shape[0]):
            begin = r * row % period
            values = table[begin:begin + row]
            mean = math.fsum(values) / row if shape[1] > 1 else 0.0
            yield [x - mean for x in values]

    def filters(self, name, shape, deviation):
        data = [ow.to_bytes(ow.FLOAT, (deviation * x for x in row)) for row in self._rows(shape)]
        return ow.Tensor(name, ow.FLOAT, shape, data)

    def uniform(self, name, shape, low, high):
        values = [self.random.uniform(low, high) for _ in range(math.prod(shape))]
        return ow.make_tensor(name, ow.FLOAT, shape, values)

    def folded(self, name, _, shape, deviation):
        """8-bit weights of rows [shape[0]], a scale per row, and biases."""
        data = [ow.to_bytes(ow.INT8, (max(-127, min(127, round(x * 127 / 4))) for x in row))
                for row in self._rows(shape)]
        scales = [deviation * 4 / 127 * self.random.uniform(0.8, 1.25) for _ in range(shape[0])]
        biases = [self.random.gauss(0, 0.1) for _ in range(shape[0])]
        return ow.Tensor(name + '.weight', ow.INT8, shape, data), scales, biases


class NoWeights:
    """For a graph that is counted and not written."""

    @staticmethod
    def normal(name, shape, *_):
        return ow.Tensor(name, ow.FLOAT, shape, [])

    filters = uniform = normal


class GivenWeights:
    """Weights of a trained network: {name: flat sequence of numbers}; shapes are the caller's.
    Matrices of products lie as [in, out] in the file and as [out, in] in the network."""

    EPSILON = 1e-5

    def __init__(self, weights):
        self.weights = weights

    def normal(self, name, shape, *_):
        if name.endswith('.transposed'):
            rows, columns = shape
            values = self._values(name.removesuffix('.transposed'), shape)
            values = [values[c * rows + r] for r in range(rows) for c in range(columns)]
            return ow.make_tensor(name, ow.FLOAT, shape, values)
        return ow.make_tensor(name, ow.FLOAT, shape, self._values(name, shape))

    filters = uniform = normal

    def _values(self, name, shape):
        values = self.weights[name]
        if len(values) != math.prod(shape):
            raise ValueError(f'{name} has {len(values)} elements, want {shape}')
        return values

    def folded_float(self, name, norm, shape):
        """Rows of weights and biases, with the normalisation of that name (or None) in them."""
        rows, row = shape[0], math.prod(shape[1:])
        flat = self._values(name + '.weight', shape)
        weights = [list(flat[r * row:(r + 1) * row]) for r in range(rows)]
        if norm is None:
            return weights, list(self._values(name + '.bias', (rows,)))
        gamma, beta, mean, variance = (self._values(f'{norm}.{part}', (rows,)) for part in (
            'weight', 'bias', 'running_mean', 'running_var'))
        gains = [g / math.sqrt(v + self.EPSILON) for g, v in zip(gamma, variance)]
        return ([[x * g for x in row] for row, g in zip(weights, gains)],
                [b - m * g for b, m, g in zip(beta, mean, gains)])

    def folded(self, name, norm, shape, _):
        weights, biases = self.folded_float(name, norm, shape)
        scales = [max(max(map(abs, row)), 1e-12) / 127 for row in weights]
        values = [round(x / scale) for row, scale in zip(weights, scales) for x in row]
        return ow.make_tensor(name + '.weight', ow.INT8, shape, values), scales, biases
