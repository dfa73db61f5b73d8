"""Is an answer the target? Decided by our own rules; no method of the learner's is called.

Kinds and shapes must agree, then values: truth values, whole numbers and strings exactly, other
numbers within a tolerance, NaN only where the target is NaN. A whole number may stand where the
target is a float, and a float where it is a whole number, if they are equal; a list may stand for
a tuple.
"""

from dataclasses import dataclass

import numpy as np

from efficientdl.course.outcome import Kind
from efficientdl.course.values import Plain, shown

_WORDS = {
    bool: "True or False",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a sequence",
    tuple: "a sequence",
    dict: "a dictionary",
    np.ndarray: "an array",
    type(None): "None",
}
# Factors that tell a mistake: 2 to 64, and those between bits, bytes and their prefixes.
_TELLING = (128, 256, 1000, 1024, 10**6, 2**20, 10**9, 2**30)
_LARGEST_TELLING = max(_TELLING)


@dataclass(frozen=True)
class Tolerance:
    """How far a float may be from its target t: `atol + rtol * |t|`."""

    rtol: float = 0.0
    atol: float = 0.0


@dataclass(frozen=True)
class Difference:
    """The first way in which an answer is not the target, as a sentence."""

    kind: Kind
    sentence: str


def difference(target: Plain, yours: Plain, tolerance: Tolerance) -> Difference | None:
    """The first difference, or None where the answer is right.

    Args:
        target: What is wanted, in the closed set of `values.plain`.
        yours: What came back, in that set too.
        tolerance: For floats.

    >>> difference({"macs": 216}, {"macs": 432}, Tolerance()).sentence
    "at 'macs': the target is 216, yours is 432, which is 2 times the target"
    """
    return _compare(target, yours, tolerance, "")


def _compare(target: Plain, yours: Plain, tolerance: Tolerance, place: str) -> Difference | None:
    if _word(target) != _word(yours):
        return _shape(place, f"the answer must be {_word(target)}, yours is {_word(yours)}")
    if isinstance(target, np.ndarray):
        return _arrays(target, yours, tolerance, place)
    if isinstance(target, list | tuple):
        return _sequences(target, yours, tolerance, place)
    if isinstance(target, dict):
        return _dictionaries(target, yours, tolerance, place)
    if isinstance(target, int | float) and not isinstance(target, bool):
        right = _near(target, yours, tolerance)
    else:
        right = target == yours
    if right:
        return None
    said = f"the target is {shown(target)}, yours is {shown(yours)}"
    return _value(place, said + _ratio(target, yours))


def _word(value: Plain) -> str:
    return _WORDS[type(value)]


def _at(place: str, sentence: str) -> str:
    return f"at {place}: {sentence}" if place else sentence


def _shape(place: str, sentence: str) -> Difference:
    return Difference(Kind.WRONG_SHAPE, _at(place, sentence))


def _value(place: str, sentence: str) -> Difference:
    return Difference(Kind.WRONG_VALUE, _at(place, sentence))


def _near(target: float, yours: float, tolerance: Tolerance) -> bool:
    if target == yours or (target != target and yours != yours):
        return True
    if isinstance(target, int):  # a count is exact
        return False
    try:
        return abs(target - yours) <= tolerance.atol + tolerance.rtol * abs(target) < np.inf
    except OverflowError:  # a whole number beyond the largest float
        return False


def _sequences(target: Plain, yours: Plain, tolerance: Tolerance, place: str) -> Difference | None:
    if len(target) != len(yours):
        return _shape(place, f"{_items(len(target))} wanted, yours has {len(yours)}")
    for i, (wanted, got) in enumerate(zip(target, yours, strict=True)):
        found = _compare(wanted, got, tolerance, f"{place}[{i}]")
        if found:
            return found
    return None


def _items(count: int) -> str:
    return "1 item is" if count == 1 else f"{count} items are"


def _dictionaries(
    target: Plain, yours: Plain, tolerance: Tolerance, place: str
) -> Difference | None:
    missing = [repr(k) for k in target if k not in yours]
    if missing:
        return _shape(place, f"yours lacks the key {', '.join(missing[:3])}")
    extra = [repr(k) for k in yours if k not in target]
    if extra:
        return _shape(place, f"yours has a key that is not asked for: {', '.join(extra[:3])}")
    for key, wanted in target.items():
        step = f"[{key!r}]" if place else repr(key)
        found = _compare(wanted, yours[key], tolerance, place + step)
        if found:
            return found
    return None


def _arrays(
    target: np.ndarray, yours: np.ndarray, tolerance: Tolerance, place: str
) -> Difference | None:
    if target.shape != yours.shape:
        turned = ", the target transposed" if target.T.shape == yours.shape else ""
        return _shape(place, f"the shape must be {target.shape}, yours is {yours.shape}{turned}")
    if target.dtype != yours.dtype:
        return _shape(place, f"the dtype must be {target.dtype}, yours is {yours.dtype}")
    wrong = ~_entries_near(target, yours, tolerance)
    if not wrong.any():
        return None
    where = tuple(int(i) for i in np.argwhere(wrong)[0])
    entry = f"the target is {shown(target[where].item())}, yours is {shown(yours[where].item())}"
    said = f"{int(wrong.sum())} of {wrong.size} entries differ; at {list(where)} {entry}"
    return _value(place, said + _array_ratio(target, yours))


def _entries_near(target: np.ndarray, yours: np.ndarray, tolerance: Tolerance) -> np.ndarray:
    if target.dtype.kind != "f":
        return target == yours
    t, y = target.astype(np.float64), yours.astype(np.float64)
    with np.errstate(invalid="ignore"):
        room = tolerance.atol + tolerance.rtol * np.abs(t)
        near = (np.abs(t - y) <= room) & np.isfinite(room)
    return near | (t == y) | (np.isnan(t) & np.isnan(y))


def _array_ratio(target: np.ndarray, yours: np.ndarray) -> str:
    """The same factor everywhere is a factor forgotten, or one too many: worth saying."""
    t, y = target.astype(np.float64), yours.astype(np.float64)
    if target.dtype.kind == "b" or not (np.isfinite(t).all() and np.isfinite(y).all()):
        return ""
    at = np.unravel_index(np.abs(t).argmax(), t.shape)
    if not t[at]:
        return ""
    scaled = t * (y[at] / t[at])
    return _ratio(t[at].item(), y[at].item()) if np.allclose(scaled, y, rtol=1e-6) else ""


def _ratio(target: Plain, yours: Plain) -> str:
    """`, which is 2 times the target`, where the factor is a telling one."""
    for value in (target, yours):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return ""
        if not 0 < abs(value) < 1e300:
            return ""
    if abs(target + yours) < 1e-9 * abs(target):
        return ", which is minus the target"
    for factor, words in ((yours / target, "{} times"), (target / yours, "1/{} of")):
        count = round(factor) if abs(factor) < _LARGEST_TELLING + 1 else 0
        telling = 2 <= count <= 64 or count in _TELLING
        if telling and abs(factor - count) < 1e-6 * count:
            return f", which is {words.format(count)} the target"
    return ""
