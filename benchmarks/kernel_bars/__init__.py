"""Kernels beside their peers: cases, the bars that they are held to, and what was measured.

A module of this folder measures one family. Its `cases(threads)` gives one `Case` after the other:
several ways to compute the same thing, ours and the peers', with a reference that all of them are
compared with before any clock runs. `benchmarks/kernels.py` measures them and writes the page.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Json = dict[str, Any]
Call = Callable[[], object]
NEAR = 0.9  # of a bar: short of it, with the limit named


@dataclass(frozen=True)
class Bar:
    """What a kernel is held to.

    Attributes:
        least: The figure must be at least so large; a share of the limit, a rate, or times a peer.
        of: The peers, the fastest of whom counts; none for all. `("limit",)` asks for the share of
            the limit, `("rate",)` for units a second.
        asks: The processor's features that the bar was set with; without them it does not apply.
        called: What the peers are called together.
    """

    least: float
    of: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    called: str = ""


LIMIT, RATE = ("limit",), ("rate",)


@dataclass(frozen=True)
class Entry:
    """One way to compute it.

    Attributes:
        call: Computes it, and gives the result.
        error: How far the result may be off, as a share of the largest number of the reference;
            None where it computes something else, which the case's note says.
        seen: Turns the result into the reference's layout.
        counts: Whether it is among the peers of which the best is taken.
    """

    call: Call
    error: float | None = 1e-4
    seen: Callable[[Any], object] = lambda result: result
    counts: bool = True


@dataclass(frozen=True)
class Case:
    """Several ways to compute the same thing.

    Attributes:
        name: What is computed.
        ours: Our entry's name.
        entries: All ways by name, ours too.
        want: The reference; None where the entries check themselves.
        bars: What ours is held to.
        work: Operations, or bytes, of one call: over the time it is the rate.
        limit: Which peak bounds that rate.
        note: A sentence for the page.
        groups: Names of the means that this case belongs to.
    """

    name: str
    ours: str
    entries: Mapping[str, Entry]
    want: Any
    bars: Sequence[Bar] = ()
    work: float = 0.0
    limit: str = ""
    note: str = ""
    groups: tuple[str, ...] = field(default=())


def demand_same(case: Case) -> None:
    """Refuse to time what computes something else.

    Raises:
        ValueError: An entry's result is further from the reference than it says.
    """
    if case.want is None:
        return
    want = array(case.want)
    largest = float(np.abs(want.astype(np.float64)).max()) or 1.0
    for name, entry in case.entries.items():
        if entry.error is None:
            continue
        got = array(entry.seen(entry.call()))
        if got.shape != want.shape:
            raise ValueError(f"{case.name}: {name} has shape {got.shape}, not {want.shape}")
        off = float(np.abs(got.astype(np.float64) - want).max()) / largest
        if not off <= entry.error:  # a NaN is not
            raise ValueError(f"{case.name}: {name} is off by {off:.2g} of the largest number")


def array(result: Any) -> np.ndarray:
    """A result as an array of NumPy's, whoever computed it."""
    if isinstance(result, (list, tuple)):  # onnxruntime gives a list
        result = result[0]
    if hasattr(result, "detach"):
        result = result.detach()
        result = (result.dequantize() if result.is_quantized else result).float().numpy()
    return np.asarray(result)
