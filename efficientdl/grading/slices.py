"""Which of the handed-out code an answer needs: the statements that make the names it uses.

Found by reading, not by running. A handed-out statement is needed if it makes, or changes a part
of, a name that an answer or another needed statement uses. What is only looked at, figures and
timings above all, is left out, so grading takes seconds where a lab takes minutes.
"""

import ast
import symtable
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_EVERYTHING = frozenset(("eval", "exec", "globals", "locals", "vars", "get_ipython"))


@dataclass(frozen=True)
class Statement:
    """A statement at the top of a cell: its text, the names it makes, the names it uses."""

    source: str
    makes: frozenset[str]
    uses: frozenset[str]


def statements(source: str) -> list[Statement]:
    """The statements of a handed-out cell."""
    found = []
    for node in ast.parse(source).body:
        text = _text(source, node)
        found.append(Statement(text, frozenset(_made(node)), frozenset(used(text))))
    return found


def used(source: str) -> set[str]:
    """The names that code reads from outside: not the arguments and variables of its functions.

    >>> sorted(used("def f(x):\\n    y = np.sum(x)\\n    return y * scale"))
    ['np', 'scale']
    """
    found: set[str] = set()
    tables = [symtable.symtable(source, "cell", "exec")]
    for table in tables:  # grows while it is gone through
        tables += table.get_children()
        inside = table.get_type() != "module"
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (symbol.is_global() or not inside):
                found.add(symbol.get_name())
    return found


def needed(cells: Sequence[Sequence[Statement]], wanted: Iterable[str]) -> list[str]:
    """The source of each cell, cut down to what is needed for the wanted names.

    Args:
        cells: Handed-out cells as statements.
        wanted: Names that answers use; one that reads them all, `globals`, wants everything.

    >>> cells = [statements("import math\\nimport os"), statements("r = 2\\nprint(r)")]
    >>> needed(cells, {"r"}), needed(cells, {"math"})
    (['', 'r = 2'], ['import math', ''])
    """
    names = set(wanted)
    everything = bool(names & _EVERYTHING)
    kept: set[int] = set()
    before = -1
    while before != len(kept):
        before = len(kept)
        for cell in cells:
            for statement in cell:
                if statement.makes and (everything or statement.makes & names):
                    kept.add(id(statement))
                    names |= statement.uses
    return ["\n".join(s.source for s in cell if id(s) in kept) for cell in cells]


def _made(node: ast.stmt) -> set[str]:
    """Names that a statement binds, or whose insides it sets."""
    made: set[str] = set()
    for inner in _outside_functions(node):
        if isinstance(inner, ast.Name) and not _reads(inner):
            made.add(inner.id)
        elif isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            made.add(inner.name)
        elif isinstance(inner, ast.Import | ast.ImportFrom):
            made |= {(alias.asname or alias.name).split(".")[0] for alias in inner.names}
        elif isinstance(inner, ast.Attribute | ast.Subscript) and not _reads(inner):
            made |= {n.id for n in ast.walk(inner.value) if isinstance(n, ast.Name)}
    return made


def _outside_functions(node: ast.AST) -> Iterable[ast.AST]:
    yield node
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
        return
    for child in ast.iter_child_nodes(node):
        yield from _outside_functions(child)


def _reads(node: ast.Name | ast.Attribute | ast.Subscript) -> bool:
    return isinstance(node.ctx, ast.Load)


def _text(source: str, node: ast.stmt) -> str:
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
    return "\n".join(source.splitlines()[first - 1 : node.end_lineno])
