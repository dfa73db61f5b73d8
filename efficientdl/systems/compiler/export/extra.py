"""The two packages of the optional extra: `onnx` writes the file, `onnxruntime` runs it."""

from importlib import import_module
from types import ModuleType

from efficientdl import _check


def package(caller: str, name: str) -> ModuleType:
    """Import a package of the extra.

    Args:
        caller: Who asks, for the error.
        name: `onnx`, `onnxruntime`, or a module of theirs.

    Raises:
        BadValue: It is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        rule = 'must be installed, by `pip install "efficientdl[export]"`'
        raise _check.BadValue(f"{caller}: {name} {rule}, got {error}") from error
