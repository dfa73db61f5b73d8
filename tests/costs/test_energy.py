"""Energy by hand, and what moves it."""

from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl import models
from efficientdl.costs import (
    ADD_PJ,
    DRAM,
    FP16,
    FP32,
    INT8,
    INT32,
    SRAM,
    count,
    energy,
    narrow,
)
from efficientdl.report import Cost, Report

LAYER = Report({
    "fc": Cost(params=10, macs=40, weight_bits=320, activation_bytes=80, traffic_bytes=120)
})


def test_the_survey_s_numbers():
    assert (FP32.multiply_pj, SRAM.pj_per_word, DRAM.pj_per_word) == (3.7, 5.0, 640.0)
    assert DRAM.pj_per_word == 128 * SRAM.pj_per_word
    assert DRAM.energy_pj(32) == 640.0
    assert FP32.mac_pj == pytest.approx(3.7 + 0.9)


def test_horowitz_s_table():
    widths = np.array([[f.bits, f.multiply_pj, f.add_pj] for f in (FP32, FP16, INT32, INT8)])
    expected = [[32, 3.7, 0.9], [16, 1.1, 0.4], [32, 3.1, 0.1], [8, 0.2, 0.1]]
    np.testing.assert_array_equal(widths, expected)
    assert ADD_PJ == {"int8": 0.03, "int16": 0.05, "int32": 0.1, "fp16": 0.4, "fp32": 0.9}


def test_energy_by_hand():
    # 40 MACs; 10 words of weights; 20 words of activations
    assert energy(LAYER).total.energy_pj == pytest.approx(40 * 4.6 + 10 * 640 + 20 * 5)
    everything_near = energy(LAYER, weights_in=SRAM).total.energy_pj
    assert everything_near == pytest.approx(40 * 4.6 + 30 * 5)
    assert energy(LAYER, arithmetic=INT8).total.energy_pj == pytest.approx(
        40 * 0.3 + 10 * 640 + 20 * 5
    )


def test_without_reuse_each_mac_fetches_both_operands():
    assert energy(LAYER, reuse=1).total.energy_pj == pytest.approx(40 * (4.6 + 640 + 5))
    # one fetch for 4 MACs is just each weight once; activations still need 20 words
    assert energy(LAYER, reuse=4).total.energy_pj == pytest.approx(40 * 4.6 + 10 * 640 + 20 * 5)


@settings(deadline=None)
@given(st.floats(1, 1e6), st.floats(1, 1e6))
def test_more_reuse_never_takes_more(a, b):
    less, more = sorted((a, b))
    perfect = energy(LAYER, reuse=inf).total.energy_pj
    assert perfect <= energy(LAYER, reuse=more).total.energy_pj
    assert energy(LAYER, reuse=more).total.energy_pj <= energy(LAYER, reuse=less).total.energy_pj


@settings(deadline=None)
@given(st.integers(1, 32), st.integers(1, 32))
def test_fewer_bits_never_take_more(weights, activations):
    fewer = narrow(LAYER, weights=weights, activations=activations).total
    assert fewer.weight_bits == 10 * weights
    assert fewer.activation_bytes == -(-20 * activations // 8)
    assert fewer.traffic_bytes == -(-(10 * weights + 20 * activations) // 8)
    taken = energy(Report({"fc": fewer})).total.energy_pj
    assert taken <= energy(LAYER).total.energy_pj


def test_narrow_at_32_bits_is_the_same():
    model = models.skeleton("mobilenet_v2")
    report = count(model, models.example("mobilenet_v2", device="meta"))
    assert narrow(report) == report


def test_int8_network_takes_a_fraction():
    model = models.skeleton("mobilenet_v2")
    report = count(model, models.example("mobilenet_v2", device="meta"))
    float_pj = energy(report).total.energy_pj
    int8 = energy(narrow(report, weights=8, activations=8), arithmetic=INT8).total.energy_pj
    assert 4 < float_pj / int8 < 4.6 / 0.3  # memory gains 4 times, arithmetic 15 times


def test_what_moves_nothing_takes_nothing():
    flatten = Report({"flatten": Cost(0, 0, 0, activation_bytes=80, traffic_bytes=0)})
    assert energy(flatten).total.energy_pj == 0
    assert energy(flatten, reuse=1).total.energy_pj == 0


def test_unknown_stays_unknown():
    unknown = Report({"a": Cost(macs=5)})
    assert energy(unknown).total.energy_pj is None


def test_errors_say_what_to_pass():
    with pytest.raises(ValueError, match=r"energy: reuse must be at least 1, got 0\.5"):
        energy(LAYER, reuse=0.5)
    with pytest.raises(
        TypeError, match=r"energy: weights_in must be a Memory|parameter 'weights_in'"
    ):
        energy(LAYER, weights_in="dram")
    with pytest.raises(ValueError, match=r"narrow: weights must be a whole number in \[1, 32\]"):
        narrow(LAYER, weights=0)
    with pytest.raises(ValueError, match="narrow: report must know weights"):
        narrow(Report({"a": Cost(macs=5)}))
