"""From samples to rows: medians, ratios of the same round, and what became of each bar."""

from collections.abc import Mapping, Sequence
from statistics import fmean, median
from typing import Any

import numpy as np

from benchmarks.kernel_bars import LIMIT, NEAR, RATE, Bar, Case, Json
from benchmarks.kernel_bars.rounds import Samples
from efficientdl.kernels import cpu

VERDICTS = ("met", "near", "missed", "absent", "not asked")


def row(case: Case, samples: Samples, n_threads: int, limits: Mapping[str, float]) -> Json:
    """What was measured of a case, and its bars.

    Args:
        case: What was measured.
        samples: Seconds of each entry, round by round.
        n_threads: How many threads each entry had.
        limits: Rates of the processor's peaks.
    """
    ours = samples[case.ours]
    entries = {name: _entry(times, ours) for name, times in samples.items()}
    rate = case.work / entries[case.ours]["median_s"]
    found = {
        "case": case.name,
        "threads": n_threads,
        "rounds": len(ours),
        "ours": case.ours,
        "entries": entries,
        "best": fastest(entries, _counted(case)),
        "rate": rate,
        "limit": case.limit,
        "share": rate / limits[case.limit] if case.limit in limits else None,
        "note": case.note,
        "groups": list(case.groups),
    }
    return found | {"bars": [judged(bar, found, _counted(case)) for bar in case.bars]}


def _counted(case: Case) -> list[str]:
    return [name for name, e in case.entries.items() if e.counts and name != case.ours]


def _entry(times: Sequence[float], ours: Sequence[float]) -> Json:
    """A median with its quartiles, and times ours, from the pairs of the same round."""
    ratios = [theirs / our for theirs, our in zip(times, ours, strict=True)]
    low, high = _quartiles(times)
    ratio_low, ratio_high = _quartiles(ratios)
    return {
        "median_s": median(times),
        "low_s": low,
        "high_s": high,
        "ratio": median(ratios),
        "ratio_low": ratio_low,
        "ratio_high": ratio_high,
    }


def _quartiles(values: Sequence[float]) -> tuple[float, float]:
    low, high = np.quantile(values, (0.25, 0.75))
    return float(low), float(high)


def fastest(entries: Mapping[str, Json], names: Sequence[str]) -> str | None:
    """The peer with the least median; None where there is none."""
    there = [name for name in names if name in entries]
    return min(there, key=lambda name: entries[name]["median_s"]) if there else None


def judged(bar: Bar, found: Mapping[str, Any], counted: Sequence[str]) -> Json:
    """A bar with the figure that came out, and whether that is enough."""
    said: Json = {"least": bar.least, "of": list(bar.of), "says": says(bar, found["limit"])}
    figure = low = high = None
    if bar.of == LIMIT:
        figure = found["share"]
    elif bar.of == RATE:
        figure = found["rate"]
    else:
        best = fastest(found["entries"], bar.of or counted)
        if best is not None:
            entry = found["entries"][best]
            figure, low, high = entry["ratio"], entry["ratio_low"], entry["ratio_high"]
            said["peer"] = best
    return said | {
        "found": figure,
        "low": low,
        "high": high,
        "verdict": verdict(figure, bar),
    }


def verdict(figure: float | None, bar: Bar) -> str:
    """In a word.

    >>> [verdict(figure, Bar(2.0)) for figure in (2.0, 1.9, 1.7, None)]
    ['met', 'near', 'missed', 'absent']
    """
    if not cpu.has(*bar.asks):
        return "not asked"
    if figure is None:
        return "absent"
    if figure >= bar.least:
        return "met"
    return "near" if figure >= NEAR * bar.least else "missed"


def says(bar: Bar, limit: str) -> str:
    """What a bar asks, in words.

    >>> says(Bar(1.3, ("MKL",)), ""), says(Bar(0.88, LIMIT), "vnni")
    ('1.3 times MKL', '88 % of vnni')
    """
    if bar.of == LIMIT:
        return f"{100 * bar.least:.0f} % of {limit}"
    if bar.of == RATE:
        return f"{bar.least / 1e9:.3g} G a second"
    return f"{bar.least:g} times {bar.called or ' and '.join(bar.of) or 'every peer'}"


def means(rows: Sequence[Json], bars: Mapping[str, Bar]) -> list[Json]:
    """The means of groups of cases, of one number of threads, as bars of their own.

    Args:
        rows: Of one section and one number of threads.
        bars: What each group is held to.
    """
    found: list[Json] = []
    for group, bar in bars.items():
        members = [r for r in rows if group in r["groups"]]
        ratios = [_of(r, bar) for r in members]
        if not ratios or None in ratios:
            continue
        figure = fmean(ratio for ratio in ratios if ratio is not None)
        said = {"least": bar.least, "of": list(bar.of), "says": says(bar, "")}
        said |= {"found": figure, "low": None, "high": None, "verdict": verdict(figure, bar)}
        threads = members[0]["threads"]
        found.append({"case": group, "threads": threads, "entries": {}, "bars": [said]})
    return found


def _of(found: Json, bar: Bar) -> float | None:
    best = fastest(found["entries"], bar.of) if bar.of else found["best"]
    return None if best is None else found["entries"][best]["ratio"]
