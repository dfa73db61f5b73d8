"""The one error sentence: `prune: sparsity must be in [0, 1], got 1.5`.

Caller, name, rule, value, in that order, in every message of the library. A bad value is a
`BadValue` (a `ValueError`), a wrong kind a `BadKind` (a `TypeError`). The command line turns
exactly these two, and errors of the operating system, into plain words and exit code 2; any
other exception is a bug of ours and keeps its traceback.
"""

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from typing import NoReturn


class BadValue(ValueError):
    """A value that breaks its rule. The text says caller, name, rule and value."""


class BadKind(TypeError):
    """A value of the wrong kind. The text says caller, name, rule and value."""


def show(value: object) -> str:
    """A value as it stands in an error: its repr, cut at 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def fail(caller: str, name: str, rule: str, value: object) -> NoReturn:
    """Raise the error sentence.

    >>> fail("prune", "sparsity", "must be in [0, 1]", 1.5)
    Traceback (most recent call last):
    efficientdl._check.BadValue: prune: sparsity must be in [0, 1], got 1.5
    """
    raise BadValue(f"{caller}: {name} {rule}, got {show(value)}")


def number(caller: str, name: str, value: object) -> float:
    """`value` as a number; a bool, a string or a NaN is not one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadKind(f"{caller}: {name} must be a number, got {show(value)}")
    if value != value:
        fail(caller, name, "must be a number", value)
    return value


def in_range(caller: str, name: str, value: float, low: float, high: float) -> None:
    """Demand low <= value <= high.

    >>> in_range("prune", "sparsity", 1.5, 0, 1)
    Traceback (most recent call last):
    efficientdl._check.BadValue: prune: sparsity must be in [0, 1], got 1.5
    """
    if not low <= number(caller, name, value) <= high:
        fail(caller, name, f"must be in [{low}, {high}]", value)


def at_least(caller: str, name: str, value: float, low: float) -> None:
    """Demand value >= low."""
    if not number(caller, name, value) >= low:
        fail(caller, name, f"must be at least {low}", value)


def whole(caller: str, name: str, value: object, low: int, high: int | None = None) -> None:
    """Demand a whole number, `low` or more, and at most `high` where there is one.

    >>> whole("profile", "batch", 0, 1)
    Traceback (most recent call last):
    efficientdl._check.BadValue: profile: batch must be a whole number, 1 or more, got 0
    """
    rule = f"must be a whole number, {low} or more"
    if high is not None:
        rule = f"must be a whole number in [{low}, {high}]"
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise BadKind(f"{caller}: {name} {rule}, got {show(value)}")
    count = int(value.__index__())  # pyright: ignore[reportAttributeAccessIssue]
    if count < low or (high is not None and count > high):
        fail(caller, name, rule, value)


def divides(caller: str, name: str, value: int, of: str, total: int) -> None:
    """Demand that `value` divides `total` without remainder."""
    whole(caller, name, value, 1)
    if total % value:
        fail(caller, name, f"must divide {of} = {total}", value)


def one_of(caller: str, name: str, value: object, known: Collection[object]) -> None:
    """Demand one of the known values; the nearest one is suggested.

    >>> one_of("profile", "network", "resnet5", ["resnet50"])
    Traceback (most recent call last):
    efficientdl._check.BadValue: profile: network must be one of resnet50, got 'resnet5'; did you
    mean 'resnet50'?
    """
    if value in list(known):  # not by hash: a list, say, is a wrong value like any other
        return
    names = [str(k) for k in known]
    near = get_close_matches(str(value), names, n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise BadValue(f"{caller}: {name} must be one of {', '.join(names)}, got {show(value)}{hint}")


def same_length(caller: str, **lists: Sequence[object]) -> None:
    """Demand that the named sequences are equally long."""
    lengths = {name: len(items) for name, items in lists.items()}
    if len(set(lengths.values())) > 1:
        fail(caller, " and ".join(lengths), "must be equally long", lengths)


def kind(caller: str, name: str, value: object, wanted: type | tuple[type, ...]) -> None:
    """Demand an instance of `wanted`.

    >>> kind("count", "model", 3, str)
    Traceback (most recent call last):
    efficientdl._check.BadKind: count: model must be a str, got 3
    """
    if not isinstance(value, wanted):
        types = wanted if isinstance(wanted, tuple) else (wanted,)
        names = " or ".join(t.__name__ for t in types)
        raise BadKind(f"{caller}: {name} must be a {names}, got {show(value)}")
