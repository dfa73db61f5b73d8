"""The texts that ship, and the laser scan."""

import gzip

import numpy as np
import torch

from efficientdl._files import data_file
from efficientdl.datasets.shipped import arrays
from efficientdl.datasets.splits import carve, in_order, thirds
from efficientdl.datasets.types import Glosses, Pairs, Scan, Text, TextSplit


def _read(file: str) -> str:
    return gzip.decompress(data_file("load", file).read_bytes()).decode("utf-8")


def labelled(texts: list[str], y: np.ndarray, rows: np.ndarray) -> TextSplit:
    """The texts and labels of some rows."""
    return TextSplit(tuple(texts[i] for i in rows), torch.from_numpy(y[rows].astype(np.int64)))


def wordnet_gloss() -> Glosses:
    """12,000 definitions of nouns, ten classes: is it a person, a plant, a food, an act?

    Source: Fellbaum (editor), "WordNet: An Electronic Lexical Database", 1998.
    """
    lines = [line.split("\t") for line in _read("wordnet_gloss10.tsv.gz").splitlines()]
    classes = tuple(sorted({label for label, _ in lines}))
    texts = [text for _, text in lines]
    y = np.array([classes.index(label) for label, _ in lines])
    rest, test = carve(y, 0.2)
    keep, out = carve(y[rest], 0.1)
    parts = (labelled(texts, y, rows) for rows in (rest[keep], rest[out], test))
    return Glosses("wordnet_gloss", classes, *parts)


def moby_dick() -> Text:
    """Herman Melville's "Moby-Dick; or, The Whale", 1851: 1.2 million characters."""
    return in_order("moby_dick", _read("moby_dick.txt.gz"))


def en_es() -> Pairs:
    """7,393 short verses in English and Spanish, at most 16 words on each side.

    Source: World English Bible; Reina-Valera, 1909.
    """
    pairs = [tuple(line.split("\t")) for line in _read("en_es_web_rv1909.tsv.gz").splitlines()]
    return Pairs("en_es", ("English", "Spanish"), *thirds(pairs, 0.1))


def vlp16() -> Scan:
    """One revolution of a real 16-beam laser scanner outdoors: 22,591 points."""
    stored = arrays("vlp16_scan.npz")
    xyz = torch.from_numpy(stored["xyz_mm"]).to(torch.float32) / 1000
    return Scan("vlp16", xyz, torch.from_numpy(stored["intensity"]).to(torch.float32) / 255)
