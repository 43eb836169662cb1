# SPDX-License-Identifier: Apache-2.0
"""Well-known vision networks in the layers of onnx_graph: structure as published, names of weights
as torchvision gives them. Each function adds one network to a graph, from images of the given size
to the scores of the classes."""
import math

import onnx_graph as og

IMAGE, SCORES = 'image', 'scores'


def _head(g, x, path, classes, dropout=None, pool='avgpool'):
    """pool: the module that averages; '' where a function does."""
    x = g.flatten(g.global_pool(x, pool), 'flatten')
    if dropout:
        x = g.dropout(x, dropout)
    g.output(g.linear(x, path, classes, gain=3.0), SCORES)


# ---- residual networks ----

def _basic_block(g, x, path, width, stride):
    y = g.conv_norm(x, f'{path}.conv1', f'{path}.bn1', width, 3, stride, 1)
    y = g.relu(y, f'{path}.relu')
    return g.conv_norm(y, f'{path}.conv2', f'{path}.bn2', width, 3, 1, 1)


def _bottleneck(g, x, path, width, stride):
    y = g.conv_norm(x, f'{path}.conv1', f'{path}.bn1', width, 1)
    y = g.relu(y, f'{path}.relu')
    y = g.conv_norm(y, f'{path}.conv2', f'{path}.bn2', width, 3, stride, 1)
    y = g.relu(y, f'{path}.relu')
    return g.conv_norm(y, f'{path}.conv3', f'{path}.bn3', width * 4, 1)


def _resnet(g, size, classes, block, expansion, depths):
    x = g.input(IMAGE, (3, size, size))
    x = g.relu(g.conv_norm(x, 'conv1', 'bn1', 64, 7, 2, 3), 'relu')
    x = g.max_pool(x, 'maxpool', 3, 2, 1)
    for stage, depth in enumerate(depths):
        width = 64 << stage
        for i in range(depth):
            path = f'layer{stage + 1}.{i}'
            stride = 2 if stage > 0 and i == 0 else 1
            y = block(g, x, path, width, stride)
            if stride != 1 or x.shape[1] != width * expansion:
                x = g.conv_norm(x, f'{path}.downsample.0', f'{path}.downsample.1',
                                width * expansion, 1, stride)
            x = g.relu(g.add(y, x, path), f'{path}.relu')
    _head(g, x, 'fc', classes)


def resnet18(g, size, classes):
    _resnet(g, size, classes, _basic_block, 1, (2, 2, 2, 2))


def resnet34(g, size, classes):
    _resnet(g, size, classes, _basic_block, 1, (3, 4, 6, 3))


def resnet50(g, size, classes):
    _resnet(g, size, classes, _bottleneck, 4, (3, 4, 6, 3))


# ---- networks of inverted residuals ----

# Expansion, features, blocks, stride of the first.
_MOBILENET = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
              (6, 160, 3, 2), (6, 320, 1, 1))


def _inverted_residual(g, x, path, expansion, features, stride):
    inner, y, part = x.shape[1] * expansion, x, 0
    if expansion != 1:
        y = g.conv_norm(y, f'{path}.conv.0.0', f'{path}.conv.0.1', inner, 1)
        y, part = g.relu6(y, f'{path}.conv.0.2'), 1
    y = g.conv_norm(y, f'{path}.conv.{part}.0', f'{path}.conv.{part}.1', inner, 3, stride, 1, inner)
    y = g.relu6(y, f'{path}.conv.{part}.2')
    y = g.conv_norm(y, f'{path}.conv.{part + 1}', f'{path}.conv.{part + 2}', features, 1)
    return g.add(x, y, path) if stride == 1 and x.shape[1] == features else y


def mobilenet_v2(g, size, classes):
    x = g.input(IMAGE, (3, size, size))
    x = g.relu6(g.conv_norm(x, 'features.0.0', 'features.0.1', 32, 3, 2, 1), 'features.0.2')
    block = 1
    for expansion, features, depth, stride in _MOBILENET:
        for i in range(depth):
            x = _inverted_residual(g, x, f'features.{block}', expansion, features,
                                   stride if i == 0 else 1)
            block += 1
    x = g.conv_norm(x, f'features.{block}.0', f'features.{block}.1', 1280, 1)
    _head(g, g.relu6(x, f'features.{block}.2'), 'classifier.1', classes, 'classifier.0', '')


# Expansion, kernel, stride of the first, features, blocks.
_EFFICIENTNET = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3),
                 (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1))


def _squeeze_excite(g, x, path, features):
    y = g.global_pool(x, f'{path}.avgpool')
    y = g.silu(g.conv(y, f'{path}.fc1', features, 1, bias=True, gain=2.0), f'{path}.activation')
    y = g.conv(y, f'{path}.fc2', x.shape[1], 1, bias=True, gain=2.0)
    return g.scale(g.sigmoid(y, f'{path}.scale_activation'), x, path)


def _mobile_block(g, x, path, expansion, kernel, stride, features):
    inner, y, part = x.shape[1] * expansion, x, 0
    if expansion != 1:
        y = g.conv_norm(y, f'{path}.block.0.0', f'{path}.block.0.1', inner, 1)
        y, part = g.silu(y, f'{path}.block.0.2'), 1
    y = g.conv_norm(y, f'{path}.block.{part}.0', f'{path}.block.{part}.1', inner, kernel, stride,
                    kernel // 2, inner)
    y = g.silu(y, f'{path}.block.{part}.2')
    y = _squeeze_excite(g, y, f'{path}.block.{part + 1}', max(1, x.shape[1] // 4))
    part += 2
    y = g.conv_norm(y, f'{path}.block.{part}.0', f'{path}.block.{part}.1', features, 1)
    if stride != 1 or x.shape[1] != features:
        return y
    return g.add(g.drop_path(y, f'{path}.stochastic_depth'), x, path)


def efficientnet_b0(g, size, classes):
    x = g.input(IMAGE, (3, size, size))
    x = g.silu(g.conv_norm(x, 'features.0.0', 'features.0.1', 32, 3, 2, 1), 'features.0.2')
    for stage, (expansion, kernel, stride, features, depth) in enumerate(_EFFICIENTNET, 1):
        for i in range(depth):
            x = _mobile_block(g, x, f'features.{stage}.{i}', expansion, kernel,
                              stride if i == 0 else 1, features)
    x = g.conv_norm(x, 'features.8.0', 'features.8.1', 1280, 1)
    _head(g, g.silu(x, 'features.8.2'), 'classifier.1', classes, 'classifier.0')


# ---- transformers ----

def _patches(g, x, width, patch):
    """[N, tokens, width] with the class token first, positions added."""
    x = g.conv(x, 'conv_proj', width, patch, patch, bias=True)
    rows, columns = x.shape[2:]
    tokens = rows * columns
    x = g.reshape(x, 'patches', (0, 0, -1), (og.BATCH, width, tokens))
    x = g.transpose(x, 'patches', (0, 2, 1))
    token = g.normal('class_token', (1, 1, width), 0.5)
    token = g.expand_rows(token, x, 'class_token', (og.BATCH, 1, width))
    x = g.op('Concat', 'tokens', [token, x], (og.BATCH, tokens + 1, width), x, axis=1)
    positions = g.normal('encoder.pos_embedding', (1, tokens + 1, width), 0.5)
    return g.op('Add', 'positions', [x, positions], x.shape,
                x._replace(power=x.power + 0.25))


def _packed_heads(g, x, path, heads):
    """Query, key and value of one product, as torch.nn.MultiheadAttention has them."""
    n, tokens, width = x.shape
    head = width // heads
    x = g.linear(x, f'{path}.in_proj', 3 * width, gain=1.2)
    x = g.reshape(x, path, (0, 0, 3, heads, head), (n, tokens, 3, heads, head))
    x = g.transpose(x, path, (2, 0, 3, 1, 4))
    return [g.pick(x, path, 0, i) for i in range(3)]


def _split_heads(g, x, path, heads):
    """Three products of the same rows."""
    n, tokens, width = x.shape
    head = width // heads
    result = []
    for name in ('query', 'key', 'value'):
        y = g.linear(x, f'{path}.{name}', width, gain=1.2)
        y = g.reshape(y, f'{path}.{name}', (0, -1, heads, head), (n, tokens, heads, head))
        result.append(g.transpose(y, f'{path}.{name}', (0, 2, 1, 3)))
    return result


def _encoder_block(g, x, path, heads, inner, split):
    n, tokens, width = x.shape
    y = g.layer_norm(x, f'{path}.ln_1')
    project = _split_heads if split else _packed_heads
    y = g.attend(*project(g, y, f'{path}.self_attention', heads), f'{path}.self_attention')
    y = g.transpose(y, f'{path}.self_attention', (0, 2, 1, 3))
    y = g.reshape(y, f'{path}.self_attention', (0, 0, width), (n, tokens, width))
    x = g.add(x, g.linear(y, f'{path}.self_attention.out_proj', width), path)
    y = g.linear(g.layer_norm(x, f'{path}.ln_2'), f'{path}.mlp.0', inner)
    y = g.linear(g.gelu(y, f'{path}.mlp.1'), f'{path}.mlp.3', width)
    return g.add(x, y, path)


def vit(g, channels, size, patch, width, depth, heads, inner, classes, split=False):
    """A vision transformer with a class token and normalisation before each half of a block."""
    x = _patches(g, g.input(IMAGE, (channels, size, size)), width, patch)
    for i in range(depth):
        x = _encoder_block(g, x, f'encoder.layers.encoder_layer_{i}', heads, inner, split)
    x = g.pick(g.layer_norm(x, 'encoder.ln'), 'encoder', 1, 0)
    g.output(g.linear(x, 'heads.head', classes, gain=2.0), SCORES)


def vit_b_16(g, size, classes):
    vit(g, 3, size, 16, 768, 12, 12, 3072, classes)


def vit_b_16_split(g, size, classes):
    vit(g, 3, size, 16, 768, 12, 12, 3072, classes, split=True)


def vit_tiny(g, size, classes):
    """The smallest of the data-efficient ones: for tests."""
    vit(g, 3, size, 16, 192, 12, 3, 768, classes)


# ---- small ones ----

def mlp(g, size, classes):
    """Three layers on the flattened image."""
    x = g.flatten(g.input(IMAGE, (3, size, size)), 'flatten')
    for i, width in enumerate((512, 256)):
        x = g.relu(g.linear(x, f'layers.{i}', width, gain=math.sqrt(2)), f'layers.{i}.relu')
    g.output(g.linear(x, 'layers.2', classes, gain=2.0), SCORES)


def digits_conv(g, size=8, classes=10):
    """The small convolutional classifier of handwritten digits."""
    x = g.input(IMAGE, (1, size, size))
    for i, (width, stride) in enumerate(((16, 1), (32, 2), (48, 1))):
        x = g.relu(g.conv_norm(x, f'conv{i}', f'norm{i}', width, 3, stride, 1), f'relu{i}')
    _head(g, x, 'head', classes)


def digits_vit(g, size=8, classes=10):
    """The small transformer for the same images: patches of 2x2, three products for each head."""
    vit(g, 1, size, 2, 32, 3, 2, 64, classes, split=True)


# Name: function, usual size, parameters at that size with 1000 classes, 10^9 multiply-adds.
NETWORKS = {
    'resnet18': (resnet18, 224, 11689512, 1.8141),
    'resnet34': (resnet34, 224, 21797672, 3.6638),
    'resnet50': (resnet50, 224, 25557032, 4.0892),
    'mobilenet_v2': (mobilenet_v2, 224, 3504872, 0.3008),
    'efficientnet_b0': (efficientnet_b0, 224, 5288548, 0.3858),
    'vit_b_16': (vit_b_16, 224, 86567656, 17.5638),
    'vit_b_16_split': (vit_b_16_split, 224, 86567656, 17.5638),
    'vit_tiny': (vit_tiny, 224, 5717416, 1.2537),
    'mlp': (mlp, 32, 1961704, 0.0020),
}
