"""Promises of simulators: `simulate(workload, machine, *, operands) -> (output, Cost)`.

`kind.case(rng, size)` gives a call without arguments, the output that NumPy computes, and the
fewest cycles in which the machine can do the work: MACs over units, or the closed form.
"""

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from efficientdl.catalogue import Technique
from efficientdl.report import Cost
from tests.promises.state import global_generators_untouched

# Without the phase that explains a failure, which takes seconds.
PHASES = (Phase.explicit, Phase.generate, Phase.shrink)


def case(technique: Technique, size: int, seed: int) -> tuple:
    return technique.kind.case(np.random.default_rng(seed), size)


def computes_what_numpy_computes(technique: Technique) -> None:
    @settings(deadline=None, max_examples=20, database=None, phases=PHASES)
    @given(size=st.integers(1, 9), seed=st.integers(0, 2**16))
    def check(size: int, seed: int) -> None:
        call, expected, _ = case(technique, size, seed)
        output, _ = call()
        np.testing.assert_array_equal(output, expected)

    check()


def is_no_faster_than_its_machine(technique: Technique) -> None:
    for size in range(1, 9):
        call, _, least_cycles = case(technique, size, size)
        _, cost = call()
        assert isinstance(cost, Cost), f"gave {cost!r}, not a Cost"
        assert cost.cycles is not None, "does not know its cycles"
        assert cost.cycles >= least_cycles, f"{cost.cycles} cycles, at least {least_cycles} needed"


def replays(technique: Technique) -> None:
    call, _, _ = case(technique, 6, 0)
    with global_generators_untouched():
        (first, cost), (second, again) = call(), call()
    assert np.array_equal(first, second), "gave another output the second time"
    assert cost == again, "gave another cost the second time"


PROMISES = [computes_what_numpy_computes, is_no_faster_than_its_machine, replays]
