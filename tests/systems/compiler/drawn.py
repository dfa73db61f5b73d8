"""Graphs drawn by Hypothesis: convolutions, norms, sums and what arranges values, in float64."""

import numpy as np
import torch
from hypothesis import strategies as st

from efficientdl.systems.compiler.graph import Graph, Value, constant, node

CHANNELS, SIDE = 4, 4
NAMES = ("conv", "pointwise", "norm", "relu", "hardswish", "sum")
NAMES += ("scale", "apart", "channels_last", "reshaped")


class Build:
    """A graph that grows by a list of numbers: each says what comes next, and of what."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.x = Value("x", (1, CHANNELS, SIDE, SIDE), torch.float64)
        self.constants, self.nodes, self.values = {}, [], [self.x]

    def hold(self, shape, *, low=-1.0, high=1.0):
        name = f"c{len(self.constants)}"
        self.constants[name] = torch.from_numpy(self.rng.uniform(low, high, shape))
        return constant(name, self.constants[name])

    def add(self, op, inputs, **attributes):
        self.nodes.append(node(f"n{len(self.nodes)}", op, inputs, **attributes))
        return self.nodes[-1].outputs

    def conv(self, a, _):
        w = self.hold((CHANNELS, CHANNELS, 3, 3))
        return self.add("conv2d", [a, w], padding=(1, 1))

    def pointwise(self, a, _):
        w, b = self.hold((CHANNELS, CHANNELS, 1, 1)), self.hold((CHANNELS,))
        return self.add("conv2d", [a, w, b])

    def norm(self, a, _):
        held = [self.hold((CHANNELS,)) for _ in range(3)]
        return self.add("batch_norm", [a, *held, self.hold((CHANNELS,), low=0.5, high=2.0)])

    def relu(self, a, _):
        return self.add("relu", [a])

    def hardswish(self, a, _):
        return self.add("hardswish", [a])

    def sum(self, a, b):
        return self.add("add", [a, b])

    def scale(self, a, _):
        c = self.hold((1, CHANNELS, 1, 1))
        (twice,) = self.add("add", [c, c])
        return self.add("mul", [a, twice])

    def apart(self, a, b):
        halves = self.add("split", [a], axis=1, sizes=(1, CHANNELS - 1))
        others = self.add("split", [b], axis=1, sizes=(1, CHANNELS - 1))
        return self.add("concat", [halves[0], others[1]], axis=1)

    def channels_last(self, a, _):
        (last,) = self.add("permute", [a], axes=(0, 2, 3, 1))
        (act,) = self.add("relu6", [last])
        return self.add("permute", [act], axes=(0, 3, 1, 2))

    def reshaped(self, a, _):
        (flat,) = self.add("reshape", [a], shape=(1, CHANNELS * SIDE * SIDE))
        return self.add("reshape", [flat], shape=a.shape)

    def grow(self, op, first, second):
        a, b = self.values[first % len(self.values)], self.values[second % len(self.values)]
        self.values += getattr(self, NAMES[op % len(NAMES)])(a, b)

    def graph(self, outputs):
        names = tuple(dict.fromkeys(self.values[i % len(self.values)].name for i in outputs))
        return Graph((self.x,), self.constants, tuple(self.nodes), names)


def _built(seed, steps, outputs):
    build = Build(seed)
    for step in steps:
        build.grow(*step)
    return build.graph([-1, *outputs])


number = st.integers(0, 60)
graphs = st.builds(
    _built,
    st.integers(0, 2**16),
    st.lists(st.tuples(number, number, number), min_size=1, max_size=8),
    st.lists(number, max_size=1),
)


def inputs_of(graph, seed=0):
    return graph.example(np.random.default_rng(seed))


def assert_same_outputs(before, after):
    """The same numbers within the rounding of a few sums in float64."""
    x = inputs_of(before)
    for ours, theirs in zip(after.run(*x), before.run(*x), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def assert_never_dearer(before, after):
    was, became = before.cost().known(), after.cost().known()
    assert {name for name in was if became[name] > was[name]} == set()
