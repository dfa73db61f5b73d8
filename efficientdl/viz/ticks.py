"""Numbers as a reader wants them: round ticks on an axis, exact figures in a table."""

from math import ceil, floor, log10

from efficientdl import _check

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
TIMES = "\N{MULTIPLICATION SIGN}"
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number_text(value: float) -> str:
    """A figure of a table: whole numbers exactly, others to three significant digits.

    >>> [number_text(v) for v in (4_089_184_256, 0.71834, 12.0, 1234.5)]
    ['4,089,184,256', '0.718', '12', '1,234']
    """
    _check.number("number_text", "value", value)
    if isinstance(value, int):
        return f"{value:,}"
    size = abs(value)
    if size and not 1e-4 <= size < 1e15:
        digits, power = f"{value:.2e}".split("e")
        return f"{_bare(digits)} {TIMES} 10{str(int(power)).translate(_RAISED)}"
    if size >= 100:
        return f"{value:,.0f}"
    places = 2 - floor(log10(size)) if size else 0
    text = _bare(f"{value:.{places}f}")
    return "0" if text == "-0" else text


def _bare(text: str) -> str:
    """Without the zeros after the point that say nothing."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def linear_ticks(low: float, high: float, count: int) -> list[float]:
    """Round numbers from `low` to `high`, about `count` of them: steps of 1, 2 or 5.

    >>> linear_ticks(0, 97, 5)
    [0.0, 20.0, 40.0, 60.0, 80.0]
    """
    _check.whole("linear_ticks", "count", count, 1)
    raw = (high - low) / count
    if not raw > 0:
        _check.fail("linear_ticks", "high", f"must be greater than low = {low}", high)
    power = 10.0 ** floor(log10(raw))
    steps = [m * power for m in (10, 5, 2, 1, 0.5, 0.2)]
    wide = [step for step in steps if step >= raw * (1 - 1e-9)][-1]
    ticks: list[float] = []
    for step in steps[steps.index(wide) :]:  # one tick alone gives no measure: finer, then
        first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
        places = max(0, -floor(log10(step)))
        ticks = [round(k * step, places) + 0.0 for k in range(first, last + 1)]
        if len(ticks) > 1:
            break
    return ticks


def log_ticks(low: float, high: float, count: int) -> list[float]:
    """Powers of ten from `low` to `high`; with 2 and 5 between them where there is room.

    >>> log_ticks(1, 1000, 5)
    [1.0, 10.0, 100.0, 1000.0]
    >>> log_ticks(1, 20, 5)
    [1.0, 2.0, 5.0, 10.0, 20.0]
    """
    _check.whole("log_ticks", "count", count, 1)
    if not 0 < low < high:
        _check.fail("log_ticks", "low and high", "must be 0 < low < high", (low, high))
    first, last = floor(log10(low) - 1e-9), ceil(log10(high) + 1e-9)
    between = (1, 2, 5) if log10(high / low) < count / 2.5 else (1,)
    stride = max(1, ceil((last - first) / (2 * count)))
    every = [m * 10.0**k for k in range(first, last + 1, stride) for m in between]
    inside = [t for t in every if low * (1 - 1e-9) <= t <= high * (1 + 1e-9)]
    return inside if len(inside) > 1 else linear_ticks(low, high, count)


def tick_texts(ticks: list[float]) -> list[str]:
    """Labels of ticks, alike in form: `50 k`, `100 k`, or `0.25`, `0.50`.

    >>> tick_texts([0.0, 50_000.0, 100_000.0]), tick_texts([0.0, 0.25, 0.5])
    (['0', '50 k', '100 k'], ['0', '0.25', '0.5'])
    """
    largest = max((abs(t) for t in ticks), default=0)
    return [_tick(tick, prefixed=largest >= 1e4) for tick in ticks]


def _tick(tick: float, *, prefixed: bool) -> str:
    size = abs(tick)
    if size and (size < 1e-3 or size >= 1e15):
        digits, power = f"{tick:.0e}".split("e")
        factor = "" if digits == "1" else f"{digits} {TIMES} "
        return f"{factor}10{str(int(power)).translate(_RAISED)}"
    unit, letter = next(((u, s) for u, s in _PREFIXES if prefixed and size >= u), (1.0, ""))
    return f"{tick / unit:,.10g} {letter}".rstrip()
