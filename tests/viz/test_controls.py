"""Controls check and word their values without a notebook."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.viz import Choice, Slider, Toggle

SPARSITY = Slider("Sparsity", 0, 95, value=50, step=5, unit="%")
RATE = Slider("Rate", 0.1, 1.0, value=0.4, step=0.3)


@settings(deadline=None)
@given(st.floats(-1e6, 1e6))
def test_clamped_is_the_nearest_stop(value):
    for slider, stops in ((SPARSITY, np.arange(0, 96, 5)), (RATE, np.array([0.1, 0.4, 0.7, 1.0]))):
        got = slider.clamped(value)
        np.testing.assert_allclose(abs(got - value), abs(stops - value).min(), atol=1e-9)
        assert slider.checked(got) == got


def test_whole_sliders_give_whole_numbers():
    assert type(SPARSITY.clamped(49.9)) is int
    assert type(RATE.clamped(0.5)) is float


def test_last_stop_may_lie_below_the_end():
    slider = Slider("n", 0, 10, value=0, step=4)
    assert slider.extremes == (0, 8)
    assert slider.clamped(10) == 8


def test_words():
    assert SPARSITY.text(5) == "5 %"
    assert RATE.text(0.4) == "0.4"
    assert Slider("n", 0, 10_000, value=0, step=1000).text(5000) == "5,000"
    assert Toggle("t").text(True) == "on"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Slider("s", 1, 1, value=1), "Slider: low must be below high = 1, got 1"),
        (lambda: Slider("s", 0, 1, value=2), r"Slider: s must be in \[0, 1\], got 2"),
        (lambda: Slider("s", 0, 10, value=5, step=0), r"Slider: step must be in \(0, 10\], got 0"),
        (lambda: Slider("s", 0, 10, value=3, step=5), "Slider: s must be a stop"),
        (lambda: Slider("s", 0, float("inf"), value=0), "Slider: high must be finite"),
        (lambda: Slider("s", 0, 1, value=0, play_s=-1), "Slider: play_s must not be negative"),
        (
            lambda: Slider("s", 0, 1, value=0, play_s=float("nan")),
            "Slider: play_s must be a number",
        ),
        (lambda: Slider(" ", 0, 1, value=0), "Slider: label must say what the control moves"),
        (lambda: SPARSITY.checked(96), r"Slider: Sparsity must be in \[0, 95\], got 96"),
        (lambda: Choice("c", (), value="a"), "Choice: options must not be empty"),
        (lambda: Choice("c", ("a", "a"), value="a"), "Choice: options must read differently"),
        (lambda: Choice("c", ("vgg16",), value="vgg"), "did you mean 'vgg16'"),
    ],
)
def test_bad_values(make, said):
    with pytest.raises(ValueError, match=said):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: SPARSITY.checked("50"),
        lambda: SPARSITY.checked(True),
        lambda: Toggle("t").checked(1),
        lambda: Toggle(3),
    ],
)
def test_wrong_kinds(make):
    with pytest.raises(TypeError):
        make()
