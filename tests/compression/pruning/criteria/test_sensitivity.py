"""A unit that never answers scores zero, and a constant one too."""

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.compression.pruning import globally, per_layer, prune
from efficientdl.compression.pruning.criteria import sensitivity
from efficientdl.compression.pruning.statistics import collect
from tests.compression.pruning.small_nets import examples, half_square, mlp


def scores_of(model, data):
    known = collect(
        "prune", model, ["0", "2"], statistics=["sensitivity_variance"], data=data, loss=half_square
    )
    return {n: sensitivity(model.get_submodule(n).weight.detach(), **known[n]) for n in known}


def test_a_dead_unit_scores_zero_and_a_live_one_does_not():
    model = mlp()
    data = examples(model)
    with torch.no_grad():
        model[0].bias[1] = -100.0  # the second unit never fires
        model[0].bias[2] = 100.0  # the third always does
    scores = scores_of(model, data)
    np.testing.assert_array_equal(scores["0"][1], 0)
    np.testing.assert_array_equal(scores["2"][:, 1], 0)
    assert (scores["0"][2] > 0).all()
    assert (scores["2"][:, 2] > 0).all()


@pytest.mark.parametrize("scope", [per_layer, globally])
def test_prune_takes_a_dead_unit_before_anything_else_however_large_it_is(scope):
    model = mlp()
    data = examples(model)
    with torch.no_grad():
        model[0].weight[1] = 100 * model[0].weight[1].abs().clamp(min=0.1)
        model[0].bias[1] = -1e6  # never fires, on large weights in and out
        model[2].weight[:, 1] = 100
    share = {"per_layer": {"0": 5 / 20, "2": 3 / 12}, "globally": 8 / 32}[scope.__name__]
    options = {"sparsity": share, "scope": scope}
    pruned, _ = prune(model, data[0], criterion=sensitivity, data=data, **options)
    gone = {"0": torch.zeros(4, 5).bool(), "2": torch.zeros(3, 4).bool()}
    gone["0"][1], gone["2"][:, 1] = True, True
    for name, dead in gone.items():
        np.testing.assert_array_equal(~pruned.get_submodule(name).mask, dead)
    torch.testing.assert_close(pruned(data[0]), model(data[0]))  # and nobody notices
    assert not (~prune(model, data[0], **options).model[0].mask[1]).any()  # magnitude keeps it


def test_a_unit_that_is_constant_scores_zero_since_a_bias_does_as_well():
    model = mlp()
    with torch.no_grad():
        model[0].weight[1] = 0.0
        model[0].bias[1] = 3.0
    scores = scores_of(model, examples(model))
    np.testing.assert_allclose(scores["2"][:, 1], 0, atol=1e-25)
    assert (scores["2"][:, [0, 2, 3]] > 0).any()


def test_of_a_linear_network_it_is_the_variance_of_what_a_weight_adds():
    linear = nn.Sequential(nn.Linear(5, 3)).double()
    x, y = examples(mlp(), n=70)  # more than one batch
    known = collect(
        "prune", linear, ["0"], statistics=["sensitivity_variance"], data=(x, y), loss=half_square
    )
    weight = linear[0].weight.detach()
    added = x.numpy()[:, None, :] * weight.numpy()  # of each example, output and input
    np.testing.assert_allclose(sensitivity(weight, **known["0"]), added.var(axis=0) / 3)


def test_a_missing_statistic_is_named():
    with pytest.raises(TypeError, match="sensitivity_variance"):
        sensitivity(torch.ones(2))
