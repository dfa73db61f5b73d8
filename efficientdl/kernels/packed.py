"""What packed weights share: arrays of their own that nobody writes into, checked when made.

A kernel asks of no index whether it is inside. So a packed weight asks of all of them, once, when
it is made, and keeps a copy that is locked.
"""

from dataclasses import fields
from typing import Any, ClassVar, NoReturn, Self

import numpy as np

from efficientdl import _check
from efficientdl.kernels.simd import aligned


class Packed:
    """A weight in the form that a kernel reads: a frozen dataclass of arrays and whole numbers."""

    dtypes: ClassVar[dict[str, type]] = {}

    def __post_init__(self) -> None:
        for field in fields(self):  # pyright: ignore[reportArgumentType]
            value = getattr(self, field.name)
            if field.name not in self.dtypes:
                _check.whole(type(self).__name__, field.name, value, 0)
                continue
            _check.kind(type(self).__name__, field.name, value, np.ndarray)
            demand_dtype(type(self).__name__, field.name, value, self.dtypes[field.name])
            object.__setattr__(self, field.name, _locked(value))
        self.demand()

    def demand(self) -> None:
        """Refuse parts that do not fit together."""

    def refuse(self, name: str, rule: str, value: object) -> NoReturn:
        """Raise the error sentence for a part of this weight."""
        _check.fail(type(self).__name__, name, rule, value)

    @property
    def n_bytes(self) -> int:
        """Bytes of all arrays."""
        return sum(getattr(self, name).nbytes for name in self.dtypes)

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        return self  # nobody writes into it

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, f.name) for f in fields(self))  # pyright: ignore[reportArgumentType]


def _locked(array: np.ndarray) -> np.ndarray:
    ours = aligned(array.shape, array.dtype)
    ours[...] = array
    ours.flags.writeable = False
    return ours


def demand_dtype(caller: str, name: str, array: np.ndarray, wanted: type) -> None:
    """Refuse an array of another dtype."""
    if array.dtype != wanted:
        rule = f"must be {np.dtype(wanted).name}, got {array.dtype}"
        raise _check.BadKind(f"{caller}: {name} {rule}")
