"""What papers say of the order of methods at few bits, and the order that came out."""

from collections.abc import Mapping, Sequence
from statistics import mean

from benchmarks.headlines import Headline, above_zero, differences, spread
from benchmarks.headlines.bit_widths import (
    AFTER,
    BITS,
    EVERY_WIDTH,
    FASTER,
    NETWORK,
    ONE_WIDTH,
    PASSES,
    accuracies,
    floats,
)

WIDE = 5.0  # points that are a wide margin
POINT = 1.0
FEW = tuple(bits for bits in BITS if bits <= 4)
Cells = Mapping[tuple[str, int], Sequence[float]]


def order_of_methods() -> Headline:
    """All of them, at all widths."""
    cells = {(name, bits): accuracies(name, bits) for name in EVERY_WIDTH for bits in BITS}
    cells |= {(name, bits): accuracies(name, bits) for name, (_, bits) in ONE_WIDTH.items()}
    said = [f"{bits} bits: {_ranking(cells, bits)}" for bits in BITS]
    return Headline(
        claim="The fewer bits, the more it matters how they are chosen",
        paper="Krishnamoorthi 2018: a scale per channel before one per tensor, training with "
        "rounding before either",
        ours=f"float {spread(floats(), '%')}. Best first, at " + "; ".join(said) + ".",
        holds=None,
        seeds=len(floats()),
        figures={"float": floats()}
        | {f"{name}, {bits} bits": values for (name, bits), values in cells.items()},
        note=_note() + _table(cells),
    )


def _ranking(cells: Cells, bits: int) -> str:
    means = {name: mean(values) for (name, b), values in cells.items() if b == bits}
    ordered = sorted(means, key=lambda name: -means[name])
    return " > ".join(f"{name} {means[name]:.1f}" for name in ordered)


def _note() -> str:
    return (
        f"{NETWORK} on Fashion-MNIST, test accuracy in %. Weights and inputs of all layers have "
        f"these bits unless the row says otherwise. {PASSES} passes for every method: with "
        "rounding, or in float before the rounding. TWN to XNOR-Net leave the first and the last "
        "layer in float, as their papers do or allow, and compute in 2 or 1 bits in between. "
    )


def _table(cells: Cells) -> str:
    widths = sorted({bits for _, bits in cells})
    rows = [["method", *(f"{bits} bits" for bits in widths)], ["---", *["--:"] * len(widths)]]
    for name in dict.fromkeys(name for name, _ in cells):
        found = [cells.get((name, bits)) for bits in widths]
        rows.append([name, *("" if values is None else spread(values) for values in found)])
    return "\n\n" + "\n".join(f"  | {' | '.join(row)} |" for row in rows) + "\n"


def eight_bits_suffice() -> Headline:
    """Whatever the method: all are as good at eight bits."""
    lost = {name: differences(floats(), accuracies(name, 8)) for name in EVERY_WIDTH}
    most = max(lost, key=lambda name: mean(lost[name]))
    return Headline(
        claim=f"At 8 bits every method is within {POINT:g} point of float",
        paper="8 bits, weights per channel, no training: within 2 % of float; trained: within 1 % "
        "(Krishnamoorthi 2018, abstract)",
        ours=f"float {spread(floats(), '%')}; most is lost by {most}, {spread(lost[most])} points",
        holds=all(mean(points) <= POINT for points in lost.values()),
        seeds=len(floats()),
        figures={f"{name}, points lost": points for name, points in lost.items()},
        note="KL divergence was made for photographs. Behind the plain background of these "
        "pictures a few exact values are a large share of what comes into a layer, and to merge "
        "bins around such a value diverges more than to cut the tail; without those values the "
        "cut stands near the end of the range. DoReFa begins from weights bent by tanh and has "
        f"{PASSES} passes to make up for it.",
    )


def training_beats_ranges() -> Headline:
    """At four bits and fewer, beside the best that was found without training."""
    aware = {bits: accuracies("QAT", bits) for bits in FEW}
    best = {bits: max((accuracies(name, bits) for name in AFTER), key=mean) for bits in aware}
    ahead = {bits: differences(aware[bits], best[bits]) for bits in aware}
    return _training_ahead(
        "QAT beats every method without training at 4 bits and fewer",
        "the best of six ways to choose ranges",
        ahead,
        all(above_zero(points) for points in ahead.values()),
        "The best of the six is chosen with hindsight, by its mean over these seeds.",
    )


def training_beats_min_max() -> Headline:
    """The same rounding, with and without training: what the training brings."""
    names = ("QAT", "min-max, per channel")
    found = {bits: [accuracies(name, bits) for name in names] for bits in FEW}
    ahead = {bits: differences(aware, plain) for bits, (aware, plain) in found.items()}
    return _training_ahead(
        f"QAT beats the same rounding without training by {WIDE:g} points at 4 bits and fewer",
        "min-max ranges per channel",
        ahead,
        all(mean(points) >= WIDE for points in ahead.values()),
        "At 4 bits min-max itself is not much more than that below float.",
    )


def _training_ahead(
    claim: str, against: str, ahead: Mapping[int, Sequence[float]], holds: bool, note: str
) -> Headline:
    said = ", ".join(f"{spread(points)} at {bits} bits" for bits, points in ahead.items())
    return Headline(
        claim=claim,
        paper="Training with rounding allows weights of 4 bits at a loss of 2 to 10 % "
        "(Krishnamoorthi 2018, abstract)",
        ours=f"points ahead of {against}: {said}",
        holds=holds,
        seeds=len(floats()),
        figures={"float, %": floats()}
        | {f"QAT at {bits} bits, %": accuracies("QAT", bits) for bits in ahead}
        | {f"points ahead at {bits} bits": points for bits, points in ahead.items()},
        note=note,
    )


def trained_scales_beat_fixed() -> Headline:
    """Two learned sizes beside one that follows the weights."""
    return _beats(
        "TTQ",
        "TWN",
        "AlexNet on ImageNet: 3 % above earlier ternary models (Zhu et al. 2017, abstract)",
    )


def factors_beat_signs() -> Headline:
    """Signs with factors beside signs alone."""
    return _beats(
        "XNOR-Net, activations too",
        "BNN, activations too",
        "AlexNet on ImageNet: more than 16 % of top-1 above BinaryNet (Rastegari et al. 2016, "
        "abstract)",
    )


def _beats(first: str, second: str, paper: str) -> Headline:
    bits = ONE_WIDTH[first][1]
    ours, theirs = accuracies(first, bits), accuracies(second, bits)
    gained = differences(ours, theirs)
    return Headline(
        claim=f"{first.split(',')[0]} beats {second.split(',')[0]}",
        paper=paper,
        ours=f"{spread(ours, '%')} against {spread(theirs, '%')}, {spread(gained)} points between "
        f"them; float {spread(floats(), '%')}",
        holds=above_zero(gained),
        seeds=len(gained),
        figures={f"{first}, %": ours, f"{second}, %": theirs, "points gained": gained},
        note=f"First and last layer in float, {PASSES} passes from the same trained network, at "
        f"{FASTER} times its learning rate.",
    )
