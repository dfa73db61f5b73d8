"""Compile at the first call, and keep the machine code on disk for the next process.

Numba keys what it keeps by the file of the one function, though the machine code also holds
whatever that function inlines from other files. Here the folder's name is a digest of all sources
that may be inlined, and of the versions of the compiler.
"""

import inspect
import platform
import tempfile
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import llvmlite
import numba
import numpy as np
from numba import njit

from efficientdl._cache import cache_folder
from efficientdl.kernels.cpu import config

F = TypeVar("F", bound=Callable[..., Any])
HERE = Path(__file__).parent
VERSIONS = (numba.__version__, llvmlite.__version__, np.__version__, platform.python_version())


def compiled(function: F) -> F:
    """Compile a loop at its first call, to machine code that needs no Python and holds no lock.

    What this package compiles is kept on disk and found again, as long as no source that it may
    inline has changed. Where no folder can be written it is compiled again in each process. With
    `NUMBA_DISABLE_JIT=1` it stays the Python function that it is.

    Args:
        function: A function of arrays and numbers, in the part of Python that Numba knows.

    >>> @compiled
    ... def total(x):
    ...     sum = 0.0
    ...     for value in x:
    ...         sum += value
    ...     return sum
    >>> total(np.array([1.0, 2.0]))
    3.0
    """
    dispatcher: Any = njit(nogil=True)(function)
    if config.DISABLE_JIT:
        return dispatcher
    source = Path(inspect.getfile(function))
    ours = source.is_relative_to(HERE.parent)  # what a learner writes in a cell has no sources
    kept = folder(source.parent) if ours else None
    if kept is None:
        return dispatcher
    before, config.CACHE_DIR = config.CACHE_DIR, str(kept)
    try:
        dispatcher.enable_caching()
    finally:
        config.CACHE_DIR = before
    return dispatcher


@cache
def folder(package: Path) -> Path | None:
    """Where the machine code of a package's loops is kept; None where nothing can be written."""
    root = Path(config.CACHE_DIR) if config.CACHE_DIR else cache_folder() / "kernels"
    place = root / digest({HERE, package})
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return place
    except OSError:
        return None


def digest(packages: set[Path]) -> str:
    """What the machine code depends on: all sources in these folders and below, and the versions.

    >>> digest({HERE}) == digest({HERE}), len(digest({HERE}))
    (True, 16)
    """
    found = sha256(" ".join(VERSIONS).encode())
    for package in sorted(packages):
        for path in sorted(package.rglob("*.py")):
            found.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]
