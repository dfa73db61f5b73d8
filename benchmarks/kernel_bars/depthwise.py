"""Depthwise convolutions on maps that stay padded, and with the copies that pad and crop."""

from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.kernel_bars import Bar, Case, Entry, peaks, peers
from efficientdl.kernels.depthwise import depthwise_conv, frame, pack_depthwise, unframe

TITLE = "Depthwise convolution"
LAYERS = ((32, 112, 1), (96, 112, 2), (144, 56, 1), (384, 14, 1), (512, 14, 1))
NOTE = (
    "Maps stay padded from layer to layer; 'from and to images' pays for a copy before and one "
    "after."
)


def cases(_n_threads: int) -> Iterator[Case]:
    """Layers of MobileNet and MobileNetV2."""
    for c, side, stride in LAYERS:
        yield _case(c, side, stride)


def _case(c: int, side: int, stride: int) -> Case:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, c, side, side), np.float32)
    weight = rng.standard_normal((c, 3, 3), np.float32)
    maps, packed = frame(x), pack_depthwise(weight)
    x_torch, w_torch = torch.from_numpy(x), torch.from_numpy(weight)[:, None]
    ours = {
        "depthwise_conv": Entry(
            lambda: depthwise_conv(maps, packed, stride), seen=lambda y: unframe(y, c)
        ),
        "from and to images": Entry(
            lambda: unframe(depthwise_conv(frame(x), packed, stride), c), counts=False
        ),
    }
    want = torch.nn.functional.conv2d(x_torch, w_torch, padding=1, groups=c, stride=stride)
    return Case(
        f"{c} channels, {side} x {side}, stride {stride}",
        "depthwise_conv",
        ours | peers.convolutions(w_torch, x_torch, groups=c, stride=stride),
        want,
        [Bar(1.0)],
        9 * want.numel(),
        peaks.FMA,
    )
