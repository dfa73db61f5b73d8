"""What a technique costs: one row per layer, the total derived, the unit in every name.

`Cost` and `Report` are the common currency of the library: counters, compressors, kernels and
simulators all return them, so that a counted MAC can stand beside a simulated cycle.
"""

from dataclasses import dataclass, field, fields, replace
from html import escape
from math import inf
from typing import Self

from efficientdl import _check

Number = int | float


def _plus(a: Number | None, b: Number | None) -> Number | None:
    """An unknown figure keeps the sum unknown rather than too small."""
    return None if a is None or b is None else a + b


def _larger(a: Number | None, b: Number | None) -> Number | None:
    return None if a is None or b is None else max(a, b)


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of one layer, or of several that run one after another.

    Costs add: every figure sums, but `activation_bytes`, of which the larger stays. A figure
    that nobody modelled is `None`, and stays `None` in a sum.

    Attributes:
        params: Weights, zeros included.
        macs: Multiply-accumulates; one MAC is one multiply and one add.
        weight_bits: Storage of the weights, index bits of sparse forms included.
        activation_bytes: Activations alive at once.
        traffic_bytes: Moved to and from memory.
        cycles: Clock cycles of a simulated machine.
        energy_pj: Modelled energy in picojoules.
        latency_s: Measured seconds.

    >>> Cost(params=8, activation_bytes=100) + Cost(params=2, activation_bytes=60)
    Cost(params=10, activation_bytes=100)
    >>> (Cost(energy_pj=5.0) + Cost()).energy_pj is None
    True
    """

    params: int | None = None
    macs: int | None = None
    weight_bits: int | None = None
    activation_bytes: int | None = None
    traffic_bytes: int | None = None
    cycles: int | None = None
    energy_pj: float | None = None
    latency_s: float | None = None

    @classmethod
    def zero(cls) -> Self:
        """What adding changes nothing: the total of no rows."""
        return cls(**dict.fromkeys(FIGURES, 0))

    def __add__(self, other: "Cost") -> "Cost":
        if not isinstance(other, Cost):
            return NotImplemented
        summed = {n: _plus(getattr(self, n), getattr(other, n)) for n in FIGURES}
        summed["activation_bytes"] = _larger(self.activation_bytes, other.activation_bytes)
        return Cost(**summed)  # pyright: ignore[reportArgumentType]

    def known(self) -> dict[str, Number]:
        """The figures that were modelled, by name."""
        return {n: v for n in FIGURES if (v := getattr(self, n)) is not None}

    def __repr__(self) -> str:
        return f"Cost({', '.join(f'{n}={v}' for n, v in self.known().items())})"


FIGURES: tuple[str, ...] = tuple(f.name for f in fields(Cost))

# How each figure is printed: heading, divisor, digits after the point.
_COLUMNS: dict[str, tuple[str, float, int]] = {
    "params": ("params", 1, 0),
    "macs": ("MACs", 1, 0),
    "weight_bits": ("weights KiB", 8 * 1024, 2),
    "activation_bytes": ("activations KiB", 1024, 2),
    "traffic_bytes": ("traffic KiB", 1024, 2),
    "cycles": ("cycles", 1, 0),
    "energy_pj": ("energy uJ", 1e6, 3),
    "latency_s": ("latency ms", 1e-3, 3),
}


@dataclass(frozen=True)
class Report:
    """Costs by layer name. The total is the sum of the rows, never stored beside them.

    Attributes:
        rows: The cost of each layer, by its name.
        note: What the figures mean, in a sentence, printed under them: of what a ratio is a
            share. Two reports with the same rows are equal, whatever their notes say.

    >>> report = Report({"conv": Cost(params=9, macs=90), "head": Cost(params=1, macs=10)})
    >>> print(report)
    layer  params  MACs
    -----  ------  ----
    conv        9    90
    head        1    10
    total      10   100
    """

    rows: dict[str, Cost]
    note: str = field(default="", compare=False)

    @property
    def total(self) -> Cost:
        """The sum of the rows."""
        return sum(self.rows.values(), start=Cost.zero())

    def ratio(self, other: "Report") -> dict[str, float]:
        """How many times smaller this is than `other`, for each figure that both know.

        >>> Report({"a": Cost(macs=10)}).ratio(Report({"a": Cost(macs=40)}))
        {'macs': 4.0}
        """
        _check.kind("Report.ratio", "other", other, Report)
        mine, theirs = self.total.known(), other.total.known()
        both = [n for n in FIGURES if n in mine and n in theirs]
        return {n: _times(theirs[n], mine[n]) for n in both}

    def with_row(self, name: str, **changes: Number | None) -> "Report":
        """The same report with some figures of one row replaced."""
        _check.one_of("Report.with_row", "name", name, self.rows)
        row = replace(self.rows[name], **changes)  # pyright: ignore[reportArgumentType]
        return replace(self, rows={**self.rows, name: row})

    def table(self) -> list[list[str]]:
        """Heading, one line per layer, total: each a list of printed cells.

        A column stands there when any row knows its figure; a figure that a row does not know
        is printed as a dash.
        """
        total = self.total
        rows = [*self.rows.items(), ("total", total)]
        shown = [n for n in FIGURES if any(getattr(c, n) is not None for c in self.rows.values())]
        lines = [["layer", *(_COLUMNS[n][0] for n in shown)]]
        lines += [[name, *(_cell(n, getattr(cost, n)) for n in shown)] for name, cost in rows]
        return lines

    def __str__(self) -> str:
        printed = table_text(self.table())
        return f"{printed}\n{self.note}" if self.note else printed

    def _repr_html_(self) -> str:
        note = f"<p>{escape(self.note)}</p>" if self.note else ""
        return table_html(self.table(), caption="Cost by layer") + note


def table_text(lines: list[list[str]]) -> str:
    """A table as text: names to the left, figures to the right, a rule under the heading.

    Args:
        lines: Heading and rows, each a list of printed cells.

    >>> print(table_text([["layer", "MACs"], ["conv", "90"]]))
    layer  MACs
    -----  ----
    conv     90
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = ["-" * w for w in widths]
    return "\n".join(
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in [lines[0], rule, *lines[1:]]
    )


def table_html(lines: list[list[str]], *, caption: str) -> str:
    """A table as HTML, with a caption and headings that a screen reader can name.

    Args:
        lines: Heading and rows, each a list of printed cells.
        caption: What the table shows.
    """
    head, *body = lines
    cells = "".join(f'<th scope="col">{escape(h)}</th>' for h in head)
    rows = "".join(
        f'<tr><th scope="row">{escape(line[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in line[1:])
        + "</tr>"
        for line in body
    )
    return (
        f"<table><caption>{escape(caption)}</caption>"
        f"<thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _times(old: Number, new: Number) -> float:
    if new == 0:
        return 1.0 if old == 0 else inf
    return old / new


def _cell(name: str, value: Number | None) -> str:
    if value is None:
        return "-"
    _, unit, digits = _COLUMNS[name]
    return f"{value / unit:,.{digits}f}"
