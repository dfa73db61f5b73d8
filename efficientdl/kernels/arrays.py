"""What every kernel demands of an array before it touches its memory."""

from typing import Any

import numpy as np

from efficientdl import _check


def demand_array(caller: str, name: str, value: object, *dtypes: Any) -> None:  # noqa: ANN401
    """Refuse what is not an array of one of these dtypes.

    >>> demand_array("int8_gemm", "x", np.zeros(2), np.uint8, np.int8)
    Traceback (most recent call last):
    efficientdl._check.BadKind: int8_gemm: x must be an array of uint8 or int8, got float64
    """
    _check.kind(caller, name, value, np.ndarray)
    assert isinstance(value, np.ndarray)
    if value.dtype not in dtypes:
        names = " or ".join(np.dtype(dtype).name for dtype in dtypes)
        raise _check.BadKind(f"{caller}: {name} must be an array of {names}, got {value.dtype}")
