"""Statistics against autograd, hooks of our own and NumPy; gathered only when asked for."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.functional import cross_entropy, unfold

from efficientdl.compression.pruning import magnitude, prune
from efficientdl.compression.pruning.criteria import obd, obs, sensitivity, taylor
from efficientdl.compression.pruning.statistics import STATISTICS, collect, wanted
from tests.compression.pruning.small_nets import convnet, examples, half_square
from tests.models.layers.test_masked import gen
from tests.promises.state import global_generators_untouched, untouched


def gathered(model, statistic, data):
    found = collect(
        "prune", model, ["0", "3", "7"], statistics=[statistic], data=data, loss=cross_entropy
    )
    return {name: known[statistic] for name, known in found.items()}


def test_a_criterion_names_what_it_needs():
    names = [wanted("prune", c) for c in (magnitude, taylor, obd, obs, sensitivity)]
    flat = [[], ["grad"], ["hessian_diagonal"], ["inverse_hessian_diagonal"]]
    assert names == [*flat, ["sensitivity_variance"]]
    assert wanted("prune", partial(taylor, grad=torch.ones(2))) == []
    assert wanted("prune", lambda weight, *, power=2, **_: weight) == []
    assert wanted("prune", torch.abs) == []


def test_the_gradient_is_that_of_the_mean_loss_of_all_examples():
    model = convnet()
    data = examples(model, n=150)  # three batches, of unequal size
    ours = gathered(model, "grad", data)
    weights = {name: model.get_submodule(name).weight for name in ours}
    theirs = torch.autograd.grad(cross_entropy(model(data[0]), data[1]), list(weights.values()))
    for name, grad in zip(weights, theirs, strict=True):
        torch.testing.assert_close(ours[name], grad)


def test_input_norms_and_activations():
    model = convnet()
    data = examples(model, n=70)
    norms, activations = gathered(model, "input_norm", data), gathered(model, "activations", data)
    with torch.no_grad():
        patches = unfold(data[0], 3, padding=1)
        np.testing.assert_allclose(
            norms["0"].flatten(), np.linalg.norm(patches.transpose(1, 2).reshape(-1, 18), axis=0)
        )
        features = model[:7](data[0])
        np.testing.assert_allclose(norms["7"], np.linalg.norm(features, axis=0))
        np.testing.assert_allclose(activations["7"], model[7](features))
        first = model[0](data[0]).movedim(1, -1).reshape(-1, 4)
        np.testing.assert_allclose(activations["0"], first)
        seen = model[:3](data[0])  # the grouped layer: two channels in, two out, twice
        second = unfold(seen[:, 2:], (3, 2), stride=2, dilation=(1, 2), padding=1)
        wanted_norms = np.linalg.norm(second.transpose(1, 2).reshape(-1, 12), axis=0)
    np.testing.assert_allclose(norms["3"][2].flatten(), wanted_norms)
    assert activations["3"].shape[1] == 4


def test_the_inverse_hessians_diagonal_is_numpys():
    model = convnet()
    data = examples(model, n=70)
    ours = gathered(model, "inverse_hessian_diagonal", data)["7"]
    with torch.no_grad():
        x = model[:7](data[0]).numpy()
    h = 2 * x.T @ x / len(x)
    raised = h + 0.01 * np.diag(h).mean() * np.eye(4)
    np.testing.assert_allclose(ours, np.diag(np.linalg.inv(raised)))


def test_each_broadcasts_against_the_weight_except_activations():
    model = convnet()
    data = examples(model)
    for statistic in STATISTICS.keys() - {"activations"}:
        for name, value in gathered(model, statistic, data).items():
            weight = model.get_submodule(name).weight
            assert torch.broadcast_shapes(value.shape, weight.shape) == weight.shape, statistic
            assert not value.requires_grad


@pytest.mark.parametrize("criterion", [taylor, obd, obs, sensitivity])
@pytest.mark.parametrize("training", [False, True])
def test_the_driver_hands_each_criterion_its_statistics(criterion, training):
    model = convnet().train(training)
    model[0].weight.requires_grad_(False)
    data = examples(model)
    with untouched(model), global_generators_untouched():
        result = prune(model, data[0], sparsity=0.5, criterion=criterion, data=data)
    known = collect(
        "prune", model, ["0"], statistics=wanted("test", criterion), data=data, loss=cross_entropy
    )
    scores = criterion(model[0].weight, **known["0"])
    mask = result.model[0].mask
    assert int(mask.sum()) == 36
    assert scores[~mask].max() <= scores[mask].min()


def test_the_loss_given_is_the_loss_taken():
    model = convnet()
    data = examples(model)
    masks = []
    for loss in (cross_entropy, half_square):
        result = prune(model, data[0], sparsity=0.5, criterion=taylor, data=data, loss=loss)
        masks.append(result.model[0].mask)
    assert (masks[0] != masks[1]).any()


def test_what_is_not_asked_for_is_not_gathered(monkeypatch):
    def refuse(*_):
        raise AssertionError("gathered")

    for statistic in STATISTICS.keys() - {"grad"}:
        monkeypatch.setitem(STATISTICS, statistic, refuse)
    model = convnet()
    data = examples(model)
    prune(model, data[0], sparsity=0.5, criterion=taylor, data=data)
    monkeypatch.setitem(STATISTICS, "grad", refuse)
    prune(model, data[0], sparsity=0.5, data=data)


def test_bad_data_is_named():
    model = convnet()
    x, y = examples(model)
    with pytest.raises(
        ValueError, match=r"prune: data must be given: the criterion asks for grad, got None"
    ):
        prune(model, x, sparsity=0.5, criterion=taylor)
    with pytest.raises(ValueError, match=r"prune: data x and data y must be equally long"):
        prune(model, x, sparsity=0.5, criterion=taylor, data=(x, y[:3]))
    with pytest.raises(ValueError, match=r"prune: number of data examples must be a whole number"):
        prune(model, x, sparsity=0.5, criterion=taylor, data=(x[:0], y[:0]))
    with pytest.raises(
        ValueError,
        match=r"prune: statistic named by criterion must be one of .* 'hessian_diag'; di",
    ):
        prune(model, x, sparsity=0.5, criterion=lambda weight, *, hessian_diag, **_: weight)


def test_a_layer_that_is_never_called_is_named():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.read = nn.Linear(4, 4)

        def forward(self, x):
            return functional.linear(x, self.read.weight)

    x = torch.randn(2, 4, generator=gen())
    with pytest.raises(ValueError, match=r"prune: model must call layer 'read'"):
        prune(Net(), x, sparsity=0.5, criterion=obs, data=(x, torch.zeros(2).long()))
