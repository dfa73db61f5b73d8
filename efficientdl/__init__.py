"""Efficient deep learning, in code that runs: every technique of one survey, on a laptop.

Five parts hold the techniques: `compression`, `ondevice`, `domains`, `systems`, `automl`. They
stand on floors: `models`, `datasets` and `fit`; `costs`; `tensors`; `search` and `kernels`; and
at the bottom the two words that all of them speak, `Cost` and `Report`. Read `report.py` and
`protocols.py` first: they are the grammar, the rest is vocabulary.

Names are re-exported lazily: `import efficientdl` alone imports no torch.
"""

import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

# `rfc3987_syntax` builds a grammar when it is imported, which costs every `import nbformat` (and
# so papermill, and plotly in a notebook) more than a second. Its one user, jsonschema, goes on
# without it: it then does not check the syntax of internationalized addresses, which notebooks
# do not have.
sys.modules.setdefault("rfc3987_syntax", None)  # pyright: ignore[reportArgumentType]

if TYPE_CHECKING:
    from efficientdl.catalogue import technique as technique
    from efficientdl.protocols import Result as Result
    from efficientdl.report import Cost as Cost
    from efficientdl.report import Report as Report

_HOME = {
    "Cost": "report",
    "Report": "report",
    "Result": "protocols",
    "technique": "catalogue",
}

__all__ = ["Cost", "Report", "Result", "technique"]

try:
    __version__ = version("efficientdl")
except PackageNotFoundError:  # a bare checkout on the path, not installed
    __version__ = "0+unknown"


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"efficientdl.{_HOME[name]}"), name)
    raise AttributeError(f"module 'efficientdl' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
