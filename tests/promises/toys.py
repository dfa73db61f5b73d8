"""Techniques that are in no catalogue: toys for trying the promises on."""

from collections.abc import Callable

from efficientdl.catalogue import Kind, Technique
from tests.promises import PROMISES, Promise


def toy(call: Callable[..., object], kind: Kind) -> Technique:
    """A technique of a test file, as the catalogue would list it."""
    symbol = f"{call.__module__}.{call.__qualname__}"
    title = (call.__doc__ or "").strip().split("\n")[0].rstrip(".")
    paper = "Toy, A technique that no one published, 2020"
    return Technique("toy", title, "1", paper, symbol, "00", "tests", call, kind)


def broken_promises(technique: Technique) -> set[str]:
    """The names of the promises of its kind that a technique does not keep."""
    promises = PROMISES[type(technique.kind)]
    return {promise.__name__ for promise in promises if _breaks(promise, technique)}


def _breaks(promise: Promise, technique: Technique) -> bool:
    try:
        promise(technique)
    except AssertionError:
        return True
    return False
