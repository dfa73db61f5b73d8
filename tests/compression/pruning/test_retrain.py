"""Train, prune, retrain: three steps, each of which can be seen."""

import copy
from functools import partial

import numpy as np
import pytest
import torch

from efficientdl.compression.pruning import globally, prune
from efficientdl.compression.pruning.retrain import dropout_after_pruning, train_prune_retrain
from efficientdl.fit import evaluate
from tests.compression.pruning.small_task import (
    TEST,
    X,
    interrupted_in,
    network,
    same_weights,
    training,
)
from tests.promises.state import untouched


def test_with_nothing_to_prune_it_is_training():
    trained, _ = train_prune_retrain(network(), X, sparsity=0, train=training())
    torch.testing.assert_close(trained(X), training().run(network())(X), rtol=0, atol=0)


def test_one_shot_is_prune():
    mine, report = train_prune_retrain(network(), X, sparsity=0.8)
    theirs, expected = prune(network(), X, sparsity=0.8)
    same_weights(mine, theirs)
    assert report == expected


def test_the_three_steps_are_those_done_by_hand():
    """By hand: train, zero the smallest with NumPy, train on with the zeros held by a hook."""
    trained = training().run(network())
    ours = copy.deepcopy(trained)
    masks = {}
    for name in ("fc", "head"):
        weight = ours.get_submodule(name).weight.data
        smallest = np.argsort(weight.abs().numpy(), axis=None)[: round(0.75 * weight.numel())]
        masks[name] = torch.ones(weight.numel(), dtype=torch.bool)
        masks[name][smallest] = False
        weight.mul_(masks[name].reshape(weight.shape))

    def hold(model):
        for name, mask in masks.items():
            weight = model.get_submodule(name).weight
            weight.data.mul_(mask.reshape(weight.shape))

    by_hand = training(seed=1).run_with(ours, hold)
    pruned, _ = train_prune_retrain(
        network(), X, sparsity=0.75, train=training(), retrain=training(seed=1)
    )
    # 1e-4: their gradients of dropped weights feed nothing, but sums run in another order
    torch.testing.assert_close(pruned(X), by_hand(X), rtol=0, atol=1e-4)
    assert int((pruned.fc.weight == 0).sum()) == 768


def test_retraining_heals():
    trained = training(epochs=4).run(network())
    one_shot, _ = train_prune_retrain(trained, X, sparsity=0.9)
    with untouched(trained):
        healed, _ = train_prune_retrain(trained, X, sparsity=0.9, retrain=training(epochs=4))
    assert evaluate(healed, TEST) > evaluate(one_shot, TEST) + 0.1
    np.testing.assert_array_equal(healed.fc.mask, one_shot.fc.mask)


def test_any_pruner_will_do():
    pruner = partial(prune, scope=globally)
    pruned, _ = train_prune_retrain(network(), X, sparsity=0.5, pruner=pruner)
    same_weights(pruned, prune(network(), X, sparsity=0.5, scope=globally).model)


def test_interrupted_in_training_it_prunes_what_there_is_and_stops():
    train = interrupted_in(training(), step=9)
    never = training(after_step=unreachable)
    pruned, report = train_prune_retrain(network(), X, sparsity=0.75, train=train, retrain=never)
    so_far = interrupted_in(training(), step=9).run(network())
    same_weights(pruned, prune(so_far, X, sparsity=0.75).model)
    assert "interrupted: what training had reached was pruned" in report.note


def unreachable(model):
    raise AssertionError("trained on after an interruption")


def test_interrupted_in_retraining_it_keeps_what_it_has_and_says_so():
    retrain = interrupted_in(training(), step=9)
    pruned, report = train_prune_retrain(network(), X, sparsity=0.75, retrain=retrain)
    assert int((pruned.fc.weight == 0).sum()) == 768
    assert report.note.endswith("the retraining was interrupted")
    assert report.note.startswith(prune(network(), X, sparsity=0.75).report.note)


def test_the_dropout_of_the_paper():
    """Half of the dropout at a quarter of the connections; none lost, nothing changes."""
    assert dropout_after_pruning(0.5, n_before=1000, n_after=250) == 0.25
    assert dropout_after_pruning(0.5, n_before=7, n_after=7) == 0.5


def test_bad_values_are_named():
    with pytest.raises(
        ValueError, match=r"train_prune_retrain: sparsity must be in \[0, 1\), got 1"
    ):
        train_prune_retrain(network(), X, sparsity=1.0)
    with pytest.raises(
        ValueError, match=r"layer named in sparsity must be one of fc, head, got 'bo"
    ):
        train_prune_retrain(network(), X, sparsity={"body": 0.5})
    with pytest.raises(ValueError, match=r"n_after must be a whole number in \[0, 4\], got 5"):
        dropout_after_pruning(0.5, n_before=4, n_after=5)
