"""Text that a learner wrote, made safe to quote.

Control characters and those that turn the direction of writing go, and what is very long is cut.
What is left is text: `quoted` lays it between fences that it cannot close, `literal` puts a
backslash before everything that Markdown would take as markup.
"""

import re
import unicodedata

LONGEST = 4_000
LONGEST_ANSWER = 20_000
MOST_LINES = 60
_CUT = "… (cut here)"
_LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
# Joiners (U+200C, U+200D) stay: scripts and emoji need them.
_HIDDEN = re.compile(
    "[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)
_MARKUP = re.compile(r"[\\`*_{}\[\]<>#|~$&@!^=]|:(?=\S)")
_ADDRESS = re.compile(r"\b(www)\.", re.IGNORECASE)
_START = re.compile(r"^(\d*)([-+.):])(?=\s|[-+]|$)")


def clean(text: str, *, longest: int = LONGEST, lines: int = MOST_LINES) -> str:
    """`text` without what cannot be seen, and cut where it is too long.

    >>> clean("a\\u202eb\\x07c")
    'abc'
    """
    seen = _HIDDEN.sub("", _LINE_ENDS.sub("\n", text[: 4 * longest]).expandtabs(4))
    seen = "".join(c for c in seen if c == "\n" or unicodedata.category(c) not in ("Cc", "Cs"))
    kept = "\n".join(seen.split("\n")[:lines])[:longest]
    whole = len(kept) == len(seen) and len(text) <= 4 * longest
    return kept if whole else f"{kept}{_CUT}"


def one_line(text: str) -> str:
    """`clean`, with every run of space and line ends as one space.

    >>> one_line("two\\nlines")
    'two lines'
    """
    return " ".join(clean(text, longest=300).split())


def literal(text: str) -> str:
    """One line of text as Markdown that shows it as it is.

    >>> print(literal("*not* [a link](https://example.org)"))
    \\*not\\* \\[a link\\](https\\://example.org)
    """
    return _START.sub(r"\1\\\2", _escaped(" ".join(clean(text).split())))


def prose(text: str) -> str:
    """A sentence of ours as Markdown; words between backquotes become code, nothing else does.

    >>> print(prose("Use `kernel**2`, not kernel*2."))
    Use `kernel**2`, not kernel\\*2.
    """
    pieces = " ".join(clean(text).split()).split("`")
    if len(pieces) % 2 == 0 or not all(piece.strip() for piece in pieces[1::2]):
        return literal(text)
    marked = (code_span(p) if i % 2 else _escaped(p) for i, p in enumerate(pieces))
    return _START.sub(r"\1\\\2", "".join(marked))


def _escaped(line: str) -> str:
    return _ADDRESS.sub(r"\1\\.", _MARKUP.sub(r"\\\g<0>", line))


def quoted(text: str) -> str:
    """Lines of text as a block of Markdown, between fences longer than any run inside.

    >>> print(quoted("a ``` b"))
    ````text
    a ``` b
    ````
    """
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}text\n{text}\n{fence}"


def code_span(text: str) -> str:
    """One line of text as code inside a line of Markdown.

    >>> code_span("a `b`")
    '`` a `b` ``'
    """
    line = one_line(text) or "(no name)"
    ticks = "`" * (_longest_run(line) + 1)
    room = " " if "`" in line else ""
    return f"{ticks}{room}{line}{room}{ticks}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
