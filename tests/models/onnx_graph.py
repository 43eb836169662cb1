# SPDX-License-Identifier: Apache-2.0
"""Layers of vision networks as ONNX nodes.

A layer becomes the nodes that an export of a trained, unfused module consists of: convolution and
batch normalisation apart, SiLU as x * Sigmoid(x), GELU by Erf, attention by MatMul and Softmax.

Random weights are scaled by what is expected of a layer's input: every value carries the mean and
the mean square that its elements have for images of unit variance, taking sums for normally
distributed, so that activations of a network of any depth stay of the order of one.
"""
import collections
import math

import onnx_write as ow

OPSET = 17
BATCH = 'N'

# shape: extents, BATCH first. mean, power: expected mean and mean square. low, high: bounds that
# always hold.
Value = collections.namedtuple('Value', 'name shape mean power low high',
                               defaults=(0.0, 1.0, -math.inf, math.inf))


def count(shape):
    return math.prod(shape)


def variance(x):
    return max(x.power - x.mean * x.mean, 0.0)


def moments(function, x, steps=400):
    """Mean and mean square of a function of normally distributed numbers."""
    deviation = math.sqrt(variance(x))
    points = [-5 + 10 * (i + 0.5) / steps for i in range(steps)]
    shares = [math.exp(-t * t / 2) for t in points]
    values = [function(x.mean + deviation * t) for t in points]
    total = sum(shares)
    return (sum(s * v for s, v in zip(shares, values)) / total,
            sum(s * v * v for s, v in zip(shares, values)) / total)


def inside(size, kernel, stride, pad):
    """Share of a window's places that are in the image and not in its padding, one extent."""
    starts = range(-pad, size + pad - kernel + 1, stride)
    return sum(0 <= start + i < size for start in starts for i in range(kernel)) / (
        len(starts) * kernel)


class Graph:
    """Nodes and weights of one network, in the order of the calls."""

    def __init__(self, name, source, decomposed=False, keep_dropout=False):
        self.name, self.source = name, source
        self.decomposed, self.keep_dropout = decomposed, keep_dropout
        self.nodes, self.tensors, self.inputs, self.outputs = [], [], [], []
        self.values = {}
        self.parameters = self.macs = 0
        self.names = collections.Counter()

    # ---- nodes, constants, files ----

    def op(self, op, path, inputs, shape, expect=None, **attributes):
        """A node with one output. inputs: values or names. expect: a value whose expectations and
        bounds the output has, or nothing."""
        name = f'/{path}/{op}' if path else f'/{op}'
        self.names[name] += 1
        if self.names[name] > 1:
            name += f'_{self.names[name]}'
        names = [x.name if isinstance(x, Value) else x for x in inputs]
        self.nodes.append([op, names, [name + '_output'], name, attributes])
        value = (expect or Value('', ()))._replace(name=name + '_output', shape=tuple(shape))
        self.values[value.name] = value
        return value

    def constant(self, path, dtype, shape, values):
        """A Constant node; the name of its output."""
        return self.op('Constant', path, [], shape,
                       value=ow.make_tensor('', dtype, shape, values)).name

    def scalar(self, path, x):
        return self.constant(path, ow.FLOAT, (), [x])

    def weight(self, tensor, counted=True):
        self.tensors.append(tensor)
        if counted:
            self.parameters += count(tensor.extents)
        return tensor.name

    def normal(self, name, shape, deviation, mean=0.0):
        return self.weight(self.source.normal(name, shape, mean, deviation))

    def input(self, name, shape):
        self.inputs.append((name, ow.FLOAT, (BATCH, *shape)))
        return Value(name, (BATCH, *shape))

    def output(self, x, name):
        """x must come from the last node, and is known by that name alone from now on."""
        assert self.nodes[-1][2] == [x.name]
        self.nodes[-1][2] = [name]
        self.values[name] = self.values.pop(x.name)._replace(name=name)
        self.outputs.append((name, ow.FLOAT, x.shape))

    def write(self, path, properties=None, external_bytes=None, more_outputs=()):
        outputs = self.outputs + [(v.name, ow.FLOAT, v.shape) for v in more_outputs]
        nodes = [ow.make_node(*node) for node in self.nodes]
        ow.write_model(path, self.name, OPSET, nodes, self.inputs, outputs, self.tensors,
                       properties, external_bytes)

    # ---- convolutional networks ----

    def conv(self, x, path, features, kernel, stride=1, pad=0, groups=1, bias=False, gain=1.0):
        shape = (features, x.shape[1] // groups, kernel, kernel)
        fan = count(shape[1:])
        inputs = [x, self.weight(self.source.filters(path + '.weight', shape,
                                                     gain / math.sqrt(fan)))]
        if bias:
            inputs.append(self.normal(path + '.bias', (features,), 0.1))
        out = self.conv_shape(x, shape, stride, pad)
        return self.op('Conv', path, inputs, out, self.conv_expect(x, shape, stride, pad, gain),
                       **self.conv_attributes(kernel, stride, pad, groups))

    @staticmethod
    def conv_expect(x, weight_shape, stride, pad, gain):
        """Rows of several channels take no notice of a common mean."""
        power = variance(x) if weight_shape[1] > 1 else x.power
        for size in x.shape[2:]:
            power *= inside(size, weight_shape[2], stride, pad)
        return Value('', (), 0.0, power * gain * gain)

    @staticmethod
    def conv_attributes(kernel, stride, pad, groups):
        return {'dilations': [1, 1], 'group': groups, 'kernel_shape': [kernel, kernel],
                'pads': [pad] * 4, 'strides': [stride, stride]}

    def conv_shape(self, x, weight_shape, stride, pad):
        kernel = weight_shape[2]
        spatial = tuple((n + 2 * pad - kernel) // stride + 1 for n in x.shape[2:])
        self.macs += count(spatial) * count(weight_shape)
        return x.shape[0], weight_shape[0], *spatial

    def batch_norm(self, x, path, epsilon=1e-5):
        n = (x.shape[1],)
        deviation = math.sqrt(x.power)
        inputs = [x, self.weight(self.source.uniform(path + '.weight', n, 0.8, 1.2)),
                  self.normal(path + '.bias', n, 0.1)]
        # Statistics are no parameters: nothing learns them by gradients.
        mean = self.source.normal(path + '.running_mean', n, 0.0, 0.1 * deviation)
        spread = self.source.uniform(path + '.running_var', n, 0.7 * x.power, 1.3 * x.power)
        inputs += [self.weight(mean, counted=False), self.weight(spread, counted=False)]
        return self.op('BatchNormalization', path, inputs, x.shape, Value('', (), 0.0, 1.06),
                       epsilon=epsilon, momentum=0.9)

    def conv_norm(self, x, path, norm, features, kernel, stride=1, pad=0, groups=1, epsilon=1e-5):
        x = self.conv(x, path, features, kernel, stride, pad, groups)
        return self.batch_norm(x, norm, epsilon)

    def relu(self, x, path):
        expect = Value('', (), *moments(lambda t: max(t, 0.0), x), 0.0)
        return self.op('Relu', path, [x], x.shape, expect)

    def relu6(self, x, path):
        limits = self.scalar(path, 0.0), self.scalar(path, 6.0)
        expect = Value('', (), *moments(lambda t: min(max(t, 0.0), 6.0), x), 0.0, 6.0)
        return self.op('Clip', path, [x, *limits], x.shape, expect)

    def sigmoid(self, x, path):
        expect = Value('', (), *moments(lambda t: 1 / (1 + math.exp(-t)), x), 0.0, 1.0)
        return self.op('Sigmoid', path, [x], x.shape, expect)

    def silu(self, x, path):
        gate = self.sigmoid(x, path)
        expect = Value('', (), *moments(lambda t: t / (1 + math.exp(-t)), x), -0.2785)
        return self.op('Mul', path, [x, gate], x.shape, expect)

    def add(self, x, y, path):
        mean = x.mean + y.mean
        power = variance(x) + variance(y) + mean * mean
        return self.op('Add', path, [x, y], x.shape, Value('', (), mean, power))

    def scale(self, gate, x, path):
        """gate: one number per channel."""
        expect = Value('', (), gate.mean * x.mean, gate.power * x.power)
        return self.op('Mul', path, [gate, x], x.shape, expect)

    def max_pool(self, x, path, kernel, stride, pad):
        spatial = tuple((n + 2 * pad - kernel) // stride + 1 for n in x.shape[2:])
        # As seen with 3x3 windows on rectified normal numbers.
        mean = x.mean + 1.8 * math.sqrt(variance(x))
        expect = Value('', (), mean, 1.35 * variance(x) + mean * mean, x.low, x.high)
        return self.op('MaxPool', path, [x], (*x.shape[:2], *spatial), expect, ceil_mode=0,
                       dilations=[1, 1], kernel_shape=[kernel] * 2, pads=[pad] * 4,
                       strides=[stride] * 2)

    def global_pool(self, x, path):
        # Channels differ in their means, by their offsets, and little else is left of a mean.
        expect = x._replace(power=x.mean * x.mean + 0.15 * variance(x))
        return self.op('GlobalAveragePool', path, [x], (*x.shape[:2], 1, 1), expect)

    def flatten(self, x, path):
        return self.op('Flatten', path, [x], (x.shape[0], count(x.shape[1:])), x, axis=1)

    def dropout(self, x, path):
        """Does nothing in a trained network, and most exports leave it out."""
        return self.op('Dropout', path, [x], x.shape, x) if self.keep_dropout else x

    def drop_path(self, x, path):
        """Stochastic depth: the same for a whole branch."""
        return self.op('Identity', path, [x], x.shape, x) if self.keep_dropout else x

    def linear(self, x, path, features, gain=1.0):
        """Rows: Gemm, as exports do for matrices, or MatMul and Add for more extents."""
        width = x.shape[-1]
        deviation = gain / math.sqrt(width)
        expect = Value('', (), 0.0, x.power * gain * gain)
        shape = (*x.shape[:-1], features)
        self.macs += count(shape[1:-1]) * width * features
        if len(x.shape) == 2:
            inputs = [x, self.normal(path + '.weight', (features, width), deviation),
                      self.normal(path + '.bias', (features,), 0.1)]
            return self.op('Gemm', path, inputs, shape, expect, alpha=1.0, beta=1.0, transB=1)
        weight = self.normal(path + '.weight.transposed', (width, features), deviation)
        x = self.op('MatMul', path, [x, weight], shape, expect)
        bias = self.normal(path + '.bias', (features,), 0.1)
        return self.op('Add', path, [bias, x], shape, expect)

    # ---- transformers ----

    def layer_norm(self, x, path, epsilon=1e-6):
        n = (x.shape[-1],)
        gamma = self.normal(path + '.weight', n, 0.1, 1.0)
        beta = self.normal(path + '.bias', n, 0.1)
        if not self.decomposed:
            return self.op('LayerNormalization', path, [x, gamma, beta], x.shape, axis=-1,
                           epsilon=epsilon)
        row = (*x.shape[:-1], 1)
        mean = self.op('ReduceMean', path, [x], row, axes=[-1], keepdims=1)
        centred = self.op('Sub', path, [x, mean], x.shape)
        square = self.op('Pow', path, [centred, self.scalar(path, 2.0)], x.shape)
        variance = self.op('ReduceMean', path, [square], row, axes=[-1], keepdims=1)
        shifted = self.op('Add', path, [variance, self.scalar(path, epsilon)], row)
        deviation = self.op('Sqrt', path, [shifted], row)
        normed = self.op('Div', path, [centred, deviation], x.shape)
        return self.op('Add', path, [self.op('Mul', path, [normed, gamma], x.shape), beta], x.shape)

    def gelu(self, x, path):
        inner = self.op('Div', path, [x, self.scalar(path, math.sqrt(2))], x.shape)
        inner = self.op('Erf', path, [inner], x.shape)
        inner = self.op('Add', path, [inner, self.scalar(path, 1.0)], x.shape)
        inner = self.op('Mul', path, [x, inner], x.shape)
        expect = Value('', (), *moments(lambda t: t / 2 * (1 + math.erf(t / math.sqrt(2))), x))
        return self.op('Mul', path, [inner, self.scalar(path, 0.5)], x.shape, expect)

    def reshape(self, x, path, extents, shape):
        """extents: as Reshape takes them, 0 for an extent that stays, -1 for what is left."""
        target = self.constant(path, ow.INT64, (len(extents),), extents)
        return self.op('Reshape', path, [x, target], shape, x)

    def transpose(self, x, path, order):
        return self.op('Transpose', path, [x], [x.shape[i] for i in order], x, perm=list(order))

    def pick(self, x, path, axis, index):
        """One slice; its axis goes."""
        shape = x.shape[:axis] + x.shape[axis + 1:]
        where = self.constant(path, ow.INT64, (), [index])
        return self.op('Gather', path, [x, where], shape, x, axis=axis)

    def expand_rows(self, weight, x, path, shape):
        """A weight [1, ...] once per image of x: its batch is known only when it runs."""
        extents = self.op('Shape', path, [x], (len(x.shape),))
        batch = self.op('Gather', path, [extents, self.constant(path, ow.INT64, (1,), [0])], (1,),
                        axis=0)
        rest = self.constant(path, ow.INT64, (len(shape) - 1,), [-1 if n == BATCH else n
                                                                for n in shape[1:]])
        target = self.op('Concat', path, [batch, rest], (len(shape),), axis=0)
        return self.op('Expand', path, [weight, target], shape)

    def attend(self, query, key, value, path):
        """softmax(query key / sqrt(head)) value; all are [N, heads, tokens, head], key as well."""
        n, heads, tokens, head = query.shape
        key = self.transpose(key, path, (0, 1, 3, 2))
        self.macs += 2 * heads * tokens * tokens * head
        score = self.op('MatMul', path, [query, key], (n, heads, tokens, tokens))
        score = self.op('Div', path, [score, self.scalar(path, math.sqrt(head))], score.shape)
        share = self.op('Softmax', path, [score], score.shape, axis=-1)
        return self.op('MatMul', path, [share, value], value.shape,
                       Value('', (), 0.0, value.power * 0.3))
