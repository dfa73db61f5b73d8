"""The sets by name."""

from typing import Literal, overload

from efficientdl import _check
from efficientdl.datasets import shipped, texts
from efficientdl.datasets.types import Dataset, Glosses, Pairs, Scan, Text

_SHIPPED = {
    "fashion_mnist": shipped.fashion_mnist,
    "mnist": shipped.mnist,
    "digits": shipped.digits,
    "lfw_subset": shipped.lfw_subset,
    "kws_espeak": shipped.kws_espeak,
    "kws_real": shipped.kws_real,
    "japanese_vowels": shipped.japanese_vowels,
    "wordnet_gloss": texts.wordnet_gloss,
    "moby_dick": texts.moby_dick,
    "en_es": texts.en_es,
    "vlp16": texts.vlp16,
}


def names() -> list[str]:
    """The sets that need no network.

    >>> names()[:2]
    ['fashion_mnist', 'mnist']
    """
    return list(_SHIPPED)


def remote_names() -> list[str]:
    """The larger sets, which `load` fetches the first time.

    >>> "cifar10" in remote_names()
    True
    """
    from efficientdl.datasets.remote_sets import SETS

    return list(SETS)


@overload
def load(name: Literal["wordnet_gloss", "sst2"]) -> Glosses:
    """Labelled texts."""


@overload
def load(name: Literal["moby_dick", "tiny_shakespeare"]) -> Text:
    """One long text."""


@overload
def load(name: Literal["en_es", "multi30k"]) -> Pairs:
    """Sentences in two languages."""


@overload
def load(name: Literal["vlp16"]) -> Scan:
    """A laser scan."""


@overload
def load(
    name: Literal[
        "fashion_mnist",
        "mnist",
        "digits",
        "lfw_subset",
        "kws_espeak",
        "kws_real",
        "japanese_vowels",
        "mnist_full",
        "fashion_mnist_full",
        "cifar10",
        "cifar100",
        "imagenette",
        "flowers102",
        "oxford_pets",
        "speech_commands",
    ],
) -> Dataset:
    """A labelled set."""


@overload
def load(name: str) -> Dataset | Glosses | Text | Pairs | Scan:
    """Any of them, by a name that is not known beforehand."""


def load(name: str) -> Dataset | Glosses | Text | Pairs | Scan:
    """Load a set by name; one that does not ship is fetched the first time and then kept.

    The parts of a set are the same on every machine and every day. Pictures come as float32 in
    0..1, `n c h w`.

    Args:
        name: One of `names()`, or of `remote_names()`.

    >>> load("fashion_mnist")
    Dataset(fashion_mnist: 10 classes, 1 x 28 x 28; train 9000, val 1000, test 2000)

    Raises:
        BadValue: There is no such set, or its file is missing or damaged.
        NotFetched: It has to be fetched, and that did not work.
    """
    if name in _SHIPPED:
        return _SHIPPED[name]()
    # Only now: what fetches and unpacks takes a moment to import, and most courses never do.
    from efficientdl.datasets.remote import load_remote
    from efficientdl.datasets.remote_sets import SETS

    _check.one_of("load", "dataset", name, [*_SHIPPED, *SETS])
    return load_remote(name, SETS[name])
