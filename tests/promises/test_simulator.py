"""The promises of simulators, tried on an array of multipliers."""

import numpy as np
import pytest

from efficientdl.catalogue import Simulator
from efficientdl.report import Cost
from tests.promises.toys import broken_promises, toy

UNITS = 4


def simulate(a, b, *, units=UNITS):
    """Multiply two matrices on a few units, each of which does one MAC in a cycle."""
    macs = a.shape[0] * a.shape[1] * b.shape[1]
    return a @ b, Cost(macs=macs, cycles=-(-macs // units))


def case(call):
    def draw(rng, size):
        a, b = rng.integers(-9, 9, (size, 3)), rng.integers(-9, 9, (3, size))
        return lambda: call(a, b), a @ b, size * 3 * size / UNITS

    return draw


def computes_wrongly(a, b):
    out, cost = simulate(a, b)
    out[-1, -1] += a.shape[0] > 4
    return out, cost


def too_fast(a, b):
    out, cost = simulate(a, b, units=2 * UNITS)
    return out, cost


def without_cycles(a, b):
    return a @ b, Cost(macs=1)


def never_the_same(a, b):
    out, cost = simulate(a, b)
    return out, cost + Cost(macs=0, cycles=int(np.random.default_rng().integers(1, 10**6)))


def test_a_sound_simulator_keeps_all():
    assert broken_promises(toy(simulate, Simulator(case=case(simulate)))) == set()


@pytest.mark.parametrize(
    ("call", "promise"),
    [
        (computes_wrongly, "computes_what_numpy_computes"),
        (too_fast, "is_no_faster_than_its_machine"),
        (without_cycles, "is_no_faster_than_its_machine"),
        (never_the_same, "replays"),
    ],
)
def test_each_fault_is_caught_by_the_promise_meant_for_it(call, promise):
    assert promise in broken_promises(toy(call, Simulator(case=case(call))))
