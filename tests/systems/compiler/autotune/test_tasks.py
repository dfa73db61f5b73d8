"""Tasks know the product that they are, and their programs compute it."""

import numpy as np
import pytest
import torch

from efficientdl.systems.compiler.autotune import ConvTask, MatmulTask, default_schedule


def test_sizes_of_a_convolution_are_torchs():
    task = ConvTask(2, 3, 9, 12, 5, 3, stride=2, padding=1)
    with torch.device("meta"):
        y = torch.nn.functional.conv2d(
            torch.empty(2, 3, 9, 12), torch.empty(5, 3, 3, 3), stride=2, padding=1
        )
    m, k, n = task.sizes
    assert (m * n, k, n) == (y.numel(), 27, 5)
    assert task.macs == y.numel() * 27
    assert task.n_inputs == 2 * 3 * 9 * 12


@pytest.mark.parametrize("task", [MatmulTask(9, 10, 11), ConvTask(1, 3, 6, 7, 5, 3, 2, 1)])
def test_programs_equal_their_references_and_are_not_zero(task):
    program = task.program(default_schedule(task), seed=0)
    np.testing.assert_array_equal(program.run(), program.reference())
    assert program.run().any()
    other = task.program(default_schedule(task), seed=1)
    assert not np.array_equal(program.run(), other.run())


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: MatmulTask(0, 1, 1), "MatmulTask: m must be a whole number"),
        (lambda: MatmulTask(1, 1, 1.5), "MatmulTask: n must be a whole number"),
        (lambda: ConvTask(1, 1, 4, 4, 1, 3, stride=0), "ConvTask: stride must be a whole number"),
        (lambda: ConvTask(1, 1, 4, 4, 1, 3, padding=-1), "ConvTask: padding must be"),
        (lambda: ConvTask(1, 1, 2, 9, 1, 3), "kernel must fit 2 x 9 with padding 0, got 3"),
    ],
)
def test_they_refuse(make, says):
    with pytest.raises((ValueError, TypeError), match=says):
        make()
