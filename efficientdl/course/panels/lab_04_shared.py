"""Lab 04's panels for shared values: centroids that move, and the tree of their codes."""

import heapq
from collections.abc import Sequence
from functools import cache
from math import log2

import numpy as np
import torch

from efficientdl.course.panels import lab_04_subject as subject
from efficientdl.course.panels.lab_04_subject import LAYERS, Values, counted
from efficientdl.tensors import density_start, linear_start, scalar_codebook
from efficientdl.tensors.codebooks import nearest_value
from efficientdl.viz import (
    Axis,
    Choice,
    Figure,
    Histogram,
    Line,
    Panel,
    Points,
    Slider,
    Table,
    View,
)

STARTS = {"equally spaced": linear_start, "equally many weights each": density_start}
ROUNDS, _LAYER, _BINS = 20, "conv3.conv", 60
_WIDE, _PER_LEAF, _MARGIN = 540, 56, 130


@cache
def path(start: str, bits: int) -> tuple[tuple[Values, float], ...]:
    """Centroids and their sum of squares before the first round of k-means and after each.

    Args:
        start: A name of `STARTS`.
        bits: Of a code.
    """
    values = subject.weights(_LAYER)
    centroids = STARTS[start](torch.from_numpy(values), size=2**bits).numpy()
    found = []
    for _ in range(ROUNDS + 1):
        codes = np.abs(values[:, None] - centroids).argmin(axis=1)
        found.append((centroids, float(((values - centroids[codes]) ** 2).sum())))
        counts = np.bincount(codes, minlength=2**bits)
        sums = np.bincount(codes, weights=values, minlength=2**bits)
        centroids = np.where(counts, sums / np.maximum(counts, 1), centroids)
    return tuple(found)


def _centroids(start: str, bits: int, rounds: int) -> View:
    values, way = subject.weights(_LAYER), path(start, bits)
    now, squares = way[rounds]
    text = (
        f"{2**bits} centroids, {start} at first, after {counted(rounds, 'round')}: the sum of "
        f"squares within clusters is {squares:.2f}, at first {way[0][1]:.2f}, after {ROUNDS} "
        f"rounds {way[-1][1]:.2f}."
    )
    counts, edges = np.histogram(values, _BINS)
    picture = Figure(
        f"The weights of {_LAYER}, and their centroids",
        Axis("weight"),
        Axis("weights", low=0),
        (
            Histogram("weights", edges, counts),
            Points("at first", way[0][0], np.zeros(2**bits)),
            Points("now", now, np.full(2**bits, 0.06 * counts.max())),
        ),
        alt=text,
        width=_WIDE,
    )
    curve = Figure(
        "Sum of squares within clusters, equation 1",
        Axis("round"),
        Axis("sum of squares", low=0),
        (
            Line("sum of squares", range(ROUNDS + 1), [s for _, s in way]),
            Points("now", [rounds], [squares]),
        ),
        alt=text,
        width=_WIDE,
    )
    head = ("centroid", "at first", "now")
    rows = tuple(
        (i, float(a), float(b)) for i, (a, b) in enumerate(zip(way[0][0], now, strict=True))
    )
    return View((picture, curve), Table("Centroids", head, rows), text)


def centroids() -> Panel:
    """k-means among the weights of one layer, round by round, from two starts."""
    controls = {
        "start": Choice("Centroids at first", tuple(STARTS), value="equally spaced"),
        "bits": Slider("Bits of a code", 1, 4, value=2),
        "rounds": Slider("Rounds", 0, ROUNDS, value=0),
    }
    return Panel(_centroids, controls, title="Where do the values go?", stops={"rounds": (1, 20)})


@cache
def codes_of(layer: str, bits: int) -> tuple[tuple[float, int, str], ...]:
    """Of each shared value of a layer: the value, how many weights have it, its Huffman code."""
    values = torch.from_numpy(subject.weights(layer))
    book = scalar_codebook(values, size=2**bits)
    counts = np.bincount(nearest_value(values, book).numpy(), minlength=2**bits).tolist()
    heap = [(count, i, {i: ""}) for i, count in enumerate(counts)]
    heapq.heapify(heap)
    new = len(heap)
    while len(heap) > 1:
        (a, _, left), (b, _, right) = heapq.heappop(heap), heapq.heappop(heap)
        joined = {i: f"0{code}" for i, code in left.items()}
        joined |= {i: f"1{code}" for i, code in right.items()}
        heapq.heappush(heap, (a + b, new, joined))
        new += 1
    codes = heap[0][2]
    return tuple((float(book[i]), counts[i], codes[i]) for i in range(2**bits))


def _tree(codes: list[str]) -> tuple[list[float], list[int]]:
    """One stroke through the whole tree, there and back, and x and depth at each node."""
    leaves = sorted(codes)
    xs: list[float] = []
    depths: list[int] = []

    def place(prefix: str) -> float:
        under = [i for i, code in enumerate(leaves) if code.startswith(prefix)]
        return sum(under) / len(under)

    def walk(prefix: str) -> None:
        xs.append(place(prefix))
        depths.append(len(prefix))
        if prefix in leaves:
            return
        for bit in "01":
            walk(prefix + bit)
            xs.append(place(prefix))
            depths.append(len(prefix))

    walk("")
    return xs, depths


def _huffman_tree(layer: str, bits: int) -> View:
    found = codes_of(layer, bits)
    n = sum(count for _, count, _ in found)
    mean = sum(count * len(code) for _, count, code in found) / n
    entropy = -sum(count / n * log2(count / n) for _, count, _ in found if count)
    text = (
        f"{layer}, {2**bits} shared values: {mean:.2f} bits a code on average with Huffman's tree, "
        f"{bits} without; no code can do with less than the entropy, {entropy:.2f}."
    )
    head = ("value", "weights", "code", "bits")
    rows = tuple((value, count, code, len(code)) for value, count, code in found)
    table = Table("Codes of the shared values", head, rows)
    return View(_drawn_tree(found, text), table, text)


def _drawn_tree(found: Sequence[tuple[float, int, str]], alt: str) -> Figure:
    """The tree from the root down: the leaves with their counts, the joins with their sums."""
    leaves = sorted(found, key=lambda row: row[2])
    xs, depths = _tree([code for *_, code in leaves])
    joins = sorted({code[:end] for *_, code in leaves for end in range(len(code))})
    under = [[i for i, row in enumerate(leaves) if row[2].startswith(join)] for join in joins]
    sums = [sum(leaves[i][1] for i in these) for these in under]
    return Figure(
        "Huffman's tree: 0 to the left, 1 to the right",
        Axis("shared value", categories=tuple(f"{v:.2f}" for v, *_ in leaves)),
        Axis("bits of the code", categories=tuple(map(str, range(max(depths) + 1)))),
        (
            Line("tree", xs, depths),
            Points(
                "weights of a value",
                range(len(leaves)),
                [len(code) for *_, code in leaves],
                [f"{count:,}" for _, count, _ in leaves],
            ),
            Points(
                "weights of a join",
                [sum(these) / len(these) for these in under],
                [len(join) for join in joins],
                [f"{total:,}" for total in sums],
            ),
        ),
        alt=alt,
        width=max(_WIDE, _MARGIN + _PER_LEAF * len(leaves)),
        height=420,
    )


def huffman_tree() -> Panel:
    """Huffman's tree for the shared values of a layer, drawn, a count at each leaf and join."""
    controls = {
        "layer": Choice("Layer", LAYERS, value=LAYERS[2]),
        "bits": Slider("Bits without Huffman", 1, 4, value=3),
    }
    return Panel(_huffman_tree, controls, title="Who gets the short codes?", stops={"bits": (2,)})
