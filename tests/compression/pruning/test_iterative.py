"""Iterative and gradual pruning: the sparsity goes where the schedule says, and ends exact."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from efficientdl.compression.pruning import prune, prune_balanced
from efficientdl.compression.pruning.iterative import prune_gradually, prune_iteratively
from efficientdl.compression.pruning.retrain import train_prune_retrain
from efficientdl.compression.pruning.schedules import at_once, cubic, linear
from tests.compression.pruning.small_task import (
    X,
    first_epoch_is_best,
    interrupted_in,
    network,
    recurrent_network,
    same_weights,
    training,
)
from tests.promises.state import untouched

WEIGHTS = 16 * 64


def zeros(model):
    return int((model.fc.weight == 0).sum())


class Watched:
    """`prune`, with what it was asked for and what it gave written down."""

    def __init__(self):
        self.asked, self.masks = [], []

    def __call__(self, model, x, *, sparsity):
        result = prune(model, x, sparsity=sparsity)
        self.asked.append(sparsity)
        self.masks.append(result.model.fc.mask.clone())
        return result


def test_one_round_is_prune_and_retrain():
    mine, report = prune_iteratively(
        network(), X, sparsity=0.9, retrain=training(), n_rounds=1, schedule=cubic
    )
    theirs, expected = train_prune_retrain(network(), X, sparsity=0.9, retrain=training())
    same_weights(mine, theirs)
    assert report == expected


def test_rounds_follow_the_schedule_and_what_is_gone_stays_gone():
    watched = Watched()
    model = network()
    with untouched(model):
        pruned, _ = prune_iteratively(
            model,
            X,
            sparsity=0.8,
            retrain=training(epochs=1),
            n_rounds=4,
            schedule=cubic,
            pruner=watched,
        )
    wanted = [0.8 * (1 - (1 - k / 4) ** 3) for k in (1, 2, 3, 4)]
    np.testing.assert_allclose(watched.asked, wanted)
    for earlier, later in zip(watched.masks, watched.masks[1:], strict=False):
        assert not (later & ~earlier).any()
    assert zeros(pruned) == round(0.8 * WEIGHTS)


def test_without_a_schedule_each_round_removes_the_same_share_of_what_is_left():
    shares = []

    def asked(model, x, *, sparsity):
        shares.append(sparsity)
        return prune(model, x, sparsity=sparsity)

    goal = {"fc": 0.875, "head": 0.271}
    prune_iteratively(network(), X, sparsity=goal, n_rounds=3, pruner=asked)
    np.testing.assert_allclose([s["fc"] for s in shares], [0.5, 0.75, 0.875])
    np.testing.assert_allclose([s["head"] for s in shares], [0.1, 0.19, 0.271])


@pytest.mark.parametrize("goal", [0.96875, {"fc": 0.96875}])
def test_a_network_that_is_pruned_already_goes_on_from_there(goal):
    watched, half = Watched(), prune(network(), X, sparsity=0.75).model
    pruned, _ = prune_iteratively(half, X, sparsity=goal, n_rounds=3, pruner=watched)
    asked = [s["fc"] if isinstance(s, dict) else s for s in watched.asked]
    np.testing.assert_allclose(asked, [0.875, 0.9375, 0.96875])  # half of the rest each time
    assert zeros(pruned) == 0.96875 * WEIGHTS
    watched = Watched()
    prune_iteratively(half, X, sparsity=goal, n_rounds=2, schedule=lambda t: t, pruner=watched)
    asked = [s["fc"] if isinstance(s, dict) else s for s in watched.asked]
    np.testing.assert_allclose(asked, [(0.75 + 0.96875) / 2, 0.96875])
    same, _ = prune_iteratively(half, X, sparsity=0.5, n_rounds=3)  # what is gone stays gone
    same_weights(same, half)


def test_a_layer_that_has_lost_nothing_does_not_lose_all_in_the_first_round():
    watched = Watched()
    uneven, _ = prune(network(), X, sparsity={"fc": 0.75})
    prune_iteratively(uneven, X, sparsity=0.75, n_rounds=2, pruner=watched)
    np.testing.assert_allclose(watched.asked, [0.5, 0.75])


def test_without_retraining_rounds_do_not_matter():
    mine, _ = prune_iteratively(network(), X, sparsity=0.9, n_rounds=7)
    same_weights(mine, prune(network(), X, sparsity=0.9).model)


def test_masks_differ_from_one_shots_once_weights_move():
    """Otherwise the rounds would be in vain."""
    trained = training().run(network())
    rounds, _ = prune_iteratively(trained, X, sparsity=0.9, retrain=training(), n_rounds=3)
    once, _ = prune_iteratively(trained, X, sparsity=0.9, retrain=training(), n_rounds=1)
    assert (rounds.fc.mask != once.fc.mask).any()


@pytest.mark.parametrize("until", [0.5, 1.0])
def test_gradual_pruning_follows_the_curve_and_ends_exact(until):
    watched, mine = Watched(), training(epochs=5)  # 40 steps
    pruned, report = prune_gradually(
        network(), X, sparsity={"fc": 0.9}, training=mine, every=8, until=until, pruner=watched
    )
    last = until * mine.steps
    steps = [0, *(s for s in range(8, 41, 8) if s < last), last]
    wanted = [0.9 - 0.9 * (1 - s / last) ** 3 for s in steps]  # Zhu and Gupta's equation 1
    np.testing.assert_allclose([a["fc"] for a in watched.asked], [*wanted, 0.9])
    for earlier, later in zip(watched.masks, watched.masks[1:], strict=False):
        assert not (later & ~earlier).any()
    assert zeros(pruned) == round(0.9 * WEIGHTS)
    assert report.rows["fc"].weight_bits < 32 * WEIGHTS


def test_gradually_to_nothing_is_training():
    pruned, _ = prune_gradually(network(), X, sparsity=0.0, training=training())
    torch.testing.assert_close(pruned(X), training().run(network())(X), rtol=0, atol=0)


def test_all_at_once_is_prune_and_retrain_but_for_the_first_steps():
    mine = training()
    pruned, _ = prune_gradually(
        network(), X, sparsity=0.5, training=mine, schedule=at_once, every=1
    )
    assert zeros(pruned) == WEIGHTS // 2


def test_a_validation_set_does_not_bring_back_a_denser_epoch():
    def gradually(training):
        return prune_gradually(network(), X, sparsity=0.9, training=training).model

    val = first_epoch_is_best(gradually)
    same_weights(gradually(replace(training(), val=val)), gradually(training()))


def test_interrupted_it_reaches_the_sparsity_and_trains_no_more():
    watched, retrain = Watched(), interrupted_in(training(epochs=1), step=12)  # 8 steps a round
    pruned, report = prune_iteratively(
        network(), X, sparsity=0.8, retrain=retrain, n_rounds=4, schedule=linear, pruner=watched
    )
    np.testing.assert_allclose(watched.asked, [0.2, 0.4, 0.8])
    assert zeros(pruned) == round(0.8 * WEIGHTS)
    assert report.note.endswith("interrupted in round 2 of 4: the rest was pruned at once")


def test_interrupted_in_the_last_round_it_says_so():
    retrain = interrupted_in(training(epochs=1), step=30)
    pruned, report = prune_iteratively(network(), X, sparsity=0.8, retrain=retrain, n_rounds=4)
    assert zeros(pruned) == round(0.8 * WEIGHTS)
    assert report.note.endswith("the last retraining was interrupted")


@pytest.mark.parametrize("step", [3, 30])
def test_gradual_pruning_interrupted_reaches_the_sparsity(step):
    learn = interrupted_in(training(epochs=5), step=step)  # 8 steps each
    pruned, report = prune_gradually(network(), X, sparsity=0.9, training=learn)
    assert zeros(pruned) == round(0.9 * WEIGHTS)
    assert report.note.endswith(f"interrupted after {step // 8} of 5 epochs")


def test_what_is_cut_stays_zero_though_the_optimizer_has_momentum():
    moved = []

    def look(model):  # in the next step, before which the optimizer had its way
        moved.append(bool(model.fc.weight[~model.fc.mask].any()))
        return torch.zeros(())

    mine = training(epochs=4, penalty=look)
    prune_gradually(network(), X, sparsity=0.9, training=mine, every=1)
    assert len(moved) == mine.steps
    assert not any(moved)


def test_layers_of_any_masked_kind_are_pruned_gradually():
    """Recurrent layers, whose masks are not those of linear layers and convolutions."""
    pruned, _ = prune_gradually(
        recurrent_network(),
        X,
        sparsity=0.75,
        training=training(),
        every=2,
        pruner=prune_balanced,
    )
    for weight in (pruned.lstm.weight_ih_l0, pruned.lstm.weight_hh_l0, pruned.head.weight):
        assert int(weight.count_nonzero()) == weight.numel() // 4


def narrower(model, x, *, sparsity):
    """A pruner that removes units in the place of masking them."""
    return prune(network(hidden=int(16 * (1 - sparsity)) - 1), x, sparsity=0.0)


def test_a_pruner_that_removes_weights_is_refused_where_it_is_asked_again():
    rule = r"must mask weights where it is asked more than once, not remove those of 'fc.weight'"
    with pytest.raises(ValueError, match=f"prune_iteratively: pruner {rule}"):
        prune_iteratively(network(), X, sparsity=0.5, n_rounds=2, pruner=narrower)
    with pytest.raises(ValueError, match=f"prune_gradually: pruner {rule}"):
        prune_gradually(network(), X, sparsity=0.5, training=training(), pruner=narrower)
    once, _ = prune_iteratively(network(), X, sparsity=0.5, n_rounds=1, pruner=narrower)
    assert once.fc.out_features == 7


def test_a_pruner_that_masks_other_layers_later_is_refused():
    def fickle(model, x, *, sparsity):
        return prune(model, x, sparsity={"fc": 0.0} if sparsity == 0 else sparsity)

    with pytest.raises(
        ValueError, match=r"pruner must mask the same layers each time, .*changes in head.mask"
    ):
        prune_gradually(network(), X, sparsity=0.5, training=training(), pruner=fickle)


def test_bad_values_are_named():
    with pytest.raises(
        ValueError, match=r"prune_iteratively: n_rounds must be a whole number, 1 or"
    ):
        prune_iteratively(network(), X, sparsity=0.5, n_rounds=0)
    with pytest.raises(
        ValueError, match=r"prune_iteratively: sparsity must be in \[0, 1\), got 1.5"
    ):
        prune_iteratively(network(), X, sparsity=1.5)
    with pytest.raises(
        ValueError, match=r"prune_gradually: every must be a whole number, 1 or more"
    ):
        prune_gradually(network(), X, sparsity=0.5, training=training(), every=0)
    with pytest.raises(ValueError, match=r"prune_gradually: until must be in \[0, 1\], got 2"):
        prune_gradually(network(), X, sparsity=0.5, training=training(), until=2)
