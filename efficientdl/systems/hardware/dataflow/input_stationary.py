"""Input stationary: the weight-stationary array, with inputs and weights exchanged."""

from collections.abc import Mapping
from dataclasses import replace

from efficientdl import _check
from efficientdl.catalogue import Measure, technique
from efficientdl.systems.hardware.arch import Array
from efficientdl.systems.hardware.dataflow.weight_stationary import weight_stationary
from efficientdl.systems.hardware.gemm import Bits, Gemm
from efficientdl.systems.hardware.run import Accesses, Run

EXCHANGED = {"x": "weight", "weight": "x"}


@technique(
    "hw-is",
    paper="Parashar, Rhu, Mukkara, Puglielli, Venkatesan, Khailany, Emer, Keckler, Dally, SCNN: An "
    "Accelerator for Compressed-sparse Convolutional Neural Networks, 2017",
    survey="6.2",
    lab="14_accelerators",
    kind=Measure(),
)
def input_stationary(gemm: Gemm, array: Array) -> Run:
    """Count a product on an array whose units keep the inputs.

    The transposed product `y^T = w^T x^T` on a weight-stationary array: rows stand for what is
    summed over, columns for rows of x, and the n filters follow each other in time. It pays where
    inputs are few and filters many: one row of x, as in a linear layer at batch one, fills one
    column only.

    Args:
        gemm: The product.
        array: Its units and policies.

    >>> input_stationary(Gemm(4, 4, 8), Array(4, 4)).cycles  # 4 to load, 8 + 4 + 4 - 2
    18

    Source: Parashar et al., "SCNN", ISCA 2017 (the input stays, in the sparse machine that the
        survey cites); survey section 6.2; lab 14.
    """
    _check.kind("input_stationary", "gemm", gemm, Gemm)
    _check.kind("input_stationary", "array", array, Array)
    run = weight_stationary(transposed(gemm), array)
    return exchanged(run, run.y)


def transposed(gemm: Gemm) -> Gemm:
    """The product of the transposed operands, which exchange their places."""
    bits = Bits(gemm.bits.weight, gemm.bits.x, gemm.bits.y)
    return Gemm(gemm.n, gemm.k, gemm.m, gemm.groups, bits)


def exchanged(run: Run, y: object) -> Run:
    """A run of the transposed product, its operands called by their own names again."""
    accesses: Accesses = {level: _renamed(moved) for level, moved in run.accesses.items()}
    return replace(run, accesses=accesses, bits=_renamed(run.bits), y=y)


def _renamed(words: Mapping[str, int]) -> dict[str, int]:
    return {EXCHANGED.get(name, name): n for name, n in words.items()}
