"""Half of the MACs by channels that go, and what the clock says to it."""

from copy import deepcopy
from functools import cache
from statistics import mean, median

import torch
from torch import Tensor, nn

from benchmarks.headlines import Headline, spread
from benchmarks.headlines.trainings import (
    SIZES,
    data_of,
    example,
    seeds,
    test_accuracy,
    trained,
    training,
)
from efficientdl import models
from efficientdl.compression.pruning import channel_groups, prune_channels, remove_channels
from efficientdl.compression.pruning.channel import n_going
from efficientdl.costs import compare, count

# A third of the channels, in widths of eight: 24, 24, 48, 96 become 16, 16, 32, 64.
NETWORK, SHARE, WIDTHS, PASSES, BATCH = "dense_w24_d1_early", 0.3333, 8, 3, 64
PAPER_POINTS = 1.4
REPEATS = {"small": 40, "large": 10}
LARGE = ("resnet50", "mobilenet_v2")


def halving_share(model: nn.Module, x: Tensor) -> float:
    """The least share of channels, in every group, without which at most half of the MACs stay.

    Args:
        model: The network; it is looked at on the meta device, where nothing is computed.
        x: An example of its input.
    """
    shapes, x = deepcopy(model).to("meta"), x.to("meta")
    groups = channel_groups(shapes, x)
    whole = count(shapes, x).total.macs or 0
    low, high = 0.0, 1.0
    for _ in range(8):
        share = (low + high) / 2
        gone = {g.name: range(n_going(share, len(g))) for g in groups}
        left = count(remove_channels(shapes, groups, gone), x).total.macs or 0
        low, high = (low, share) if 2 * left <= whole else (share, high)
    return high


def trained_network() -> Headline:
    """Accuracy and time of a network that lost half of its MACs, over the seeds."""
    x, pictures = example(NETWORK), data_of(NETWORK).test[0][:BATCH]
    figures: dict[str, list[float]] = {}
    for seed in seeds():
        dense = trained(NETWORK, seed)
        cut, again = cut_and_retrained(seed)
        odd = prune_channels(dense, x, sparsity=SHARE - 0.05).model
        got = {
            "dense, %": test_accuracy(NETWORK, dense),
            "cut, %": test_accuracy(NETWORK, cut),
            "cut and retrained, %": test_accuracy(NETWORK, again),
            "times fewer MACs": count(cut, x).ratio(count(dense, x))["macs"],
            "times faster": _times_faster(dense, again, pictures, REPEATS["small"]),
            "times fewer MACs, odd widths": count(odd, x).ratio(count(dense, x))["macs"],
            "times faster, odd widths": _times_faster(dense, odd, pictures, REPEATS["small"]),
        }
        for name, value in got.items():
            figures.setdefault(name, []).append(value)
    dense, after = figures["dense, %"], figures["cut and retrained, %"]
    lost = [a - b for a, b in zip(dense, after, strict=True)]
    return Headline(
        claim="Half of the MACs go by channels, and the network is faster for it",
        paper="He, Zhang and Sun 2017: ResNet-50 at 2 times fewer loses 1.4 points of top-5",
        ours=f"a third of the channels of {NETWORK}, in widths of {WIDTHS}: "
        f"{mean(figures['times fewer MACs']):.2f} times fewer MACs, "
        f"{_middle(figures['times faster'])} times faster at batch {BATCH}; "
        f"{spread(lost)} points lost after {PASSES} passes, "
        f"{mean(dense) - mean(figures['cut, %']):.1f} before them",
        holds=mean(lost) <= PAPER_POINTS and median(figures["times faster"]) > 1,
        seeds=len(dense),
        figures=figures,
        note=f"With widths that are no multiples of {WIDTHS}, "
        f"{mean(figures['times fewer MACs, odd widths']):.2f} times fewer MACs are only "
        f"{_middle(figures['times faster, odd widths'])} times faster: kernels work in vectors.",
    )


def _middle(values: list[float]) -> str:
    """The median and the extremes: one disturbed measurement must not decide."""
    return f"{median(values):.2f} (between {min(values):.2f} and {max(values):.2f})"


def cut_and_retrained(seed: int) -> tuple[nn.Module, nn.Module]:
    """The trained network without a third of its channels, before and after training again."""
    return _cut_and_retrained(seed, SIZES["passes"])


@cache
def _cut_and_retrained(seed: int, _passes: float) -> tuple[nn.Module, nn.Module]:
    dense, x = trained(NETWORK, seed), example(NETWORK)
    cut = prune_channels(dense, x, sparsity=SHARE).model
    return cut, training(NETWORK, seed, PASSES).run(cut)


def large_networks() -> Headline:
    """The clock on two networks of the zoo; accuracy plays no part, so weights are random."""
    figures: dict[str, list[float]] = {}
    said = []
    for name in LARGE:
        dense, x = models.build(name, seed=0).eval(), models.example(name)
        share = halving_share(dense, x)
        cut, report = prune_channels(dense, x, sparsity=share)
        eights, by_8 = prune_channels(dense, x, sparsity=share, round_to=8)
        before = count(dense, x)
        for batch in (1, 8):
            pictures = models.example(name, batch=batch)
            faster = [_times_faster(dense, m, pictures, REPEATS["large"]) for m in (cut, eights)]
            ratios = [r.ratio(before)["macs"] for r in (report, by_8)]
            figures[f"{name}, batch {batch}: times fewer MACs, as cut and to eights"] = ratios
            figures[f"{name}, batch {batch}: times faster, as cut and to eights"] = faster
            said.append(f"{name} at batch {batch}: {faster[0]:.2f} ({faster[1]:.2f} to eights)")
    faster = [v for name, values in figures.items() if "faster" in name for v in values]
    return Headline(
        claim="Half of the MACs of large networks is time that is really saved",
        paper="Li et al. 2017, table 3: 34.2 % fewer FLOPs of VGG-16 are 40.7 % less time on a GPU",
        ours="times faster on one thread: " + "; ".join(said),
        holds=min(faster) > 1,
        seeds=1,
        figures=figures,
        note="Weights are random: time does not depend on them. Widths in eights keep more "
        "channels, and more MACs with them.",
    )


def _times_faster(dense: nn.Module, cut: nn.Module, x: Tensor, repeats: int) -> float:
    """The median ratio of two networks that take turns on one thread."""
    dense.eval()
    cut.eval()

    def call(model: nn.Module) -> Tensor:
        with torch.inference_mode():
            return model(x)

    taken = compare({"dense": lambda: call(dense), "cut": lambda: call(cut)}, repeats=repeats)
    return taken.ratio("dense", "cut").median
