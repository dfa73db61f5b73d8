"""An answer's source, read and never run: what it may not use, and how to know it again.

An exercise may forbid names: the functions of the library that would do its work. The rule follows
names through imports, attributes and plain assignments. It keeps an honest answer honest; it is no
wall, since code can always make up a name while it runs.
"""

import ast
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

from efficientdl.course.names import UNREADABLE, Reader, below, parsed

_ABOVE = ModuleType | type | None  # what has names below it, or was never imported
_FUNCTIONS = FunctionType | BuiltinFunctionType | MethodType | type


def broken(source: str, forbids: Sequence[str], aliases: Mapping[str, str]) -> str:
    """The first forbidden name that a cell imports or uses, in a sentence; empty if there is none.

    Args:
        source: The whole cell. One that is no Python breaks no rule; others report that.
        forbids: Dotted names; each forbids all that stands below it too.
        aliases: What names bound outside of the cell stand for: `{"costs": "efficientdl.costs"}`.

    >>> broken("f = costs.energy", ["lib.costs.energy"], {"costs": "lib.costs"})
    'write it yourself: `lib.costs.energy` is not allowed here, and line 1 uses it'
    """
    reader, tree = Reader(forbids, aliases), _tree(source)
    if tree is None or not forbids:
        return ""
    try:
        reader.read(tree)
    except RecursionError:
        return "write it more simply: the cell is nested too deeply to be read"
    if not reader.found:
        return ""
    line, name = min(reader.found)
    return f"{refusal(name)}, and line {line} uses it"


def refusal(name: str) -> str:
    """What is said of a forbidden name."""
    return f"write it yourself: `{familiar(name)}` is not allowed here"


def familiar(name: str) -> str:
    """A dotted name as it stands in a lab: `costs.energy`, the library's own name left out."""
    return name.removeprefix("efficientdl.")


def aliases_of(sources: Iterable[str]) -> dict[str, str]:
    """What the names stand for that a lab's cells import.

    >>> aliases_of(["import numpy as np\\nfrom lib import costs, models as m"])
    {'np': 'numpy', 'costs': 'lib.costs', 'm': 'lib.models'}
    """
    reader = Reader((), {})
    for source in sources:
        tree = _tree(source)
        if tree is not None:
            reader.read(tree)
    return {name: path for name, path in reader.cell.items() if path}


def aliases_in(namespace: Mapping[str, object], forbids: Sequence[str]) -> dict[str, str]:
    """What the modules, functions and classes in a running notebook's names stand for."""
    known = {name: _loaded(name) for name in forbids}
    paths = {name: _path(value, known) for name, value in namespace.items()}
    return {name: path for name, path in paths.items() if path}


def forbidden_object(value: object, forbids: Sequence[str]) -> str:
    """The forbidden name that a function itself stands under; empty if none does."""
    path = _path(value, {name: _loaded(name) for name in forbids})
    return next((name for name in forbids if path and below(path, name)), "")


def plain_python(source: str) -> str:
    """A cell without IPython's magics: each becomes the call that it stands for."""
    if parsed(source) is not None:
        return source
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return TransformerManager().transform_cell(source)
    except UNREADABLE:
        return source


def fingerprint(source: str) -> str:
    """A short fingerprint of an answer's cell; blank lines around it do not matter.

    >>> fingerprint("x = 1\\n\\n") == fingerprint("\\nx = 1  ") != fingerprint("x = 2")
    True
    """
    lines = [line.rstrip() for line in plain_python(source).splitlines()]
    return sha256("\n".join(lines).strip("\n").encode()).hexdigest()[:16]


def _tree(source: str) -> ast.Module | None:
    return parsed(plain_python(source))


def _loaded(name: str) -> object:
    """The object of a dotted name, if it has been imported."""
    first, *rest = name.split(".")
    found: object = sys.modules.get(first)
    path = first
    for part in rest:
        path = f"{path}.{part}"
        found = getattr(found, part, sys.modules.get(path))
    return found


def _path(value: object, known: Mapping[str, object]) -> str:
    """Where a module, a function or a class comes from; empty for every other value."""
    while isinstance(value, partial):
        value = value.func
    for name, found in known.items():
        if found is not None and found is value:
            return name
    if isinstance(value, ModuleType):
        return str(value.__name__)
    if not isinstance(value, _FUNCTIONS):
        return ""
    path = f"{value.__module__}.{value.__qualname__}"
    # A function often bears the name of its module; its neighbours there are not forbidden.
    beside = [n for n, found in known.items() if not isinstance(found, _ABOVE)]
    return "" if any(below(path, name) for name in beside) else path
