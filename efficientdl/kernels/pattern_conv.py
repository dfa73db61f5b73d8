"""Convolution with pruned filters: the taps kept are walked, and no matrix is made of x.

The input is padded, and a tap is then a place to read from: 64 pixels beside one another are four
loads. Filters that keep much the same taps go in fours, and a load serves all four. A filter alone
has as many loads as multiplications; for it the input lies there once for each column of the
kernel, shifted by a pixel each, so that no load straddles two cache lines.
"""

import numpy as np
from jaxtyping import Float32

from efficientdl import _check
from efficientdl.catalogue import Kernel, technique
from efficientdl.kernels.pattern_loops import Pictures, convolve, scratch_floats
from efficientdl.kernels.pattern_weight import (
    PatternWeight,
    demand_floats,
    pack_pattern,
    unpack_pattern,
)
from efficientdl.kernels.planes import (
    Finish,
    Floats,
    Planes,
    demand_apart,
    demand_planes,
    finish_for,
    finish_of,
    floats_of,
    place_for,
)
from efficientdl.kernels.window import Window
from efficientdl.report import Cost

Images = Float32[np.ndarray, "n c h w"]
Shape = tuple[int, ...]

SAME = Window(padding=(1, 1))


def _inputs(rng: np.random.Generator, size: int) -> tuple[object, ...]:
    """Images of odd sizes; filters of four taps each, alike in fours or not; strides of 1 and 2."""
    c_out, c_in, n_taps = size, int(rng.integers(1, 2 * size + 1)), 9
    weight = rng.standard_normal((c_out, c_in, n_taps)).astype(np.float32)
    alike = -(-c_out // 4) if rng.random() < 0.5 else c_out
    score = rng.random((alike, c_in, n_taps)).repeat(-(-c_out // alike), axis=0)[:c_out]
    weight *= score >= np.sort(score, axis=2)[:, :, 5:6]
    x = rng.standard_normal((2, c_in, size, int(rng.integers(1, 40)))).astype(np.float32)
    stride = int(rng.integers(1, 3))
    return x, pack_pattern(weight.reshape(c_out, c_in, 3, 3)), Window((stride, stride), (1, 1))


@technique(
    "kernel-pattern-conv",
    paper="Niu, Ma, Lin, Wang, Qian, Lin, Wang, Ren, PatDNN: Achieving Real-Time DNN Execution on "
    "Mobile Devices with Pattern-based Weight Pruning, 2020",
    survey="2.1",
    lab="13_kernels_and_compilers",
    kind=Kernel(inputs=_inputs, tolerance=1e-4, reason="the same sums in another order"),
)
def pattern_conv(
    x: Images, weight: PatternWeight, window: Window = SAME
) -> Float32[np.ndarray, "n c_out p q"]:
    """Convolve with pruned filters, touching the taps kept alone.

    For 64 pixels at a time, and eight input channels: every tap kept multiplies 64 pixels by one
    number, or by one for each of four filters, and adds to sums that lie in registers. Four of nine
    taps are 2.25 times fewer multiplications than the dense convolution's. Any mask will do, and
    any size of kernel; patterns are what makes filters alike.

    Args:
        x: The images.
        weight: From `pack_pattern`.
        window: Stride, padding and dilation, of one each unless given.

    Raises:
        BadKind: A dtype is another one.
        BadValue: The arrays do not fit together, or the kernel is larger than the padded image.

    >>> weight = np.zeros((1, 1, 3, 3), np.float32)
    >>> weight[0, 0, 1, :2] = 10, 1  # ten times the left neighbour
    >>> pattern_conv(np.float32([[[[1, 2, 3]]]]), pack_pattern(weight))
    array([[[[ 1., 12., 23.]]]], dtype=float32)

    Source: Niu et al., "PatDNN", ASPLOS 2020; Ma et al., "PCONV", AAAI 2020; without patterns: Park
    et al., "Faster CNNs with Direct Sparse Convolutions and Guided Pruning", ICLR 2017, section
    2.1; the survey's section 2.1; lab 13.
    """
    _demand(x, weight, window)
    n, c_in, height, width = x.shape
    c_out = weight.shape[0]
    p, q = window.outputs("pattern_conv", (height, width), weight.kernel)
    y = np.empty((n, c_out, p, q), np.float32)
    if y.size:
        of_x = Pictures(n, height, width, c_in * height * width, height * width)
        of_y = Pictures(n, p, q, c_out * p * q, p * q)
        flat, finish = np.ascontiguousarray(x).reshape(-1), finish_of(np.zeros(c_out, np.float32))
        convolve(flat, of_x, weight, window, y.reshape(-1), of_y, finish)
    return y


def pattern_planes(
    x: Planes,
    weight: PatternWeight,
    window: Window,
    finish: Finish | None = None,
    into: Floats | None = None,
    scratch: Floats | None = None,
) -> Planes:
    """`pattern_conv` from planes to planes, with a bias and within bounds.

    Args:
        x: The planes.
        weight: From `pack_pattern`.
        window: Stride, padding and dilation.
        finish: A bias for each output channel, and the bounds; none unless given.
        into: Where to put the result; a new place if there is none.
        scratch: Room of `scratch_floats` for what lies in between; new room if there is none.

    Raises:
        BadValue: The weight has other channels than `x`; there is too little room, or two places
            overlap.

    >>> from efficientdl.kernels.planes import planes_of
    >>> weight = pack_pattern(np.float32([[[[-1]]]]))
    >>> x, finish = planes_of(np.float32([[[1, -2]]])), finish_of(np.zeros(1, np.float32), (0, 9))
    >>> pattern_planes(x, weight, Window(), finish).image
    array([[[0., 2.]]], dtype=float32)
    """
    caller = "pattern_planes"
    _check.kind(caller, "weight", weight, PatternWeight)
    c_out, c_in = weight.shape
    demand_planes(caller, x, c_in)
    p, q = window.outputs(caller, (x.height, x.width), weight.kernel)
    y = Planes(place_for(caller, into, floats_of(c_out, p * q)), c_out, p, q)
    finish = finish_for(caller, finish, c_out, c_out)
    n_scratch = scratch_floats((1, c_in, x.height, x.width), weight, window, (p, q))
    scratch = place_for(caller, scratch, n_scratch, "scratch")
    demand_apart(caller, x=x.floats, into=y.floats, scratch=scratch)
    of_x, of_y = Pictures(1, x.height, x.width, 0, x.step), Pictures(1, p, q, 0, y.step)
    convolve(x.floats, of_x, weight, window, y.floats, of_y, finish, scratch)
    return y


def pattern_conv_reference(
    x: Images, weight: PatternWeight, window: Window = SAME
) -> Float32[np.ndarray, "n c_out p q"]:
    """The same by shifted images: each tap of the dense filters times a padded image."""
    (down, right), (above, beside), (below, across) = window
    p, q = window.outputs("pattern_conv", (x.shape[2], x.shape[3]), weight.kernel)
    dense = unpack_pattern(weight).astype(np.float64)
    padded = np.pad(x, ((0, 0), (0, 0), (above, above), (beside, beside)))
    y = np.zeros((len(x), weight.shape[0], p, q))
    for r in range(weight.kernel[0]):
        for s in range(weight.kernel[1]):
            seen = padded[:, :, r * below :: down, s * across :: right][:, :, :p, :q]
            y += np.einsum("oc,nchw->nohw", dense[:, :, r, s], seen)
    return y.astype(np.float32)


def pattern_conv_cost(x: Shape, weight: PatternWeight, window: Window = SAME) -> Cost:
    """MACs of the taps kept, and bytes that must travel: images, taps and sums in float32.

    >>> ones = pack_pattern(np.ones((4, 2, 3, 3), np.float32))
    >>> pattern_conv_cost((1, 2, 5, 5), ones).macs == 4 * 2 * 9 * 25
    True
    """
    n, c_in, height, width = x
    p, q = window.outputs("pattern_conv", (height, width), weight.kernel)
    moved = n * (c_in * height * width + weight.shape[0] * p * q) + weight.values.size
    macs = n * int((weight.values != 0).sum()) * p * q
    return Cost(macs=macs, traffic_bytes=4 * (moved + 2 * len(weight.taps)))


def _demand(x: Images, weight: PatternWeight, window: Window) -> None:
    demand_floats("pattern_conv", "x", x)
    _check.kind("pattern_conv", "weight", weight, PatternWeight)
    _check.kind("pattern_conv", "window", window, Window)
    if x.ndim != 4 or x.shape[1] != weight.shape[1]:
        rule = f"must be n {weight.shape[1]} h w"
        _check.fail("pattern_conv", "shape of x", rule, x.shape)
