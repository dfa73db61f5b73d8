"""What some modules of this folder measure in their own way, as rows of a page."""

from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType

from benchmarks.kernel_bars import Json


def told(modules: Mapping[str, ModuleType]) -> Iterator[Json]:
    """A row for each row of each module's `rows()`."""
    for name, module in modules.items():
        for figures in module.rows():
            yield _row(name, figures)


def _row(name: str, figures: Json) -> Json:
    return {"case": name, "threads": 1, "entries": {}, "bars": [], "figures": figures}


def tables(rows: Sequence[Json]) -> list[str]:
    """Rows with the same keys, one below the other.

    >>> tables([{"case": "a", "figures": {"x": 1, "y": 0.25}}])
    ['', '| a | x | y |', '|---|---|---|', '| | 1 | 0.25 |']
    """
    text: list[str] = []
    before = None
    for row in rows:
        keys = row["case"], *row["figures"]
        if keys != before:
            text += ["", f"| {' | '.join(keys)} |", "|" + "---|" * len(keys)]
        before = keys
        text.append(f"| | {' | '.join(map(_cell, row['figures'].values()))} |")
    return text


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_cell, value))
    return str(value).replace("|", "\\|")
