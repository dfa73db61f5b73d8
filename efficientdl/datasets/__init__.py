"""Real data for the labs: what ships in `data/` or in a package, and what can be downloaded.

`load(name)` gives any of them, `names()` says which there are. A labelled set is a `Dataset` of
three `Split`s, its validation part carved from the training part in a way that never changes;
texts and laser scans have small types of their own. What ships loads in under a second and
needs no network; a larger set is downloaded once, checked, and kept in a cache folder.
`draw_shapes` makes pictures with boxes and labels of pixels, on real photographs;
`photograph_crops` cuts such photographs into fixed squares.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from efficientdl.datasets.audio import log_mel as log_mel
    from efficientdl.datasets.photographs import Crops as Crops
    from efficientdl.datasets.photographs import photograph_crops as photograph_crops
    from efficientdl.datasets.registry import load as load
    from efficientdl.datasets.registry import names as names
    from efficientdl.datasets.registry import remote_names as remote_names
    from efficientdl.datasets.shapes import Shapes as Shapes
    from efficientdl.datasets.shapes import ShapesSet as ShapesSet
    from efficientdl.datasets.shapes import draw_shapes as draw_shapes
    from efficientdl.datasets.types import Dataset as Dataset
    from efficientdl.datasets.types import Glosses as Glosses
    from efficientdl.datasets.types import Pairs as Pairs
    from efficientdl.datasets.types import Scan as Scan
    from efficientdl.datasets.types import Split as Split
    from efficientdl.datasets.types import Text as Text

_HOME = {
    "load": "registry",
    "names": "registry",
    "remote_names": "registry",
    "log_mel": "audio",
    "photograph_crops": "photographs",
    "Crops": "photographs",
    "draw_shapes": "shapes",
    "Shapes": "shapes",
    "ShapesSet": "shapes",
    "Dataset": "types",
    "Glosses": "types",
    "Pairs": "types",
    "Scan": "types",
    "Split": "types",
    "Text": "types",
}

__all__ = [
    "load",
    "names",
    "remote_names",
    "log_mel",
    "photograph_crops",
    "Crops",
    "draw_shapes",
    "Shapes",
    "ShapesSet",
    "Dataset",
    "Glosses",
    "Pairs",
    "Scan",
    "Split",
    "Text",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"efficientdl.datasets.{_HOME[name]}"), name)
    raise AttributeError(f"module 'efficientdl.datasets' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
