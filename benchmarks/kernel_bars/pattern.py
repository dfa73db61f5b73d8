"""3 x 3 convolutions with patterns of four taps, filters alike in fours."""

from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.kernel_bars import Bar, Case, Entry, peaks, peers
from efficientdl.kernels import cpu
from efficientdl.kernels.pattern_conv import pattern_conv
from efficientdl.kernels.pattern_weight import pack_pattern

TITLE = "Pattern convolution"
LAYERS = ((64, 56), (128, 28), (256, 14), (512, 28))
PATTERNS = (  # the middle tap and three beside it
    (0, 1, 3, 4),
    (1, 2, 4, 5),
    (3, 4, 6, 7),
    (4, 5, 7, 8),
    (1, 3, 4, 5),
    (3, 4, 5, 7),
    (1, 3, 4, 7),
    (1, 4, 5, 7),
)
FOURS, FEWER, SINGLE = "alike in fours", "alike in fours, 1 kernel of 3.6", "each filter its own"
ONEDNN = (
    "conv2d",
    "conv2d, channels last",
    peers.PREPACKED,
    f"{peers.PREPACKED}, channels last",
)
FASTEST = {"of": ONEDNN, "asks": (cpu.AVX512,), "called": "the fastest of oneDNN in fp32"}
MEANS = {
    f"mean of the four layers, {FOURS}": Bar(1.6, **FASTEST),
    f"mean of the four layers, {FEWER}": Bar(4.4, **FASTEST),
}
NOTE = "Four of nine taps are at most 2.25 times faster; with one kernel of 3.6, 8.1 times."


def cases(_n_threads: int) -> Iterator[Case]:
    """One case for each layer and for each way in which filters share patterns."""
    for c, side in LAYERS:
        yield _case(c, side, FOURS, patterned(c, 4, 1.0))
        yield _case(c, side, FEWER, patterned(c, 4, 1 / 3.6))
    c, side = LAYERS[0]
    yield _case(c, side, SINGLE, patterned(c, 1, 1.0))


def patterned(c: int, alike: int, kept: float) -> np.ndarray:
    """Filters of four taps a kernel; so many follow each other with the same patterns."""
    rng = np.random.default_rng(0)
    which = rng.integers(0, len(PATTERNS), (c // alike, c))
    taps = np.zeros((c // alike, c, 9), bool)
    np.put_along_axis(taps, np.array(PATTERNS)[which], True, axis=2)
    taps &= rng.random((c // alike, c, 1)) < kept
    weight = 0.05 * rng.standard_normal((c, c, 9), np.float32)
    return (weight * np.repeat(taps, alike, axis=0)).reshape(c, c, 3, 3)


def _case(c: int, side: int, what: str, weight: np.ndarray) -> Case:
    x = np.random.default_rng(1).standard_normal((1, c, side, side), np.float32)
    packed = pack_pattern(weight)
    x_torch, w_torch = torch.from_numpy(x), torch.from_numpy(weight)
    ours = {"pattern_conv": Entry(lambda: pattern_conv(x, packed))}
    return Case(
        f"{c} channels, {side} x {side}, {what}",
        "pattern_conv",
        ours | peers.convolutions(w_torch, x_torch),
        torch.nn.functional.conv2d(x_torch.double(), w_torch.double(), padding=1).numpy(),
        work=np.count_nonzero(weight) * side * side,
        limit=peaks.FMA,
        groups=(f"mean of the four layers, {what}",),
    )
