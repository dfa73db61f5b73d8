"""Random graphs and networks to plan and to run."""

import torch
from hypothesis import strategies as st
from torch import nn

from efficientdl.systems.compiler.graph import Graph, Value, node

SHAPES = ((2, 6), (12,), (3, 4))


@st.composite
def graphs(draw, max_nodes=10):
    """A graph of small operations on twelve numbers, any value of which may be given back."""
    known = [Value("x", SHAPES[0]), Value("z", SHAPES[0])]
    nodes = []
    for i in range(draw(st.integers(1, max_nodes))):
        value = draw(st.sampled_from(known))
        alike = [v for v in known if v.shape == value.shape]
        op = draw(st.sampled_from(["relu", "sigmoid", "add", "mul", "reshape", "split", "softmax"]))
        if op in {"add", "mul"}:
            made = [node(f"n{i}", op, [value, draw(st.sampled_from(alike))])]
        elif op == "reshape":
            made = [node(f"n{i}", op, [value], shape=draw(st.sampled_from(SHAPES)))]
        elif op == "split":
            sizes = (1, value.shape[0] - 1)
            parts = node(f"n{i}", op, [value], axis=0, sizes=sizes)
            made = [parts, node(f"c{i}", "concat", list(reversed(parts.outputs)), axis=0)]
        else:
            made = [node(f"n{i}", op, [value], **({"axis": 0} if op == "softmax" else {}))]
        nodes += made
        known += made[-1].outputs
    names = [v.name for v in known]
    outputs = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    return Graph(tuple(known[:2]), {}, tuple(nodes), tuple(outputs))


@st.composite
def local_networks(draw):
    """A network of convolutions, norms, activations, pools and sums, for pictures, in float64."""
    kinds = st.sampled_from(["conv", "depthwise", "pool", "residual", "norm"])
    layer = st.tuples(kinds, st.sampled_from([1, 3, 5]), st.integers(1, 2), st.integers(1, 4))
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 3)), *draw(SIDES))
    return seeded(local_network, draw(st.lists(layer, min_size=1, max_size=4)), shape)


SIDES = st.tuples(st.integers(9, 14), st.integers(9, 14))


def local_network(kinds, shape):
    c, layers = shape[1], []
    for kind, k, stride, c_out in kinds:
        if kind == "conv":
            layers.append(nn.Conv2d(c, c_out, k, stride, k // 2))
            c = c_out
        elif kind == "depthwise":
            layers.append(nn.Conv2d(c, c, 3, stride, 1, groups=c))
        elif kind == "pool":
            layers.append(nn.MaxPool2d(2, 1, k // 5))
        elif kind == "residual":
            layers.append(Residual(c))
        else:
            layers += [nn.BatchNorm2d(c), nn.ReLU6()]
    return nn.Sequential(*layers).double().eval(), torch.randn(shape, dtype=torch.float64)


class Residual(nn.Module):
    """A sum whose branches look at neighbourhoods of different sizes."""

    def __init__(self, c):
        super().__init__()
        self.wide, self.narrow = nn.Conv2d(c, c, 3, padding=1), nn.Conv2d(c, c, 1)

    def forward(self, x):
        return torch.relu(self.narrow(x) + self.wide(torch.relu(x)) + x)


def inverted_residual(c=4, expand=24, side=16):
    """The block of MobileNetV2, in float64, with its input."""
    block = nn.Sequential(
        nn.Conv2d(c, expand, 1),
        nn.ReLU6(),
        nn.Conv2d(expand, expand, 3, padding=1, groups=expand),
        nn.ReLU6(),
        nn.Conv2d(expand, c, 1),
    )
    return block.double().eval(), torch.randn(2, c, side, side, dtype=torch.float64)


def seeded(make, *args, seed=0):
    """What `make` gives with torch's generator at a seed, which is put back."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make(*args)
