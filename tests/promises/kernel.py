"""Promises of kernels: `name`, `name_reference` and `name_cost`, the three in one module.

`kind.inputs(rng, size)` draws the arguments. `name_cost` takes them with every array replaced by
its shape, and gives a `Cost` with MACs and the bytes that must at least travel.
"""

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from efficientdl.catalogue import Technique
from efficientdl.report import Cost
from tests.promises.state import global_generators_untouched

Arguments = tuple[Any, ...]

# Without the phase that explains a failure, which takes seconds.
PHASES = (Phase.explicit, Phase.generate, Phase.shrink)


def beside(technique: Technique, ending: str) -> Callable[..., Any]:
    module, _, name = technique.symbol.rpartition(".")
    found = getattr(importlib.import_module(module), name + ending, None)
    assert found is not None, f"{module} has no {name}{ending}"
    return found


def drawn(technique: Technique, size: int, seed: int) -> Arguments:
    return technique.kind.inputs(np.random.default_rng(seed), size)


def scattered(arguments: Arguments) -> Arguments:
    """The same values, in arrays that are not contiguous."""

    def spread(value: object) -> object:
        if not isinstance(value, np.ndarray) or value.ndim == 0:
            return value
        wide = np.empty((*value.shape[:-1], 2 * value.shape[-1]), value.dtype)
        wide[..., ::2] = value
        return wide[..., ::2]

    return tuple(map(spread, arguments))


def assert_close(technique: Technique, ours: Any, theirs: Any) -> None:
    tolerance = technique.kind.tolerance
    assert tolerance == 0 or technique.kind.reason, "has a tolerance without a reason"
    pairs = zip(ours, theirs, strict=True) if isinstance(theirs, tuple) else [(ours, theirs)]
    for mine, other in pairs:
        assert np.asarray(mine).dtype == np.asarray(other).dtype, "has another dtype"
        np.testing.assert_allclose(mine, other, rtol=tolerance, atol=tolerance)


def equals_its_reference(technique: Technique) -> None:
    reference = beside(technique, "_reference")

    @settings(deadline=None, max_examples=25, database=None, phases=PHASES)
    @given(size=st.integers(1, 17), seed=st.integers(0, 2**16))
    def check(size: int, seed: int) -> None:
        arguments = drawn(technique, size, seed)
        expected = reference(*arguments)
        assert_close(technique, technique.call(*arguments), expected)
        assert_close(technique, technique.call(*scattered(arguments)), expected)

    check()


def leaves_its_arguments_alone(technique: Technique) -> None:
    arguments, given_ = drawn(technique, 9, 0), drawn(technique, 9, 0)
    with global_generators_untouched():
        technique.call(*arguments)
    for index, (now, then) in enumerate(zip(arguments, given_, strict=True)):
        same = not isinstance(then, np.ndarray) or np.array_equal(now, then, equal_nan=True)
        assert same, f"wrote into its argument {index}"


def knows_its_cost_from_shapes(technique: Technique) -> None:
    cost_of = beside(technique, "_cost")

    def cost(size: int) -> Cost:
        shapes = (a.shape if isinstance(a, np.ndarray) else a for a in drawn(technique, size, 0))
        return cost_of(*shapes)

    small, large = cost(4), cost(16)
    assert isinstance(small, Cost), f"gave {small!r}, not a Cost"
    for name in ("macs", "traffic_bytes"):
        few, many = getattr(small, name), getattr(large, name)
        assert few is not None, f"does not know its {name}"
        assert 0 <= few < many, f"{name} does not grow with the size: {few}, {many}"


PROMISES = [equals_its_reference, leaves_its_arguments_alone, knows_its_cost_from_shapes]
