"""The challenge of lab 02: masks travel as text, are measured again, and no plain ranking does."""

import base64

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from efficientdl import costs, datasets, fit, models
from efficientdl.compression.pruning import globally, masks_of, per_layer, prune
from efficientdl.course.exercises.lab_02 import BUDGET
from efficientdl.course.masks import DATA, NETWORK, SHAPE, judge, measure, packed, unpacked

LIMITS = {limit.name: limit.value for limit in BUDGET}
FRAGILE = "conv1.conv"


@pytest.fixture(scope="module")
def network():
    return models.trained(NETWORK)


def pruned_masks(network, **options):
    return masks_of(prune(network, models.example(SHAPE), **options).model)


def met(masks):
    return [m.met for m in judge({"masks": packed(masks)}, BUDGET).measured]


@settings(deadline=None)
@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_unpacked_gives_back_what_was_packed(rows, columns, seed):
    mask = torch.rand(rows, columns, generator=torch.Generator().manual_seed(seed)) < 0.5
    back = unpacked(packed({"0": mask}), nn.Sequential(nn.Linear(columns, rows)))
    torch.testing.assert_close(back, {"0": mask})


def test_the_bits_are_those_of_the_weights_in_memory_order():
    mask = torch.tensor([[True, False, False, False], [False, True, True, True], [True] * 4])
    assert base64.b64decode(packed({"fc": mask})["fc"]) == bytes([0b10000111, 0b11110000])


def test_no_mask_at_all_measures_the_network_as_it_is(network):
    found = measure({}, "val")
    assert found["accuracy"] == fit.evaluate(network, datasets.load(DATA).val)
    assert found["stored_bytes"] == 4 * sum(p.numel() for p in network.parameters())


def test_stored_bytes_count_values_places_and_all_that_is_no_weight(network):
    weight = network.classifier.weight
    mask = torch.zeros(weight.shape, dtype=torch.bool)
    mask[0, :8] = True  # eight values at distance 1, or 9 bits for each row start and place
    rest = sum(p.numel() for p in network.parameters()) - weight.numel()
    one_bit_distances = 8 * (32 + 1)
    assert measure({"classifier": mask}, "val")["stored_bytes"] == 4 * rest + one_bit_distances // 8


@pytest.mark.slow
def test_the_judge_measures_the_pruned_network_on_the_test_part(network):
    pruned, report = prune(network, models.example(SHAPE), sparsity=0.5)
    stored, accuracy = judge({"masks": packed(masks_of(pruned))}, BUDGET).measured
    assert accuracy.value == fit.evaluate(pruned, datasets.load(DATA).test)
    assert stored.value == -(-report.total.weight_bits // 8)
    assert costs.count(network, models.example(SHAPE)).total.weight_bits > report.total.weight_bits


@pytest.mark.slow
@pytest.mark.parametrize("scope", [globally, per_layer])
def test_a_plain_ranking_misses_one_limit_wherever_it_stops(network, scope):
    # a ranking that is small enough prunes at least this much, and is less accurate the more
    for sparsity in (0.4, 0.5, 0.55, 0.58, 0.6, 0.65):
        assert not all(met(pruned_masks(network, sparsity=sparsity, scope=scope))), sparsity


@pytest.mark.slow
def test_leaving_the_fragile_layer_whole_meets_both(network):
    others = [name for name in pruned_masks(network, sparsity=0.0) if name != FRAGILE]
    policy = dict.fromkeys(others, 0.6)
    masks = pruned_masks(network, sparsity=policy, scope=globally)
    assert met(masks) == [True, True]
    accuracy = judge({"masks": packed(masks)}, BUDGET).measured[1].value
    assert accuracy - LIMITS["accuracy"] > 0.005  # ten pictures: rounding elsewhere flips fewer


def test_everything_and_nothing_meet_one_limit_each(network):
    whole = {n: torch.ones_like(m) for n, m in pruned_masks(network, sparsity=0.0).items()}
    assert met(whole) == [False, True]
    assert met({n: torch.zeros_like(m) for n, m in whole.items()}) == [True, False]


@pytest.mark.parametrize(
    ("artefact", "said"),
    [
        ({}, r"submit: artefact must be \{'masks': packed\(masks\)\}"),
        ({"masks": "oA=="}, "artefact must be"),
        ({"masks": {}, "weights": [1.0]}, "artefact must be"),
        ({"masks": {"conv9": "oA=="}}, "layer named in masks must be one of"),
        ({"masks": {FRAGILE: "oA=="}}, "one bit for each of the 144 weights"),
        ({"masks": {FRAGILE: "not base 64!"}}, "one bit for each of the 144 weights"),
        ({"masks": {FRAGILE: "A" * 12 + "!" + "A" * 12}}, "one bit for each of the 144 weights"),
        ({"masks": {FRAGILE: "A" * 28}}, "one bit for each of the 144 weights"),
        ({"masks": {FRAGILE: "é"}}, "one bit for each of the 144 weights"),
        ({"masks": {FRAGILE: [True] * 144}}, "one bit for each of the 144 weights"),
    ],
)
def test_what_is_no_mask_is_refused(artefact, said):
    with pytest.raises(ValueError, match=said):
        judge(artefact, BUDGET)


def test_packed_refuses_what_is_not_true_or_false():
    with pytest.raises(ValueError, match=r"packed: masks must hold True or False .* 'fc'"):
        packed({"fc": torch.ones(3)})


def test_measure_refuses_an_unknown_part():
    with pytest.raises(ValueError, match="measure: part must be one of train, val, test"):
        measure({}, "exam")
