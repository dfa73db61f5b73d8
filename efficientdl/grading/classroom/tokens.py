"""An answer as a stream of tokens that copying by renaming does not change.

Comments, docstrings, type hints and layout are dropped. A name that the answer itself binds is
its author's choice and is marked as such; a parameter is known by its place; any other name
(builtins, imports, attributes, what the lab defines) is part of what is said and stays.
"""

import ast
import builtins
import io
import keyword
import re
import tokenize
import warnings
from collections.abc import Iterator, Mapping
from typing import NamedTuple

LONGEST = 20_000  # characters of an answer that are read
_WORD = re.compile(r"[A-Za-z_]\w*|\d[\w.]*|[^\w\s]")
_COMMENT = re.compile(r"#.*")
_DROPPED = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
    tokenize.ENDMARKER, tokenize.ENCODING,
}  # fmt: skip
_KEPT = {*keyword.kwlist, *keyword.softkwlist, *dir(builtins)}
Place = tuple[int, int]
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Token(NamedTuple):
    """One token.

    Attributes:
        text: As it stands, or `p0` for a parameter.
        line: From 1.
        chosen: Is it a name that the author chose?
    """

    text: str
    line: int
    chosen: bool = False


def code_tokens(source: str) -> list[Token]:
    """The tokens of an answer in Python; what does not parse is read word by word.

    >>> [t.text for t in code_tokens("def f(a: int) -> int:\\n    b = a  # why\\n    return b")]
    ['def', 'f', '(', 'p0', ')', ':', 'b', '=', 'p0', 'return', 'b']
    """
    source = unified(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd escape in an answer is none of our business
            tree = ast.parse(source)
            tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError):
        return list(_words(source))
    return list(_parsed(source, tree, tokens))


def unified(text: str) -> str:
    """A text as it is compared: cut at LONGEST, with one kind of line end."""
    return text[:LONGEST].replace("\r\n", "\n").replace("\r", "\n")


def prose_tokens(text: str) -> list[Token]:
    """The words of an answer in words, in lower case.

    >>> [token.text for token in prose_tokens("It moves\\nmore bytes.")]
    ['it', 'moves', 'more', 'bytes']
    """
    lines = unified(text).casefold().split("\n")
    return [Token(w, i) for i, line in enumerate(lines, 1) for w in re.findall(r"\w+", line)]


def comments(source: str) -> list[Token]:
    """The comments of an answer, as lower-case words.

    >>> comments("x = 1  # One,  two!")
    [Token(text='one two', line=1, chosen=False)]
    """
    found: list[Token] = []
    for number, line in enumerate(unified(source).split("\n"), 1):
        said = _COMMENT.search(line)
        if said:
            words = " ".join(re.findall(r"\w+", said[0].casefold()))
            found.append(Token(words, number))
    return found


def _words(source: str) -> Iterator[Token]:
    """What does not parse: every name that Python does not know may have been chosen."""
    for number, line in enumerate(source.split("\n"), 1):
        for text in _WORD.findall(_COMMENT.sub("", line)):
            yield Token(text, number, text.isidentifier() and text not in _KEPT)


def _parsed(source: str, tree: ast.Module, tokens: list[tokenize.TokenInfo]) -> Iterator[Token]:
    dropped = _Dropped(source, tree)
    parameters, bound = _parameters(tree), _bound(tree)
    kept = [token for token in tokens if token.type not in _DROPPED]
    for i, token in enumerate(kept):
        after = kept[i + 1] if i + 1 < len(kept) else None
        before = kept[i - 1].string if i else ""
        if dropped.holds(token.start) or _announces(token, after, dropped):
            continue
        text = token.string
        if token.type != tokenize.NAME or before == ".":
            yield Token(_plain(token), token.start[0])
        elif text in parameters:
            yield Token(parameters[text], token.start[0])
        else:
            yield Token(text, token.start[0], text in bound)


def _announces(
    token: tokenize.TokenInfo, after: tokenize.TokenInfo | None, dropped: "_Dropped"
) -> bool:
    """Is it the colon or the arrow before a type hint?"""
    return token.string in (":", "->") and after is not None and dropped.hint(after.start)


def _plain(token: tokenize.TokenInfo) -> str:
    """A string in one way of quoting; anything else as it stands."""
    if token.type != tokenize.STRING:
        return token.string
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return repr(ast.literal_eval(token.string))
    except (SyntaxError, ValueError):  # an f-string
        return token.string


class _Dropped:
    """Where docstrings and type hints stand; ast counts bytes of UTF-8, tokenize characters."""

    def __init__(self, source: str, tree: ast.Module) -> None:
        self._lines = source.split("\n")
        self._spans: list[tuple[Place, Place]] = []
        self._hints: set[Place] = set()
        for node in ast.walk(tree):
            self._docstring(node)
            for name in ("annotation", "returns"):
                hint = getattr(node, name, None)
                if isinstance(hint, ast.expr):
                    self._hints.add(self._span(hint)[0])
                    self._spans.append(self._span(hint))

    def holds(self, place: Place) -> bool:
        """Does this place belong to a docstring or a hint?"""
        return any(start <= place < end for start, end in self._spans)

    def hint(self, place: Place) -> bool:
        """Does a type hint begin here?"""
        return place in self._hints

    def _docstring(self, node: ast.AST) -> None:
        if not isinstance(node, (*_FUNCTIONS, ast.ClassDef, ast.Module)) or not node.body:
            return
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            self._spans.append(self._span(first))

    def _span(self, node: ast.expr | ast.stmt) -> tuple[Place, Place]:
        end_line, end = node.end_lineno or node.lineno, node.end_col_offset or 0
        return self._place(node.lineno, node.col_offset), self._place(end_line, end)

    def _place(self, line: int, offset: int) -> Place:
        text = self._lines[line - 1] if line <= len(self._lines) else ""
        return line, len(text.encode("utf-8", "replace")[:offset].decode("utf-8", "replace"))


def _parameters(tree: ast.Module) -> Mapping[str, str]:
    """The parameters of the first function at the top, by place."""
    for node in tree.body:
        if isinstance(node, _FUNCTIONS):
            a = node.args
            each = [*a.posonlyargs, *a.args, *a.kwonlyargs]
            return {argument.arg: f"p{i}" for i, argument in enumerate(each)}
    return {}


def _bound(tree: ast.Module) -> set[str]:
    """Names that the answer binds; functions at its top level have theirs from the lab."""
    tops = {id(node) for node in tree.body}
    return {name for node in ast.walk(tree) if (name := _binds(node, id(node) in tops))}


def _binds(node: ast.AST, top: bool) -> str | None:
    """The name that one node binds, if its author chose it."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
            return name
        case ast.ExceptHandler(name=name):
            return name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return None if top else name
        case _:
            return None
