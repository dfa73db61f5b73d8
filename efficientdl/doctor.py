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
    """Look at Python, the packages, the shipped files, cores, compilers, disk."""
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
    yield from _kernels()
    yield Finding("C compiler", True, shutil.which("cc") or "none: lab 13 leaves one cell out")
    free = shutil.disk_usage(".").free // 2**20
    yield Finding("free disk", free >= _DISK_MB, f"{free} MiB", "labs write up to 100 MiB")


def _package(name: str) -> Finding:
    try:
        return Finding(name, True, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, False, "not installed", "`make lab` installs everything")


def _kernels() -> Iterator[Finding]:
    """What kernels may use of the processor, and where their machine code is kept."""
    try:
        from efficientdl.kernels import compiled, cpu
    except ImportError:  # a package is missing, and was named
        return
    used = [name for name in (cpu.AVX2, cpu.AVX512, cpu.VNNI) if cpu.has(name)]
    yield Finding("kernels use", True, ", ".join(used) or "what every processor has")
    folder = compiled.folder(compiled.HERE)
    yield Finding("compiled kernels", True, str(folder or "not kept: no folder can be written"))


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
