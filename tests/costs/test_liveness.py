"""Peak memory of inference against closed forms."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from efficientdl import models
from efficientdl.costs import measured_peak_bytes, peak_activation_bytes

widths = st.lists(st.integers(1, 30), min_size=2, max_size=6)


def chain(widths):
    return nn.Sequential(*(nn.Linear(a, b) for a, b in itertools.pairwise(widths)))


@settings(deadline=None, max_examples=30)
@given(widths, st.integers(1, 3))
def test_a_chain_needs_its_largest_step(widths, batch):
    largest = max(a + b for a, b in itertools.pairwise(widths))
    assert (
        peak_activation_bytes(chain(widths), torch.zeros(batch, widths[0])) == 4 * batch * largest
    )


@settings(deadline=None, max_examples=30)
@given(widths, st.integers(1, 3))
def test_torch_holds_the_input_as_well(widths, batch):
    first = widths[0]
    steps = zip(range(len(widths)), widths, widths[1:], strict=False)
    largest = max(a + b + (first if i else 0) for i, a, b in steps)
    assert measured_peak_bytes(chain(widths), torch.zeros(batch, first)) == 4 * batch * largest


class Shortcut(nn.Module):
    def __init__(self):
        super().__init__()
        self.wide, self.back = nn.Linear(10, 30), nn.Linear(30, 10)

    def forward(self, x):
        return x + self.back(self.wide(x))


def test_a_shortcut_stays_alive():
    x = torch.zeros(1, 10)
    assert peak_activation_bytes(Shortcut(), x) == 4 * (10 + 30 + 10)
    assert measured_peak_bytes(Shortcut(), x) == 4 * (10 + 30 + 10)


def test_views_need_no_memory_and_hold_it():
    x = torch.zeros(4, 3, 2)
    assert peak_activation_bytes(nn.Flatten(), x) == 4 * 24
    model = nn.Sequential(nn.ReLU(), nn.Flatten(), nn.ReLU())
    assert peak_activation_bytes(model, x) == 2 * 4 * 24


def test_working_in_place_needs_one_tensor():
    model = nn.Sequential(nn.Linear(6, 6), nn.ReLU(inplace=True))
    assert peak_activation_bytes(model, torch.zeros(1, 6)) == 2 * 4 * 6


@pytest.mark.parametrize("name", models.names())
def test_liveness_is_the_least_that_torch_can_hold(name):
    model, x = models.skeleton(name), models.example(name, device="meta")
    assert x.nbytes < peak_activation_bytes(model, x) <= measured_peak_bytes(model, x)


def test_measured_alike_on_the_processor():
    model, x = models.build("small_cnn", seed=0), models.example("small_cnn")
    on_meta = models.skeleton("small_cnn"), x.to("meta")
    assert peak_activation_bytes(model, x) == peak_activation_bytes(*on_meta)
    assert measured_peak_bytes(model, x) == measured_peak_bytes(*on_meta)


def test_errors_say_what_to_pass():
    with pytest.raises(
        TypeError, match=r"peak_activation_bytes: model must be a Module|parameter 'model'"
    ):
        peak_activation_bytes(3, torch.zeros(1))
    with pytest.raises(ValueError, match="measured_peak_bytes: x must hold a tensor"):
        measured_peak_bytes(nn.ReLU(), ())


def test_a_slice_of_a_larger_set_counts_as_itself():
    images = torch.zeros(50, 1, 28, 28)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 26 * 26, 10))
    for peak in (peak_activation_bytes, measured_peak_bytes):
        assert peak(model, images[:2]) == peak(model, images[:2].clone())
