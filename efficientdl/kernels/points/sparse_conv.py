"""Sparse convolution: features at points alone, multiplied by the weights that a kernel map pairs.

Two ways to the same sums. Gather, multiply, scatter: for each offset the features of its points are
copied side by side, multiplied as one matrix, and added to their sites. Fetch on demand: features
are read where they lie and sums stay in registers, so that nothing is copied at all.
"""

import numpy as np
from jaxtyping import Float32, Int64

from efficientdl import _check
from efficientdl.catalogue import Kernel, technique
from efficientdl.kernels import cpu
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.points.kernel_map import KernelMap, kernel_map
from efficientdl.kernels.points.kernel_map import _inputs as _some_points
from efficientdl.kernels.points.tiles import narrow_tiles, wide_tiles
from efficientdl.kernels.quads import LANES, WIDTH
from efficientdl.kernels.simd import aligned
from efficientdl.kernels.threads import deal
from efficientdl.report import Cost

Features = Float32[np.ndarray, "n c"]
Weight = Float32[np.ndarray, "k c_in c_out"]
Shape = tuple[int, ...]

BLOCK = 512  # sites of a tile: their sums, and the points around them, stay in a core's own cache


def _inputs(rng: np.random.Generator, size: int) -> tuple[object, ...]:
    """Features at some points, a filter, and their map; channels that fill no register."""
    points, sites, offsets = _some_points(rng, size)
    c_in, c_out = size, int(rng.integers(1, 7 * size))
    x = rng.standard_normal((len(points), c_in)).astype(np.float32)
    weight = rng.standard_normal((len(offsets), c_in, c_out)).astype(np.float32)
    return x, weight, kernel_map(points, sites, offsets)


@technique(
    "kernel-sparse-conv",
    paper="Tang, Liu, Li, Lin, Han, TorchSparse: Efficient Point Cloud Inference Engine, 2022",
    survey="6.1",
    lab="13_kernels_and_compilers",
    kind=Kernel(inputs=_inputs, tolerance=1e-4, reason="the same sums in another order"),
)
def sparse_conv(x: Features, weight: Weight, pairs: KernelMap) -> Features:
    """Convolve features at points, each read where it lies: `y[o] += x[i] W[k]` for every pair.

    The sites are cut into blocks, which threads take in turn. In a block every offset's pairs go
    six at a time, and their sums lie in registers while the channels of the input stream by. Each
    feature of an absent neighbour is a multiplication less than in a dense convolution.

    Args:
        x: Features of each point.
        weight: A matrix for each offset.
        pairs: Which point meets which weight, and where: from `kernel_map`.

    Raises:
        BadKind: A dtype is another one.
        BadValue: The arrays do not fit together. Every index is checked, on every call.

    >>> from efficientdl.kernels.points import cube, kernel_map
    >>> line = np.int32([[0], [1], [3]])
    >>> x, weight = np.float32([[1], [10], [100]]), np.float32([[[1]], [[2]], [[4]]])
    >>> sparse_conv(x, weight, kernel_map(line, line, cube(3, 1))).ravel()
    array([ 42.,  21., 200.], dtype=float32)

    Source: Tang et al., "TorchSparse", MLSys 2022, for gather, multiply, scatter; Lin et al.,
    "PointAcc", MICRO 2021, for fetching on demand; Choy, Gwak and Savarese, "4D Spatio-Temporal
    ConvNets", CVPR 2019, for the convolution; the survey's section 6.1; lab 13.
    """
    begins = _demand("sparse_conv", x, weight, pairs)
    c_in, c_out = weight.shape[1:]
    n_wide, n_narrow = _panels(c_out)
    middle, stride = n_wide * WIDTH, n_wide * WIDTH + n_narrow * LANES
    y = aligned((pairs.n_outputs, stride), np.float32)
    x, flat = np.ascontiguousarray(x).reshape(-1), y.reshape(-1)
    lists = np.ascontiguousarray(pairs.inputs), np.ascontiguousarray(pairs.outputs)
    for tiles, left, n, width in (
        (wide_tiles, 0, n_wide, WIDTH),
        (narrow_tiles, middle, n_narrow, LANES),
    ):
        if n and len(lists[0]):
            packed = _packed(weight, left, n, width)
            sizes = (c_in, stride, left, n)
            n_blocks = begins.shape[1] - 1
            deal(tiles, n_blocks, x, packed, flat, lists, begins, sizes)
    return y if stride == c_out else np.ascontiguousarray(y[:, :c_out])


def sparse_conv_by_gathering(x: Features, weight: Weight, pairs: KernelMap) -> Features:
    """`sparse_conv` by gather, multiply, scatter: a matrix product of NumPy's for each offset.

    Each pair's features are written once and read again, and so are its products.

    >>> pairs = KernelMap(np.int32([0, 1]), np.int32([0, 0]), np.array([0, 1, 2]), 1)
    >>> x, weight = np.float32([[1], [10]]), np.float32([[[2]], [[3]]])
    >>> sparse_conv_by_gathering(x, weight, pairs)
    array([[32.]], dtype=float32)
    """
    _demand("sparse_conv_by_gathering", x, weight, pairs)
    y = np.zeros((pairs.n_outputs, weight.shape[2]), np.float32)
    for offset, matrix in enumerate(weight):
        of_offset = slice(pairs.starts[offset], pairs.starts[offset + 1])
        gathered = x[pairs.inputs[of_offset]]
        y[pairs.outputs[of_offset]] += gathered @ matrix  # no site comes twice
    return y


def sparse_conv_reference(x: Features, weight: Weight, pairs: KernelMap) -> Features:
    """The same pair by pair."""
    y = np.zeros((pairs.n_outputs, weight.shape[2]))
    offsets = np.repeat(np.arange(len(weight)), np.diff(pairs.starts))
    for point, site, offset in zip(pairs.inputs, pairs.outputs, offsets, strict=True):
        y[site] += x[point].astype(np.float64) @ weight[offset]
    return y.astype(np.float32)


def sparse_conv_cost(x: Shape, weight: Shape, pairs: KernelMap) -> Cost:
    """MACs of the pairs there are, and bytes that must travel: features, weights, map and sums.

    >>> pairs = KernelMap(np.int32([0, 1]), np.int32([0, 0]), np.array([0, 1, 2]), 1)
    >>> sparse_conv_cost((2, 8), (2, 8, 4), pairs)
    Cost(macs=64, traffic_bytes=352)
    """
    n_offsets, c_in, c_out = weight
    moved = x[0] * c_in + n_offsets * c_in * c_out + pairs.n_outputs * c_out
    return Cost(
        macs=len(pairs.inputs) * c_in * c_out, traffic_bytes=4 * (moved + 2 * len(pairs.inputs))
    )


def _panels(c_out: int) -> tuple[int, int]:
    """How many columns of 64 channels and of 16 the output is cut into.

    >>> _panels(1)
    (0, 1)
    """
    n_narrow = -(-c_out // LANES)
    if not cpu.has(cpu.AVX512):
        return 0, n_narrow
    n_wide, rest = divmod(n_narrow, WIDTH // LANES)
    return (n_wide + 1, 0) if rest == WIDTH // LANES - 1 else (n_wide, rest)


def _packed(weight: Weight, left: int, n_panels: int, width: int) -> Float32[np.ndarray, "_"]:
    """Some columns of all matrices, panel by panel, the last one filled up with zeros."""
    n_offsets, c_in, _ = weight.shape
    packed = aligned((n_panels, n_offsets, c_in, width), np.float32)
    for panel in range(n_panels):
        start = left + panel * width
        part = weight[:, :, start : start + width]
        packed[panel, :, :, : part.shape[2]] = part
    return packed.reshape(-1)


def _demand(caller: str, x: Features, weight: Weight, pairs: KernelMap) -> Int64[np.ndarray, "k b"]:
    """Check everything; give where each offset's pairs of each block of sites begin."""
    _check.kind(caller, "pairs", pairs, KernelMap)
    for name, array in (("x", x), ("weight", weight)):
        _check.kind(caller, name, array, np.ndarray)
        if array.dtype != np.float32:
            raise _check.BadKind(f"{caller}: {name} must be float32, got {array.dtype}")
    if x.ndim != 2 or weight.ndim != 3 or x.shape[1] != weight.shape[1]:
        rule = "must be n c_in and k c_in c_out"
        _check.fail(caller, "shapes of x and weight", rule, (x.shape, weight.shape))
    inputs, outputs, starts, n_outputs = pairs
    _demand_lists(caller, pairs, len(weight))
    begins = np.empty((len(weight), -(-n_outputs // BLOCK) + 1), np.int64)
    if not _plan(inputs, outputs, starts, len(x), n_outputs, begins):
        rule = f"must be of {len(x)} points, and of {n_outputs} sites, rising with each offset"
        _check.fail(caller, "pairs", rule, f"{len(inputs)} others")
    return begins


def _demand_lists(caller: str, pairs: KernelMap, n_offsets: int) -> None:
    dtypes = {"inputs": np.int32, "outputs": np.int32, "starts": np.int64}
    for name, dtype in dtypes.items():
        array = getattr(pairs, name)
        _check.kind(caller, name, array, np.ndarray)
        if array.dtype != dtype or array.ndim != 1:
            rule = f"{caller}: {name} must be a list of {np.dtype(dtype)}"
            raise _check.BadKind(f"{rule}, got {array.dtype} of {array.ndim} axes")
    _check.whole(caller, "n_outputs", pairs.n_outputs, 0, 2**31 - 1)
    if len(pairs.inputs) != len(pairs.outputs):
        lengths = (len(pairs.inputs), len(pairs.outputs))
        _check.fail(caller, "inputs and outputs", "must be equally long", lengths)
    starts = pairs.starts
    fit = len(starts) == n_offsets + 1 and starts[0] == 0 and starts[-1] == len(pairs.inputs)
    if not fit or (np.diff(starts) < 0).any():
        rule = f"must be {n_offsets + 1} and rise from 0 to {len(pairs.inputs)}"
        _check.fail(caller, "starts", rule, starts.tolist())


@compiled
def _plan(inputs, outputs, starts, n_points, n_outputs, begins):
    """Whether all indices fit; where the pairs of each block begin, offset by offset."""
    for offset in range(len(starts) - 1):
        block, before = 0, -1
        for p in range(starts[offset], starts[offset + 1]):
            site = outputs[p]
            if site <= before or site >= n_outputs or inputs[p] < 0 or inputs[p] >= n_points:
                return False
            while block * BLOCK <= site:
                begins[offset, block] = p
                block += 1
            before = site
        begins[offset, block:] = starts[offset + 1]
    return True
