# SPDX-License-Identifier: Apache-2.0
"""Operations of seven well-known networks by the names that PyTorch's tracer gives them.

networks() is {network: {name: [operation, ...]}}; an operation is (class, flops, bytes in, bytes
out, bytes of weights, pieces), F32, batch 1, 224 x 224. Names that are not there (getattr, eq, ...)
stand for work that is only a call: CALL.
"""

CALL = ('other', 0, 0, 0, 0, 1)


def conv(channels, out, kernel, stride, size, groups=1, pad=None):
    """The operation and the size of its output."""
    pad = kernel // 2 if pad is None else pad
    end = (size + 2 * pad - kernel) // stride + 1
    weights = out * (channels // groups) * kernel * kernel
    kind = ('conv_depth' if groups > 1 and groups == channels
            else 'conv_point' if kernel == 1 else 'conv')
    places = end * end
    return (kind, 2 * weights * places, 4 * channels * size * size, 4 * out * places, 4 * weights,
            out * places), end


def elements(channels, size, operands=1):
    n = channels * size * size
    return ('elementwise', n, 4 * n * operands, 4 * n, 0, n)


def pool(channels, size, end, kernel):
    n = channels * end * end
    return ('pool', n * kernel * kernel, 4 * channels * size * size, 4 * n, 0, n)


def mean(channels, size):
    n = channels * size * size
    return ('reduce', n, 4 * n, 4 * channels, 0, channels)


def linear(rows, columns, out):
    return ('matmul_one' if rows == 1 else 'matmul', 2 * rows * columns * out, 4 * rows * columns,
            4 * rows * out, 4 * columns * out, rows * out)


class Numbered:
    """add, add_1, add_2, ..."""
    def __init__(self, net):
        self.net, self.count = net, {}

    def put(self, name, operation):
        i = self.count.get(name, 0)
        self.count[name] = i + 1
        self.net[f'{name}_{i}' if i else name] = operation


def resnet(layers, bottleneck):
    net = {}
    numbered = Numbered(net)
    net['conv1'], size = conv(3, 64, 7, 2, 224)
    net['bn1'] = net['relu'] = elements(64, size)
    net['maxpool'] = pool(64, 112, 56, 3)
    size, channels = 56, 64
    for i, blocks in enumerate(layers):
        for b in range(blocks):
            at = f'layer{i + 1}_{b}_'
            stride = 2 if i and b == 0 else 1
            width = 64 << i
            out = width * 4 if bottleneck else width
            before = size
            if bottleneck:
                net[at + 'conv1'], first = conv(channels, width, 1, 1, size)
                net[at + 'bn1'] = net[at + 'relu'] = elements(width, first)
                net[at + 'conv2'], second = conv(width, width, 3, stride, first)
                net[at + 'bn2'] = net[at + 'relu_1'] = elements(width, second)
                net[at + 'conv3'], size = conv(width, out, 1, 1, second)
                net[at + 'bn3'] = net[at + 'relu_2'] = elements(out, size)
            else:
                net[at + 'conv1'], first = conv(channels, width, 3, stride, size)
                net[at + 'bn1'] = net[at + 'relu'] = elements(width, first)
                net[at + 'conv2'], size = conv(width, width, 3, 1, first)
                net[at + 'bn2'] = net[at + 'relu_1'] = elements(width, size)
            if b == 0 and (stride > 1 or channels != out):
                net[at + 'downsample_0'], _ = conv(channels, out, 1, stride, before)
                net[at + 'downsample_1'] = elements(out, size)
            numbered.put('add', elements(out, size, 2))
            channels = out
    net['avgpool'] = mean(channels, size)
    net['fc'] = linear(1, channels, 1000)
    return net


def head(net, channels, size):
    net['avgpool'] = net['adaptive_avg_pool2d'] = mean(channels, size)
    net['classifier_1'] = linear(1, channels, 1000)


def stem(net):
    net['features_0_0'], size = conv(3, 32, 3, 2, 224)
    net['features_0_1'] = net['features_0_2'] = elements(32, size)
    return size


def expand(net, at, channels, wide, size):
    net[at + '0'], size = conv(channels, wide, 1, 1, size)
    net[at + '1'] = net[at + '2'] = elements(wide, size)
    return size


def depthwise(net, at, wide, kernel, stride, size):
    net[at + '0'], size = conv(wide, wide, kernel, stride, size, wide)
    net[at + '1'] = net[at + '2'] = elements(wide, size)
    return size


def mobilenet_v2():
    net = {}
    numbered = Numbered(net)
    size, channels, i = stem(net), 32, 1
    for times, out, blocks, step in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
                                     (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        for b in range(blocks):
            at, wide, part = f'features_{i}_conv_', channels * times, 0
            stride = step if b == 0 else 1
            if times > 1:
                size = expand(net, at + '0_', channels, wide, size)
                part = 1
            size = depthwise(net, f'{at}{part}_', wide, 3, stride, size)
            net[f'{at}{part + 1}'], size = conv(wide, out, 1, 1, size)
            net[f'{at}{part + 2}'] = elements(out, size)
            if stride == 1 and channels == out:
                numbered.put('add', elements(out, size, 2))
            channels, i = out, i + 1
    expand(net, 'features_18_', channels, 1280, size)
    head(net, 1280, size)
    return net


def efficientnet_b0():
    net = {}
    numbered = Numbered(net)
    size, channels = stem(net), 32
    stages = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3),
              (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1))
    for i, (times, kernel, step, out, blocks) in enumerate(stages):
        for b in range(blocks):
            at, wide, part = f'features_{i + 1}_{b}_block_', channels * times, 0
            stride = step if b == 0 else 1
            if times > 1:
                size = expand(net, at + '0_', channels, wide, size)
                part = 1
            size = depthwise(net, f'{at}{part}_', wide, kernel, stride, size)
            narrow = max(1, channels // 4)
            net[f'{at}{part + 1}_avgpool'] = mean(wide, size)
            net[f'{at}{part + 1}_fc1'], _ = conv(wide, narrow, 1, 1, 1)
            net[f'{at}{part + 1}_activation'] = elements(narrow, 1)
            net[f'{at}{part + 1}_fc2'], _ = conv(narrow, wide, 1, 1, 1)
            net[f'{at}{part + 1}_scale_activation'] = elements(wide, 1)
            numbered.put('mul', elements(wide, size))
            net[f'{at}{part + 2}_0'], size = conv(wide, out, 1, 1, size)
            net[f'{at}{part + 2}_1'] = elements(out, size)
            if stride == 1 and channels == out:
                numbered.put('add', elements(out, size, 2))
            channels = out
    expand(net, 'features_8_', channels, 1280, size)
    head(net, 1280, size)
    return net


def vgg11():
    net, size, channels, i = {}, 224, 3, 0
    for out in (64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0):
        if out == 0:
            net[f'features_{i}'] = pool(channels, size, size // 2, 2)
            size, i = size // 2, i + 1
        else:
            net[f'features_{i}'], size = conv(channels, out, 3, 1, size)
            net[f'features_{i + 1}'] = elements(out, size)
            channels, i = out, i + 2
    net['avgpool'] = pool(512, 7, 7, 1)
    for i, columns, out in ((0, 25088, 4096), (3, 4096, 4096), (6, 4096, 1000)):
        net[f'classifier_{i}'] = linear(1, columns, out)
        net[f'classifier_{i + 1}'] = ('elementwise', out, 4 * out, 4 * out, 0, out)
    return net


def vit_b_32():
    net, rows, width = {}, 50, 768
    numbered = Numbered(net)
    row = 4 * rows * width
    sum_of = ('elementwise', rows * width, 2 * row, row, 0, rows * width)
    norm = ('norm', 5 * rows * width, row, row, 8 * width, rows)
    curve = ('elementwise', 8 * rows * 4 * width, 4 * row, 4 * row, 0, rows * 4 * width)
    net['conv_proj'], _ = conv(3, width, 32, 32, 224, pad=0)
    net['cat'] = ('move', 0, row, row, 0, rows * width)
    net['encoder_ln'] = norm
    net['heads_head'] = linear(1, width, 1000)
    for i in range(12):
        at = f'encoder_layers_encoder_layer_{i}_'
        net[at + 'ln_1'] = net[at + 'ln_2'] = norm
        net[at + 'self_attention'] = [
            linear(rows, width, 3 * width),
            ('attention', 4 * rows * rows * width, 3 * row, row, 0, 12 * rows),
            linear(rows, width, width)]
        net[at + 'mlp_0'], net[at + 'mlp_1'] = linear(rows, width, 4 * width), curve
        net[at + 'mlp_3'] = linear(rows, 4 * width, width)
    for _ in range(25):
        numbered.put('add', sum_of)
    return net


def networks():
    all_of = {'resnet18': resnet((2, 2, 2, 2), False), 'resnet34': resnet((3, 4, 6, 3), False),
              'resnet50': resnet((3, 4, 6, 3), True), 'mobilenet_v2': mobilenet_v2(),
              'efficientnet_b0': efficientnet_b0(), 'vgg11': vgg11(), 'vit_b_32': vit_b_32()}
    return {name: {at: op if isinstance(op, list) else [op] for at, op in net.items()}
            for name, net in all_of.items()}
