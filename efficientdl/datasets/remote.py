"""A set that does not ship: fetched once, read, and what to use where there is no network."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from efficientdl._cache import cache_folder
from efficientdl.datasets.download import NotFetched, Remote, fetch
from efficientdl.datasets.types import Dataset, Glosses, Pairs, Text

Files = Mapping[str, Path]
Set = Dataset | Glosses | Pairs | Text


@dataclass(frozen=True)
class RemoteSet:
    """A set that is fetched once.

    Attributes:
        files: What to fetch, by the name that it gets in the cache.
        megabytes: How much that is, about.
        instead: The set that ships and does in its place.
        read: Makes the set of the fetched files.
    """

    files: dict[str, Remote]
    megabytes: int
    instead: str
    read: Callable[[Files], Set]


def load_remote(name: str, known: RemoteSet) -> Set:
    """Fetch what is not there yet, and read it.

    Raises:
        NotFetched: The network, or the server, does not give it; the message names the set that
            ships and can be used instead.
    """
    folder = cache_folder() / name
    try:
        files = {file: fetch(r, file, folder=folder) for file, r in known.files.items()}
    except NotFetched as error:
        raise NotFetched(
            f"load: {name} does not ship and must be fetched once (about {known.megabytes} MB); "
            f"{error}. load({known.instead!r}) needs no network, got {name!r}"
        ) from None
    return known.read(files)


def kept(folder: Path, build: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Arrays that take long to make: read back from the cache where they were made before."""
    path = folder / "arrays.npz"
    if not path.is_file():
        new = folder / "arrays.new.npz"
        np.savez(new, allow_pickle=False, **build())
        new.replace(path)  # whole or not at all
    with np.load(path, allow_pickle=False) as stored:
        return dict(stored)
