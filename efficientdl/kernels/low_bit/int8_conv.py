"""A convolution of bytes, exact in int32."""

import numpy as np
from jaxtyping import Int32
from numpy.lib.stride_tricks import sliding_window_view

from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.low_bit.int8_filters import (
    LANES,
    Int8Filters,
    columns_of_filters,
    unpack_steps,
)
from efficientdl.kernels.low_bit.int8_pictures import (
    Pictures,
    Shape,
    ZeroPoints,
    arrange,
    room,
    strip_sums,
)
from efficientdl.kernels.simd import load, store
from efficientdl.kernels.threads import deal
from efficientdl.kernels.window import Window
from efficientdl.report import Cost


def int8_conv(
    x: Pictures, filters: Int8Filters, window: Window, zero_points: ZeroPoints
) -> Int32[np.ndarray, "n c_out p q"]:
    """Convolve bytes exactly: `sum (x - z_x) (w - z_w)` in int32; the border is the code of zero.

    Inside, the channels of a pixel lie side by side: a window then reads runs of bytes from the
    picture where it stands, and no copy is made for each of its places. A picture that lies so in
    memory already (`channels_last`) and has no border is not copied at all; the result lies so.

    Args:
        x: Pictures, in uint8 or int8.
        filters: What `pack_filters` made of the filters `c_out c_in r s`.
        window: How it moves.
        zero_points: The code of zero in each picture.

    Raises:
        BadKind: An array has another dtype.
        BadValue: The shapes do not fit, or a zero point is no code.

    >>> from efficientdl.kernels.low_bit.int8_filters import pack_filters
    >>> x = np.uint8([[[[1, 2, 3]]]])
    >>> filters = pack_filters(np.int8([[[[10, 1]]]]))
    >>> int8_conv(x, filters, Window(), np.int32([0]))
    array([[[[12, 23]]]], dtype=int32)
    >>> int8_conv(x, filters, Window(padding=(0, 1)), np.int32([1]))  # 0, 1 and 2 steps from zero
    array([[[[ 0,  1, 12, 20]]]], dtype=int32)

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", CVPR 2018, section 2.3, eq. 7; reading the picture in place:
    Dukhan, "The Indirect Convolution Algorithm", 2019; the survey's section 2.3; lab 13.
    """
    made = arrange("int8_conv", x, filters, window, zero_points)
    y = np.empty(made.shape, np.int32)
    nothing = np.zeros(filters.width, np.int32)
    deal(
        _convolve,
        made.n_tiles,
        made.x,
        columns_of_filters(filters, nothing),
        made.plan,
        (y.reshape(-1), filters.shape[0]),
    )
    return y.transpose(0, 3, 1, 2)


def int8_conv_reference(
    x: Pictures, filters: Int8Filters, window: Window, zero_points: ZeroPoints
) -> Int32[np.ndarray, "n c_out p q"]:
    """The same in NumPy: eq. 7 as it is written, in 64 bits."""
    (up, left), (d, e) = window.padding, window.dilation
    steps = x.astype(np.int64) - zero_points[:, None, None, None]
    padded = np.pad(steps, ((0, 0), (0, 0), (up, up), (left, left)))
    c_out, c_in, r, s = filters.shape
    seen = sliding_window_view(padded, (d * (r - 1) + 1, e * (s - 1) + 1), axis=(2, 3))
    seen = seen[:, :, :: window.stride[0], :: window.stride[1], ::d, ::e]
    n, _, p, q = seen.shape[:4]
    seen = seen.reshape(n, filters.groups, c_in, p, q, r, s)
    weight = unpack_steps(filters).reshape(filters.groups, -1, *filters.shape[1:])
    sums = np.einsum("ngcpqrs,gocrs->ngopq", seen, weight)
    return sums.reshape(n, c_out, p, q).astype(np.int32)


def int8_conv_cost(x: Shape, filters: Int8Filters, window: Window, zero_points: Shape) -> Cost:
    """MACs, and the bytes of pictures, filters, zero points and sums, each moved once.

    >>> from efficientdl.kernels.low_bit.int8_filters import pack_filters
    >>> filters = pack_filters(np.ones((8, 4, 3, 3), np.int8))
    >>> int8_conv_cost((1, 4, 5, 5), filters, Window(padding=(1, 1)), (1,))
    Cost(macs=7200, traffic_bytes=1192)
    """
    n, c_in, h, w = x
    c_out, per_group, r, s = filters.shape
    p, q = window.outputs("int8_conv_cost", (h, w), (r, s))
    n_sums, n_weights = n * c_out * p * q, c_out * per_group * r * s
    moved = n * c_in * h * w + n_weights + 4 * zero_points[0] + 4 * n_sums
    return Cost(macs=n_sums * per_group * r * s, traffic_bytes=moved)


@compiled
def _convolve(first, last, x, w, plan, to):
    y, c_out = to
    sums, packed, width = room(plan)
    for tile in range(first, last):
        row, n_rows, column, n_filters, _, _ = strip_sums(tile, x, w, plan, sums, packed)
        for i in range(n_rows):
            place = (row + i) * c_out + column
            for j in range(0, n_filters, LANES):
                if n_filters - j >= LANES:
                    store(y, place + j, load(sums, i * width + j))
                else:
                    for k in range(j, n_filters):
                        y[place + k] = sums[i * width + k]
