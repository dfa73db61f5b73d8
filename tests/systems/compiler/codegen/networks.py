"""Integer networks to generate code for: drawn at random, or written out, layer by layer."""

import pytest
import torch
from hypothesis import strategies as st

from efficientdl.models.layers.activation_codes import ActivationCodes
from efficientdl.models.layers.integer import Geometry, IntegerConv2d, IntegerLinear
from efficientdl.models.layers.integer_steps import (
    IntegerAdd,
    IntegerAveragePool,
    IntegerClamp,
    IntegerConcat,
    IntegerMaxPool,
    IntegerNetwork,
    IntegerReshape,
)
from efficientdl.systems.compiler.codegen import c_compiler
from efficientdl.systems.compiler.codegen.shapes import shapes_of
from efficientdl.systems.compiler.codegen.window import axes_of
from efficientdl.tensors import PerChannel, affine, choose_qparams, symmetric

needs_a_compiler = pytest.mark.skipif(c_compiler() is None, reason="no C compiler is here")
X, Y = ActivationCodes(0.05, -7), ActivationCodes(0.11, 12)


def codes_of(shape, seed=0):
    """Codes that take every value of a byte."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-128, 128, shape, generator=generator, dtype=torch.int8)


def network_of(*steps, x=X, y=Y):
    """Steps in a chain, or each with the values that it takes."""
    rows = [
        (f"step{i}", *(step if isinstance(step, tuple) else (step, (i,))))
        for i, step in enumerate(steps)
    ]
    return IntegerNetwork(rows, x=x, y=y)


def product(shape, *, geometry=None, x=X, y=Y, rule=symmetric, seed=0):
    """A linear layer, or a convolution where there is a geometry, with random weights."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(shape, generator=generator) + (0.3 if rule is affine else 0.0)
    bias = 3 * torch.randn(shape[0], generator=generator)
    given = (weight, bias) if geometry is None else (weight, bias, geometry)
    qparams = choose_qparams(weight, bits=8, granularity=PerChannel(), rule=rule)
    layer = IntegerLinear if geometry is None else IntegerConv2d
    return layer(*given, qparams=qparams, x=x, y=y)


def conv(c_in, c_out, kernel=(3, 3), stride=(1, 1), padding=(0, 0), dilation=(1, 1), **more):
    """A convolution with random weights."""
    groups = more.pop("groups", 1)
    geometry = Geometry(kernel, stride, padding, dilation, groups)
    return product((c_out, c_in // groups, *kernel), geometry=geometry, **more)


class Drawn:
    """A network that grows by one step after the other."""

    def __init__(self, draw):
        self.draw = draw
        c, h, w = (draw(st.integers(1, n)) for n in (4, 7, 7))
        self.x_shape = (1, c, h, w)
        self.shapes, self.codes, self.steps = [(c, h, w)], [self.scale()], []

    def scale(self):
        low, high = sorted((self.draw(st.integers(-128, 127)), self.draw(st.integers(-128, 127))))
        whole = self.draw(st.booleans())
        ends = (-128, 127) if whole else (low, high)
        scale = self.draw(st.sampled_from([0.01, 0.04, 0.3]))
        return ActivationCodes(scale, self.draw(st.integers(-128, 127)), *ends)

    def grow(self):
        value = self.draw(st.integers(0, len(self.shapes) - 1))
        picture = len(self.shapes[value]) == 3
        names = ["clamp", "add", "concat", "reshape"]
        names += ["convolution", "depthwise", "average", "largest"] if picture else ["linear"]
        module, takes, y = getattr(self, self.draw(st.sampled_from(names)))(value)
        self.steps.append((f"block.step{len(self.steps)}", module, takes))
        self.codes.append(y)
        self.shapes = self.network().shapes
        return self

    def network(self):
        made = IntegerNetwork(self.steps, x=self.codes[0], y=self.codes[-1])
        made.shapes = shapes_of(made, self.x_shape)
        return made

    def geometry(self, value, groups=1):
        axes = []
        for size in self.shapes[value][1:]:
            padding, dilation = self.draw(st.integers(0, 3)), self.draw(st.integers(1, 2))
            most = (size + 2 * padding - 1) // dilation + 1
            kernel = self.draw(st.integers(1, min(most, 4)))
            axes.append((kernel, self.draw(st.integers(1, 3)), padding, dilation))
        return Geometry(*zip(*axes, strict=True), groups)

    def layer(self, shape, value, geometry=None):
        y, rule = self.scale(), self.draw(st.sampled_from([symmetric, affine]))
        seed = self.draw(st.integers(0, 99))
        made = product(shape, geometry=geometry, x=self.codes[value], y=y, rule=rule, seed=seed)
        return made, (value,), y

    def convolution(self, value):
        c = self.shapes[value][0]
        groups = self.draw(st.sampled_from([g for g in (1, 2, 3) if c % g == 0]))
        geometry = self.geometry(value, groups)
        c_out = groups * self.draw(st.integers(1, 3))
        return self.layer((c_out, c // groups, *geometry.kernel), value, geometry)

    def depthwise(self, value):
        c = self.shapes[value][0]
        geometry = self.geometry(value, c)
        return self.layer((c, 1, *geometry.kernel), value, geometry)

    def linear(self, value):
        return self.layer((self.draw(st.integers(1, 5)), *self.shapes[value]), value)

    def average(self, value):
        y, geometry = self.scale(), self.geometry(value)
        one_pixel = all(axis.places == 1 for axis in axes_of(geometry, self.shapes[value][1:]))
        keeps_axes = self.draw(st.booleans()) if one_pixel else True
        pool = IntegerAveragePool(geometry, x=self.codes[value], y=y, keeps_axes=keeps_axes)
        return pool, (value,), y

    def largest(self, value):
        return IntegerMaxPool(self.geometry(value)), (value,), self.codes[value]

    def clamp(self, value):
        y = self.codes[value].between(0.0, self.draw(st.sampled_from([0.5, 6.0])))
        return IntegerClamp(y), (value,), y

    def reshape(self, value):
        shape = self.shapes[value]
        n = torch.Size(shape).numel()
        to = self.draw(st.sampled_from([(n,), tuple(reversed(shape)), (1, 1, n), (n, 1, 1)]))
        return IntegerReshape(to), (value,), self.codes[value]

    def several(self, value, alike):
        others = [i for i, shape in enumerate(self.shapes) if alike(shape)]
        takes = (value, *self.draw(st.lists(st.sampled_from(others), max_size=2)))
        return takes, [self.codes[i] for i in takes], self.scale()

    def add(self, value):
        takes, xs, y = self.several(value, lambda shape: shape == self.shapes[value])
        return IntegerAdd(xs, y), takes, y

    def concat(self, value):
        takes, xs, y = self.several(value, lambda shape: shape[1:] == self.shapes[value][1:])
        return IntegerConcat(xs, y), takes, y


def drawn_network(draw, max_steps=6):
    """An integer network of any steps, and the shape of what it takes.

    Args:
        draw: That of `st.data()`: layers are built between the draws, not inside of a strategy,
            since the check of shapes takes numbers from the global generator.
        max_steps: The most steps.
    """
    drawn = Drawn(draw)
    for _ in range(draw(st.integers(1, max_steps))):
        drawn.grow()
    return drawn.network(), drawn.x_shape
