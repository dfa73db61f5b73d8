"""japanese_vowels.npz: nine speakers' vowels, padded to 29 steps, with their lengths."""

from pathlib import Path

import numpy as np
import output
import sources

STEPS = 29


def read(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Series, lengths and labels of one .ts file: after @data, dimensions parted by colons."""
    lines = path.read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.lower().startswith("@data"))
    x, lengths, y = [], [], []
    for line in filter(None, lines[start + 1 :]):
        *dimensions, label = line.strip().split(":")
        series = np.array([[float(v) for v in d.split(",")] for d in dimensions])
        x.append(np.pad(series, ((0, 0), (0, STEPS - series.shape[1]))))
        lengths.append(series.shape[1])
        y.append(int(label) - 1)
    return np.stack(x).astype(np.float32), np.array(lengths, np.uint8), np.array(y, np.uint8)


folder = sources.package("sktime") / "sktime/datasets/data/JapaneseVowels"
arrays = {}
for part, file in (("train", "TRAIN"), ("test", "TEST")):
    found = read(folder / f"JapaneseVowels_{file}.ts")
    arrays |= dict(zip((f"x_{part}", f"len_{part}", f"y_{part}"), found, strict=True))
output.npz("japanese_vowels.npz", **arrays)
