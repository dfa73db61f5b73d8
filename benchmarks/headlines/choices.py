"""Which weights go: criteria and granularities beside each other, at equal sparsity."""

from collections.abc import Callable
from functools import partial
from statistics import mean

from torch import nn

from benchmarks.headlines import Headline, above_zero, differences, spread
from benchmarks.headlines.trainings import (
    data_of,
    example,
    seeds,
    test_accuracy,
    trained,
    training,
)
from efficientdl.compression.pruning import (
    magnitude,
    obd,
    obs,
    optimal_brain_surgeon,
    prune,
    prune_n_of_m,
    prune_patterns,
    sensitivity,
    taylor,
)
from efficientdl.tensors import PerChannel, PerGroup

NETWORK = "dense_w8_d1_early"
CRITERIA = {
    "magnitude": magnitude,
    "Taylor": taylor,
    "OBD": obd,
    "OBS, score only": obs,
    "sensitivity": sensitivity,
}
SURGEON = "OBS with update"
N_PICTURES = 512  # for the statistics
Prune = Callable[[nn.Module], nn.Module]


def criteria() -> Headline:
    sparsity = 0.7
    raw: dict[str, list[float]] = {}
    after: dict[str, list[float]] = {}
    dense = []
    for seed in seeds():
        start = trained(NETWORK, seed)
        dense.append(test_accuracy(NETWORK, start))
        for name, method in _by_criterion(sparsity).items():
            pruned = method(start)
            raw.setdefault(name, []).append(test_accuracy(NETWORK, pruned))
            retrained = training(NETWORK, seed, 1).run(pruned)
            after.setdefault(name, []).append(test_accuracy(NETWORK, retrained))
    says = "; ".join(f"{name} {spread(raw[name])} -> {spread(after[name])}" for name in raw)
    others = [name for name in raw if name != SURGEON]
    best = max(others, key=lambda name: mean(raw[name]))
    figures = {"dense, %": dense}
    figures |= {f"{name}, not retrained, %": got for name, got in raw.items()}
    figures |= {f"{name}, retrained, %": got for name, got in after.items()}
    return Headline(
        claim="Optimal Brain Surgeon, which moves the weights that stay, loses least without "
        "retraining",
        paper="OBS keeps the accuracy where magnitude and OBD lose it (Hassibi and Stork 1993); "
        "layer by layer on LeNet-300-100 7 % left, error 1.76 -> 1.82 % before and 1.74 % after "
        "retraining (Dong et al. 2017, table 1)",
        ours=f"{NETWORK} at {sparsity:.0%} zeros in every layer, test accuracy in % before -> "
        f"after a pass: {says}; dense {spread(dense)}.",
        holds=above_zero(differences(raw[SURGEON], raw[best])),
        seeds=len(dense),
        figures=figures,
        note=f"Statistics from {N_PICTURES} training pictures. The best of the others before "
        f"retraining is {best}.",
    )


def _by_criterion(sparsity: float) -> dict[str, Prune]:
    x, y = (part[:N_PICTURES] for part in data_of(NETWORK).train)
    methods: dict[str, Prune] = {}
    for name, criterion in CRITERIA.items():
        method = partial(prune, sparsity=sparsity, criterion=criterion, data=(x, y))
        methods[name] = _model_of(partial(method, x=x[:1]))
    surgeon = partial(optimal_brain_surgeon, x=x[:1], sparsity=sparsity, inputs=x)
    return methods | {SURGEON: _model_of(surgeon)}


def _model_of(method: Callable[..., tuple[nn.Module, object]]) -> Prune:
    return lambda model: method(model)[0]


def _compared(methods: dict[str, Prune], n: int) -> dict[str, list[float]]:
    """Accuracy of each after `n` passes, and of the dense network, by name."""
    figures: dict[str, list[float]] = {"dense": []}
    for seed in seeds():
        start = trained(NETWORK, seed)
        figures["dense"].append(test_accuracy(NETWORK, start))
        for name, method in methods.items():
            model = training(NETWORK, seed, n).run(method(start))
            figures.setdefault(name, []).append(test_accuracy(NETWORK, model))
    return figures


def _inner() -> list[str]:
    """The 3x3 convolutions of more than one input channel."""
    named = trained(NETWORK, 0).named_modules()
    return [n for n, m in named if isinstance(m, nn.Conv2d) and m.in_channels > 1]


def granularities() -> Headline:
    share, n, x = 0.75, 2, example(NETWORK)
    grains = {
        "single weights": PerGroup(1),
        "rows of 3": PerGroup(3),
        "kernels of 9": PerGroup(9),
        "filters": PerChannel(),
    }
    sparsity = dict.fromkeys(_inner(), share)
    methods = {
        name: _model_of(partial(prune, x=x, sparsity=sparsity, granularity=grain))
        for name, grain in grains.items()
    }
    figures = _compared(methods, n)
    means = [mean(figures[name]) for name in grains]
    cost = differences(figures["single weights"], figures["filters"])
    says = ", ".join(f"{name} {spread(figures[name])}" for name in [*grains, "dense"])
    return Headline(
        claim="Coarser granularity costs accuracy at equal sparsity",
        paper="AlexNet at equal accuracy: density 24.8 % fine-grained, 26.8 % vectors, 31.1 % "
        "kernels, filters more (Mao et al. 2017, section 4)",
        ours=f"{NETWORK}, {share:.0%} of the inner convolutions, after {n} passes, %: "
        f"{says}; {spread(cost)} points from single weights to filters.",
        holds=above_zero(cost) and means == sorted(means, reverse=True),
        seeds=len(cost),
        figures={f"{name}, %": got for name, got in figures.items()},
    )


def regular_forms() -> Headline:
    n, x, inner = 2, example(NETWORK), _inner()
    halves, ninths = dict.fromkeys(inner, 0.5), 5 / 9
    methods = {
        "2:4": _model_of(partial(prune_n_of_m, x=x, n=dict.fromkeys(inner, 2), m=4)),
        "single weights at 1/2": _model_of(partial(prune, x=x, sparsity=halves)),
        "patterns of 4": _model_of(partial(prune_patterns, x=x, n_kept=4)),
        "single weights at 5/9": _model_of(
            partial(prune, x=x, sparsity=dict.fromkeys([*_stem(), *inner], ninths))
        ),
    }
    figures = _compared(methods, n)
    lost = {
        "2:4": differences(figures["single weights at 1/2"], figures["2:4"]),
        "patterns of 4": differences(figures["single weights at 5/9"], figures["patterns of 4"]),
    }
    says = ", ".join(f"{name} {spread(figures[name])}" for name in [*methods, "dense"])
    return Headline(
        claim="2:4 and patterns of 4 lose at most half a point against single weights at the "
        "same share",
        paper="2:4 keeps the accuracy of dense networks after retraining (Mishra et al. 2021, "
        "tables 2 to 5); VGG-16 with patterns of 4 and more (Niu et al. 2020, PatDNN)",
        ours=f"{NETWORK}, after {n} passes, %: {says}; against single weights 2:4 loses "
        f"{spread(lost['2:4'])} points, patterns {spread(lost['patterns of 4'])}.",
        holds=all(mean(values) <= 0.5 for values in lost.values()),
        seeds=len(figures["dense"]),
        figures={f"{name}, %": got for name, got in figures.items()}
        | {f"{name}, points lost": values for name, values in lost.items()},
    )


def _stem() -> list[str]:
    named = trained(NETWORK, 0).named_modules()
    return [n for n, m in named if isinstance(m, nn.Conv2d) and m.in_channels == 1]
