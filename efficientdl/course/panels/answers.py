"""Functions that learners write, in cells that must run before they are written."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

NOT_WRITTEN = "not written yet"


def written(calls: Mapping[str, Any]) -> dict[str, Any]:
    """The calls that can be made: one into a function that is not written yet is left out.

    Args:
        calls: By name; a call, or a call and what it costs.

    >>> def yours():
    ...     raise NotImplementedError
    >>> list(written({"theirs": lambda: 1, "yours": yours}))
    ['theirs']
    """
    return {
        name: one
        for name, one in calls.items()
        if agrees(one[0] if isinstance(one, tuple) else one, theirs=None) != NOT_WRITTEN
    }


def agrees(yours: Callable[..., Any], *given: Any, theirs: Any) -> str:  # noqa: ANN401
    """Whether a function gives what the library gives; or that it is not written yet.

    Args:
        yours: The learner's function.
        given: What it is called with.
        theirs: What the library gives.

    >>> agrees(abs, -2, theirs=2)
    'True'
    """
    try:
        found = yours(*given)
    except NotImplementedError:
        return NOT_WRITTEN
    return str(np.array_equal(found, theirs))
