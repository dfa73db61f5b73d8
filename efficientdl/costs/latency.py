"""The only clock of the library: latency as a result comes from here and from nowhere else.

A single timing says little: the first calls fill caches, another program takes the processor for a
moment, the clock speed drifts. So: warm up, repeat, give the median and the spread, and when two
things are compared, take turns, so that what disturbs one disturbs the other.
"""

import gc
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter

import torch

from efficientdl import _check
from efficientdl.catalogue import Measure, technique

_LEAST_S = 2e-4  # a sample shorter than this is mostly the clock: time several calls at once


@dataclass(frozen=True)
class Latency:
    """Seconds for one call, over many.

    Attributes:
        times: Every sample, in order.

    >>> Latency((0.3, 0.1, 0.2, 0.2, 0.7)).median_s
    0.2
    """

    times: tuple[float, ...]

    @property
    def median_s(self) -> float:
        """Half of the samples took longer."""
        return median(self.times)

    @property
    def low_s(self) -> float:
        """A quarter of the samples took less."""
        return _quartiles(self.times)[0]

    @property
    def high_s(self) -> float:
        """A quarter of the samples took more."""
        return _quartiles(self.times)[1]

    def __str__(self) -> str:
        low, middle, high = (f"{s * 1e3:.3g}" for s in (self.low_s, self.median_s, self.high_s))
        return f"{middle} ms, half of {len(self.times)} between {low} and {high}"


def _quartiles(times: tuple[float, ...]) -> tuple[float, float]:
    if len(times) == 1:
        return times[0], times[0]
    low, _, high = quantiles(times, n=4, method="inclusive")
    return low, high


@dataclass(frozen=True)
class Ratio:
    """How many times longer one call takes than another, turn by turn.

    Attributes:
        median: Half of the turns gave more.
        low: A quarter gave less.
        high: A quarter gave more.
    """

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} times ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class Comparison:
    """Latencies of several functions that took turns.

    Attributes:
        latencies: By name, equally many samples each.
    """

    latencies: Mapping[str, Latency]

    def ratio(self, slow: str, fast: str) -> Ratio:
        """How many times longer `slow` takes than `fast`, from the pairs of the same turn.

        >>> both = Comparison({"a": Latency((2.0, 4.0)), "b": Latency((1.0, 2.0))})
        >>> print(both.ratio("a", "b"))
        2.00 times (2.00 to 2.00)
        """
        for name in (slow, fast):
            _check.one_of("Comparison.ratio", "name", name, self.latencies)
        pairs = zip(self.latencies[slow].times, self.latencies[fast].times, strict=True)
        ratios = tuple(s / f for s, f in pairs)
        return Ratio(median(ratios), *_quartiles(ratios))

    def __str__(self) -> str:
        width = max(map(len, self.latencies))
        return "\n".join(f"{name:{width}}  {taken}" for name, taken in self.latencies.items())


@contextmanager
def _quiet(threads: int) -> Generator[None]:
    """This many threads, and no garbage collection, while the clock runs."""
    before, collecting = torch.get_num_threads(), gc.isenabled()
    torch.set_num_threads(threads)
    gc.disable()
    try:
        yield
    finally:
        torch.set_num_threads(before)
        if collecting:
            gc.enable()


def _seconds(function: Callable[[], object], calls: int) -> float:
    start = perf_counter()
    for _ in range(calls):
        function()
    return (perf_counter() - start) / calls


def _calls_per_sample(function: Callable[[], object], warmup: int) -> int:
    """Warm up, and find how many calls make a sample long enough for the clock."""
    taken = min(_seconds(function, 1) for _ in range(max(1, warmup)))
    return max(1, round(_LEAST_S / max(taken, 1e-8)))


def _check_options(caller: str, warmup: int, repeats: int, threads: int) -> None:
    _check.whole(caller, "warmup", warmup, 0)
    _check.whole(caller, "repeats", repeats, 1)
    _check.whole(caller, "threads", threads, 1)


@technique(
    "cost-latency-measure",
    paper="Cai, Zhu, Han, ProxylessNAS: Direct Neural Architecture Search on Target Task and "
    "Hardware, 2019",
    survey="3.2",
    lab="01_costs",
    kind=Measure(),
)
def latency(
    function: Callable[[], object], *, warmup: int = 3, repeats: int = 20, threads: int = 1
) -> Latency:
    """Measure how long a call takes on this machine.

    The first calls warm caches up and do not count. A call too short for the clock is timed in
    groups. One thread is the default: it is what a small device has, and what disturbs a
    measurement least.

    Args:
        function: Called without arguments: `lambda: model(x)`.
        warmup: Calls before the first that counts; one is made even for 0, to size the samples.
        repeats: Samples.
        threads: Threads that torch may use meanwhile.

    >>> taken = latency(lambda: sum(range(1000)), repeats=5)
    >>> 0 < taken.low_s <= taken.median_s <= taken.high_s
    True

    Source: Cai, Zhu, Han, "ProxylessNAS", 2019, section 3.3; survey section 3.2, "Latency
        Prediction"; lab 01.
    """
    return compare({"": function}, warmup=warmup, repeats=repeats, threads=threads).latencies[""]


def compare(
    functions: Mapping[str, Callable[[], object]],
    *,
    warmup: int = 3,
    repeats: int = 20,
    threads: int = 1,
) -> Comparison:
    """Measure several functions that take turns, so that a disturbance meets them all.

    Args:
        functions: What to measure, by name; each is called without arguments.
        warmup: Calls of each before the first that counts.
        repeats: Turns.
        threads: Threads that torch may use meanwhile.

    >>> both = compare({"long": lambda: sum(range(9999)), "short": lambda: sum(range(99))})
    >>> both.ratio("long", "short").median > 1
    True
    """
    _check_options("compare", warmup, repeats, threads)
    if not functions:
        _check.fail("compare", "functions", "must name at least one function", functions)
    with _quiet(threads):
        calls = {name: _calls_per_sample(f, warmup) for name, f in functions.items()}
        turns = [{n: _seconds(f, calls[n]) for n, f in functions.items()} for _ in range(repeats)]
    return Comparison({n: Latency(tuple(turn[n] for turn in turns)) for n in functions})
