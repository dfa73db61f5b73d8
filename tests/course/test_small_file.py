"""The challenge of lab 04: a file travels as text and is opened again; one width misses it."""

import base64
import pickle
from functools import partial

import pytest
import torch

from efficientdl import datasets, fit, models
from efficientdl.automl import recipes
from efficientdl.course import small_file
from efficientdl.course.exercises.lab_04 import BUDGET
from efficientdl.course.small_file import DATA, NETWORK, judge, measure, packed, unpacked

LIMITS = {limit.name: limit.value for limit in BUDGET}
POLICY = {"fc1": 0.98, "fc2": 0.92, "classifier": 0.6}
BITS = {"fc1": 3, "fc2": 3, "classifier": 4}


@pytest.fixture(scope="module")
def network():
    return models.trained(NETWORK)


def compressed(network, sparsity, bits, epochs=0, lr=5e-3):
    data = datasets.load(DATA)
    plan = partial(fit.Training, train=(data.train.x, data.train.y), seed=0)
    training = {
        "retrain": plan(epochs=epochs, lr=lr),
        "finetune": plan(epochs=max(1, epochs // 4), lr=1e-3),
    }
    return recipes.deep_compression(
        network, data.val.x[:1], sparsity=sparsity, bits=bits, **(training if epochs else {})
    ).model


def verdict(model):
    return judge({"file": packed(model)}, BUDGET)


def test_unpacked_gives_back_the_bytes(network):
    small = compressed(network, 0.9, 3)
    assert len(unpacked(packed(small))) == recipes.file_bytes(small)


def test_the_network_as_it_is_meets_accuracy_alone(network):
    found = measure(unpacked(packed(network)), "val")
    assert found["accuracy"] == fit.evaluate(network, datasets.load(DATA).val)
    assert found["file_bytes"] > 4 * sum(p.numel() for p in network.parameters())


def test_the_judge_opens_the_file_and_uses_the_test_part(network):
    small = compressed(network, 0.8, 3)
    size, accuracy = verdict(small).measured
    assert size.value == recipes.file_bytes(small)
    assert accuracy.value == fit.evaluate(small, datasets.load(DATA).test)


def test_each_limit_binds(network):
    assert [m.met for m in verdict(compressed(network, 0.97, 2)).measured] == [True, False]
    assert [m.met for m in verdict(compressed(network, 0.4, 4)).measured] == [False, True]


@pytest.mark.slow
def test_a_policy_for_each_layer_meets_both(network):
    size, accuracy = verdict(compressed(network, POLICY, BITS, epochs=4, lr=8e-3)).measured
    assert size.value < 0.9 * LIMITS["file_bytes"]
    assert accuracy.value > LIMITS["accuracy"] + 0.005  # ten digits: rounding flips fewer


@pytest.mark.slow
@pytest.mark.parametrize(("sparsity", "bits"), [(0.95, 3), (0.96, 3), (0.965, 3), (0.97, 4)])
def test_one_sparsity_and_width_misses_trained_for_longer(network, sparsity, bits):
    assert verdict(compressed(network, sparsity, bits, epochs=8)).share < 1.0


def header(network):
    return base64.b64encode(unpacked(packed(network))[:40]).decode()


@pytest.mark.parametrize(
    ("artefact", "said"),
    [
        ({}, r"submit: artefact must be \{'file': packed\(model\)\}"),
        ({"file": "RURMQw==", "more": 1}, "artefact must be"),
        ({"file": 3}, "file must be the text that `packed` gives"),
        ({"file": ""}, "file must be the text"),
        ({"file": "not base 64!"}, "file must be the text"),
        ({"file": "é"}, "file must be the text"),
        ({"file": "AAAAAAAAAAAAAAAA"}, "load: file"),
        ({"file": "RURMQw=="}, "load: file"),
    ],
)
def test_what_is_no_file_is_refused(artefact, said):
    with pytest.raises(ValueError, match=said):
        judge(artefact, BUDGET)


def test_a_file_cut_off_or_of_another_network_is_refused(network):
    with pytest.raises(ValueError, match="load: file"):
        judge({"file": header(network)}, BUDGET)
    with pytest.raises(ValueError, match="load: file"):
        judge({"file": packed(torch.nn.Linear(2, 3))}, BUDGET)


def test_a_text_that_is_far_too_long_is_refused_unread(network):
    assert 2 * len(packed(network)) < small_file._MOST_LETTERS  # floats pass
    with pytest.raises(ValueError, match="submit: file must be at most 4,194,304 letters"):
        judge({"file": "A" * (small_file._MOST_LETTERS + 4)}, BUDGET)


@pytest.mark.parametrize("spoil", [lambda r: r[:-1], lambda r: r + b"x", pickle.dumps])
def test_a_file_that_is_damaged_is_refused(network, spoil):
    with pytest.raises(ValueError, match="load: file at byte"):
        measure(spoil(unpacked(packed(network))), "val")


def test_measure_refuses_an_unknown_part():
    with pytest.raises(ValueError, match="measure: part must be one of train, val, test"):
        measure(b"", "exam")
