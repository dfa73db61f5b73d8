"""Values on their way between two processes: an npz file in memory, never a pickle.

The tree of a value is JSON; the arrays in it travel beside it, each as NumPy writes it. Reading
trusts nothing: sizes are bounded before anything is allocated, and only numbers are arrays.
"""

import io
import json
import math
import zipfile
from typing import Any

import numpy as np

from efficientdl import _check
from efficientdl.course.values import Plain, plain

LARGEST_BYTES = 64 * 2**20
_MOST_MEMBERS = 4096
_ENTRY_BYTES = 80  # of a member in the zip's table of contents; `pack` needs fewer
_TREE = "tree.npy"
_BROKEN = (ValueError, KeyError, TypeError, IndexError, RecursionError, EOFError)


def pack(value: object) -> bytes:
    """A value as the bytes of an npz file: `unpack` gives it back, bit for bit.

    >>> unpack(pack({"mask": np.array([True, False]), "bits": (4, 8.0)}))
    {'mask': array([ True, False]), 'bits': (4, 8.0)}

    Raises:
        BadKind: The value is not made of numbers, strings, arrays, and lists, tuples and
            dictionaries of them.
    """
    arrays: list[np.ndarray] = []
    tree = json.dumps(_tree(plain(value), arrays)).encode()
    file = io.BytesIO()
    np.savez(file, *arrays, tree=np.frombuffer(tree, dtype=np.uint8))
    return file.getvalue()


def unpack(data: bytes, *, largest_bytes: int = LARGEST_BYTES) -> Plain:
    """The value that `pack` packed, read as data from somebody who is not trusted.

    Args:
        data: The bytes.
        largest_bytes: What all arrays together may take, once unpacked.

    Raises:
        BadValue: The bytes are no parcel, or too large.
    """
    try:
        _check_directory(data)
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            members = _members(file, largest_bytes)
        tree = json.loads(members.pop(_TREE).tobytes().decode())
        return plain(_value(tree, members))
    except (*_BROKEN, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        if isinstance(error, _check.BadValue):
            raise
        _check.fail("unpack", "parcel", f"must be one that `pack` made ({error})", data[:16])


def _tree(value: Plain, arrays: list[np.ndarray]) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {"$array": len(arrays) - 1}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": repr(value)}
    if isinstance(value, list | tuple):
        items = [_tree(item, arrays) for item in value]
        return items if isinstance(value, list) else {"$tuple": items}
    if isinstance(value, dict):
        return {"$dict": [[key, _tree(item, arrays)] for key, item in value.items()]}
    return value


def _value(tree: Any, members: dict[str, np.ndarray]) -> Plain:  # noqa: ANN401 - JSON
    if isinstance(tree, list):
        return [_value(item, members) for item in tree]
    if not isinstance(tree, dict):
        return tree
    ((mark, inner),) = tree.items()
    if mark == "$array":
        return members[f"arr_{int(inner)}.npy"]
    if mark == "$float":
        return float(inner)
    if mark == "$tuple":
        return tuple(_value(item, members) for item in inner)
    if mark == "$dict":
        return {key: _value(item, members) for key, item in inner}
    raise ValueError(f"unknown mark {mark!r}")


def _check_directory(data: bytes) -> None:
    """A zip's table of contents is bounded before it is read; `pack` writes the plainest kind."""
    end, before = data[-22:], data[-42:-38]
    if end[:4] != b"PK\x05\x06" or before == b"PK\x06\x07":
        raise ValueError("no plain npz file")
    if int.from_bytes(end[12:16], "little") > _MOST_MEMBERS * _ENTRY_BYTES:
        raise ValueError("too many members")


def _members(file: zipfile.ZipFile, largest_bytes: int) -> dict[str, np.ndarray]:
    """Every member as an array; a size is believed only when it has been read."""
    infos = file.infolist()
    if len(infos) > _MOST_MEMBERS:
        raise ValueError(f"{len(infos)} members")
    left, found = largest_bytes, {}
    for info in infos:
        with file.open(info) as member:
            raw = member.read(left + 1)
        left -= len(raw)
        if left < 0:
            _check.fail(
                "unpack", "parcel", f"must be at most {largest_bytes:,} bytes", info.filename
            )
        found[info.filename] = _array(raw)
    return found


def _array(raw: bytes) -> np.ndarray:
    file = io.BytesIO(raw)
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0
    if version != (1, 0):
        read = np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if dtype.kind not in "biuf" or dtype.itemsize > 8 or dtype.hasobject:
        raise ValueError(f"dtype {dtype}")
    body = raw[file.tell() :]
    if math.prod(shape) * dtype.itemsize != len(body):
        raise ValueError(f"{len(body)} bytes for shape {shape}")
    return np.frombuffer(body, dtype).reshape(shape, order="F" if fortran else "C").copy()
