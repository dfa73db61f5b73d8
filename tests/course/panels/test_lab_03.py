"""The panels of lab 03, every control at both ends, and their figures against NumPy."""

import numpy as np
import pytest
import torch

from efficientdl import datasets, fit, models
from efficientdl.compression.lowrank import factorize_channel, factorize_svd
from efficientdl.course.exercises.lab_03 import BUDGET
from efficientdl.course.panels import lab_03, lab_03_scan
from tests.course.panels.ends import demand_live

PANELS = [lab_03.spectrum, lab_03.pair, lab_03.errors]


@pytest.mark.slow
@pytest.mark.parametrize("make", PANELS, ids=lambda make: make.__name__)
def test_every_control_changes_the_view_and_all_stays_finite(make):
    demand_live(make())


@pytest.mark.slow
@pytest.mark.parametrize(("layer", "rank"), [("LeNet-300-100, fc2", 20), ("LeNet-5, conv2", 100)])
def test_the_spectrum_is_numpys_and_the_accuracy_that_of_the_cut_network(layer, rank):
    view = lab_03.spectrum().set(layer=layer, rank=rank)
    place = lab_03.LAYERS[layer]
    model, data = models.trained(place.network), datasets.load(place.data)
    weight = model.get_submodule(place.layer).weight.detach().flatten(1).double().numpy()
    values = np.linalg.svd(weight, compute_uv=False)
    t = min(rank, len(values))
    rows = {row[0]: row[1:] for row in view.table.rows}
    np.testing.assert_allclose(rows["energy kept"][1], (values[:t] ** 2).sum() / (weight**2).sum())
    np.testing.assert_allclose(view.figure.series[0].y, values, rtol=1e-9)
    u, s, vt = np.linalg.svd(weight)
    near = torch.from_numpy((u[:, :t] * s[:t]) @ vt[:t]).float()
    cut = models.trained(place.network)
    with torch.no_grad():
        cut.get_submodule(place.layer).weight.copy_(
            near.reshape(cut.get_submodule(place.layer).weight.shape)
        )
    # two images of 600: factors round where their product does not
    assert rows["accuracy"][1] == pytest.approx(fit.evaluate(cut, data.val), abs=2 / 600)
    assert rows["weights"] == (weight.size, t * sum(weight.shape))


def test_the_random_values_are_of_the_same_size():
    ours, noise = lab_03._spectra(lab_03.LAYERS["LeNet-300-100, fc2"])
    np.testing.assert_allclose(float(ours.norm()), float(noise.norm()))


@pytest.mark.parametrize(("rows", "columns"), [(300, 780), (20, 20), (400, 20)])
def test_the_break_even_rank_is_the_last_that_saves(rows, columns):
    found = dict(lab_03.pair().set(rows=rows, columns=columns).table.rows)
    saving = [t for t in range(1, 801) if t * (rows + columns) < rows * columns]
    assert found["last rank that saves"] == max(saving)


def test_variance_lost_is_that_of_numpy():
    place = lab_03.CONVOLUTIONS["small CNN, conv2"]
    layer = models.trained(place.network).get_submodule(place.layer)
    x = lab_03._inputs(place, "test", 20)
    thin, _ = factorize_svd(layer, x[:1], rank=4)
    y, near = (m(x).detach().movedim(1, -1).flatten(0, -2).numpy() for m in (layer, thin))
    wanted = ((near - y) ** 2).sum() / ((y - y.mean(axis=0)) ** 2).sum()
    np.testing.assert_allclose(lab_03._lost(thin, layer, x), wanted, rtol=1e-4)  # float32
    whole, _ = factorize_channel(layer, x, rank=32)
    assert lab_03._lost(whole, layer, x) < 1e-9


@pytest.mark.slow
def test_more_images_fit_the_channel_method_better():
    panel = lab_03.errors()

    def lost(images):
        view = panel.set(layer="small CNN, conv2", images=images)
        return [row[3] for row in view.table.rows if row[0] == "channel"]

    assert all(many < one for many, one in zip(lost(300), lost(1), strict=True))


def test_standing_counts_and_names_the_best():
    model, data = models.trained("lenet_300_100_mnist"), datasets.load("mnist")
    thin = {
        f"rank {t}": factorize_svd(model, data.val.x[:1], rank={"fc1": t}).model for t in (3, 60)
    }
    view = lab_03.standing({"dense": model, **thin}, data.val)
    assert view.text.startswith("Of the factorized ones rank 60 is")
    assert view.table.rows[1][1:3] == (266_610 - 235_200 + 3 * 1084, 266_200 - 235_200 + 3 * 1084)


def test_the_scan_saves_what_the_closed_form_says():
    scan = lab_03_scan.sensitivity({"conv2": (10,), "fc1": (16,)})
    conv2, fc1 = scan.rows
    assert conv2["params_saved"] == 50 * 500 - 10 * 550
    assert conv2["macs_saved"] == 64 * conv2["params_saved"]
    assert fc1["params_saved"] == fc1["macs_saved"] == 500 * 800 - 16 * 1300
    most = {limit.name: limit.value for limit in BUDGET}
    assert scan.limits == {
        "params_saved": 431_080 - most["params"],
        "macs_saved": 2_293_000 - most["macs"],
    }
    assert "Least accurate" in scan.view().text
