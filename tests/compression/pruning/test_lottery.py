"""Lottery tickets: masks from the end of training, weights from its beginning."""

import numpy as np
import pytest
import torch
from torch.nn.utils import prune as peer

from efficientdl.compression.pruning import prune, prune_balanced
from efficientdl.compression.pruning.lottery import lottery_ticket, rewind, rewound_ticket
from efficientdl.compression.pruning.masks import masks_of, with_masks
from efficientdl.fit import evaluate
from efficientdl.tensors.balanced import keep_balanced
from tests.compression.pruning.small_task import (
    TEST,
    X,
    interrupted_in,
    network,
    recurrent_network,
    same_weights,
    training,
)
from tests.promises.state import untouched

LAYERS = ("fc", "head")


def largest(weight, n_kept):
    mask = np.zeros(weight.size, dtype=bool)
    mask[np.argsort(-np.abs(weight), axis=None, kind="stable")[:n_kept]] = True
    return mask.reshape(weight.shape)


def test_a_ticket_with_everything_in_it_is_the_network():
    ticket, _ = lottery_ticket(network(), X, sparsity=0, training=training())
    torch.testing.assert_close(ticket(X), network()(X), rtol=0, atol=0)


def test_weights_that_are_kept_are_the_initial_ones_under_the_trained_masks():
    start = network()
    with untouched(start):
        ticket, report = lottery_ticket(start, X, sparsity=0.85, training=training())
    trained = training().run(start)
    for name in LAYERS:
        layer, first = ticket.get_submodule(name), start.get_submodule(name)
        n_kept = first.weight.numel() - round(0.85 * first.weight.numel())
        mask = largest(trained.get_submodule(name).weight.detach().numpy(), n_kept)
        np.testing.assert_array_equal(layer.mask, mask)
        initial = first.weight.detach().numpy()
        np.testing.assert_array_equal(layer.weight.detach(), initial * mask)
        torch.testing.assert_close(layer.bias, first.bias, rtol=0, atol=0)
        assert report.rows[name].weight_bits < 32 * first.weight.numel()
        assert (largest(initial, n_kept) != layer.mask.numpy()).any()  # training chose, not chance


def test_rounds_prune_the_same_share_of_the_rest_as_torchs_pruning_does():
    """A peer's loop: train, prune half of what is left, rewind; twice."""
    theirs = network()
    start = {name: p.detach().clone() for name, p in theirs.named_parameters()}
    for _ in range(2):
        trained = training().run(theirs)
        for name in LAYERS:
            layer = trained.get_submodule(name)
            n_left = int(layer.weight.count_nonzero())
            peer.l1_unstructured(layer, "weight", layer.weight.numel() - n_left // 2)
        masks = {name: trained.get_submodule(name).weight_mask.bool() for name in LAYERS}
        theirs = network()
        theirs.load_state_dict(start)
        theirs = with_masks(theirs, masks)
    mine, _ = lottery_ticket(network(), X, sparsity=0.75, training=training(), n_rounds=2)
    same_weights(mine, theirs)


def test_a_ticket_can_be_drawn_again_with_other_weights():
    ticket, _ = lottery_ticket(network(), X, sparsity=0.8, training=training())
    other = rewind(ticket, to=network(seed=5))
    same_weights(other, with_masks(network(seed=5), masks_of(ticket)))
    assert masks_of(other).keys() == masks_of(ticket).keys()
    kept = ticket.fc.mask
    np.testing.assert_array_equal(other.fc.weight.detach()[~kept], 0)
    assert (other.fc.weight[kept] != ticket.fc.weight[kept]).all()


def test_a_rewound_ticket_holds_the_weights_from_early_in_training():
    early = training(epochs=1, seed=3)
    point = early.run(network())
    ticket, _ = rewound_ticket(network(), X, sparsity=0.8, early=early, training=training())
    end = training().run(point)
    for name in LAYERS:
        layer = ticket.get_submodule(name)
        trained = end.get_submodule(name).weight.detach()
        np.testing.assert_array_equal(layer.mask, largest(trained.numpy(), int(layer.mask.sum())))
        expected = point.get_submodule(name).weight * layer.mask
        torch.testing.assert_close(layer.weight, expected, rtol=0, atol=0)
        torch.testing.assert_close(layer.bias, point.get_submodule(name).bias, rtol=0, atol=0)


def test_rewound_to_the_start_it_is_a_lottery_ticket():
    mine, report = rewound_ticket(network(), X, sparsity=0.8, training=training(), n_rounds=2)
    theirs, expected = lottery_ticket(network(), X, sparsity=0.8, training=training(), n_rounds=2)
    same_weights(mine, theirs)
    assert report == expected


def test_recurrent_layers_and_running_statistics_are_rewound_too():
    start = recurrent_network()
    trained = training().run(start)
    ticket, report = lottery_ticket(
        start, X, sparsity=0.75, training=training(), pruner=prune_balanced
    )
    for name in ("lstm.weight_ih_l0", "lstm.weight_hh_l0", "head.weight"):
        first, end, mine = (m.get_parameter(name).detach() for m in (start, trained, ticket))
        mask = keep_balanced(end.abs(), sparsity=0.75, n_pes=4)
        torch.testing.assert_close(mine, first * mask, rtol=0, atol=0)
    assert trained.norm.running_mean.any()
    assert not ticket.norm.running_mean.any()
    assert "removed single weights of 3 matrices" in report.note


def test_interrupted_it_is_the_ticket_of_the_rounds_so_far_at_the_sparsity_asked_for():
    learn = interrupted_in(training(epochs=2), step=25)  # in the second epoch of the second round
    ticket, report = lottery_ticket(network(), X, sparsity=0.75, training=learn, n_rounds=5)
    assert int(ticket.fc.mask.sum()) == 256
    torch.testing.assert_close(
        ticket.fc.weight, network().fc.weight * ticket.fc.mask, rtol=0, atol=0
    )
    assert report.note.endswith("interrupted in round 2 of 5: the rest was pruned at once")
    first = prune(training().run(network()), X, sparsity=1 - 0.25 ** (1 / 5)).model.fc.mask
    assert not (ticket.fc.mask & ~first).any()


def test_interrupted_early_it_rewinds_to_where_it_was():
    early = interrupted_in(training(), step=9)
    ticket, report = rewound_ticket(network(), X, sparsity=0.75, early=early, training=training())
    so_far = interrupted_in(training(), step=9).run(network())
    same_weights(ticket, prune(so_far, X, sparsity=0.75).model)
    assert report.note.endswith("interrupted: what the early training had reached was pruned")


def test_a_ticket_learns():
    learn = training(epochs=4)
    ticket, _ = lottery_ticket(network(), X, sparsity=0.8, training=learn)
    trained = learn.run(ticket)
    assert evaluate(trained, TEST) > evaluate(ticket, TEST) + 0.1
    np.testing.assert_array_equal(trained.fc.weight.detach()[~ticket.fc.mask], 0)


def test_bad_values_are_named():
    with pytest.raises(ValueError, match=r"lottery_ticket: sparsity must be in \[0, 1\), got 1.5"):
        lottery_ticket(network(), X, sparsity=1.5)
    with pytest.raises(
        ValueError, match=r"rewound_ticket: n_rounds must be a whole number, 1 or mor"
    ):
        rewound_ticket(network(), X, sparsity=0.5, n_rounds=0)
    with pytest.raises(
        ValueError, match=r"layer named in sparsity must be one of fc, head, got 'bo"
    ):
        lottery_ticket(network(), X, sparsity={"body": 0.5})
    with pytest.raises(ValueError, match=r"rewind: networks must be alike in 'fc.weight', got"):
        rewind(network(), to=network(hidden=8))
    with pytest.raises(ValueError, match=r"lottery_ticket: pruner must mask weights where it is"):
        lottery_ticket(network(), X, sparsity=0.5, pruner=lambda m, x, *, sparsity: half())


def half():
    """What a pruner gives that removes units in the place of masking them."""
    return prune(network(hidden=8), X, sparsity=0.0)
