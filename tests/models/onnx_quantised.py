# SPDX-License-Identifier: Apache-2.0
"""The layers of onnx_graph in 8 bits: QuantizeLinear and DequantizeLinear around float operations.

Batch normalisation is in the weights, which are symmetric with a scale per feature; activations are
unsigned with a zero point; biases have 32 bits and the scale of the products. What goes between
layers is rounded where an operation of products, a sum or a pooling reads it, so an activation
function stays with the layer before it.
"""
import math

import onnx_graph as og
import onnx_write as ow


class Unsupported(Exception):
    pass


class QuantisedGraph(og.Graph):
    """ranges: {name of a value: (lowest, highest)} as measured, or None: as is to be expected of
    random weights. With quantise=False the same network in float, to measure them."""

    def __init__(self, name, source, ranges=None, quantise=True, **options):
        super().__init__(name, source, **options)
        self.ranges, self.quantise = ranges, quantise
        self.scales = {}        # name of a value: (scale, names of scale and zero point)
        self.rounded = {}       # name of a value: what it becomes

    def _range(self, x):
        if self.ranges is not None:
            low, high = self.ranges[x.name]
        else:
            reach = 5 * math.sqrt(og.variance(x))
            low, high = max(x.low, x.mean - reach), min(x.high, x.mean + reach)
        return min(low, 0.0), max(high, 0.0, 1e-6)

    def _scale(self, x):
        if x.name not in self.scales:
            low, high = self._range(x)
            scale = (high - low) / 255
            zero = max(0, min(255, round(-low / scale)))
            names = [self.weight(tensor, counted=False) for tensor in (
                ow.make_tensor(x.name + '_scale', ow.FLOAT, (), [scale]),
                ow.make_tensor(x.name + '_zero', ow.UINT8, (), [zero]))]
            self.scales[x.name] = scale, names
        return self.scales[x.name]

    def round(self, x):
        """x in 256 steps."""
        if not self.quantise:
            return x
        if x.name not in self.rounded:
            path = x.name.strip('/').replace('/', '.')
            _, names = self._scale(x)
            y = self.op('QuantizeLinear', path, [x, *names], x.shape)
            self.rounded[x.name] = self.op('DequantizeLinear', path, [y, *names], x.shape, x)
        return self.rounded[x.name]

    def _constant(self, tensor, scales):
        """A weight with a scale per row of its first extent."""
        self.weight(tensor)
        n = (tensor.extents[0],)
        names = [self.weight(ow.make_tensor(tensor.name + part, dtype, n, values), counted=False)
                 for part, dtype, values in (('_scale', ow.FLOAT, scales),
                                             ('_zero', tensor.dtype, [0] * n[0]))]
        return self.op('DequantizeLinear', tensor.name, [tensor.name, *names], tensor.extents,
                       axis=0)

    def _weights(self, x, path, norm, shape, deviation):
        n = (shape[0],)
        if not self.quantise:
            rows, biases = self.source.folded_float(path, norm, shape)
            values = [v for row in rows for v in row]
            return [self.weight(ow.make_tensor(path + part, ow.FLOAT, s, v))
                    for part, s, v in (('.weight', shape, values), ('.bias', n, biases))]
        tensor, scales, biases = self.source.folded(path, norm, shape, deviation)
        products = [scale * self._scale(x)[0] for scale in scales]
        steps = [round(bias / scale) for bias, scale in zip(biases, products)]
        return [self._constant(tensor, scales),
                self._constant(ow.make_tensor(path + '.bias', ow.INT32, n, steps), products)]

    def conv_norm(self, x, path, norm, features, kernel, stride=1, pad=0, groups=1, epsilon=1e-5):
        shape = (features, x.shape[1] // groups, kernel, kernel)
        power = self.conv_expect(x, shape, stride, pad, 1.0).power
        rounded = self.round(x)
        weights = self._weights(x, path, norm, shape, 1 / math.sqrt(og.count(shape[1:]) * power))
        return self.op('Conv', path, [rounded, *weights], self.conv_shape(x, shape, stride, pad),
                       **self.conv_attributes(kernel, stride, pad, groups))

    def linear(self, x, path, features, gain=1.0):
        shape = (features, x.shape[-1])
        if len(x.shape) != 2:
            raise Unsupported('products of more than two extents')
        self.macs += og.count(shape)
        rounded = self.round(x)
        weights = self._weights(x, path, None, shape, gain / math.sqrt(shape[1]))
        return self.op('Gemm', path, [rounded, *weights], (x.shape[0], features),
                       og.Value('', (), 0.0, og.variance(x) * gain * gain), alpha=1.0, beta=1.0,
                       transB=1)

    def add(self, x, y, path):
        return super().add(self.round(x), self.round(y), path)

    def max_pool(self, x, path, kernel, stride, pad):
        y = super().max_pool(self.round(x), path, kernel, stride, pad)
        if self.quantise:
            self.scales[y.name] = self._scale(x)    # the greatest of rounded values is one of them
        return y

    def global_pool(self, x, path):
        return super().global_pool(self.round(x), path)

    def output(self, x, name):
        if self.quantise:
            super().output(self.round(x), name)
        else:    # measured under the name that it has in the middle of the network
            self.outputs.append((x.name, ow.FLOAT, x.shape))

    def layer_norm(self, x, path, epsilon=1e-6):
        raise Unsupported('layer normalisation')

    def silu(self, x, path):
        raise Unsupported('SiLU')
