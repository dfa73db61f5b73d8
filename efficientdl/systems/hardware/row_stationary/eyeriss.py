"""The published tables of Eyeriss, and what the machine here makes of the same layers.

AlexNet's mappings are those of the paper. VGG-16's are not printed: they are what the published
active units and buffer accesses leave, one to eight channels of a pass, and said to be inferred.
"""

from typing import NamedTuple

from efficientdl import _check
from efficientdl.report import table_text
from efficientdl.systems.hardware.conv import Conv
from efficientdl.systems.hardware.gemm import Bits
from efficientdl.systems.hardware.presets import eyeriss
from efficientdl.systems.hardware.row_stationary.formula import row_stationary
from efficientdl.systems.hardware.row_stationary.mapping import RowMapping, n_active
from efficientdl.systems.hardware.run import Run

WORDS = Bits(16, 16, 16)  # JSSC 2017, Table IV: 16-bit fixed point
BYTES = 2
CYCLES_PER_MS = 200_000  # at 200 MHz


class Published(NamedTuple):
    """A layer as it was measured.

    Attributes:
        conv: The layer, of the batch that was measured.
        mapping: How the chip did it; None where that is not known.
        processing_ms: Time without that of loading from DRAM.
        n_active: Units at work.
        buffer_mb: What the buffer moved, inputs and sums, in 10^6 bytes.
    """

    conv: Conv
    mapping: RowMapping
    processing_ms: float
    n_active: int
    buffer_mb: float


def _alexnet(c_in: int, side: int, c_out: int, kernel: int, groups: int) -> Conv:
    stride, padding = (4, 0) if kernel == 11 else (1, kernel // 2)
    return Conv(
        c_in, side, side, c_out, kernel, stride, padding, groups=groups, batch=4, bits=WORDS
    )


def _vgg(c_in: int, side: int, c_out: int) -> Conv:
    return Conv(c_in, side, side, c_out, 3, padding=1, batch=3, bits=WORDS)


# JSSC 2017, Tables III (mappings) and V. Table III gives CONV3 four channels in a unit, and four
# sets of filters; with that its buffer would move 69.2 MB. The 50.2 of Table V are those of
# three channels in each of two sets, as in the next two layers, and so is this row.
ALEXNET = {
    "CONV1": Published(_alexnet(3, 227, 96, 11, 1), RowMapping(7, 16, 1, 1, 2), 16.5, 154, 18.5),
    "CONV2": Published(_alexnet(96, 27, 256, 5, 2), RowMapping(27, 16, 2, 1, 1), 39.2, 135, 77.6),
    "CONV3": Published(
        _alexnet(256, 13, 384, 3, 1), RowMapping(13, 16, 3, 2, 2, 4), 21.8, 156, 50.2
    ),
    "CONV4": Published(
        _alexnet(384, 13, 384, 3, 2), RowMapping(13, 16, 3, 2, 2, 4), 16.0, 156, 37.4
    ),
    "CONV5": Published(
        _alexnet(384, 13, 256, 3, 2), RowMapping(13, 16, 3, 2, 2, 4), 10.0, 156, 24.9
    ),
}
CONV3_OF_TABLE_III = RowMapping(13, 16, 4, 1, 4, 4)

_ONE, _TWO = RowMapping(13, 4, 1, 1, 4), RowMapping(13, 4, 2, 1, 4, 3)  # inferred
_FOUR, _EIGHT = RowMapping(14, 16, 2, 2, 2, 2), RowMapping(14, 16, 4, 2, 2, 3)  # inferred

# JSSC 2017, Table VI.
VGG16 = {
    "CONV1-1": Published(_vgg(3, 224, 64), _ONE, 38.0, 156, 112.6),
    "CONV1-2": Published(_vgg(64, 224, 64), _ONE, 810.6, 156, 2402.8),
    "CONV2-1": Published(_vgg(64, 112, 128), _ONE, 405.3, 156, 1201.4),
    "CONV2-2": Published(_vgg(128, 112, 128), _ONE, 810.8, 156, 2402.8),
    "CONV3-1": Published(_vgg(128, 56, 256), _TWO, 204.0, 156, 607.4),
    "CONV3-2": Published(_vgg(256, 56, 256), _TWO, 408.1, 156, 1214.8),
    "CONV3-3": Published(_vgg(256, 56, 256), _TWO, 408.1, 156, 1214.8),
    "CONV4-1": Published(_vgg(256, 28, 512), _FOUR, 105.1, 168, 321.8),
    "CONV4-2": Published(_vgg(512, 28, 512), _FOUR, 210.0, 168, 643.7),
    "CONV4-3": Published(_vgg(512, 28, 512), _FOUR, 210.0, 168, 643.7),
    "CONV5-1": Published(_vgg(512, 14, 512), _EIGHT, 48.3, 163, 90.0),
    "CONV5-2": Published(_vgg(512, 14, 512), _EIGHT, 48.5, 168, 90.0),
    "CONV5-3": Published(_vgg(512, 14, 512), _EIGHT, 48.5, 168, 90.0),
}


def processing_ms(run: Run) -> float:
    """A run's time at the chip's 200 MHz."""
    return run.cycles / CYCLES_PER_MS


def buffer_mb(run: Run) -> float:
    """What the published accesses of the buffer count: inputs and sums. Filters go past it."""
    words = run.accesses["buffer"]
    return (words["x"] + words["y"] + words["psum"]) * BYTES / 1e6


def eyeriss_table(layers: dict[str, Published]) -> str:
    """Print this machine's figures beside the published ones, layer by layer.

    The latency of VGG-16's first layers is that of the bus for sums: a pass with one channel reads
    and writes every sum for each, and the units wait.

    Args:
        layers: `ALEXNET` or `VGG16`.

    >>> print(eyeriss_table(ALEXNET))
    layer    ms  published  units  published  buffer MB  published
    -----  ----  ---------  -----  ---------  ---------  ---------
    CONV1  16.7       16.5    154        154       18.5       18.5
    CONV2  39.6       39.2    135        135       77.6       77.6
    CONV3  23.5       21.8    156        156       50.2       50.2
    CONV4  17.6       16.0    156        156       37.4       37.4
    CONV5  11.7       10.0    156        156       24.9       24.9

    Source: Chen, Krishna, Emer, Sze, "Eyeriss: An Energy-Efficient Reconfigurable Accelerator for
        Deep Convolutional Neural Networks", JSSC 2017, Tables III, V and VI; survey section 6.2;
        lab 14.
    """
    _check.kind("eyeriss_table", "layers", layers, dict)
    rows = [["layer", "ms", "published", "units", "published", "buffer MB", "published"]]
    for name, known in layers.items():
        run = row_stationary(known.conv, eyeriss(), mapping=known.mapping)
        rows.append([
            name,
            f"{processing_ms(run):.1f}",
            f"{known.processing_ms:.1f}",
            f"{n_active(known.conv, known.mapping)}",
            f"{known.n_active}",
            f"{buffer_mb(run):.1f}",
            f"{known.buffer_mb:.1f}",
        ])
    return table_text(rows)
