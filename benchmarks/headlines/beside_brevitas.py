"""Beside Brevitas, in one run: the same weights and data, codes, accuracies and time."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from benchmarks.headlines import Headline, differences, spread
from benchmarks.headlines.bit_widths import NETWORK, PASSES
from benchmarks.headlines.trainings import seeds, trained
from benchmarks.peers import programs, version_of

PEER = "brevitas"
LIMIT_S = 1800
LEFT_OUT = "Brevitas is left out: EFFICIENTDL_BREVITAS names no Python that has it"
PAPER = "Brevitas, Pappalardo and others: a library, which claims no figure"
TIES = 99.5  # % of codes; the others lie half-way between two levels
SAME = 1e-4  # of an error
EXACT = 1e-5  # of the largest logit, in single precision
STATIC = ("dense_w8_d1_early", "small_cnn_fashion")  # no layer takes negative numbers
LINEAR = ("per tensor", "per channel")
EQUALIZED = ("dense_w8_d1_early", "separable_w8_d1_late", "inverted_w8_d1_early")


def left_out(claim: str) -> Headline:
    """The claim where the peer is not here."""
    return Headline(claim, PAPER, LEFT_OUT, holds=None, seeds=1, figures={})


def version() -> str:
    """What the peer is called on the page."""
    return f"Brevitas {version_of(PEER)}"


def codes_beside_brevitas() -> Headline:
    """Weights of a trained network in both libraries' codes."""
    claim = "Weights get the codes that Brevitas gives them"
    if not programs.is_here(PEER):
        return left_out(claim)
    found: Mapping[str, Sequence[float]] = programs.asked(PEER, "weights", NETWORK, limit_s=LIMIT_S)
    same = {kind: row for kind, row in found.items() if kind.split(",")[0] in LINEAR}
    least = min(row[1] for row in same.values())
    said = ", ".join(
        f"{kind} {row[2]:.2f} and {row[3]:.2f} %" for kind, row in found.items() if kind not in same
    )
    return Headline(
        claim=claim,
        paper=PAPER,
        ours=f"{NETWORK} beside {version()}, 8, 4 and 2 bits: {least:.2f} % of the codes or more "
        "are equal per tensor and per channel, the others one step apart with the same error. "
        f"Errors of other rules, ours first: {said}",
        holds=least >= TIES and all(abs(row[2] - row[3]) <= SAME * row[3] for row in same.values()),
        seeds=1,
        figures={"columns: most steps apart, equal codes in %, our error in %, its error in %": []}
        | dict(found),
        note="A weight half-way between two levels goes up in one library and down in the other: "
        "16-bit weights often are. Ternary and binary sizes are a constant that Brevitas wants "
        "given, here ours; it cuts ternary weights at half of that size, we at 0.7 of the mean. "
        "Its least squares and ours look for the range in steps of their own.",
    )


def int8_beside_brevitas() -> Headline:
    """The same network in INT8, calibrated by the same pictures."""
    claim = "INT8 without training is as accurate as by Brevitas"
    if not programs.is_here(PEER):
        return left_out(claim)
    found = {name: programs.asked(PEER, "static", name, "0", limit_s=LIMIT_S) for name in STATIC}
    figures = {f"columns: {', '.join(next(iter(found.values())))}": []}
    said = [
        f"{name} {row['ours, %']:.2f} and {row['brevitas, %']:.2f} % (float "
        f"{row['float, %']:.2f}), {row['times faster than brevitas']:.1f} times its speed"
        for name, row in found.items()
    ]
    behind = [row["brevitas, %"] - row["ours, %"] for row in found.values()]
    return Headline(
        claim=claim,
        paper=PAPER,
        ours=f"ours, then {version()}: {'; '.join(said)}",
        holds=max(behind) <= 0.5,
        seeds=1,
        figures=figures | {name: list(row.values()) for name, row in found.items()},
        note="Weights per channel; inputs of layers per tensor, unsigned as behind a ReLU; 256 "
        "training pictures. As accurate is at most half a point behind. Both compute in float what "
        "codes stand for; the time is the median ratio of calls that take turns, on one thread.",
    )


def equalization_beside_brevitas() -> Headline:
    """Both equalize the same network; the function stays, four bits lose less."""
    claim = "Equalization leaves the function as it was, here and in Brevitas"
    if not programs.is_here(PEER):
        return left_out(claim)
    found = {name: programs.asked(PEER, "equalize", name, limit_s=LIMIT_S) for name in EQUALIZED}
    moved = {
        whose: max(row[f"{whose}, function moved"] for row in found.values())
        for whose in ("ours", "brevitas")
    }
    said = [
        f"{name} {row['plain, %']:.1f}, {row['ours, %']:.1f} and {row['brevitas, %']:.1f}"
        for name, row in found.items()
    ]
    return Headline(
        claim=claim,
        paper=PAPER,
        ours=f"logits move by {moved['ours']:.1e} of the largest, in {version()} by "
        f"{moved['brevitas']:.1e}. Then with 4-bit weights, one scale a layer, in %: plain, ours "
        f"and Brevitas {'; '.join(said)}",
        holds=max(moved.values()) <= EXACT,
        seeds=1,
        figures={f"columns: {', '.join(next(iter(found.values())))}": []}
        | {name: list(row.values()) for name, row in found.items()},
        note="20 sweeps in both, biases not merged; single precision.",
    )


def aware_beside_brevitas() -> Headline:
    """QAT at four bits, from the same weights, in as many steps."""
    claim = "QAT at 4 bits is as accurate as by Brevitas in as many steps"
    if not programs.is_here(PEER):
        return left_out(claim)
    figures: dict[str, list[float]] = {}
    with TemporaryDirectory() as folder:
        for seed in seeds():
            file = str(Path(folder) / f"{seed}.pt")
            torch.save(trained(NETWORK, seed).state_dict(), file)
            row = programs.asked(PEER, "aware", str(seed), file, limit_s=LIMIT_S)
            for name, value in row.items():
                figures.setdefault(name, []).append(value)
    behind = differences(figures["brevitas, %"], figures["ours, %"])
    return Headline(
        claim=claim,
        paper=PAPER,
        ours=f"{spread(figures['ours, %'], '%')} here, {spread(figures['brevitas, %'], '%')} by "
        f"{version()}: {spread(behind)} points behind",
        holds=sum(behind) / len(behind) <= 0.5,
        seeds=len(behind),
        figures=figures | {"points behind": behind},
        note=f"{NETWORK}, {PASSES} passes, weights per channel. Brevitas learns the scales of "
        "activations by gradients from a calibration on; ours follow the ends of each batch.",
    )
