"""The bar for long work, as a notebook shows it."""

import sys
from typing import Any

from efficientdl import progress
from efficientdl.progress import eta, ui_mode


class WidgetBar:
    """A bar below the cell, with what is left in words; `efficientdl.progress` drives it."""

    def __init__(self, label: str, total: int | None) -> None:
        from IPython.display import display

        from efficientdl.viz.widgets import LabProgress

        self.label, self.total = label, total
        self.widget = LabProgress(label=label, total=total or 0, text=eta(0, total, 0.0))
        display(self)

    def update(self, done: int, seconds: float) -> None:
        """Move to `done` and say what is left."""
        self.widget.value = done
        self.widget.text = eta(done, self.total, seconds)

    def close(self, done: int, seconds: float) -> None:
        """Say how it ended; without a known total the bar is full now."""
        self.widget.total = self.total or max(done, 1)
        self.widget.value = done if self.total else self.widget.total
        self.widget.text = f"{eta(done, self.total, seconds)} in {seconds:.1f} s"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        from efficientdl.viz.view import bundle

        return bundle(self.widget, f"{self.label}: {self.widget.text}")


def in_kernel() -> bool:
    """Is this a Jupyter kernel? (Asked without importing one.)"""
    ipython: Any = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return "ipykernel" in sys.modules and getattr(shell, "kernel", None) is not None


def use_widgets() -> bool:
    """From now on `progress` draws widgets, if this is a live kernel; says whether it is.

    `import efficientdl.viz` does it by itself.
    """
    if ui_mode() != "live" or not in_kernel():
        return False
    progress.open_bar = WidgetBar
    return True
