"""The larger sets of speech and text, read from the archives in which they are given out."""

import zipfile
from pathlib import Path

import numpy as np

from efficientdl.datasets.archives import members, read_wave
from efficientdl.datasets.audio import as_bytes, log_mel
from efficientdl.datasets.remote import Files, kept
from efficientdl.datasets.shipped import DIGITS
from efficientdl.datasets.splits import as_split, carve, in_order
from efficientdl.datasets.texts import labelled
from efficientdl.datasets.types import Dataset, Glosses, Pairs, Text


def read_speech_commands(files: Files) -> Dataset:
    """The spoken digits among the 105,000 words, as `kws_espeak` has them: 49 x 40 log-mel.

    The parts are those of the archive's own lists, which share no speaker.
    """
    (path,) = files.values()
    arrays = kept(path.parent, lambda: _spoken(path))
    parts = (
        as_split(arrays["x"][rows][:, None], arrays["y"][rows])
        for rows in (arrays["part"] == k for k in range(3))
    )
    return Dataset("speech_commands", DIGITS, *parts)


def _spoken(path: Path) -> dict[str, np.ndarray]:
    x: dict[str, np.ndarray] = {}
    lists = {"validation_list.txt": set[str](), "testing_list.txt": set[str]()}
    for name, content in members(path, lambda n: n in lists or n.split("/")[0] in DIGITS):
        if name in lists:
            lists[name] = set(content.decode("utf-8").split())
        else:
            x[name] = as_bytes(log_mel(read_wave(content)))
    val, test = lists.values()
    names = sorted(x)
    return {
        "x": np.stack([x[n] for n in names]),
        "y": np.array([DIGITS.index(n.split("/")[0]) for n in names]),
        "part": np.array([2 if n in test else int(n in val) for n in names]),
    }


def read_multi30k(files: Files) -> Pairs:
    """31,014 captions of photographs, German and English."""

    def part(path: Path) -> tuple[tuple[str, str], ...]:
        found = dict(members(path, lambda n: n.endswith((".de", ".en"))))
        texts = {Path(n).suffix: c.decode("utf-8").splitlines() for n, c in found.items()}
        return tuple(zip(texts[".de"], texts[".en"], strict=True))

    return Pairs("multi30k", ("German", "English"), *(part(path) for path in files.values()))


def read_sst2(files: Files) -> Glosses:
    """68,221 phrases of film reviews, for or against.

    The labels of the set's test part are secret: its validation part is the test part here, and
    another is carved from the training part.
    """
    (path,) = files.values()
    with zipfile.ZipFile(path) as archive:
        texts = {n: archive.read(f"SST-2/{n}.tsv").decode("utf-8") for n in ("train", "dev")}
    rows = {n: [line.split("\t") for line in t.splitlines()[1:]] for n, t in texts.items()}
    phrases = {n: [text.strip() for text, _ in found] for n, found in rows.items()}
    y = {n: np.array([int(label) for _, label in found]) for n, found in rows.items()}
    keep, out = carve(y["train"], 0.02)
    train, val = (labelled(phrases["train"], y["train"], part) for part in (keep, out))
    test = labelled(phrases["dev"], y["dev"], np.arange(len(y["dev"])))
    return Glosses("sst2", ("negative", "positive"), train, val, test)


def read_shakespeare(files: Files) -> Text:
    """1.1 million characters of Shakespeare's plays."""
    (path,) = files.values()
    return in_order("tiny_shakespeare", path.read_text(encoding="utf-8"))
