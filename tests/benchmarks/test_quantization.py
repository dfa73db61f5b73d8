"""The headlines of quantization: what is compared, and every claim in a quick version."""

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.headlines import (
    Headline,
    after_training,
    bit_widths,
    data_free,
    lines,
    order_of_methods,
    quantization,
    shipped,
    trainings,
)
from benchmarks.peers import programs, torchao
from efficientdl.compression.quantization import fold_batch_norm, integer_only
from efficientdl.datasets import load
from efficientdl.models import build
from efficientdl.models.layers.integer import ActivationCodes

OF_PEERS = [claim for claim in quantization.CLAIMS if "_beside_" in claim.__name__]
OURS = [claim for claim in quantization.CLAIMS if claim not in OF_PEERS]


@pytest.fixture
def quick(monkeypatch):
    for name, value in {"seeds": 1, "passes": 0.02, "test": 0.05}.items():
        monkeypatch.setitem(trainings.SIZES, name, value)
    monkeypatch.setitem(data_free.SETTINGS, "steps", 2)
    monkeypatch.setenv("EFFICIENTDL_UI", "silent")
    monkeypatch.setattr(programs, "is_here", lambda _: False)


@pytest.fixture
def cells(monkeypatch):
    """Accuracies by hand: `cells[method, bits]`."""
    made = {(name, bits): [80.0, 82.0] for name in bit_widths.EVERY_WIDTH for bits in (2, 3, 4, 8)}
    made |= {(name, bits): [70.0, 71.0] for name, (_, bits) in bit_widths.ONE_WIDTH.items()}
    made["float", 32] = [82.0, 83.0]
    monkeypatch.setattr(order_of_methods, "accuracies", lambda *key: made[key])
    monkeypatch.setattr(order_of_methods, "floats", lambda: made["float", 32])
    return made


@pytest.mark.slow
def test_all_methods_start_from_one_network_and_have_the_same_steps(quick):
    found = bit_widths.given(0, 0.02)
    assert found.plan.steps == trainings.training(bit_widths.NETWORK, 0, bit_widths.PASSES).steps
    expected = found.plan.run(found.start).eval()
    x = trainings.data_of(bit_widths.NETWORK).test[0][:20]
    with torch.no_grad():  # folded in between: float32 rounds sums in another order
        torch.testing.assert_close(found.longer(x), expected(x), rtol=1e-4, atol=1e-4)
    assert len(found.x) == bit_widths.EXAMPLES


@pytest.mark.slow
def test_a_seed_draws_its_own_calibration(quick):
    first, other = (bit_widths.given(seed, 0.02).x for seed in (0, 1))
    assert not torch.equal(first, other)
    np.testing.assert_array_equal(first, bit_widths.given(0, 0.02).x)


def test_first_and_last_layers_are_those_of_the_network():
    model = build(bit_widths.NETWORK, seed=0)
    layers = [n for n, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert (layers[0], layers[-1]) == bit_widths.ENDS


def test_eight_bits_suffice_where_the_mean_loss_of_each_is_a_point(cells):
    assert not order_of_methods.eight_bits_suffice().holds  # 1.5 points
    for name in bit_widths.EVERY_WIDTH:
        cells[name, 8] = [81.0, 82.0]
    assert order_of_methods.eight_bits_suffice().holds
    cells["ACIQ", 8] = [80.9, 82.0]
    found = order_of_methods.eight_bits_suffice()
    assert not found.holds
    assert "ACIQ" in found.ours


def test_training_is_held_against_the_best_of_the_others(cells):
    for bits in (2, 3, 4):
        cells["QAT", bits] = [84.0, 86.5]
    found = order_of_methods.training_beats_ranges()
    assert found.holds
    assert found.figures["points ahead at 2 bits"] == [4.0, 4.5]
    assert not order_of_methods.training_beats_min_max().holds  # under five points
    cells["percentile", 3] = [90.0, 90.0]
    assert not order_of_methods.training_beats_ranges().holds


@pytest.mark.parametrize(("ours", "holds"), [([72.0, 73.5], True), ([69.0, 71.5], False)])
def test_one_method_beats_another_by_paired_differences(cells, ours, holds):
    cells["TTQ", 2] = cells["XNOR-Net, activations too", 1] = ours
    assert order_of_methods.trained_scales_beat_fixed().holds == holds
    assert order_of_methods.factors_beat_signs().holds == holds


def test_the_table_has_a_row_for_each_method_and_a_column_for_each_width(cells):
    cells["QAT", 4] = [90.0, 92.0]
    found = order_of_methods.order_of_methods()
    assert "4 bits: QAT 91.0 > " in found.ours
    rows = [line.strip() for line in found.note.splitlines() if line.startswith("  |")]
    assert rows[0] == "| method | 1 bits | 2 bits | 3 bits | 4 bits | 8 bits |"
    assert len(rows) == 2 + len(bit_widths.EVERY_WIDTH) + len(bit_widths.ONE_WIDTH)
    assert next(row for row in rows if row.startswith("| QAT")).split("|")[5] == " 91.00 ± 1.41 "


def test_closed_forms_are_held_against_the_naive_range(monkeypatch):
    made = {name: [80.0, 81.0] for name in bit_widths.AFTER} | {"ACIQ": [84.0, 85.5]}
    monkeypatch.setattr(after_training, "accuracies", lambda name, _: made[name])
    monkeypatch.setattr(after_training, "floats", lambda: [86.0, 86.0])
    assert not after_training.closed_forms_beat_min_max().holds
    made[after_training.NAIVE] = [78.0, 79.0]
    assert after_training.closed_forms_beat_min_max().holds


@pytest.mark.slow
def test_a_layer_of_other_codes_is_found_apart():
    x = shipped.calibration("lenet_5_mnist", seed=0, n_examples=32)
    folded = fold_batch_norm(shipped.shipped("lenet_5_mnist"), x[:1]).model
    network = integer_only(folded, x).model
    fakes = after_training.on_its_levels(network, folded)
    assert float(after_training.layers_apart(network, fakes, x).max()) <= 1
    with torch.no_grad():
        fakes.get_submodule("classifier").bias.add_(5 * network.get_submodule("classifier").y.scale)
    assert float(after_training.layers_apart(network, fakes, x).max()) >= 5


def test_codes_saturate_and_come_back():
    of = ActivationCodes(0.5, 10, lowest=0, highest=20)
    codes = after_training._codes(torch.tensor([-9.0, 0.0, 1.0, 99.0]), of)
    assert codes.tolist() == [0, 10, 12, 20]
    assert after_training._values(codes, of).tolist() == [-5.0, 0.0, 1.0, 5.0]


def test_shipped_networks_have_the_data_that_their_names_say():
    x, y = shipped.data("small_cnn_mnist").test
    np.testing.assert_array_equal(x, load("mnist").test.x)
    np.testing.assert_array_equal(
        shipped.data("small_cnn_fashion").test.y, load("fashion_mnist").test.y
    )
    assert len(y) == 2000
    assert "lenet_5_mnist" not in shipped.with_batch_norm()
    assert "small_cnn_mnist" in shipped.with_batch_norm()


@pytest.mark.parametrize(("n", "size"), [(784, 56), (300, 60), (100, 50), (97, 1), (64, 64)])
def test_groups_divide_a_row(n, size):
    assert torchao.group_size(n) == size


@pytest.mark.slow
@pytest.mark.parametrize("claim", OURS, ids=lambda claim: claim.__name__)
def test_every_claim_runs_and_prints(claim, quick, monkeypatch):
    monkeypatch.setattr(order_of_methods, "BITS", (4, 8))
    monkeypatch.setattr(order_of_methods, "FEW", (4,))
    found = claim()
    assert isinstance(found, Headline)
    assert all(np.isfinite(values).all() for values in found.figures.values())
    assert f"### {found.claim}" in lines(found)


@pytest.mark.parametrize("claim", OF_PEERS, ids=lambda claim: claim.__name__)
def test_without_the_peer_the_page_says_so(claim, quick):
    found = claim()
    assert found.holds is None
    assert "is left out: EFFICIENTDL_" in found.ours
    assert found.figures == {}


def test_a_peers_program_that_fails_is_an_error(monkeypatch, tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'RuntimeError: no such operator'\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(programs, "python_of", lambda _: python)
    with pytest.raises(ValueError, match="must end well, got 'RuntimeError: no such operator'"):
        programs.asked("brevitas", "weights", "small_cnn", limit_s=20)
    monkeypatch.setattr(programs, "python_of", lambda _: None)
    with pytest.raises(ValueError, match="EFFICIENTDL_BREVITAS must name a Python with the peer"):
        programs.asked("brevitas", "weights", "small_cnn", limit_s=20)
