"""Placement under the roof: by formula, and for the layers of real networks."""

import pytest
import torch
from torch import nn

from efficientdl import models
from efficientdl.costs import Machine, count, kind_of, measure_machine, roofline
from efficientdl.report import Cost, Report

# One thread of a server processor, as measured: 45 GMAC/s, 18 GB/s.
SERVER = Machine(peak_macs_per_s=45e9, bytes_per_s=18e9)


def test_placement_by_formula():
    report = Report({
        "left": Cost(macs=100, traffic_bytes=100),
        "right": Cost(macs=900, traffic_bytes=100),
        "ridge": Cost(macs=250, traffic_bytes=100),
        "view": Cost(macs=0, traffic_bytes=0),
        "relu": Cost(macs=0, traffic_bytes=10),
    })
    placed = roofline(report, Machine(peak_macs_per_s=25, bytes_per_s=10))
    assert list(placed) == ["left", "right", "ridge", "relu"]
    assert [p.bound for p in placed.values()] == ["memory", "compute", "memory", "memory"]
    assert [p.intensity for p in placed.values()] == [1, 9, 2.5, 0]
    assert [p.attainable_macs_per_s for p in placed.values()] == [10, 25, 25, 0]
    assert [p.least_s for p in placed.values()] == [10, 36, 10, 1]


def placements(name, machine):
    model = models.skeleton(name)
    report = count(model, models.example(name, device="meta"))
    modules = dict(model.named_modules())
    return [(kind_of(modules[layer]), p) for layer, p in roofline(report, machine).items()]


def bounds(kind, name, machine):
    return {p.bound for k, p in placements(name, machine) if k == kind}


def test_depthwise_is_bound_by_memory_and_dense_by_arithmetic():
    assert bounds("depthwise", "mobilenet_v1", SERVER) == {"memory"}
    assert bounds("conv", "vgg16", SERVER) == {"compute"}
    assert bounds("linear", "vgg16", SERVER) == {"memory"}  # batch 1: a weight serves one MAC


def test_depthwise_intensity_by_hand():
    layer = nn.Conv2d(64, 64, 3, padding=1, groups=64, bias=False)
    placed = roofline(count(layer, torch.zeros(1, 64, 32, 32)), SERVER)["(model)"]
    n = 64 * 32 * 32
    assert placed.intensity == 9 * n / (4 * (2 * n + 64 * 9))


@pytest.mark.full
def test_on_this_machine():
    machine = measure_machine()
    assert bounds("depthwise", "mobilenet_v1", machine) == {"memory"}
    assert bounds("conv", "vgg16", machine) == {"compute"}


def test_errors_say_what_to_pass():
    with pytest.raises(TypeError, match=r"roofline: machine must be a Machine|parameter 'machine'"):
        roofline(Report({}), 3)
    with pytest.raises(ValueError, match="roofline: row 'a' must know MACs and traffic"):
        roofline(Report({"a": Cost(macs=1)}), SERVER)
