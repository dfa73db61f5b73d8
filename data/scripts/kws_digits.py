"""kws_espeak_digits.npz and kws_real_asterisk_digits.npz: spoken digits as log-mel pictures.

The first are spoken by 36 voices of eSpeak NG in seven accents, five times each at a speed and a
pitch that are drawn; the second are ten studio recordings, placed five times each. Every one is
put at a random place in a second of faint noise. eSpeak NG is unpacked, not installed, so this
runs on Debian 12 for amd64; Debian ships the very sounds that were used.
"""

import os
import random
import subprocess
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import output
import sources
from scipy.signal import resample_poly

from efficientdl.datasets.audio import RATE_HZ, as_bytes, log_mel

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
# In the order in which they are drawn from.
ACCENTS = [
    *("en-gb", "en-us", "en-gb-scotland", "en-gb-x-rp"),
    *("en-gb-x-gbclan", "en-029", "en-us-nyc"),
]
# Whispering, or of another synthesizer, or hardly speech.
LEFT_OUT = {
    *("whisper", "whisperf", "croak", "klatt", "klatt2", "klatt3", "klatt4", "klatt5", "klatt6"),
    *("fast_test", "UniRobot", "robosoft", "announcer"),
}

LIBRARIES = [
    sources.package(name) / "usr/lib/x86_64-linux-gnu"
    for name in ("libespeak-ng1", "libpcaudio0", "libsonic0", "espeak-ng-data")
]
PROGRAM = sources.package("espeak-ng") / "usr/bin/espeak-ng"
ENVIRONMENT = os.environ | {
    "LD_LIBRARY_PATH": ":".join(map(str, LIBRARIES)),
    "ESPEAK_DATA_PATH": str(LIBRARIES[-1]),
}


def espeak(*words: str) -> bytes:
    command = [str(PROGRAM), *words]
    return subprocess.run(command, capture_output=True, check=True, env=ENVIRONMENT).stdout


def voices() -> list[str]:
    """The 36 variants of the voice that were drawn."""
    lines = espeak("--voices=variant").decode().splitlines()[1:]
    found = {next(w for w in line.split() if w.startswith("!v/"))[3:] for line in lines}
    return sorted(found - LEFT_OUT)


def trimmed(x: np.ndarray) -> np.ndarray:
    """The sound without the silence around it, but for 20 ms."""
    energy = np.convolve(x**2, np.ones(80) / 80, "same")
    loud = np.flatnonzero(energy > 0.002 * energy.max())
    return x[max(0, loud[0] - 160) : loud[-1] + 160]


def spoken(word: str, voice: str, accent: str, speed: int, pitch: int) -> np.ndarray | None:
    """One word at 8 kHz, or None where the voice has no sound for it."""
    sound = espeak("-v", f"{accent}+{voice}", "-s", str(speed), "-p", str(pitch), "--stdout", word)
    if len(sound) < 1000:
        return None
    x = np.frombuffer(sound[44:], np.int16).astype(np.float32) / 32768
    x = trimmed(resample_poly(x, 160, 441))
    return x if len(x) >= 800 else None


def placed(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The sound somewhere in a second of noise, at one of three levels."""
    x = x[:RATE_HZ]
    start = rng.integers(0, max(1, RATE_HZ - len(x)))
    second = np.zeros(RATE_HZ, np.float32)
    second[start : start + len(x)] = x / np.abs(x).max()
    noise = rng.normal(0, rng.choice([0.002, 0.01, 0.03]), RATE_HZ)
    return second + noise.astype(np.float32)


def recordings(folder: Path) -> Iterator[tuple[int, np.ndarray]]:
    """The ten real digits."""
    for digit in range(10):
        with wave.open(str(folder / f"{digit}.wav")) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        yield digit, trimmed(samples.astype(np.float32) / 32768)


draw = random.Random(0)
chosen = draw.sample(voices(), 36)
jobs = [
    (w, v, draw.choice(ACCENTS), draw.choice([130, 150, 170, 190]), draw.choice([30, 45, 60, 75]))
    for w in WORDS
    for v in chosen
    for _ in range(5)
]
rng = np.random.default_rng(0)
rows = [(job, x) for job in jobs if (x := spoken(*job)) is not None]
output.npz(
    "kws_espeak_digits.npz",
    logmel=np.stack([as_bytes(log_mel(placed(x, rng))) for _, x in rows]),
    label=np.array([WORDS.index(job[0]) for job, _ in rows], np.uint8),
    voice=np.array([chosen.index(job[1]) for job, _ in rows], np.uint8),
)
folder = sources.package("asterisk-core-sounds-en-wav")
digits = folder / "usr/share/asterisk/sounds/en_US_f_Allison/digits"
real = [(d, log_mel(placed(x, rng))) for d, x in recordings(digits) for _ in range(5)]
output.npz(
    "kws_real_asterisk_digits.npz",
    logmel=as_bytes(np.stack([picture for _, picture in real])),
    label=np.array([d for d, _ in real], np.uint8),
)
