"""One tile on the array: its cycles and words, as a part of a larger sum."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil

import numpy as np
from jaxtyping import Int64

from efficientdl.systems.hardware.analyse import FORMULAS
from efficientdl.systems.hardware.arch import Arch, Buffer
from efficientdl.systems.hardware.conv import Conv
from efficientdl.systems.hardware.gemm import Gemm
from efficientdl.systems.hardware.memory.tiling import Loop, Tiling
from efficientdl.systems.hardware.memory.traffic import Traffic, cut
from efficientdl.systems.hardware.run import Run


def tiles(
    layer: Gemm | Conv, arch: Arch, tiling: Tiling, moved: Traffic
) -> tuple[list[Run], Int64[np.ndarray, " tiles"]]:
    """A run for each kind of tile, and of which kind each tile is.

    Tiles differ by their size, and by whether they begin a sum, go on with it, or finish it: a
    dozen kinds at most, however many tiles there are.
    """
    (gemm,) = layer.gemms()
    cuts, index = cut(gemm, tiling), moved.index
    ends = [index[loop] == cuts[loop].n - 1 for loop in Loop]
    facts = [*ends, index[Loop.K] > 0]
    codes, kind = np.unique(sum(fact << i for i, fact in enumerate(facts)), return_inverse=True)
    runs = []
    for code in codes.tolist():
        *at_end, later = (bool(code >> i & 1) for i in range(len(facts)))
        m, k, n = (c.last if e else c.size for c, e in zip(cuts.values(), at_end, strict=True))
        run = FORMULAS[arch.dataflow](Gemm(m, k, n, bits=layer.bits), arch.array)
        runs.append(as_part(run, m * n, arch.buffer, adds=later, finishes=at_end[1]))
    return runs, kind


def as_part(run: Run, n_sums: int, buffer: Buffer, *, adds: bool, finishes: bool) -> Run:
    """A tile's run, as what it is between other tiles, and no faster than the buffer's port.

    Args:
        run: The tile as a product by itself.
        n_sums: Sums of the tile.
        buffer: Where the tile's words come from.
        adds: Its sums were begun by an earlier tile: each is read, and added to.
        finishes: No later tile adds to its sums; otherwise none of them is an output yet.
    """
    accesses = {level: dict(words) for level, words in run.accesses.items() if level != "dram"}
    if not finishes:
        accesses = {level: _unfinished(words) for level, words in accesses.items()}
    if adds:
        accesses["buffer"]["psum"] = accesses["buffer"].get("psum", 0) + n_sums
    bits = sum(n * run.bits[name] for name, n in accesses["buffer"].items())
    cycles = max(run.cycles, ceil(bits / buffer.bits_per_cycle))
    return replace(run, cycles=cycles, accesses=accesses)


def _unfinished(words: Mapping[str, int]) -> dict[str, int]:
    """The same words, those of the output counted as sums that wait."""
    if "y" not in words:
        return dict(words)
    others = {name: n for name, n in words.items() if name != "y"}
    return {**others, "psum": words["y"] + words.get("psum", 0)}


def together(
    layer: Gemm | Conv,
    arch: Arch,
    parts: Sequence[tuple[Run, int]],
    dram: Mapping[str, int],
    cycles: int,
) -> Run:
    """All tiles of a layer as one run.

    Args:
        layer: What they compute.
        arch: The machine.
        parts: Runs of tiles, and how many times each.
        dram: Words that move between DRAM and the buffer, by operand.
        cycles: From the first load to the last store.
    """
    accesses: dict[str, dict[str, int]] = {}
    for run, times in parts:
        for level, words in run.accesses.items():
            total = accesses.setdefault(level, {})
            for name, n in words.items():
                total[name] = total.get(name, 0) + times * n
    bits = layer.bits
    return Run(
        cycles=cycles,
        macs=sum(times * run.macs for run, times in parts),
        n_units=arch.array.n_units,
        accesses={**accesses, "dram": dram},
        bits={"x": bits.x, "weight": bits.weight, "y": bits.y, "psum": bits.y},
    )
