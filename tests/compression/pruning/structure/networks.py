"""Small networks that tie channels in every way there is, and what is known of them by hand."""

import torch
from torch import nn
from torch.nn import functional

from efficientdl.models.layers import channel_shuffle


def gen(seed):
    return torch.Generator().manual_seed(seed)


def randomised(model, seed=0):
    """Weights and batch norm statistics of ordinary size, none of them special."""
    rng = gen(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(
                torch.randn(parameter.shape, generator=rng) / parameter[0].numel() ** 0.5
            )
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.weight.copy_(0.5 + torch.rand(module.weight.shape, generator=rng))
                module.running_mean.copy_(torch.randn(module.running_mean.shape, generator=rng))
                module.running_var.copy_(0.5 + torch.rand(module.running_var.shape, generator=rng))
    return model.eval()


class Written(nn.Module):
    """Layers by name, and a forward function that uses them."""

    def __init__(self, forward, **layers):
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.written = forward

    def forward(self, x):
        return self.written(self, x)


def conv(c_in, c_out, kernel=1, **options):
    return nn.Conv2d(c_in, c_out, kernel, padding=kernel // 2, **options)


def tied():
    """The same weight twice: once from 6 to 6, once again."""
    shared = conv(6, 6, bias=False)
    again = conv(6, 6, bias=False)
    again.weight = shared.weight
    return nn.Sequential(conv(3, 6), nn.ReLU(), shared, nn.ReLU(), again, nn.ReLU(), conv(6, 2))


def side_by_side(a, b):
    """A concatenation, by assignment."""
    y = a.new_empty(len(a), a.shape[1] + b.shape[1], *a.shape[2:])
    y[:, : a.shape[1]] = a
    y[:, a.shape[1] :] = b
    return y


def first_zeroed(y):
    y[:, 0].zero_()
    return y


def both(left, right):
    return torch.cat([left.weight, right.weight])


# name: network, units of each group as counted by hand
NETWORKS = {
    "residual": (
        Written(
            lambda m, x: m.head((y := m.stem(x)) + m.branch(y).relu()),
            stem=conv(3, 6),
            branch=conv(6, 6, 3),
            head=conv(6, 2),
        ),
        [6],
    ),
    "concatenation": (
        Written(
            lambda m, x: m.head(torch.cat([m.left(x), m.right(x)], dim=1)),
            left=conv(3, 4),
            right=conv(3, 5),
            head=conv(9, 2),
        ),
        [4, 5],
    ),
    "depthwise": (
        nn.Sequential(conv(3, 6), nn.BatchNorm2d(6), conv(6, 6, 3, groups=6), conv(6, 2)),
        [6],
    ),
    "depthwise times two": (
        nn.Sequential(conv(3, 4), conv(4, 8, 3, groups=4), nn.ReLU(), conv(8, 2)),
        [4],
    ),
    "grouped": (nn.Sequential(conv(3, 6), conv(6, 8, 3, groups=2), nn.ReLU(), conv(8, 2)), [3, 4]),
    "shuffle": (
        Written(
            lambda m, x: m.head(channel_shuffle(m.stem(x), 2)),
            stem=conv(3, 6, groups=1),
            head=conv(6, 2),
        ),
        [3],
    ),
    "halves": (
        Written(
            lambda m, x: m.head(torch.mul(*m.stem(x).chunk(2, dim=1))),
            stem=conv(3, 8),
            head=conv(4, 2),
        ),
        [4],
    ),
    "halves read apart": (
        Written(
            lambda m, x: m.left((parts := m.stem(x).chunk(2, dim=1))[0]) + m.right(parts[1]),
            stem=conv(3, 8),
            left=conv(4, 2),
            right=conv(4, 2),
        ),
        [4],
    ),
    "flatten": (
        nn.Sequential(conv(3, 5), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(45, 7), nn.Linear(7, 2)),
        [5, 7],
    ),
    "tied": (tied(), [6]),
    "excited": (
        Written(
            lambda m, x: m.head(
                (y := m.stem(x)) * m.up(m.down(y.mean((2, 3), keepdim=True)).relu()).sigmoid()
            ),
            stem=conv(3, 6),
            down=conv(6, 3),
            up=conv(3, 6),
            head=conv(6, 2),
        ),
        [6, 3],
    ),
    "transposed": (
        nn.Sequential(conv(3, 4), nn.ConvTranspose2d(4, 6, 2, stride=2), nn.PReLU(6), conv(6, 2)),
        [4, 6],
    ),
    "padded": (
        Written(
            lambda m, x: m.head(functional.pad(m.stem(x), (0, 0, 0, 0, 1, 1)) + m.wide(x)),
            stem=conv(3, 4),
            wide=conv(3, 6),
            head=conv(6, 2),
        ),
        [4],
    ),
    "cut by number": (
        Written(
            lambda m, x: m.head(m.middle(m.stem(x)[:, :4])),
            stem=conv(3, 6),
            middle=conv(4, 5),
            head=conv(5, 2),
        ),
        [5],
    ),
    "input added": (
        Written(
            lambda m, x: m.head(m.middle(x + m.stem(x))),
            stem=conv(3, 3),
            middle=conv(3, 5),
            head=conv(5, 2),
        ),
        [5],
    ),
    "pairs, of which nothing can go": (
        Written(
            lambda m, x: m.head(m.stem(x).unflatten(1, (-1, 2)).amax(2)),
            stem=conv(3, 8),
            head=conv(4, 2),
        ),
        [],
    ),
    "group norm": (nn.Sequential(conv(3, 8), nn.GroupNorm(4, 8), nn.ReLU(), conv(8, 2)), [4]),
    "instance norm": (
        Written(
            lambda m, x: m.head(functional.instance_norm(m.stem(x))),
            stem=conv(3, 6),
            head=conv(6, 2),
        ),
        [6],
    ),
    "gated": (nn.Sequential(conv(3, 8), nn.GLU(dim=1), conv(4, 2)), [4]),
    "added in place": (
        Written(
            lambda m, x: m.head(m.left(x).add_(m.right(x)).relu_()),
            left=conv(3, 5),
            right=conv(3, 5),
            head=conv(5, 2),
        ),
        [5],
    ),
    "written into parts of a buffer": (
        Written(
            lambda m, x: m.head(side_by_side(m.left(x), m.right(x))),
            left=conv(3, 4),
            right=conv(3, 5),
            head=nn.Sequential(conv(9, 5), conv(5, 2)),
        ),
        [5],
    ),
    "one channel set to zero": (
        Written(
            lambda m, x: m.head(first_zeroed(m.stem(x))),
            stem=conv(3, 4),
            head=nn.Sequential(conv(4, 5), conv(5, 2)),
        ),
        [5],
    ),
    "a weight turned over": (
        Written(
            lambda m, x: m.head(functional.conv2d(x, m.stem.weight.flip(0))),
            stem=conv(3, 6, bias=False),
            head=nn.Sequential(conv(6, 5), conv(5, 2)),
        ),
        [5],
    ),
    "a weight read twice, once beside another": (
        Written(
            lambda m, x: m.head(m.left(x)) + m.wide(functional.conv2d(x, both(m.left, m.right))),
            left=conv(3, 4, bias=False),
            right=conv(3, 4, bias=False),
            head=conv(4, 2),
            wide=nn.Sequential(conv(8, 5), conv(5, 2)),
        ),
        [5],
    ),
    "a vector as the weight of one output, which stays": (
        Written(
            lambda m, x: m.head(functional.conv2d(m.stem(x), m.sums.weight.view(1, -1, 1, 1))),
            stem=conv(3, 6),
            sums=nn.PReLU(6),
            head=conv(1, 2),
        ),
        [6],
    ),
    "a mean over weights": (
        Written(
            lambda m, x: m.head(m.stem(x) * m.stem.weight.mean()),
            stem=conv(3, 4),
            head=nn.Sequential(conv(4, 5), conv(5, 2)),
        ),
        [5],
    ),
    "pixels shuffled": (
        nn.Sequential(conv(3, 12), nn.PixelShuffle(2), nn.PixelUnshuffle(2), conv(12, 2)),
        [3],
    ),
}
X = torch.randn(2, 3, 6, 6, generator=gen(7))
