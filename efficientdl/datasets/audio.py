"""From a second of sound to the picture that a keyword spotter looks at."""

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from efficientdl import _check

RATE_HZ = 8000
_WINDOW, _HOP, _FRAMES, _BANDS = 256, 160, 49, 40
_LOW_HZ, _HIGH_HZ = 60, 3800


def _mel(hertz: float) -> float:
    return 2595 * float(np.log10(1 + hertz / 700))


def mel_bands() -> Float[ndarray, "40 129"]:
    """Forty triangles over the 129 frequencies of a window, equally wide on the mel scale.

    >>> mel_bands().shape
    (40, 129)
    """
    edges = 700 * (10 ** (np.linspace(_mel(_LOW_HZ), _mel(_HIGH_HZ), _BANDS + 2) / 2595) - 1)
    edges = edges / RATE_HZ * _WINDOW
    bins = np.arange(_WINDOW // 2 + 1)[None]
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rising, falling))


def log_mel(x: Float[ndarray, " samples"]) -> Float[ndarray, "49 40"]:
    """The log-mel spectrogram of one second: 49 moments by 40 bands, natural logarithm of power.

    Args:
        x: Samples at 8 kHz, at any loudness; what is short of a second is padded with silence,
            what is over is cut off.

    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000)
    >>> picture = log_mel(tone)
    >>> bool((picture.argmax(1) == picture[0].argmax()).all())
    True

    Source: Davis and Mermelstein, "Comparison of Parametric Representations for Monosyllabic Word
    Recognition", 1980 (the mel bands); Zhang, Suda, Lai and Chandra, "Hello Edge: Keyword Spotting
    on Microcontrollers", 2017 (the size of the picture).
    """
    _check.whole("log_mel", "number of samples", len(x), 1)
    x = x / (np.abs(x).max() + 1e-6)
    x = np.pad(x, (0, max(0, RATE_HZ - len(x))))[:RATE_HZ]
    frames = np.lib.stride_tricks.sliding_window_view(x, _WINDOW)[::_HOP][:_FRAMES]
    power = np.abs(np.fft.rfft(frames * np.hanning(_WINDOW), _WINDOW)) ** 2
    return np.log(power @ mel_bands().T + 1e-4).astype(np.float32)


def as_bytes(picture: Float[ndarray, "..."]) -> UInt8[ndarray, "..."]:
    """A log-mel picture in the 256 steps in which the spoken digits are stored.

    >>> as_bytes(np.array([-10.0, 0.0, 99.0]))
    array([  0, 120, 255], dtype=uint8)
    """
    return np.clip((picture + 10) * 12, 0, 255).astype(np.uint8)
