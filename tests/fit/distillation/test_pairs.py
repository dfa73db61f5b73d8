"""The one error sentence of all the losses."""

from functools import partial

import pytest
import torch

from efficientdl.fit import distillation as kd
from efficientdl.fit.distillation.pairs import demand_pair

LOSSES = {
    "match_logits": kd.match_logits,
    "soft_targets": partial(kd.soft_targets, temperature=2.0),
    "weighted_soft_targets": kd.weighted_soft_targets,
    "hint": kd.hint,
    "hidden_cosine": kd.hidden_cosine,
    "reconstruction": kd.reconstruction,
}
MAPS = {
    "attention_transfer": kd.attention_transfer,
    "pairwise": kd.pairwise,
    "pixelwise": kd.pixelwise,
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("shape", [(4, 6), (3, 8), (4, 8, 1)])
def test_wrong_shape_says_both_shapes(name, shape):
    said = rf"{name}: student must have its teacher's shape \(4, 8\), got \({shape[0]}, "
    with pytest.raises(ValueError, match=said):
        LOSSES[name](torch.ones(shape), torch.ones(4, 8))


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("shape", [(4, 8, 5, 6), (3, 8, 5, 5)])
def test_maps_of_another_size(name, shape):
    said = rf"{name}: student must have its teacher's shape \(4, 8, 5, 5\).*, got \({shape[0]}, "
    with pytest.raises(ValueError, match=said):
        MAPS[name](torch.ones(shape), torch.ones(4, 8, 5, 5))


@pytest.mark.parametrize("name", LOSSES)
def test_an_empty_batch(name):
    with pytest.raises(ValueError, match=rf"{name}: student must have 2 axes or more and at least"):
        LOSSES[name](torch.ones(0, 8), torch.ones(0, 8))


def test_free_axes_are_named_and_may_differ():
    demand_pair("f", torch.ones(2, 3, 4), torch.ones(2, 9, 4), n_axes=3, free=(1,))
    with pytest.raises(ValueError, match=r"f: student must .* \(2, 9, 4\), axis 1 apart, got"):
        demand_pair("f", torch.ones(2, 3, 5), torch.ones(2, 9, 4), n_axes=3, free=(1,))


def test_what_is_no_tensor():
    with pytest.raises(TypeError, match=r"f: teacher must be a Tensor, got \[1\]|'teacher'"):
        demand_pair("f", torch.ones(1, 1), [1], n_axes=2)
