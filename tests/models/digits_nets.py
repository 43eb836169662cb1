# SPDX-License-Identifier: Apache-2.0
"""The two networks of handwritten digits as torch modules, and how they learn.

Parameters are named as onnx_nets names them, so that a state becomes a file without a table of
names. Images are [N, 1, 8, 8] in [0, 1], the strokes bright.
"""
import math

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn


class Conv(nn.Module):
    def __init__(self):
        super().__init__()
        channels = 1
        for i, (width, stride) in enumerate(((16, 1), (32, 2), (48, 1))):
            setattr(self, f'conv{i}', nn.Conv2d(channels, width, 3, stride, 1, bias=False))
            setattr(self, f'norm{i}', nn.BatchNorm2d(width))
            channels = width
        self.head = nn.Linear(channels, 10)

    def forward(self, x):
        for i in range(3):
            x = F.relu(getattr(self, f'norm{i}')(getattr(self, f'conv{i}')(x)))
        return self.head(x.mean((2, 3)))


class Block(nn.Module):
    def __init__(self, width, heads, inner):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = (nn.LayerNorm(width, eps=1e-6) for _ in range(2))
        self.self_attention = nn.ModuleDict({
            name: nn.Linear(width, width) for name in ('query', 'key', 'value', 'out_proj')})
        self.mlp = nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.Dropout(0.1),
                                 nn.Linear(inner, width))

    def attend(self, x):
        n, tokens, width = x.shape
        q, k, v = (self.self_attention[name](x).view(n, tokens, self.heads, -1).transpose(1, 2)
                   for name in ('query', 'key', 'value'))
        share = (q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])).softmax(-1)
        y = (share @ v).transpose(1, 2).reshape(n, tokens, width)
        return self.self_attention['out_proj'](y)

    def forward(self, x):
        x = x + self.attend(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    def __init__(self, tokens, width, depth, heads, inner):
        super().__init__()
        self.pos_embedding = nn.Parameter(0.02 * torch.randn(1, tokens, width))
        self.layers = nn.ModuleDict({f'encoder_layer_{i}': Block(width, heads, inner)
                                     for i in range(depth)})
        self.ln = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x):
        x = x + self.pos_embedding
        for layer in self.layers.values():
            x = layer(x)
        return self.ln(x)


class Vit(nn.Module):
    def __init__(self, width=32, depth=3, heads=2, inner=64):
        super().__init__()
        self.conv_proj = nn.Conv2d(1, width, 2, 2)
        self.class_token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.encoder = Encoder(17, width, depth, heads, inner)
        self.heads = nn.ModuleDict({'head': nn.Linear(width, 10)})

    def forward(self, x):
        x = self.conv_proj(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], 1)
        return self.heads['head'](self.encoder(x)[:, 0])


def data():
    """(train images, train labels, test images, test labels); 500 images are held out."""
    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)[:, None]
    train, test, train_labels, test_labels = train_test_split(
        images, digits.target, test_size=500, random_state=0, stratify=digits.target)
    return tuple(map(torch.from_numpy, (train, train_labels, test, test_labels)))


def distort(images):
    """Turned by up to 12 degrees, 12 % larger or smaller, moved by up to three quarters of a
    pixel."""
    n = len(images)
    angle = (torch.rand(n) * 2 - 1) * math.radians(12)
    size = 1 + (torch.rand(n) * 2 - 1) * 0.12
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(n, 2, 2)
    move = (torch.rand(n, 2, 1) * 2 - 1) * 0.75 / 4
    grid = F.affine_grid(torch.cat([turn * size.view(n, 1, 1), move], 2), images.shape,
                         align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def train(net, images, labels, epochs, rate, batch=64):
    steps = epochs * (len(images) // batch)
    optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps,
                                                   pct_start=0.1)
    net.train()
    for _ in range(epochs):
        order = torch.randperm(len(images))
        for i in range(len(images) // batch):
            chosen = order[i * batch:(i + 1) * batch]
            loss = F.cross_entropy(net(distort(images[chosen])), labels[chosen],
                                   label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    net.eval()


@torch.no_grad()
def accuracy(net, images, labels):
    return float((net(images).argmax(1) == labels).double().mean())
