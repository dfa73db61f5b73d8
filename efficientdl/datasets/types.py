"""What `load` returns: images and signals with labels, labelled texts, pairs, a text, a scan."""

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float, Int64
from torch import Tensor


class Split(NamedTuple):
    """Inputs and their labels, one row of each for an example."""

    x: Float[Tensor, "n ..."]
    y: Int64[Tensor, " n"]


@dataclass(frozen=True)
class Dataset:
    """A labelled set in three parts that share no example.

    Attributes:
        name: What `load` knows it by.
        classes: The names of the classes; a label is an index into them.
        train: What to learn from.
        val: What to choose by: it was carved from the training part, evenly over the classes.
        test: What to report on.
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    val: Split
    test: Split

    def __repr__(self) -> str:
        sizes = ", ".join(f"{part} {len(getattr(self, part).y)}" for part in _PARTS)
        shape = " x ".join(map(str, self.train.x.shape[1:]))
        return f"Dataset({self.name}: {len(self.classes)} classes, {shape}; {sizes})"


class TextSplit(NamedTuple):
    """Texts and their labels."""

    texts: tuple[str, ...]
    y: Int64[Tensor, " n"]


@dataclass(frozen=True)
class Glosses:
    """Short texts with a label each, in three parts that share no example."""

    name: str
    classes: tuple[str, ...]
    train: TextSplit
    val: TextSplit
    test: TextSplit

    def __repr__(self) -> str:
        sizes = ", ".join(f"{part} {len(getattr(self, part).y)}" for part in _PARTS)
        return f"Glosses({self.name}: {len(self.classes)} classes; {sizes})"


@dataclass(frozen=True)
class Pairs:
    """Sentences in two languages, aligned, in three parts that share no pair."""

    name: str
    languages: tuple[str, str]
    train: tuple[tuple[str, str], ...]
    val: tuple[tuple[str, str], ...]
    test: tuple[tuple[str, str], ...]

    def __repr__(self) -> str:
        sizes = ", ".join(f"{part} {len(getattr(self, part))}" for part in _PARTS)
        return f"Pairs({self.name}: {' to '.join(self.languages)}; {sizes})"


@dataclass(frozen=True)
class Text:
    """One long text, cut into three stretches: the last twentieth is the test part."""

    name: str
    train: str
    val: str
    test: str

    def __repr__(self) -> str:
        sizes = ", ".join(f"{part} {len(getattr(self, part))}" for part in _PARTS)
        return f"Text({self.name}, characters: {sizes})"


@dataclass(frozen=True)
class Scan:
    """One sweep of a laser scanner.

    Attributes:
        name: What `load` knows it by.
        xyz: Where each return came from, in metres; the scanner stands at the origin, z is up.
        intensity: How strong the return was, 0..1.
    """

    name: str
    xyz: Float[Tensor, "n 3"]
    intensity: Float[Tensor, " n"]

    def __repr__(self) -> str:
        return f"Scan({self.name}: {len(self.xyz)} points)"


_PARTS = ("train", "val", "test")
