"""The promises of kernels, tried on a matrix product and on broken relatives of it."""

import numpy as np
import pytest

from efficientdl.catalogue import Kernel
from efficientdl.report import Cost
from tests.promises.toys import broken_promises, toy


def inputs(rng, size):
    return rng.integers(-9, 9, (size, size + 1)), rng.integers(-9, 9, (size + 1, size + 2))


KIND = Kernel(inputs=inputs)


def matmul(a, b):
    return np.einsum("mk,kn->mn", a, b)


def matmul_reference(a, b):
    return a @ b


def matmul_cost(a, b):
    macs = a[0] * a[1] * b[1]
    return Cost(macs=macs, traffic_bytes=8 * (a[0] * a[1] + b[0] * b[1] + a[0] * b[1]))


def drops_the_last(a, b):
    """Right for one tile, wrong when the size is odd and more than one."""
    even = a.shape[1] - a.shape[1] % 2
    return a[:, : max(1, even)] @ b[: max(1, even)]


def assumes_contiguous(a, b):
    """Reads the memory behind the array, not the array."""
    base = a if a.base is None or a.flags.c_contiguous else a.base
    return base.ravel()[: a.size].reshape(a.shape) @ b


def rounds(a, b):
    return (a @ b).astype(np.int32)


def writes(a, b):
    out = a @ b
    b[:] = 0
    return out


def without_a_cost(a, b):
    return a @ b


def of_no_macs(a, b):
    return a @ b


def of_constant_cost(a, b):
    return a @ b


drops_the_last_reference = assumes_contiguous_reference = rounds_reference = matmul_reference
writes_reference = without_a_cost_reference = of_no_macs_reference = matmul_reference
of_constant_cost_reference = matmul_reference
drops_the_last_cost = assumes_contiguous_cost = rounds_cost = writes_cost = matmul_cost


def of_no_macs_cost(a, b):
    return Cost(traffic_bytes=8 * a[0])


def of_constant_cost_cost(a, b):
    return Cost(macs=7, traffic_bytes=7)


def test_a_sound_kernel_keeps_all():
    assert broken_promises(toy(matmul, KIND)) == set()


@pytest.mark.parametrize(
    ("call", "promise"),
    [
        (drops_the_last, "equals_its_reference"),
        (assumes_contiguous, "equals_its_reference"),
        (rounds, "equals_its_reference"),
        (writes, "leaves_its_arguments_alone"),
        (without_a_cost, "knows_its_cost_from_shapes"),
        (of_no_macs, "knows_its_cost_from_shapes"),
        (of_constant_cost, "knows_its_cost_from_shapes"),
    ],
)
def test_each_fault_is_caught_by_the_promise_meant_for_it(call, promise):
    assert promise in broken_promises(toy(call, KIND))


def test_a_tolerance_wants_a_reason():
    assert "equals_its_reference" in broken_promises(
        toy(matmul, Kernel(inputs=inputs, tolerance=1e-6))
    )
