"""How often a network is right."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from efficientdl.fit import evaluate, fit
from efficientdl.fit.accuracy import hits
from efficientdl.models import seeded


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


@given(st.integers(1, 6), st.integers(2, 5), st.integers(1, 9), st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_labels_of_pixels_count_by_their_share(n, classes, batch, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, classes, 3, 7, generator=generator)
    y = torch.randint(classes, (n, 3, 7), generator=generator)
    expected = np.mean(x.numpy().argmax(1) == y.numpy())
    # Means of means in float64.
    np.testing.assert_allclose(evaluate(nn.Identity(), (x, y), batch=batch), expected, rtol=1e-12)


@given(st.integers(1, 6), st.integers(2, 5), st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_labels_of_a_text_have_the_classes_last(n, classes, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 7, classes, generator=generator)
    y = torch.randint(classes, (n, 7), generator=generator)
    expected = np.mean(x.numpy().argmax(2) == y.numpy())
    np.testing.assert_allclose(evaluate(nn.Identity(), (x, y)), expected, rtol=1e-12)


def test_where_both_axes_fit_the_classes_are_torchs():
    x = torch.eye(3).roll(1, 0)[None]
    y = x.argmax(1)
    assert evaluate(nn.Identity(), (x, y)) == 1.0
    assert evaluate(nn.Identity(), (x.mT, y)) == 0.0


def test_a_network_is_trained_on_labels_of_pixels():
    x = torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    y = torch.zeros(2, 4, 4, dtype=torch.int64)
    start = seeded(lambda: nn.Conv2d(1, 3, 1), seed=0)
    history = fit(start, (x, y), (x, y), epochs=60, lr=0.3, seed=0).history
    assert history.train_accuracy[-1] == history.val_accuracy[-1] == 1.0
    assert history.train_accuracy[0] < 1.0


def test_what_is_no_label_has_no_hits():
    assert np.isnan(hits(torch.zeros(2, 8, 6, 6), torch.zeros(2, 5, 6, 6)))
    with pytest.raises(ValueError, match=r"evaluate: y must be labels, .*, got \(2, 5\)"):
        evaluate(nn.Identity(), (torch.zeros(2, 3), torch.zeros(2, 5)))
