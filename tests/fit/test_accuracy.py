"""How often a network is right."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from efficientdl.fit import evaluate


@given(st.integers(1, 50), st.integers(2, 7), st.integers(1, 60), st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_equals_numpy_whatever_the_batch(n, classes, batch, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, classes, generator=generator)
    y = torch.randint(classes, (n,), generator=generator)
    expected = np.mean(x.numpy().argmax(1) == y.numpy())
    np.testing.assert_allclose(evaluate(nn.Identity(), (x, y), batch=batch), expected)


def test_tests_in_evaluation_mode_and_gives_the_modes_back():
    # With dropout of everything, a network in training mode would say class 0 every time.
    model = nn.Sequential(nn.Dropout(1.0), nn.BatchNorm1d(2))
    model[1].eval()
    x, y = torch.eye(2).repeat(4, 1), torch.arange(2).repeat(4)
    assert evaluate(model, (x, y)) == 1.0
    assert (model.training, model[0].training, model[1].training) == (True, True, False)
    torch.testing.assert_close(model[1].running_mean, torch.zeros(2), rtol=0, atol=0)


def test_nothing_to_test_on():
    with pytest.raises(ValueError, match="evaluate: number of examples must be a whole number, 1"):
        evaluate(nn.Identity(), (torch.zeros(0, 2), torch.zeros(0, dtype=torch.long)))
