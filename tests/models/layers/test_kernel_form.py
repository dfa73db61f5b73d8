"""A packed form is made once, again when the buffers change, and never shared with a copy."""

import copy
import pickle

import pytest
import torch

from efficientdl.models.layers.kernel_form import KernelForm


def total(x, *rest):
    return [float(x.sum()), *rest]


def test_it_is_made_once():
    form, x = KernelForm(total), torch.ones(3)
    first = form.of(x, (1, 2), 5)
    assert first == [3.0, (1, 2), 5]
    assert form.of(x, tuple([1, 2]), 5) is first  # noqa: C409


def written(x):
    x.mul_(2)
    return x


def loaded(x):
    layer = torch.nn.Module()
    layer.register_buffer("x", x)
    layer.load_state_dict({"x": torch.full((3,), 2.0)})
    return layer.x


def in_inference_mode(x):
    with torch.inference_mode():
        x.mul_(2)
    return x


@pytest.mark.parametrize(
    "change", [written, loaded, in_inference_mode, lambda x: 2 * x, lambda x: torch.full((3,), 2.0)]
)
def test_it_is_made_again_when_a_tensor_changes(change):
    form, x = KernelForm(total), torch.ones(3)
    assert form.of(x) == [3.0]
    assert form.of(change(x)) == [6.0]


def test_it_is_made_again_for_other_numbers():
    form, x = KernelForm(total), torch.ones(3)
    assert form.of(x, 1) == [3.0, 1]
    assert form.of(x, 2) == [3.0, 2]


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, copy.copy, lambda form: pickle.loads(pickle.dumps(form))]
)
def test_a_copy_makes_its_own(copied):
    form, x = KernelForm(total), torch.ones(3)
    first = form.of(x)
    other = copied(form).of(x)
    assert other == first
    assert other is not first


def test_what_was_made_in_inference_mode_is_taken():
    with torch.inference_mode():
        x = torch.ones(3)
    assert KernelForm(total).of(x) == [3.0]
