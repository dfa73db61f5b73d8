"""The headlines of low rank: budgets are kept, and what is said is what was found."""

import pytest
from torch import nn

from benchmarks.headlines import lines, low_rank
from efficientdl import costs, datasets, models

WHOLE = 0.906
BEFORE = {name: [0.5] * 5 for name in low_rank.METHODS} | {"CP": [0.4, 0.5, 0.6, 0.5, 0.5]}
AFTER = {name: [0.8, 0.9, 0.9, 0.9, 0.9] for name in low_rank.METHODS} | {"CP": [0.9] * 5}


@pytest.mark.slow
@pytest.mark.parametrize("name", low_rank.METHODS)
def test_every_convolution_gets_a_quarter_of_its_macs_within_a_step(name):
    model, x = models.trained(low_rank.NETWORK), datasets.load(low_rank.DATA).train.x[:1]
    thin, dense = low_rank._factorized(name, model, 0), costs.count(model, x).rows
    rows = costs.count(thin, x).rows
    for layer in low_rank.LAYERS:
        assert isinstance(thin.get_submodule(layer), nn.Sequential)
        share = sum(c.macs for n, c in rows.items() if n.startswith(layer)) / dense[layer].macs
        assert 0.25 * 0.85 < share <= 0.25  # one of as few as 7 steps may be missing


def test_accuracies_are_said_with_a_spread_only_where_seeds_differ():
    fewer = dict.fromkeys(low_rank.METHODS, 3.9)
    found = low_rank._accuracy(WHOLE, BEFORE, AFTER, fewer)
    assert found.holds is None
    assert "SVD 3.90 times fewer, 50.00 % before and 88.00 ± 4.47 % after" in found.ours
    assert "CP 3.90 times fewer, 50.00 ± 7.07 % before and 90.00 % after" in found.ours
    assert found.ours.endswith("Within one point after training: CP.")
    assert "**Reported**, 5 seeds." in "\n".join(lines(found))


def test_responses_hold_only_if_every_seed_gains():
    channel = {"channel": [0.6] * 5}
    assert low_rank._responses(BEFORE | channel, AFTER).holds
    assert not low_rank._responses(BEFORE | {"channel": [0.6, 0.6, 0.6, 0.6, 0.5]}, AFTER).holds


def test_the_ratio_is_one_at_equal_weights():
    model, x = models.trained("small_cnn_mnist"), datasets.load("mnist").test.x[:1]
    ratio = low_rank._ratio(model, x, "conv2.conv", 4)
    svd = 4 * (32 + 9 * 16)
    tucker = [16 * q + 9 * p * q + 32 * p for p in range(1, 33) for q in range(1, 17)]
    assert any(ratio == pytest.approx(svd / held) for held in tucker)
