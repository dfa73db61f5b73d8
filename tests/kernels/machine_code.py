"""A loop whose machine code can be looked at."""

from typing import Any

import numba
import pytest


def afresh(loop: Any) -> Any:
    """The loop, compiled anew: Numba shows nothing of what it found on the disk."""
    if not hasattr(loop, "py_func"):
        pytest.skip("the compiler is switched off")
    return numba.njit(nogil=True)(loop.py_func)
