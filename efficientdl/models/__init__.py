"""Networks: the survey's Table 1 in plain torch, and the small ones that labs train.

`layers` holds the building blocks and `networks` what is built of them. A network is asked for by
name: `build` draws its weights from a seed, `skeleton` gives its shapes alone, for counting;
`trained` gives one of the small ones with the weights that ship; `pretrained` one that has learned
ImageNet, if the package with its weights is installed, and `prepare` its pictures.
"""

from efficientdl.models.entry import Entry
from efficientdl.models.initialise import outline, seeded
from efficientdl.models.pretrained import prepare, pretrained, pretrained_names
from efficientdl.models.registry import build, example, names, resolution, skeleton
from efficientdl.models.trained import trained, trained_names

__all__ = [
    "Entry",
    "build",
    "example",
    "names",
    "outline",
    "prepare",
    "pretrained",
    "pretrained_names",
    "resolution",
    "seeded",
    "skeleton",
    "trained",
    "trained_names",
]
