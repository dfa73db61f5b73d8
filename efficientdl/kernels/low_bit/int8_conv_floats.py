"""A convolution of bytes whose sums become floats while they are in the nearest cache."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from efficientdl import _check
from efficientdl.kernels.arrays import demand_array
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.low_bit.int8_conv import int8_conv_cost, int8_conv_reference
from efficientdl.kernels.low_bit.int8_filters import LANES, Int8Filters, columns_of_filters
from efficientdl.kernels.low_bit.int8_pictures import (
    Pictures,
    Shape,
    ZeroPoints,
    arrange,
    room,
    strip_sums,
    whole,
)
from efficientdl.kernels.simd import floats, load, splat, store
from efficientdl.kernels.threads import deal
from efficientdl.kernels.window import Window
from efficientdl.report import Cost

PerFilter = Float32[np.ndarray, " c_out"]


@dataclass(frozen=True, eq=False)
class FilterScales:
    """What `pack_scales` made of the scales and biases of some filters.

    Attributes:
        filters: The filters whose sums become floats.
        scales: What a step of each filter stands for.
        biases: What is added to each output.
        factors: Scales, and below them biases, in the order of the filters' panels.
    """

    filters: Int8Filters
    scales: PerFilter
    biases: PerFilter
    factors: Float32[np.ndarray, "2 width"]


def pack_scales(
    filters: Int8Filters, scales: PerFilter, biases: PerFilter | None = None
) -> FilterScales:
    """Put scales and biases in the order of the filters' panels, and check them.

    Args:
        filters: The filters.
        scales: What a step of each stands for.
        biases: What is added to each output; nothing where there are none.

    Raises:
        BadKind: An array is not float32.
        BadValue: A shape does not fit, or a number is not finite.

    >>> from efficientdl.kernels.low_bit.int8_filters import pack_filters
    >>> filters = pack_filters(np.ones((1, 1, 1, 1), np.int8))
    >>> pack_scales(filters, np.float32([0.5])).factors[:, :2].tolist()
    [[0.5, 0.0], [0.0, 0.0]]
    """
    caller = "pack_scales"
    _check.kind(caller, "filters", filters, Int8Filters)
    c_out = filters.shape[0]
    biases = np.zeros(c_out, np.float32) if biases is None else biases
    for name, array in (("scales", scales), ("biases", biases)):
        demand_array(caller, name, array, np.float32)
        if array.shape != (c_out,):
            _check.fail(caller, name, f"must be one for each of {c_out} filters", array.shape)
        if not np.isfinite(array).all():
            _check.fail(caller, name, "must be finite", array.tolist())
    factors = np.stack([filters.by_column(scales), filters.by_column(biases)])
    return FilterScales(filters, scales.copy(), biases.copy(), factors)


def int8_conv_floats(
    x: Pictures,
    to: FilterScales,
    window: Window,
    zero_points: ZeroPoints,
    scales: Float32[np.ndarray, " n"],
) -> Float32[np.ndarray, "n c_out p q"]:
    """`int8_conv`, and its sums scaled: `y = scale_x scale_w sum (x - z_x) (w - z_w) + bias`.

    Args:
        x: Pictures, in uint8 or int8.
        to: The filters and their scales, as `pack_scales` packed them.
        window: How the window moves.
        zero_points: The code of zero in each picture.
        scales: What a step of each picture stands for.

    Raises:
        BadKind: An array has another dtype.
        BadValue: The shapes do not fit, a zero point is no code, or a scale is not finite.

    >>> from efficientdl.kernels.low_bit.int8_filters import pack_filters
    >>> to = pack_scales(pack_filters(np.int8([[[[3]]]])), np.float32([0.5]), np.float32([1]))
    >>> int8_conv_floats(np.uint8([[[[4, 6]]]]), to, Window(), np.int32([4]), np.float32([2]))
    array([[[[1., 7.]]]], dtype=float32)

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", CVPR 2018, section 2; the survey's section 2.3; lab 13.
    """
    caller = "int8_conv_floats"
    _check.kind(caller, "to", to, FilterScales)
    made = arrange(caller, x, to.filters, window, zero_points)
    demand_array(caller, "scales", scales, np.float32)
    if scales.shape != zero_points.shape:
        _check.fail(caller, "scales", f"must be one for each of {len(x)} pictures", scales.shape)
    if not np.isfinite(scales).all():
        _check.fail(caller, "scales", "must be finite", scales.tolist())
    y = np.empty(made.shape, np.float32)
    deal(
        _convolve_floats,
        made.n_tiles,
        made.x,
        columns_of_filters(to.filters, np.zeros(to.filters.width, np.int32)),
        made.plan,
        (to.factors.reshape(-1), to.filters.width, whole(scales)),
        (y.reshape(-1), to.filters.shape[0]),
    )
    return y.transpose(0, 3, 1, 2)


def int8_conv_floats_reference(
    x: Pictures,
    to: FilterScales,
    window: Window,
    zero_points: ZeroPoints,
    scales: Float32[np.ndarray, " n"],
) -> Float32[np.ndarray, "n c_out p q"]:
    """The same in NumPy."""
    sums = int8_conv_reference(x, to.filters, window, zero_points).astype(np.float32)
    step = (scales[:, None] * to.scales)[:, :, None, None]
    return sums * step + to.biases[:, None, None]


def int8_conv_floats_cost(
    x: Shape, to: FilterScales, window: Window, zero_points: Shape, scales: Shape
) -> Cost:
    """As of `int8_conv`, with the scales of pictures, and two numbers for each filter.

    >>> from efficientdl.kernels.low_bit.int8_filters import pack_filters
    >>> to = pack_scales(pack_filters(np.ones((8, 4, 3, 3), np.int8)), np.ones(8, np.float32))
    >>> int8_conv_floats_cost((1, 4, 5, 5), to, Window(padding=(1, 1)), (1,), (1,))
    Cost(macs=7200, traffic_bytes=1260)
    """
    cost = int8_conv_cost(x, to.filters, window, zero_points)
    moved = (cost.traffic_bytes or 0) + 4 * scales[0] + 8 * to.filters.shape[0]
    return Cost(macs=cost.macs, traffic_bytes=moved)


@compiled
def _convolve_floats(first, last, x, w, plan, to_floats, to):
    (factors, all_columns, scales), (y, c_out) = to_floats, to
    sums, packed, width = room(plan)
    some = np.empty(LANES, np.float32)
    for tile in range(first, last):
        row, n_rows, column, n_filters, at_column, image = strip_sums(
            tile, x, w, plan, sums, packed
        )
        scale = splat(scales[image])
        for j in range(0, n_filters, LANES):
            step = scale * load(factors, at_column + j)
            bias = load(factors, all_columns + at_column + j)
            for i in range(n_rows):
                place = (row + i) * c_out + column + j
                values = floats(load(sums, i * width + j)) * step + bias
                if n_filters - j >= LANES:
                    store(y, place, values)
                else:
                    store(some, 0, values)
                    for k in range(n_filters - j):
                        y[place + k] = some[k]
