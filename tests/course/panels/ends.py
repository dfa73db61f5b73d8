"""What every panel must do: answer to each of its controls, from one end to the other."""

from math import isfinite


def demand_live(panel):
    """Each control changes the view, every number stays finite, and every figure can be drawn."""
    for name, control in panel.controls.items():
        ends = [panel.set(**{name: end}) for end in control.extremes]
        assert str(ends[0]) != str(ends[1]), name
        assert all(isfinite(n) for view in ends for n in numbers(view))
        assert all(figure.svg().startswith("<svg") for view in ends for figure in view.figures)
        panel.set(**{name: control.value})


def numbers(view):
    """All numbers in the tables of a view."""
    cells = [cell for table in view.tables for row in table.rows for cell in row]
    return [cell for cell in cells if isinstance(cell, int | float)]
