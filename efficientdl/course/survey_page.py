"""The page that shows the survey's cost tables beside ours: `benchmarks/survey_tables.md`."""

from pathlib import Path

from efficientdl.course.survey_tables import Cell, cells

_HEAD = """\
# The survey's cost tables, recomputed

Tables 1 and 3 and Figures 9 and 10 of the survey, computed by `efficientdl.costs` from the networks
in `efficientdl.models`. A number comes out when ours, rounded like the printed one, is the printed
one. Where papers count differently, the rule says how this number was made; where none fits, the
reason says what we know. Nothing was tuned.

This page is written by `python -m efficientdl.course.survey_page`, and a test holds it equal to
what is computed.
"""


def _ours(cell: Cell) -> str:
    """Ours with one digit more than was printed."""
    decimals = len(cell.printed.partition(".")[2])
    return f"{cell.ours:.{decimals + 1}f}"


def _verdict(cell: Cell) -> str:
    return "yes" if cell.comes_out else f"no ({cell.off:+.2%})"


def _section(table: str, shown: list[Cell]) -> str:
    good = sum(cell.comes_out for cell in shown)
    lines = [f"## {table}: {good} of {len(shown)} numbers come out", ""]
    lines += ["| | number | printed | ours | rule | comes out |", "|---|---|--:|--:|---|---|"]
    lines += [
        f"| {c.row} | {c.column} | {c.printed} | {_ours(c)} | {c.rule} | {_verdict(c)} |"
        for c in shown
    ]
    missed: dict[str, list[str]] = {}
    for c in shown:
        if not c.comes_out:
            missed.setdefault(c.why, []).append(f"{c.row}, {c.column}")
    reasons = [f"- {'; '.join(where)}: {why}" for why, where in missed.items()]
    return "\n".join([*lines, *(["", "What does not, and why:", "", *reasons] if reasons else [])])


def page() -> str:
    """The whole page, in Markdown, from what is computed now."""
    tables: dict[str, list[Cell]] = {}
    for cell in cells():
        tables.setdefault(cell.table, []).append(cell)
    sections = [_section(table, shown) for table, shown in tables.items()]
    return "\n\n".join([_HEAD.rstrip(), *sections]) + "\n"


def write(root: Path) -> Path:
    """Write the page below the folder of a checkout, and say where."""
    path = root / "benchmarks" / "survey_tables.md"
    path.write_text(page(), encoding="utf-8")
    return path


if __name__ == "__main__":
    write(Path(__file__).parents[2])
