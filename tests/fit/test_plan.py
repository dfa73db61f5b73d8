"""A training as a value: it is `fit`, with hooks."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from efficientdl.fit import fit
from efficientdl.fit.plan import after
from tests.compression.pruning.small_task import (
    first_epoch_is_best,
    interrupted_in,
    network,
    same_weights,
    training,
)


def test_it_is_fit():
    mine = training()
    fitted = fit(network(), mine.train, None, epochs=2, lr=0.02, seed=0, recipe=mine.recipe)
    same_weights(mine.run(network()), fitted.model)
    same_weights(after(mine, network()).model, fitted.model)
    assert mine.fit(network()).history == fitted.history


def test_after_none_the_network_is_itself():
    model = network()
    assert after(None, model) == (model, False)


def test_an_interruption_is_told():
    trained, interrupted = after(interrupted_in(training(), step=9), network())
    assert interrupted
    same_weights(trained, training_of_one_epoch_of_two())
    assert not after(training(), network()).interrupted


def training_of_one_epoch_of_two():
    """The weights after the first of two epochs of eight steps, caught on the way."""
    seen = []
    training().run_with(network(), lambda model: seen.append(deepcopy(model)))
    return seen[7]


def test_a_batch_of_none_is_named():
    with pytest.raises(ValueError, match=r"Training: batch must be a whole number, 1 or more, got"):
        training(batch=0).steps  # noqa: B018


def test_steps_are_those_that_fit_makes():
    seen = []
    for n in (512, 500, 40):
        mine = training(n=n, epochs=3)
        seen.clear()
        mine.run_with(network(), seen.append)
        assert len(seen) == mine.steps


def test_the_recipes_own_hook_comes_first_and_the_last_epoch_is_kept():
    calls = []
    mine = training(after_step=lambda _: calls.append("own"), patience=1)
    weights = []

    def hook(model):
        calls.append("ours")
        weights.append(model.head.bias.detach().clone())

    val = first_epoch_is_best(lambda training: training.run(network()))
    trained = replace(mine, val=val).run_with(network(), hook)
    assert calls == ["own", "ours"] * mine.steps
    torch.testing.assert_close(trained.head.bias.detach(), weights[-1], rtol=0, atol=0)
