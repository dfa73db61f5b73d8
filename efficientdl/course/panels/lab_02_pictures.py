"""The panels of lab 02 that draw masks and channel groups."""

import torch
from torch import Tensor, nn

from efficientdl.compression.pruning import channel_groups
from efficientdl.compression.pruning.criteria import l2_norm
from efficientdl.compression.pruning.structure import Group
from efficientdl.course.panels import lab_02_subject as subject
from efficientdl.course.panels.lab_02_curves import GRANULARITIES
from efficientdl.course.panels.lab_02_subject import ALONE, LAYERS, percent
from efficientdl.protocols import Mask
from efficientdl.tensors import choose_patterns, every_pattern, keep_n_of_m, nearest_pattern
from efficientdl.viz import (
    Axis,
    Bars,
    Choice,
    Figure,
    Heatmap,
    Panel,
    Points,
    Series,
    Slider,
    Table,
    View,
)

N_OF_M, PATTERNS = "N of 4 input channels", "6 patterns"
_SHOWN = (6, 8)  # filters, and input channels of each: what the eye takes in
_RUN = 4
# Kept dark, cut light, every other kernel a little paler, so that one sees where each ends.
_DARK, _LIGHT, _TINT = 0.0, 1.0, 0.13


def mask_of(layer: str, granularity: str, sparsity: float) -> Mask:
    """The mask of one layer, by the L2 norm of what goes together.

    N of M and patterns keep a whole number of four or of nine, the one nearest to the sparsity.

    Args:
        layer: One of `LAYERS`.
        granularity: A name of `GRANULARITIES`, or `N_OF_M`, or `PATTERNS`.
        sparsity: Share of zeros, 0..1.
    """
    worth = l2_norm(subject.weights()[layer])
    if granularity == N_OF_M:
        return keep_n_of_m(worth, n=round(_RUN * (1 - sparsity)), m=_RUN)
    if granularity == PATTERNS:
        pool = every_pattern(max(1, round(9 * (1 - sparsity))))
        patterns = choose_patterns(worth.flatten(0, 1), pool, n_patterns=min(6, len(pool)))
        return patterns[nearest_pattern(worth, patterns)]
    groups = GRANULARITIES[granularity]
    return subject.masks({layer: worth}, sparsity, granularity=groups, scope=ALONE)[layer]


def _masks(granularity: str, sparsity: int, layer: str) -> View:
    mask = mask_of(layer, granularity, sparsity / 100)
    cut, whole = int((~mask).sum()), mask.numel()
    kernels = mask.flatten(0, 1).flatten(1)
    empty = int((~kernels.any(dim=1)).sum())
    filters = int((~mask.flatten(1).any(dim=1)).sum())
    text = (
        f"{layer}, {granularity}: {cut:,} of {whole:,} weights are cut, {100 * cut / whole:.0f} %; "
        f"{empty:,} of {len(kernels):,} kernels and {filters} of {len(mask)} filters are empty. "
        f"Accuracy "
        f"{percent(subject.accuracy({layer: mask}))}, dense {percent(subject.dense())}."
    )
    few = mask[: _SHOWN[0], : _SHOWN[1]]
    head = ("filter", *(f"channel {i}" for i in range(_SHOWN[1])))
    rows = tuple((f"filter {i}", *map(_written, filter_)) for i, filter_ in enumerate(few))
    caption = "Kernels row by row: # is kept, . is cut"
    return View(_tiles(layer, few, text), Table(caption, head, rows), text)


def _written(kernel: Mask) -> str:
    """A kernel in letters: `#.# ..# ###`."""
    return " ".join("".join("#" if kept else "." for kept in row) for row in kernel.tolist())


def _tiles(layer: str, few: Mask, alt: str) -> Figure:
    """Filters below each other, their kernels side by side."""
    n_out, n_in, high, wide = few.shape
    board = (torch.arange(n_out)[:, None] + torch.arange(n_in)) % 2
    tint = (_TINT * board)[:, :, None, None]
    shades = _board(torch.where(few, _DARK + tint, _LIGHT - tint))
    return Figure(
        f"{layer}: {n_out} of its filters, dark where a weight is kept",
        Axis(f"input channels 0 to {n_in - 1}", categories=_middles(n_in, wide)),
        Axis("filter", categories=_middles(n_out, high)),
        (Heatmap("weight", shades, [[""] * len(row) for row in shades]),),
        alt=alt,
        width=440,
        height=360,
    )


def _board(filters: Tensor) -> list[list[float]]:
    """Filters `c_out c_in r s` as one picture: a filter below the other, its kernels in a row."""
    n_out, n_in, high, wide = filters.shape
    return filters.movedim(2, 1).reshape(n_out * high, n_in * wide).tolist()


def _middles(count: int, size: int) -> tuple[str, ...]:
    """The number of each tile under its middle cell, nothing under the others."""
    return tuple(str(i) if j == size // 2 else "" for i in range(count) for j in range(size))


def masks() -> Panel:
    """Masks of a layer as pictures: filters as tiles of 3 x 3 kernels, kept dark, cut light."""
    options = (*GRANULARITIES, N_OF_M, PATTERNS)
    controls = {
        "granularity": Choice("What goes together", options, value=options[0]),
        "sparsity": Slider("Share of zeros", 0, 90, value=50, step=5, unit="%"),
        "layer": Choice("Layer", LAYERS[1:4], value=LAYERS[1]),
    }
    stops = {"granularity": options[1:]}
    return Panel(_masks, controls, title="What a mask looks like", stops=stops)


_MOST_COLUMNS = 14
_ROLES = ("out", "bias", "batch norm", "depthwise", "scale", "in")


def groups(model: nn.Module, x: Tensor) -> View:
    """The channels that go together: each group a row, its slices as marks with their widths.

    The table is the printed group, line by line. Where the groups touch many layers, bars count
    for each group what goes in all of them.

    Args:
        model: Any model that `channel_groups` can follow.
        x: An example of its input.
    """
    found = channel_groups(model, x)
    if not found:
        return View(None, None, "No channel of this network can go.")
    rows = [(group.name, len(group), line) for group in found for line in _lines(group)]
    largest = max(found, key=lambda group: len(_lines(group)))
    text = (
        f"{len(found)} groups. In {largest.name}, cutting one of its {len(largest)} units means "
        f"cutting in {len(_lines(largest))} places at once."
    )
    layers = list(dict.fromkeys(s.layer or s.weight for group in found for s in group.slices))
    figure = (
        _by_role(found, text) if len(layers) > _MOST_COLUMNS else _by_layer(found, layers, text)
    )
    return View(figure, Table("What goes together", ("group", "units", "where"), tuple(rows)), text)


def _lines(group: Group) -> list[str]:
    """Where the group stands, as `print(group)` says it."""
    return [line.strip().removeprefix("-> ") for line in str(group).splitlines()[1:]]


def _by_layer(found: list[Group], layers: list[str], alt: str) -> Figure:
    """A mark where a group touches a layer: its shape says how, its label how wide."""
    series: list[Series] = []
    for role in _ROLES:
        marks = {
            (layers.index(s.layer or s.weight), row): sum(map(len, s.places))
            for row, group in enumerate(found)
            for s in group.slices
            if s.role == role and role != "bias"
        }
        if marks:
            x, y = zip(*marks, strict=True)
            widths = list(marks.values())
            series.append(Points(role, x, y, [f"{width:,}" for width in widths]))
    return Figure(
        "What goes together: a row for each group, how many places in each layer",
        Axis("", categories=tuple(layers)),
        Axis("group", categories=tuple(group.name for group in found)),
        tuple(series),
        alt=alt,
        height=200 + 36 * len(found),
    )


def _by_role(found: list[Group], alt: str) -> Figure:
    """For each group the layers that it touches, by what its channels are to them."""
    shown = sorted(found, key=lambda group: -len(_lines(group)))[:12]
    counts = {
        role: [len({s.layer for s in group.slices if s.role == role}) for group in shown]
        for role in _ROLES
        if role != "bias"
    }
    return Figure(
        f"The {len(shown)} widest of {len(found)} groups: how many layers lose channels together",
        Axis("layers"),
        Axis("group", categories=tuple(group.name for group in shown)),
        tuple(Bars(role, values) for role, values in counts.items() if any(values)),
        alt=alt,
        stacked=True,
        height=140 + 26 * len(shown),
    )
