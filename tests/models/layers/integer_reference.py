"""Integer layers once more, in NumPy and Python's integers, one output at a time."""

import math
from fractions import Fraction

import numpy as np

from efficientdl.models.layers.integer import IntegerConv2d, IntegerLinear
from efficientdl.models.layers.integer_steps import (
    IntegerAdd,
    IntegerAveragePool,
    IntegerClamp,
    IntegerConcat,
    IntegerMaxPool,
    IntegerReshape,
)


def rounded(total, factor):
    """`total * factor` to the nearest whole number, a half upwards."""
    return math.floor(int(total) * factor + Fraction(1, 2))


def as_written(real):
    """A real factor with 31 bits, as an exact fraction."""
    exact, shift = Fraction(real), 0
    while exact * 2**shift < 2**30:
        shift += 1
    while exact * 2**shift >= 2**31:
        shift -= 1
    return Fraction(round(exact * 2**shift), 1) / Fraction(2) ** shift


def saturated(steps, y):
    return min(max(steps + y.zero_point, y.lowest), y.highest)


def places(x, geometry, border):
    """For each place of the window: where its output stands, and the codes under it."""
    (up, left), (down, across) = geometry.padding, geometry.dilation
    x = np.pad(x, ((0, 0), (up, up), (left, left)), constant_values=border)
    tall, wide = (geometry.kernel[0] - 1) * down + 1, (geometry.kernel[1] - 1) * across + 1
    rows = range(0, x.shape[1] - tall + 1, geometry.stride[0])
    columns = range(0, x.shape[2] - wide + 1, geometry.stride[1])
    for p, i in enumerate(rows):
        for q, j in enumerate(columns):
            yield p, q, x[:, i : i + tall : down, j : j + wide : across]


def picture(x, geometry, border, value_of, c_out):
    """`value_of(channel, window)` at every place, for one example."""
    found = list(places(x, geometry, border))
    y = np.zeros((c_out, found[-1][0] + 1, found[-1][1] + 1), np.int64)
    for p, q, window in found:
        y[:, p, q] = [value_of(c, window) for c in range(c_out)]
    return y


def product(layer, channel, x):
    """One output of a linear layer or convolution, its sum in Python's integers."""
    weight = layer.codes[channel].numpy().astype(object).ravel()
    zero_point, x_zero_point = int(layer.weight_zero_point[channel]), layer.x.zero_point
    steps = weight - zero_point
    bias = int(layer.bias[channel]) + x_zero_point * int(steps.sum())
    total = int((steps * (x.astype(object).ravel() - x_zero_point)).sum()) + bias
    assert abs(total) < 2**31
    factor = Fraction(int(layer.multiplier[channel]), 2 ** int(layer.shift[channel]))
    return saturated(rounded(total, factor), layer.y)


def conv(layer, x):
    per_group = x.shape[0] // layer.geometry.groups
    outputs = len(layer.codes) // layer.geometry.groups

    def value_of(channel, window):
        first = channel // outputs * per_group
        return product(layer, channel, window[first : first + per_group])

    return picture(x, layer.geometry, layer.x.zero_point, value_of, len(layer.codes))


def average(layer, x):
    factor = as_written(layer.x.scale / layer.y.scale / math.prod(layer.geometry.kernel))

    def value_of(channel, window):
        total = (window[channel].astype(object) - layer.x.zero_point).sum()
        return saturated(rounded(total, factor), layer.y)

    y = picture(x, layer.geometry, layer.x.zero_point, value_of, len(x))
    return y if layer.keeps_axes else y.reshape(len(x))


def add(layer, *xs):
    factors = [Fraction(m, 2**layer.shift) for m in layer.multipliers]
    y = np.zeros_like(xs[0])
    for place in np.ndindex(y.shape):
        triples = zip(xs, layer.xs, factors, strict=True)
        total = sum((int(x[place]) - codes.zero_point) * m for x, codes, m in triples)
        y[place] = saturated(rounded(1, total), layer.y)
    return y


def concat(layer, *xs):
    parts = []
    for x, codes in zip(xs, layer.xs, strict=True):
        factor = as_written(codes.scale / layer.y.scale)
        moved = [saturated(rounded(int(q) - codes.zero_point, factor), layer.y) for q in x.ravel()]
        parts.append(np.array(moved).reshape(x.shape))
    return np.concatenate(parts)


STEPS = {
    IntegerConv2d: conv,
    IntegerLinear: lambda layer, x: np.array([
        product(layer, channel, x) for channel in range(len(layer.codes))
    ]),
    IntegerAdd: add,
    IntegerConcat: concat,
    IntegerAveragePool: average,
    IntegerMaxPool: lambda layer, x: picture(
        x, layer.geometry, -128, lambda channel, window: window[channel].max(), len(x)
    ),
    IntegerClamp: lambda layer, x: np.clip(x, layer.y.lowest, layer.y.highest),
    IntegerReshape: lambda layer, x: x.reshape(layer.shape),
}


def integers(network, codes):
    """The codes that an integer network gives, example by example; and those of every step."""
    batch = []
    for example in codes.numpy().astype(np.int64):
        values = [example]
        for name, takes in network.wires:
            layer = network.get_submodule(name)
            values.append(STEPS[type(layer)](layer, *(values[i] for i in takes)))
        batch.append(values[-1])
    return np.stack(batch)
