"""Row stationary in closed form: the fifth dataflow, for convolutions."""

from dataclasses import replace
from math import prod

from efficientdl import _check
from efficientdl.systems.hardware.arch import Arch
from efficientdl.systems.hardware.conv import Conv
from efficientdl.systems.hardware.dataflow.counted import counted
from efficientdl.systems.hardware.gemm import Gemm
from efficientdl.systems.hardware.row_stationary.mapping import (
    EYERISS_UNIT,
    RowMapping,
    RowUnit,
    ceil,
    check_mapping,
    n_active,
)
from efficientdl.systems.hardware.row_stationary.passes import Counts, count_layer, full_pass
from efficientdl.systems.hardware.row_stationary.search import map_rows
from efficientdl.systems.hardware.run import Run


def row_stationary(
    layer: Conv,
    arch: Arch,
    *,
    mapping: RowMapping | None = None,
    unit: RowUnit = EYERISS_UNIT,
) -> Run:
    """Count a convolution on an array whose units keep rows of filters.

    A pass loads its filters, then goes through the columns of the output. A column takes
    p (q s + 1) cycles in every unit: the products of p filters, q channels and s taps, and one
    more for each sum that comes from below; or longer, where a bus needs longer to bring the next
    column's words. Sums of a layer with more channels than a pass wait in the buffer.

    Args:
        layer: The convolution.
        arch: The array and its buffer. Of the array's policies `psums` counts; sums leave
            while others are computed, and the last passes take only what is left.
        mapping: How it is cut; the one of `map_rows` where nothing is said.
        unit: What a unit holds, and the buses.

    Raises:
        BadValue: The filter is higher than the array, or a part is larger than what holds it.

    >>> from efficientdl.systems.hardware.arch import Array
    >>> arch = Arch("small", Array(3, 4))
    >>> print(row_stationary(Conv(1, 6, 6, 1, kernel=3), arch).explain())
    cycles = 42: 1 passes of 4 rows, 1 x 1 filters, 1 x 1 channels, 1 images, on 12 units
    a full pass: 18 to begin, 3 x 6 a column, 6 to end
    utilisation = 144 MACs / (42 cycles x 12 units) = 28.6%
    words at    x  weight  psum   y  all
    --------  ---  ------  ----  --  ---
    register  144     144   288   0  576
    link       72      36    32   0  140
    buffer     36       9    16  16   77
    dram       36       9     0  16   61

    Source: Chen, Krishna, Emer, Sze, "Eyeriss: An Energy-Efficient Reconfigurable Accelerator for
        Deep Convolutional Neural Networks", JSSC 2017; Chen, Emer, Sze, "Eyeriss: A
        Spatial Architecture for Energy-Efficient Dataflow", ISCA 2016; survey section 6.2; lab 14.
    """
    mapping = map_rows(layer, arch, unit=unit) if mapping is None else mapping
    check_mapping("row_stationary", layer, arch, mapping, unit)
    counts = Counts(*map(int, count_layer(layer, mapping.cuts, unit)))
    run = _run(layer, arch, mapping, counts)
    head, step, turn, tail = full_pass(layer, mapping.cuts, unit)
    images = f", {mapping.images - 1} x {turn} to the next image" if mapping.images > 1 else ""
    columns = mapping.images * (layer.outputs[1] - 1)
    pass_rule = f"a full pass: {head} to begin, {columns} x {step} a column{images}, {tail} to end"
    return replace(run, formula=(*run.formula, pass_rule))


def as_conv(gemm: Gemm) -> Conv:
    """A product as a convolution by a kernel of one: m pixels in a column, of k channels.

    So that networks with linear layers run on the array. Each row of x is then a row of the image,
    and no diagonal shares it.

    Args:
        gemm: The product; its groups become those of the channels.

    >>> as_conv(Gemm(m=4, k=3, n=2, groups=5)).macs
    120
    """
    _check.kind("as_conv", "gemm", gemm, Gemm)
    g = gemm.groups
    return Conv(g * gemm.k, gemm.m, 1, g * gemm.n, kernel=1, groups=g, bits=gemm.bits)


def _run(layer: Conv, arch: Arch, mapping: RowMapping, counts: Counts) -> Run:
    """A run, from what the array counts.

    Every product reads an input, a weight and a sum and writes the sum, but the first of a sum
    reads none; that read is the one by which the sum leaves. Each pass reads the sums that wait in
    the buffer, at first zeros, and writes them back.
    """
    n_parts = ceil(layer.c_in // layer.groups, mapping.pass_channels)
    y = layer.words.y
    accesses = {
        "register": {"x": layer.macs, "weight": layer.macs, "psum": 2 * layer.macs},
        "link": {"x": counts.x_taken, "weight": counts.weight_taken, "psum": counts.hops},
        "buffer": {
            "x": counts.x_sent,
            "weight": counts.weight_sent,
            "y": y,
            "psum": (2 * n_parts - 1) * y,
        },
    }
    return counted(layer, arch.array, counts.cycles, accesses, rule=describe(layer, mapping))


def describe(layer: Conv, mapping: RowMapping) -> str:
    """The mapping in words."""
    m, totals = mapping, (layer.outputs[0], layer.c_out, layer.c_in, layer.batch)
    sizes = (m.strip, m.pass_filters, m.pass_channels, m.images)
    groups = (1, layer.groups, layer.groups, 1)
    cuts = zip(totals, groups, sizes, strict=True)
    n_passes = layer.groups * prod(ceil(total // group, size) for total, group, size in cuts)
    return (
        f"{n_passes} passes of {m.strip} rows, {m.filter_sets} x {m.filters} filters,"
        f" {m.channel_sets} x {m.channels} channels, {m.images} images,"
        f" on {n_active(layer, m)} units"
    )
