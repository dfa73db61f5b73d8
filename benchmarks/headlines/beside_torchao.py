"""Beside torchao, in one run: weights by groups, and what it does with convolutions."""

from benchmarks.headlines import Headline
from benchmarks.peers import programs, version_of

PEER = "torchao"
LIMIT_S = 900
LEFT_OUT = "torchao is left out: EFFICIENTDL_TORCHAO names no Python that has it"
PAPER = "torchao, of the PyTorch team: a library, which claims no figure for these networks"
LINEAR, CONVOLUTIONS = "lenet_300_100_mnist", "small_cnn_fashion"
SAME = 1e-3  # of an error: ties between two levels may go either way
COLUMNS = (
    "our error in %, its error in %, between both in %, our accuracy in %, its accuracy in %, "
    "times its speed"
)


def left_out(claim: str) -> Headline:
    """The claim where the peer is not here."""
    return Headline(claim, PAPER, LEFT_OUT, holds=None, seeds=1, figures={})


def version() -> str:
    """What the peer is called on the page."""
    return f"torchao {version_of(PEER)}"


def groups_beside_torchao() -> Headline:
    """Linear layers by groups, with ranges of both kinds."""
    claim = "Weights by groups have the error that torchao leaves, where the range is affine"
    if not programs.is_here(PEER):
        return left_out(claim)
    found = programs.asked(PEER, "groups", LINEAR, limit_s=LIMIT_S)
    affine = {kind: row for kind, row in found.items() if kind.startswith("asymmetric")}
    said = [
        f"{kind} {row[0]:.2f} and {row[1]:.2f} %, accuracy {row[3]:.2f} and {row[4]:.2f} %"
        for kind, row in found.items()
    ]
    return Headline(
        claim=claim,
        paper=PAPER,
        ours=f"{LINEAR}, error of the weights, ours and that of {version()}: {'; '.join(said)}",
        holds=all(abs(row[0] - row[1]) <= SAME * row[1] for row in affine.values()),
        seeds=1,
        figures={f"columns: {COLUMNS}": []} | found,
        note="Groups of at most 64 inputs. The symmetric ranges differ: torchao keeps 2**bits "
        "levels and ends half a step short of the largest positive weight, ours gives one level up "
        "for a zero in the middle, one of four at 2 bits. The speed is the median ratio of "
        "calls that take turns, on one thread.",
    )


def convolutions_beside_torchao() -> Headline:
    """The same call for a network with convolutions."""
    claim = "torchao's call leaves convolutions in float, without a word"
    if not programs.is_here(PEER):
        return left_out(claim)
    found = programs.asked(PEER, "convolutions", CONVOLUTIONS, limit_s=LIMIT_S)
    n_left, n_changed = len(found["left"]), len(found["changed"])
    return Headline(
        claim=claim,
        paper=PAPER,
        ours=f"{CONVOLUTIONS}, {version()}: {n_changed} of {n_left + n_changed} layers changed "
        f"({', '.join(found['changed'])}), left {', '.join(found['left'])}; warnings: "
        f"{len(found['warnings'])}. Our calls quantize convolutions, or raise and name the layer",
        holds=n_left > 0 and not found["warnings"],
        seeds=1,
        figures={"layers changed, left": [n_changed, n_left]},
        note="`quantize_` with `IntxWeightOnlyConfig`; its filter is linear layers unless another "
        "one is given.",
    )
