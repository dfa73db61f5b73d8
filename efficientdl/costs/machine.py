"""What this machine can do at best, measured: multiply, and move bytes."""

from dataclasses import dataclass

import torch

from efficientdl import _check
from efficientdl.costs.latency import latency


@dataclass(frozen=True)
class Machine:
    """The two numbers that a roofline is made of.

    Attributes:
        peak_macs_per_s: Multiply-accumulates in a second, when data is at hand.
        bytes_per_s: Bytes moved to or from main memory in a second.

    >>> Machine(peak_macs_per_s=100e9, bytes_per_s=10e9).ridge
    10.0
    """

    peak_macs_per_s: float
    bytes_per_s: float

    def __post_init__(self) -> None:
        for name in ("peak_macs_per_s", "bytes_per_s"):
            if not _check.number("Machine", name, getattr(self, name)) > 0:
                _check.fail("Machine", name, "must be more than 0", getattr(self, name))

    @property
    def ridge(self) -> float:
        """MACs per byte from which on the arithmetic is the limit, and memory no longer."""
        return self.peak_macs_per_s / self.bytes_per_s

    def __str__(self) -> str:
        giga = f"{self.peak_macs_per_s / 1e9:.3g} GMAC/s, {self.bytes_per_s / 1e9:.3g} GB/s"
        return f"{giga}, ridge at {self.ridge:.3g} MACs per byte"


def measure_machine(*, side: int = 1024, n_floats: int = 2**25, threads: int = 1) -> Machine:
    """Measure this machine: a large float32 matrix product, and a copy beyond every cache.

    The fastest sample counts, since a peak is what nothing disturbed. A copy of n bytes moves 2 n,
    read and written; a processor that first fetches what it will overwrite moves more, which is
    not counted.

    Args:
        side: Rows and columns of the matrices.
        n_floats: Length of what is copied; 2**25 floats are 128 MiB, and as much again.
        threads: Threads that torch may use.

    >>> measure_machine(side=64, n_floats=2**12).ridge > 0
    True

    Source: Williams, Waterman, Patterson, "Roofline: An Insightful Visual Performance Model for
        Multicore Architectures", 2009; lab 01.
    """
    _check.whole("measure_machine", "side", side, 1)
    _check.whole("measure_machine", "n_floats", n_floats, 1)
    a, b = torch.ones(side, side), torch.ones(side, side)
    product = torch.empty(side, side)
    source, target = torch.ones(n_floats), torch.zeros(n_floats)
    multiplied = latency(lambda: torch.mm(a, b, out=product), repeats=10, threads=threads)
    copied = latency(lambda: target.copy_(source), repeats=10, threads=threads)
    return Machine(
        peak_macs_per_s=side**3 / min(multiplied.times),
        bytes_per_s=2 * source.nbytes / min(copied.times),
    )
