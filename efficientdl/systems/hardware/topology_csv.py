"""Layers in the reference simulator's topology files: one line a layer, commas between.

A convolution's line is `name, height, width, filter height, filter width, channels, filters,
stride`, its input already padded; a product's is `name, m, n, k`. Lines end with a comma. The
first line names the columns, and says which of the two the file holds.
"""

from collections.abc import Mapping

from efficientdl import _check
from efficientdl.systems.hardware.conv import Conv
from efficientdl.systems.hardware.gemm import Gemm

CONV_HEADER = (
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, "
    "Num Filter, Strides,"
)
GEMM_HEADER = "Layer, M, N, K,"
GEMM_COLUMNS = ("m", "n", "k")


def read_topology(text: str) -> dict[str, Conv | Gemm]:
    """Read layers from a topology file's text.

    A window that would hang over the edge is left out, as everywhere in this library; the
    reference simulator counts it (`compat.reference`). A name that comes twice gets a number.

    Args:
        text: The file.

    Raises:
        BadValue: A line that is not a layer, with its number.

    >>> read_topology("Layer, M, N, K,\\nfc, 4, 10, 64,\\n")
    {'fc': Gemm(m=4, k=64, n=10, groups=1, bits=Bits(x=8, weight=8, y=32))}

    Source: Samajdar et al., "SCALE-Sim: Systolic CNN Accelerator Simulator", 2018; survey section
        6.2; lab 14.
    """
    _check.kind("read_topology", "text", text, str)
    lines = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip(" ,\t")]
    if not lines:
        _check.fail("read_topology", "text", "must have a line of column names", text)
    columns = _cells(lines[0][1])
    products = tuple(name.lower() for name in columns[1:4]) == GEMM_COLUMNS
    layers: dict[str, Conv | Gemm] = {}
    for i, line in lines[1:]:
        name, *sizes = _cells(line)
        numbers = _numbers(i, line, sizes, 3 if products else 7)
        layers[_new_name(name, layers)] = _layer(i, line, numbers)
    return layers


def topology_text(layers: Mapping[str, Conv | Gemm]) -> str:
    """Write layers as a topology file, padding put into the input's size.

    Args:
        layers: All convolutions, or all products, by name.

    Raises:
        BadValue: A layer that the format cannot say: groups, dilation, a batch, two strides, a
            mixture of both kinds.

    >>> print(topology_text({"conv": Conv(3, 8, 8, 16, kernel=3, padding=1)}), end="")
    Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,
    conv, 10, 10, 3, 3, 3, 16, 1,
    """  # noqa: E501
    kinds = {type(layer) for layer in layers.values()}
    if len(kinds) != 1 or not kinds <= {Conv, Gemm}:
        names = sorted(kind.__name__ for kind in kinds)
        _check.fail("topology_text", "layers", "must all be Conv or all be Gemm", names)
    lines = [CONV_HEADER if Conv in kinds else GEMM_HEADER]
    for name, layer in layers.items():
        _check_sayable(name, layer)
        sizes = _conv_sizes(layer) if isinstance(layer, Conv) else (layer.m, layer.n, layer.k)
        lines.append(", ".join([name, *map(str, sizes)]) + ",")
    return "\n".join(lines) + "\n"


def _cells(line: str) -> list[str]:
    cells = [cell.strip() for cell in line.split(",")]
    return cells[:-1] if cells[-1] == "" else cells


def _numbers(i: int, line: str, cells: list[str], n: int) -> list[int]:
    if len(cells) < n:
        _check.fail("read_topology", f"line {i}", f"must have a name and {n} sizes", line)
    for cell in cells[:n]:
        if not (cell.isascii() and cell.isdigit() and int(cell) > 0):
            _check.fail("read_topology", f"line {i}", "must have whole sizes, 1 or more", line)
    return [int(cell) for cell in cells[:n]]


def _layer(i: int, line: str, sizes: list[int]) -> Conv | Gemm:
    if len(sizes) == 3:
        return Gemm(m=sizes[0], n=sizes[1], k=sizes[2])
    h, w, r, s, c, n, stride = sizes
    if r > h or s > w:
        _check.fail("read_topology", f"line {i}", "must have a filter that fits its input", line)
    return Conv(c, h, w, n, kernel=(r, s), stride=stride)


def _new_name(name: str, known: Mapping[str, object]) -> str:
    if name not in known:
        return name
    number = 2
    while f"{name} ({number})" in known:
        number += 1
    return f"{name} ({number})"


def _check_sayable(name: str, layer: Conv | Gemm) -> None:
    if "," in name or "\n" in name:
        _check.fail("topology_text", "name", "must be without commas and line ends", name)
    plain = layer.groups == 1
    if isinstance(layer, Conv):
        down, right = layer.pairs.stride
        plain = plain and layer.pairs.dilation == (1, 1) and layer.batch == 1 and down == right
    if not plain:
        rule = "must have one group, one image, one stride and no dilation"
        _check.fail("topology_text", f"layer {name!r}", rule, layer)


def _conv_sizes(layer: Conv) -> tuple[int, ...]:
    (r, s), (stride, _), (top, left), _ = layer.pairs
    return (layer.h + 2 * top, layer.w + 2 * left, r, s, layer.c_in, layer.c_out, stride)
