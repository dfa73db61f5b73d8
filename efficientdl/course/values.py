"""The values that pass between a learner's function, a file and a grader: a closed set.

Numbers, truth values, strings, `None`, arrays of numbers, and lists, tuples and dictionaries of
them.
`plain` brings whatever a function returned into that set, so that what is compared, printed and
stored afterwards is ours, and no method of a learner's object has a say in it.
"""

import json
import sys
from hashlib import sha256
from typing import Any

import numpy as np

from efficientdl import _check

Json = Any  # what `json` reads and writes
Plain = Any  # None, bool, int, float, str, np.ndarray, or lists, tuples, dicts of them
_DEEPEST = 20


def plain(value: object, *, depth: int = 0) -> Plain:
    """`value` in the closed set, copied: tensors become arrays, arrays without axes numbers.

    >>> plain([np.int64(3), {"a": np.zeros(2)}])
    [3, {'a': array([0., 0.])}]

    Raises:
        BadKind: The value, or something inside it, is of no kind that can be compared.
    """
    if depth > _DEEPEST:
        raise _check.BadKind(f"value: must be nested at most {_DEEPEST} deep, got deeper")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):  # unbound methods: a subclass cannot answer for itself
        return str.__str__(value)
    if isinstance(value, int):
        return int.__index__(value)
    if isinstance(value, float) and not isinstance(value, np.generic):
        return float.__float__(value)
    if isinstance(value, list | tuple):
        items = [plain(item, depth=depth + 1) for item in value]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, dict):
        return {_key(k): plain(item, depth=depth + 1) for k, item in value.items()}
    return _array(value)


def _key(key: object) -> str | int:
    found = plain(key)
    if isinstance(found, bool) or not isinstance(found, str | int):
        raise _check.BadKind(
            f"value: keys must be strings or whole numbers, got {type(key).__name__}"
        )
    return found


def _array(value: object) -> Plain:
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        value = _from_torch(value)
    if not isinstance(value, np.ndarray | np.generic):
        rule = "must be made of numbers, strings, arrays, tuples, lists and dictionaries"
        raise _check.BadKind(f"value: {rule}, got {type(value).__name__}")
    array = np.array(value, subok=False)
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise _check.BadKind(f"value: arrays must hold numbers, got dtype {array.dtype}")
    return array.item() if array.ndim == 0 else array


def _from_torch(tensor: Any) -> object:  # noqa: ANN401 - torch may not be there to name its type
    dense = tensor.detach().cpu().to_dense() if tensor.is_sparse else tensor.detach().cpu()
    # NumPy has no bfloat16; every one of its values is a float32.
    return dense.float().numpy() if str(dense.dtype) == "torch.bfloat16" else dense.numpy()


def encode(value: Plain) -> Json:
    """`value` as plain JSON: `decode` gives it back, arrays with their dtype and shape.

    >>> encode([1, {"mask": np.array([True, False])}])
    [1, {'mask': {'$array': [True, False], '$dtype': 'bool', '$shape': [2]}}]
    """
    value = plain(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, tuple):
        return {"$tuple": [encode(item) for item in value]}
    if isinstance(value, np.ndarray):
        return {
            "$array": [_number(x) for x in value.ravel()],
            "$dtype": value.dtype.name,
            "$shape": list(value.shape),
        }
    if isinstance(value, dict):
        if all(isinstance(k, str) and not k.startswith("$") for k in value):
            return {k: encode(item) for k, item in value.items()}
        return {"$dict": [[k, encode(item)] for k, item in value.items()]}
    return value


def _number(x: float | np.generic) -> Json:
    """A number as JSON has it; a float32 by its own shortest digits, not by float64's."""
    if isinstance(x, np.floating):
        x = float(str(x)) if np.isfinite(x) else float(x)
    if isinstance(x, float) and (x != x or x in (float("inf"), -float("inf"))):
        return {"$float": repr(x)}
    return x.item() if isinstance(x, np.generic) else x


def decode(data: Json) -> Plain:
    """What `encode` wrote.

    >>> decode(encode((1.5, "a", np.arange(3, dtype=np.int8))))
    (1.5, 'a', array([0, 1, 2], dtype=int8))
    """
    if isinstance(data, list):
        return [decode(item) for item in data]
    if not isinstance(data, dict):
        return data
    if "$float" in data:
        return float(data["$float"])
    if "$tuple" in data:
        return tuple(decode(item) for item in data["$tuple"])
    if "$dict" in data:
        return {k: decode(item) for k, item in data["$dict"]}
    if "$array" in data:
        entries = [decode(x) for x in data["$array"]]
        return np.array(entries, dtype=data["$dtype"]).reshape(data["$shape"])
    return {k: decode(item) for k, item in data.items()}


def digest(value: Plain) -> str:
    """A short fingerprint, the same on machines that differ in a float's last bits.

    >>> digest((0.1 + 0.2, np.ones(2))) == digest((0.3, np.ones(2)))
    True
    """
    text = json.dumps(_rounded(encode(value)), sort_keys=True)
    return sha256(text.encode()).hexdigest()[:16]


def _rounded(data: Json) -> Json:
    if isinstance(data, float):
        return f"{data + 0.0:.6g}"
    if isinstance(data, list):
        return [_rounded(item) for item in data]
    if isinstance(data, dict):
        return {k: _rounded(item) for k, item in data.items()}
    return data


def shown(value: Plain, *, width: int = 36) -> str:
    """`value` as a learner reads it: few digits, long arrays cut in the middle.

    >>> print(shown({"kept": 12, "scale": 1 / 3}))
    kept: 12
    scale: 0.3333333333
    """
    if isinstance(value, float):
        return repr(value) if value.is_integer() and abs(value) < 1e15 else f"{value:.10g}"
    if isinstance(value, np.ndarray):
        text = np.array2string(value, precision=6, threshold=40, edgeitems=3, max_line_width=width)
        return f"{text}\n{value.dtype}, shape {value.shape}"
    if isinstance(value, dict):
        return "\n".join(f"{k}: {shown(item, width=width)}" for k, item in value.items()) or "{}"
    if isinstance(value, list | tuple):
        parts = [shown(item, width=width) for item in value]
        flat = f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
        flat = flat if isinstance(value, tuple) else f"[{', '.join(parts)}]"
        return flat if "\n" not in flat and len(flat) <= width else "\n".join(parts)
    return repr(value)
