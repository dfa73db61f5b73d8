"""What names stand for in a cell, followed through its code without running it.

`Reader` keeps a scope for the cell and one for each function, as Python does, and in them the
dotted path behind each name, as far as imports, attributes and plain assignments tell it.
"""

import ast
import builtins
import warnings
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import resolve_name

Scope = dict[str, str | None]  # what a name stands for, as a dotted path; None: nothing of ours
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_CLOSED = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
_LOADERS = ("importlib.import_module", "importlib.__import__", "sys.modules.get")
_RUNNERS = ("builtins.exec", "builtins.eval", "builtins.compile")
_MAGICS = ("run_line_magic", "run_cell_magic")


class _ClassScope(Scope):
    """The names of a class's body, which its methods do not see."""


def below(path: str, name: str) -> bool:
    """Is a dotted path this name, or something below it?

    >>> below("lib.costs.energy", "lib.costs"), below("lib.costs_of", "lib.costs")
    (True, False)
    """
    return path == name or path.startswith(name + ".")


def parsed(source: str) -> ast.Module | None:
    """The tree of a source; None where it is no Python."""
    try:
        with warnings.catch_warnings():  # of a string's backslashes, say: not our matter
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except UNREADABLE:
        return None


class Reader(ast.NodeVisitor):
    """Walks cells in their order, and notes where a forbidden name is met.

    Attributes:
        cell: What the names bound in the cells themselves stand for.
        found: Line and name of each forbidden name, in the order of reading.
    """

    def __init__(self, forbids: Sequence[str], aliases: Mapping[str, str]) -> None:
        self.forbids = forbids
        self.cell: Scope = {}
        self.scopes: list[Scope] = [dict(aliases), self.cell]
        self.later: list[tuple[_Function, list[Scope]]] = []
        self.found: list[tuple[int, str]] = []
        self.branches = 0

    def read(self, tree: ast.Module) -> None:
        """Read a cell: first what runs at once, then the bodies of its functions."""
        self.generic_visit(tree)
        outside = self.scopes
        while self.later:
            function, seen = self.later.pop(0)
            self.scopes = [*seen, _locals(function)]
            for statement in function.body:
                self.visit(statement)
        self.scopes = outside

    def _meet(self, path: str | None, node: ast.AST) -> None:
        for name in self.forbids:
            if path and below(path, name):
                self.found.append((getattr(node, "lineno", 0), name))

    def _bind(self, name: str, path: str | None) -> None:
        """A path wins over nothing; a branch that may not run hides no name of outside."""
        scope = self.scopes[-1]
        if path:
            scope[name] = path
        elif not (self.branches and scope is self.cell):
            scope.setdefault(name, None)

    def _value(self, node: ast.AST | None) -> str | None:
        """The dotted path that an expression stands for, as far as it can be told."""
        if isinstance(node, ast.Name):
            for scope in reversed(self.scopes):
                if node.id in scope:
                    return scope[node.id]
            return f"builtins.{node.id}" if hasattr(builtins, node.id) else None
        if isinstance(node, ast.NamedExpr):
            return self._value(node.value)
        if isinstance(node, ast.Attribute):
            base = self._value(node.value)
            return base if node.attr == "__dict__" else _joined(base, node.attr)
        if isinstance(node, ast.Subscript):
            key, base = _text(node.slice), self._value(node.value)
            return key if base == "sys.modules" else _joined(base, key)
        return self._called(node) if isinstance(node, ast.Call) else None

    def _called(self, node: ast.Call) -> str | None:
        function, text = self._value(node.func), [_text(arg) for arg in node.args]
        if function == "builtins.__import__" and text and text[0]:
            whole = len(node.args) > 3 or any(key.arg == "fromlist" for key in node.keywords)
            return text[0] if whole else text[0].split(".")[0]
        if function in _LOADERS and text and text[0]:
            return _absolute(text[0], text[1] if len(text) > 1 else None)
        if function == "builtins.getattr" and len(text) > 1:
            return _joined(self._value(node.args[0]), text[1])
        return self._value(node.args[0]) if function == "builtins.vars" and text else None

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._meet(alias.name, node)
            bound = alias.name if alias.asname else alias.name.split(".")[0]
            self._bind(alias.asname or bound, bound)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name == "*":  # everything of a parent, the forbidden name with it
                for name in self.forbids:
                    if below(name, node.module or ""):
                        self._meet(name, node)
                self._meet(node.module, node)
            elif node.module and not node.level:
                self._meet(f"{node.module}.{alias.name}", node)
                self._bind(alias.asname or alias.name, f"{node.module}.{alias.name}")

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self._bind(node.id, None)
        else:
            self._meet(self._value(node), node)

    def _visit_expression(self, node: ast.AST) -> None:
        self._meet(self._value(node), node)
        if isinstance(node, ast.Call) and self._value(node.func) == "builtins.__import__":
            self._meet(_text(node.args[0]) if node.args else None, node)
        self.generic_visit(node)
        if isinstance(node, ast.Call):
            self._read_strings(node)

    def _read_strings(self, call: ast.Call) -> None:
        """Code that stands in a call as a string: of `exec`, or of a magic such as `%%time`."""
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if name not in _MAGICS and self._value(call.func) not in _RUNNERS:
            return
        for tree in filter(None, (parsed(_text(arg) or "") for arg in call.args)):
            ast.increment_lineno(tree, call.lineno - (name != "run_cell_magic"))
            self.generic_visit(tree)

    visit_Attribute = visit_Subscript = visit_Call = _visit_expression

    def _visit_assignment(self, node: ast.Assign | ast.AnnAssign | ast.NamedExpr) -> None:
        if node.value is not None:
            self.visit(node.value)
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            for name, value in _pairs(target, node.value):
                self._bind(name, self._value(value))
            self.visit(target)

    visit_Assign = visit_AnnAssign = visit_NamedExpr = _visit_assignment

    def _visit_branch(self, node: ast.AST) -> None:
        self.branches += 1
        self.generic_visit(node)
        self.branches -= 1

    visit_If = visit_While = visit_For = visit_Try = visit_TryStar = _visit_branch
    visit_With = visit_Match = _visit_branch

    def _visit_function(self, node: _Function) -> None:
        given = [*node.decorator_list, *node.args.defaults, *node.args.kw_defaults]
        for outside in given:
            if outside is not None:
                self.visit(outside)
        self._bind(node.name, None)
        seen = [scope for scope in self.scopes if not isinstance(scope, _ClassScope)]
        self.later.append((node, seen))

    visit_FunctionDef = visit_AsyncFunctionDef = _visit_function

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for outside in [*node.decorator_list, *node.bases, *node.keywords]:
            self.visit(outside)
        self._bind(node.name, None)
        self._inside(node.body, _ClassScope())

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.args)
        self._inside([node.body], dict.fromkeys(_parameters(node.args)))

    def _visit_comprehension(self, node: ast.AST) -> None:
        parts = sorted(
            ast.iter_child_nodes(node), key=lambda n: not isinstance(n, ast.comprehension)
        )
        self._inside(parts, {})

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _visit_comprehension

    def _inside(self, parts: Iterable[ast.AST], scope: Scope) -> None:
        self.scopes.append(scope)
        for part in parts:
            self.visit(part)
        self.scopes.pop()


def _absolute(name: str, package: str | None) -> str | None:
    try:
        return resolve_name(name, package)
    except ImportError:  # relative to nothing: it will fail when it runs
        return None


def _joined(base: str | None, name: str | None) -> str | None:
    return f"{base}.{name}" if base and name else None


def _text(node: ast.AST) -> str | None:
    found = node.value if isinstance(node, ast.Constant) else None
    return found if isinstance(found, str) else None


def _pairs(target: ast.AST, value: ast.AST | None) -> list[tuple[str, ast.AST | None]]:
    """The names of an assignment, each with what it gets: `a, b = c, d`."""
    if isinstance(target, ast.Name):
        return [(target.id, value)]
    sequences = (ast.Tuple, ast.List)
    if isinstance(target, sequences) and isinstance(value, sequences):
        both = zip(target.elts, value.elts, strict=False)
        return [pair for t, v in both for pair in _pairs(t, v)]
    return []


def _parameters(arguments: ast.arguments) -> list[str]:
    listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [a.arg for a in (*listed, arguments.vararg, arguments.kwarg) if a is not None]


def _locals(function: _Function) -> Scope:
    """The names that a function binds itself: they hide those of outside."""
    bound: set[str] = set(_parameters(function.args))
    shared: set[str] = set()
    nodes: list[ast.AST] = list(function.body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            shared.update(node.names)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        if not isinstance(node, _CLOSED):
            nodes += ast.iter_child_nodes(node)
    return dict.fromkeys(bound - shared)
