"""An arena: which tensor has which bytes, and when."""

from collections.abc import Mapping

from efficientdl import _check
from efficientdl.viz.figure import Axis, Figure
from efficientdl.viz.series import Heatmap
from efficientdl.viz.ticks import number_text

_ROWS = 24
Span = tuple[int, int, int]


def arena(
    title: str, tensors: Mapping[str, Span], addresses: Mapping[str, int], *, top: int | None = None
) -> Figure:
    """Tensors as rectangles: as wide as the steps for which they live, as high as their bytes.

    The arena is drawn in rows of equal height, and a cell belongs to the tensor that has the byte
    in its middle, so that edges are right to half a row; a table has them exactly.

    Args:
        title: Of the figure.
        tensors: For each name its bytes, its first step and its last one.
        addresses: For each name its first byte.
        top: Bytes of the whole axis; the highest end where it is None. With one for two figures
            their heights can be compared.

    >>> tensors = {"x": (16, 0, 1), "y": (8, 1, 2)}
    >>> figure = arena("Two tensors", tensors, {"x": 0, "y": 16})
    >>> figure.alt
    'Two tensors take 24 bytes of arena in 3 steps; y lies highest.'
    >>> figure.series[0].labels[-1], figure.series[0].labels[0]
    (('', '', ''), ('', '', ''))

    Source: as in Lin et al., "MCUNet", 2020, on TinyEngine's memory; lab 13.
    """
    if not tensors or tensors.keys() != addresses.keys():
        rule = "must be those of the tensors, one or more"
        _check.fail("arena", "addresses", rule, sorted(addresses))
    ends = {name: addresses[name] + size for name, (size, _, _) in tensors.items()}
    highest = max(ends, key=lambda name: ends[name])
    height = max(ends[highest], top or 0, 1) / _ROWS
    n_steps = 1 + max(last for _, _, last in tensors.values())
    shades = [[0.0] * n_steps for _ in range(_ROWS)]
    labels = [[""] * n_steps for _ in range(_ROWS)]
    for number, (name, (_, first, last)) in enumerate(tensors.items(), start=1):
        inside = [
            row for row in range(_ROWS) if addresses[name] <= (row + 0.5) * height < ends[name]
        ]
        for row in inside:
            shades[row][first : last + 1] = [number] * (last + 1 - first)
        if inside:
            labels[inside[len(inside) // 2]][(first + last) // 2] = str(number)
    marks = tuple(number_text(round(row * height)) for row in range(_ROWS))
    return Figure(
        title,
        Axis("step", categories=tuple(map(str, range(n_steps)))),
        Axis("address", "bytes", categories=marks[::-1]),
        (Heatmap("tensor", shades[::-1], labels[::-1]),),
        alt=f"{title} take {ends[highest]:,} bytes of arena in {n_steps} steps; "
        f"{highest} lies highest.",
        width=440,
        height=460,
    )
