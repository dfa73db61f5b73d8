"""The challenge of lab 14: it can be met, one idea alone does not, and designs are measured."""

import numpy as np
import pytest
import torch

from efficientdl import models
from efficientdl.course import designs
from efficientdl.course.exercises.lab_14 import BUDGET
from efficientdl.systems.hardware import Conv, simulate
from efficientdl.systems.hardware.analyse import analyse

RIGHT = {"rows": 16, "cols": 32, "dataflow": "input stationary", "buffer_kib": 32}


def met(**change):
    verdict = designs.judge({**RIGHT, **change}, BUDGET)
    return {m.limit.name: m.met for m in verdict.measured}


@pytest.mark.slow
def test_it_can_be_met():
    assert met() == {"area_mm2": True, "latency_ms": True, "energy_uj": True}


@pytest.mark.slow
def test_a_square_array_whose_weights_stay_is_too_slow():
    found = met(rows=16, cols=16, dataflow="weight stationary", buffer_kib=64)
    assert found == {"area_mm2": True, "latency_ms": False, "energy_uj": True}


@pytest.mark.slow
@pytest.mark.parametrize("dataflow", ["weight stationary", "output stationary", "no local reuse"])
def test_the_shape_alone_is_too_slow(dataflow):
    assert not met(dataflow=dataflow)["latency_ms"]


@pytest.mark.slow
def test_other_shapes_of_as_many_units_are_too_slow_or_too_hungry():
    for rows, cols in ((8, 64), (32, 16), (4, 128)):
        assert not all(met(rows=rows, cols=cols).values()), (rows, cols)


@pytest.mark.slow
def test_a_small_buffer_takes_too_much_energy():
    found = met(buffer_kib=16)
    assert found["area_mm2"]
    assert not found["energy_uj"]


@pytest.mark.slow
def test_more_units_or_more_buffer_are_too_large():
    assert not met(rows=20)["area_mm2"]
    assert not met(buffer_kib=48)["area_mm2"]


@pytest.mark.slow
def test_the_network_is_that_of_lab_01():
    model, x, macs = models.skeleton(designs.NETWORK), models.example(designs.NETWORK), 0

    def add(layer, _, y):
        nonlocal macs
        macs += y.numel() * layer.weight[0].numel()

    for layer in model.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            layer.register_forward_hook(add)
    model.eval()(x.to("meta"))
    assert sum(layer.macs for layer in designs.layers().values()) == macs
    assert designs.run(RIGHT).total.macs == macs


def test_the_bandwidth_is_that_of_the_lab_s_text():
    np.testing.assert_allclose(designs.DRAM.bits_per_cycle / 8 * designs.CLOCK_MHZ * 1e6, 6.4e9)


@pytest.mark.slow
def test_the_machine_that_is_measured_computes():
    """Its array, cycle by cycle, on a small depthwise layer: the product, the formula's counts."""
    layer, arch = Conv.depthwise(2, 6, 7, 3), designs.machine(RIGHT)
    rng = np.random.default_rng(0)
    x, weight = (rng.integers(-9, 9, shape) for shape in (layer.x_shape, layer.weight_shape))
    run = simulate(layer, arch, x, weight)
    np.testing.assert_array_equal(run.y, layer.reference(x, weight))
    assert run == analyse(layer, arch)


@pytest.mark.slow
def test_no_design_beats_what_the_bus_and_the_units_allow():
    found, layers = designs.measure(RIGHT), designs.layers().values()
    bits = sum(
        words * getattr(layer.bits, name)
        for layer in layers
        for name, words in layer.words._asdict().items()
    )
    least = max(bits / 256, sum(layer.macs for layer in layers) / (16 * 32)) / 200e6
    assert found["latency_ms"] >= 1e3 * least
    traffic_pj = bits / 8 * 160  # 640 pJ for 32 bits: Horowitz
    assert found["energy_uj"] >= traffic_pj / 1e6


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"more": 1}, "submit: artefact must have exactly the keys rows, cols, dataflow"),
        ({"rows": 0}, "rows must be"),
        ({"cols": 10**6}, "cols must be"),
        ({"buffer_kib": 0}, "buffer_kib must be"),
        ({"dataflow": "row stationary"}, "dataflow must be one of"),
    ],
)
def test_what_is_no_design_is_refused(change, said):
    with pytest.raises(ValueError, match=said):
        designs.measure({**RIGHT, **change})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": "many"}, "rows must be"),
        ({"cols": 8.5}, "cols must be"),
        ({"buffer_kib": True}, "buffer_kib must be"),
        ({"dataflow": 3}, "dataflow must be"),
    ],
)
def test_what_is_of_another_kind_is_refused(change, said):
    with pytest.raises(TypeError, match=said):
        designs.measure({**RIGHT, **change})


def test_a_part_that_is_missing_is_refused():
    with pytest.raises(ValueError, match="must have exactly the keys"):
        designs.judge({"rows": 16}, BUDGET)


def test_a_buffer_that_holds_no_tile_is_refused():
    with pytest.raises(ValueError, match="buffer"):
        designs.measure({**RIGHT, "buffer_kib": 1})
