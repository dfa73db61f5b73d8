"""Is this machine ready for the labs? What `efficientdl doctor` looks at."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from typing import NamedTuple

from efficientdl import _files
from efficientdl._check import BadValue

_PACKAGES = ("torch", "numba", "numpy", "jupyterlab", "ipywidgets", "anywidget", "plotly")
_DISK_MB = 100


class Finding(NamedTuple):
    """One thing looked at, and what to do when it is not well."""

    what: str
    ok: bool
    found: str
    cure: str = ""


def findings() -> Iterator[Finding]:
    """Look at Python, the packages, the shipped files, cores, disk."""
    yield Finding(
        "Python",
        sys.version_info >= (3, 11),
        platform.python_version(),
        "efficientdl needs 3.11 or newer: `make lab PYTHON=python3.11`",
    )
    for name in _PACKAGES:
        yield _package(name)
    yield from _data()
    yield Finding("processor cores", True, str(os.cpu_count()))
    free = shutil.disk_usage(".").free // 2**20
    yield Finding("free disk", free >= _DISK_MB, f"{free} MiB", "labs write up to 100 MiB")


def _package(name: str) -> Finding:
    try:
        return Finding(name, True, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, False, "not installed", "`make lab` installs everything")


def _data() -> Iterator[Finding]:
    try:
        names = _files.names()
    except BadValue as error:
        yield Finding("data", False, str(error), "run it in a checkout, or set EFFICIENTDL_DATA")
        return
    for name in names:
        try:
            _files.data_file("doctor", name)
        except BadValue as error:
            yield Finding(f"data/{name}", False, str(error), "`git checkout -- data`")
    yield Finding("data", True, f"{len(names)} files in {_files.data_folder()}")
