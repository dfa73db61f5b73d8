"""The panels of lab 01, every control at both ends, without a browser."""

import pytest
import torch
from torch import nn

from efficientdl import costs, models
from efficientdl.course.panels import lab_01, lab_01_machine
from efficientdl.models.layers import depthwise_separable, standard_conv
from tests.course.panels.ends import demand_live

PANELS = [
    lab_01.convolutions,
    lab_01.table_1,
    lab_01.training_memory,
    lab_01.energy,
    lab_01.search_carbon,
]


@pytest.mark.slow
@pytest.mark.parametrize("make", PANELS, ids=lambda make: make.__name__)
def test_every_control_changes_the_view_and_all_stays_finite(make):
    demand_live(make())


def test_convolutions_are_the_closed_forms():
    view = lab_01.convolutions().set(channels=64, kernel=5, groups=8)
    found = {row[0]: row[1] for row in view.tables[0].rows}
    assert found["dense"] == 25 * 64 * 64
    assert found["8 groups"] == 25 * 64 * 64 / 8
    assert found["depthwise alone"] == 25 * 64
    assert found["depthwise + pointwise"] == 25 * 64 + 64 * 64


def test_saving_is_the_closed_form():
    x = torch.empty(1, 16, 8, 8)
    view = lab_01.saving(standard_conv(16, 32), depthwise_separable(16, 32), x)
    macs = next(row for row in view.tables[0].rows if row[0] == "macs")
    assert macs[1:3] == (64 * 9 * 16 * 32, 64 * (9 * 16 + 16 * 32))


def test_training_memory_is_the_survey_s():
    text = lab_01.training_memory().set(network="mobilenet_v2", batch=16).text
    assert "training 891 MB" in text  # Figure 9: 890.8 MB


def test_carbon_at_forty_devices_is_table_3():
    view = lab_01.search_carbon().set(devices=40)
    rows = {row[0]: row[1:] for row in view.tables[0].rows}
    assert rows["NASNet-A"][0] == 1_920_000
    assert round(rows["NASNet-A"][1] / 1000, 1) == 544.5


@pytest.mark.slow
def test_saved_activations_measured_equal_torch_s_rule():
    view = lab_01.saved_activations({"squeezenet": models.build("squeezenet", seed=0)})
    _, paper, torch_, measured = view.tables[0].rows[0]
    assert torch_ == measured
    assert paper < torch_


@pytest.mark.slow
def test_roofline_places_the_largest_layer_of_each_kind():
    machine = costs.Machine(peak_macs_per_s=1e10, bytes_per_s=1e10)
    view = lab_01_machine.roofline(machine).view
    limits = {row[0]: row[3] for row in view.tables[0].rows}
    assert set(limits) == {"conv", "depthwise", "pointwise", "linear"}
    assert limits["pointwise"] == "compute"
    assert limits["linear"] == "memory"
    assert all(row[2] > 0 for row in view.tables[0].rows)


def test_unknown_setting_is_refused():
    with pytest.raises(ValueError, match="did you mean 'vgg16'"):
        lab_01.energy().set(network="vgg17")


def test_peaks_need_a_name_of_the_zoo():
    with pytest.raises(ValueError, match="network must be one of"):
        lab_01.peaks({"mine": nn.Linear(2, 2)})
