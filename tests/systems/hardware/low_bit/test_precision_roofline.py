"""Rooflines by precision: what fewer bits buy, and where they buy nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl import models
from efficientdl.costs import Machine, count, narrow, roofline
from efficientdl.report import Cost, Report
from efficientdl.systems.hardware import from_torch
from efficientdl.systems.hardware.gemm import Bits
from efficientdl.systems.hardware.layer import Attention, Conv, Gemm
from efficientdl.systems.hardware.low_bit.precision_roofline import (
    PUBLISHED_GAIN,
    TensorCores,
    int4_over_int8_text,
    precision_gains,
    precision_roofline,
    turing_t4,
)
from tests.systems.hardware.drawn import convs, gemms

quick = settings(deadline=None, max_examples=60, database=None, derandomize=True)
EIGHT, FOUR = Bits(8, 8, 8), Bits(4, 4, 4)


@pytest.fixture(scope="module")
def resnet50():
    model, x = models.skeleton("resnet50"), models.example("resnet50", device="meta")
    return from_torch(model, x), count(model, x)


def test_one_width_is_the_plain_roofline():
    layers = {"a": Gemm(3, 5, 7), "b": Conv(4, 9, 9, 8, 3)}
    one = TensorCores("plain", {8: 123.0}, bytes_per_s=45.0)
    words = {name: layer.words for name, layer in layers.items()}
    report = Report({n: Cost(macs=layers[n].macs, traffic_bytes=sum(w)) for n, w in words.items()})
    assert precision_roofline(layers, one, EIGHT) == roofline(report, Machine(123.0, 45.0))


def test_the_traffic_of_a_network_is_that_which_costs_counts(resnet50):
    layers, report = resnet50
    placed = precision_roofline(layers, turing_t4(), EIGHT)
    compared = 0
    for name, layer in layers.items():
        if isinstance(layer, Conv) and max(layer.pairs.stride) == 1:  # no pixel is passed over
            row = narrow(report, weights=8, activations=8).rows[name]
            assert placed[name].intensity == row.macs / row.traffic_bytes
            compared += 1
    assert compared > 40


@quick
@given(layer=st.one_of(gemms(), convs()))
def test_half_the_width_is_half_the_time(layer):
    gain = precision_gains({"a": layer}, turing_t4(), before=EIGHT, after=FOUR)["a"]
    traffic = sum(layer.words)
    least = traffic / -(-traffic // 2)  # half of an odd number of bytes is rounded up
    assert least - 1e-9 <= gain.speedup <= 2 + 1e-9


@quick
@given(layer=st.one_of(gemms(), convs()), width=st.integers(1, 8))
def test_narrow_weights_alone_never_slow_down_and_help_where_memory_limits(layer, width):
    after = Bits(8, width, 8)
    gain = precision_gains({"a": layer}, turing_t4(), before=EIGHT, after=after)["a"]
    saved = layer.words.weight * (8 - width) / 8
    if gain.before == "memory" == gain.after:
        assert gain.saved_s * turing_t4().bytes_per_s == pytest.approx(saved, abs=1)
    if gain.before == "compute":
        assert gain.speedup == 1
    assert gain.speedup >= 1


def test_which_layers_of_a_network_gain_from_narrow_weights(resnet50):
    """Those that memory limits; most of all the one that moves nothing but weights."""
    layers, _ = resnet50
    narrow_weights = Bits(x=8, weight=4, y=8)
    gains = precision_gains(layers, turing_t4(), before=EIGHT, after=narrow_weights)
    ridge = turing_t4().at(EIGHT).ridge
    left_of_it = {n for n, layer in layers.items() if layer.macs / sum(layer.words) < ridge}
    assert {n for n, gain in gains.items() if gain.speedup > 1} == left_of_it
    assert 0 < len(left_of_it) < len(layers)  # there are both
    *_, fc = layers
    assert max(gains, key=lambda name: gains[name].speedup) == fc
    saved = [gain.saved_s for gain in gains.values()]
    assert saved == sorted(saved, reverse=True)


def test_a_policy_by_layer():
    layers = {"first": Gemm(64, 64, 64), "second": Gemm(64, 64, 64)}
    mixed = precision_roofline(layers, turing_t4(), {"first": EIGHT, "second": FOUR})
    assert mixed["first"] == precision_roofline(layers, turing_t4(), EIGHT)["first"]
    assert mixed["second"] == precision_roofline(layers, turing_t4(), FOUR)["second"]


def test_the_roof_of_resnet50_lies_above_what_was_measured(resnet50):
    layers, _ = resnet50
    first, *_, last = layers
    text = int4_over_int8_text(layers, turing_t4(), keep=frozenset({first, last}))
    every, kept, measured = (float(line.split()[-1]) for line in text.splitlines()[2:])
    assert measured == PUBLISHED_GAIN
    assert measured < kept < every == 2


def test_what_does_not_fit():
    layers, cores = {"fc": Gemm(1, 2, 2)}, turing_t4()
    with pytest.raises(ValueError, match=r"bits must have operands of at most 16 bits on T4, got"):
        precision_roofline(layers, cores, Bits(17, 8, 8))
    with pytest.raises(ValueError, match=r"must name each layer, and no other, got \['conv', 'fc'"):
        precision_roofline(layers, cores, {"conv": EIGHT})
    with pytest.raises(TypeError, match=r"precision_roofline: bits\['fc'\] must be a Bits, got 8"):
        precision_roofline(layers, cores, {"fc": 8})
    with pytest.raises(TypeError, match=r"layer 'a' must be a Gemm or Conv, got Attention"):
        precision_roofline({"a": Attention(1, 1, 1, 1)}, cores, EIGHT)
    with pytest.raises(ValueError, match=r"Machine: peak_macs_per_s must be more than 0, got 0"):
        TensorCores("none", {8: 0}, 1.0)
    with pytest.raises(ValueError, match=r"width must be a whole number in \[1, 64\], got 0"):
        TensorCores("none", {0: 1.0}, 1.0)
    with pytest.raises(ValueError, match=r"TensorCores: macs_per_s must name a width, got {}"):
        TensorCores("none", {}, 1.0)
    with pytest.raises(
        ValueError, match=r"int4_over_int8_text: keep must be one of fc, got 'stem'"
    ):
        int4_over_int8_text(layers, cores, keep=frozenset({"stem"}))
