"""Log-mel pictures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.datasets import log_mel
from efficientdl.datasets.audio import as_bytes, mel_bands


def tone(hertz, seconds=1.0):
    return np.sin(2 * np.pi * hertz * np.arange(int(8000 * seconds)) / 8000)


def test_bands_are_triangles_that_overlap_to_one():
    # Two neighbours share an edge, where one rises as the other falls: they add up to one.
    inside = mel_bands()[:, 8:115].sum(0)
    np.testing.assert_allclose(inside, 1, atol=1e-9)


@given(st.integers(0, 39))
@settings(deadline=None, max_examples=20)
def test_a_tone_lights_the_band_around_it(band):
    # Centres by the definition of the mel scale, O'Shaughnessy's: m = 2595 log10(1 + f / 700).
    mels = np.linspace(2595 * np.log10(1 + 60 / 700), 2595 * np.log10(1 + 3800 / 700), 42)
    centre = 700 * (10 ** (mels[band + 1] / 2595) - 1)
    lit = log_mel(tone(centre)).argmax(1)
    # The lowest bands are narrower than the 31 Hz between two frequencies of a window.
    assert np.abs(lit - band).max() <= (1 if band > 6 else 3)


def test_loudness_does_not_matter():
    noise = np.random.default_rng(0).normal(size=8000)
    np.testing.assert_allclose(log_mel(0.01 * noise), log_mel(noise), atol=1e-2)


def test_short_sound_is_padded_with_silence():
    picture = log_mel(tone(1000, 0.5))
    assert picture.shape == (49, 40)
    np.testing.assert_allclose(picture[-10:], np.log(1e-4), rtol=1e-6)


def test_one_frame_equals_a_sum_by_hand():
    x = np.random.default_rng(1).normal(size=8000)
    x /= np.abs(x).max() + 1e-6
    window = np.array([0.5 - 0.5 * np.cos(2 * np.pi * n / 255) for n in range(256)])
    frame = x[160 * 7 : 160 * 7 + 256] * window
    k = np.arange(129)[:, None]
    spectrum = (frame * np.exp(-2j * np.pi * k * np.arange(256) / 256)).sum(1)
    expected = np.log(mel_bands() @ (np.abs(spectrum) ** 2) + 1e-4)
    np.testing.assert_allclose(log_mel(x)[7], expected, rtol=1e-5)


def test_bytes_hold_the_range_of_the_shipped_pictures():
    np.testing.assert_array_equal(as_bytes(np.array([-20, -10, 11.25, 30])), [0, 0, 255, 255])


def test_no_sound():
    with pytest.raises(ValueError, match="log_mel: number of samples must be a whole number, 1"):
        log_mel(np.zeros(0))
