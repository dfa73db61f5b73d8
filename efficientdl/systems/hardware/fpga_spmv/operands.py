"""A matrix and a vector that can be multiplied."""

import numpy as np

from efficientdl import _check
from efficientdl.systems.hardware.gemm import check_finite
from efficientdl.systems.hardware.spgemm.rows import check_matrix


def check_matvec(caller: str, weight: object, x: object) -> None:
    """Demand a matrix that is not empty, and a vector of its width, of finite numbers.

    >>> check_matvec("adder_tree", np.ones((2, 3)), np.ones(2))
    Traceback (most recent call last):
    efficientdl._check.BadValue: adder_tree: x must have the shape (3,), got (2,)
    """
    check_matrix(caller, "weight", weight)
    check_vector(caller, x, weight.shape[1])  # pyright: ignore[reportAttributeAccessIssue]


def check_vector(caller: str, x: object, width: int) -> None:
    """Demand a vector of so many finite numbers."""
    _check.kind(caller, "x", x, np.ndarray)
    if x.shape != (width,):  # pyright: ignore[reportAttributeAccessIssue]
        _check.fail(caller, "x", f"must have the shape ({width},)", x.shape)  # pyright: ignore[reportAttributeAccessIssue]
    check_finite(caller, "x", x)  # pyright: ignore[reportArgumentType]
