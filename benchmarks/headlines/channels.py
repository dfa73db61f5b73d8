"""Channels that really go: the claims, in the order of the page."""

from collections.abc import Callable, Iterator

from benchmarks.headlines import Headline, beside_torch_pruning, halved, rebuilding

CLAIMS: tuple[Callable[[], Headline], ...] = (
    halved.trained_network,
    halved.large_networks,
    rebuilding.lasso_rebuilds_layers,
    rebuilding.lasso_beats_norm,
    rebuilding.merging_without_data,
    beside_torch_pruning.zoo_beside_torch_pruning,
    beside_torch_pruning.accuracy_beside_torch_pruning,
)


def headlines() -> list[Headline]:
    """Run all of them."""
    return list(each())


def each() -> Iterator[Headline]:
    """One after the other, each as soon as it is done."""
    for claim in CLAIMS:
        yield claim()
