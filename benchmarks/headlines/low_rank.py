"""Low rank: five ways to factorize the convolutions of a trained network, at equal MACs.

The network is the small CNN of lab 01, trained on Fashion-MNIST. Its three convolutions with more
than one input channel get a quarter of their MACs each, within one step of a rank.
"""

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import nn

from benchmarks.headlines import Headline, differences, spread
from efficientdl import costs, datasets, fit, models
from efficientdl.compression.lowrank import (
    Energy,
    MacBudget,
    factorize_channel,
    factorize_cp,
    factorize_spatial,
    factorize_svd,
    factorize_tucker,
)
from efficientdl.progress import progress
from efficientdl.protocols import Result

NETWORK, DATA = "small_cnn_fashion", "fashion_mnist"
LAYERS = ("conv2.conv", "conv3.conv", "conv4.conv")
SHARE = 0.25
SEEDS, EPOCHS, LR, N_IMAGES = 5, 3, 2e-3, 300
METHODS: dict[str, Callable[..., Result]] = {
    "SVD": factorize_svd,
    "spatial": factorize_spatial,
    "Tucker-2": factorize_tucker,
    "CP": factorize_cp,
    "channel": factorize_channel,
}
TRAINED = ("small_cnn_mnist", "small_cnn_fashion")


def headlines() -> list[Headline]:
    """All claims; the networks are factorized and trained again once for the first three."""
    model, data = models.trained(NETWORK), datasets.load(DATA)
    thin = {name: _factorized(name, model, 0) for name in METHODS}
    before = {name: [fit.evaluate(m, data.test)] * SEEDS for name, m in thin.items()}
    fitted = [_factorized("channel", model, seed) for seed in range(SEEDS)]
    before["channel"] = [fit.evaluate(m, data.test) for m in fitted]
    after = {name: list(accuracies) for name, accuracies in _retrained(thin, fitted)}
    whole = fit.evaluate(model, data.test)
    return [
        _accuracy(whole, before, after, {n: _times_fewer(model, m) for n, m in thin.items()}),
        _responses(before, after),
        _latency(model, thin),
        _tucker_against_svd(),
    ]


def _factorized(name: str, model: nn.Module, seed: int) -> nn.Module:
    """The network with its convolutions at a quarter of their MACs; the seed draws images."""
    train = datasets.load(DATA).train
    x = train.x[:1]
    rows = costs.count(model, x).rows
    rank = {layer: MacBudget(int(SHARE * (rows[layer].macs or 0))) for layer in LAYERS}
    if name != "channel":
        return METHODS[name](model, x, rank=rank).model
    drawn = torch.randperm(len(train.x), generator=torch.Generator().manual_seed(seed))
    return factorize_channel(model, x, rank=rank, inputs=train.x[drawn[:N_IMAGES]]).model


def _retrained(
    thin: Mapping[str, nn.Module], fitted: list[nn.Module]
) -> Iterator[tuple[str, list[float]]]:
    """Test accuracy of each network after the same short training, seed by seed."""
    data = datasets.load(DATA)
    for name in progress(METHODS, "training each factorized network again"):
        found = []
        for seed in range(SEEDS):
            again = fit.Training(train=data.train, val=data.val, epochs=EPOCHS, lr=LR, seed=seed)
            start = fitted[seed] if name == "channel" else thin[name]
            found.append(fit.evaluate(again.run(start), data.test))
        yield name, found


def _times_fewer(model: nn.Module, thin: nn.Module) -> float:
    x = datasets.load(DATA).test.x[:1]
    return costs.count(thin, x).ratio(costs.count(model, x))["macs"]


def _percent(values: list[float]) -> str:
    """In percent, with a spread where the seeds differ."""
    differ = values if len(set(values)) > 1 else values[:1]
    return spread([100 * value for value in differ], "%")


def _accuracy(
    whole: float,
    before: Mapping[str, list[float]],
    after: Mapping[str, list[float]],
    fewer: Mapping[str, float],
) -> Headline:
    means = {name: sum(values) / len(values) for name, values in after.items()}
    within = [name for name in METHODS if means[name] >= whole - 0.01]
    listed = "; ".join(
        f"{name} {fewer[name]:.2f} times fewer, {_percent(before[name])} before and "
        f"{_percent(after[name])} after training"
        for name in METHODS
    )
    figures = {f"{name}, before": before[name] for name in METHODS}
    figures |= {f"{name}, after": after[name] for name in METHODS}
    return Headline(
        claim="Convolutions at a quarter of their MACs, before and after a short training",
        paper="4.5 times faster for less than 1 % (Jaderberg et al., 2014, characters); 8.5 times "
        "faster for 1 % (Lebedev et al., 2015, characters); layers 2 times faster within 1 % "
        "(Denton et al., 2014, ImageNet)",
        ours=f"{100 * whole:.2f} % whole. {listed}. Within one point after training: "
        f"{', '.join(within) or 'none'}.",
        holds=None,
        seeds=SEEDS,
        figures=figures,
        note=f"{EPOCHS} epochs on the training part; the whole network was not trained further. "
        "MACs are the whole network's, of which three layers of five are factorized. The seeds "
        "decide the order of training and the images of the channel method.",
    )


def _responses(before: Mapping[str, list[float]], after: Mapping[str, list[float]]) -> Headline:
    first = differences(before["channel"], before["SVD"])
    last = differences(after["channel"], after["SVD"])
    return Headline(
        claim="Before any training, fitting responses beats fitting weights at the same shapes",
        paper="rebuilds responses rather than filters: VGG-16 4 times faster for 0.3 % more top-5 "
        "error (Zhang et al., 2016)",
        ours=f"Channel against SVD: {spread([100 * d for d in first])} points before training, "
        f"{spread([100 * d for d in last])} points after it.",
        holds=min(first) > 0,
        seeds=SEEDS,
        figures={
            "points before": [100 * d for d in first],
            "points after": [100 * d for d in last],
        },
        note="It holds if every seed gains before training; what is left after it is reported. The "
        "paper also fits what comes after the ReLU; ours fits the linear responses.",
    )


def _latency(model: nn.Module, thin: Mapping[str, nn.Module]) -> Headline:
    images = datasets.load(DATA).test.x
    figures: dict[str, list[float]] = {}
    said = []
    fewer = {name: _times_fewer(model, m) for name, m in thin.items()}
    for batch in (1, 64):
        timed = costs.side_by_side({"dense": model, **thin}, images[:batch], repeats=40)
        faster = {name: timed.times_faster(name) for name in thin}
        figures |= {f"{name}, batch {batch}": [faster[name]] for name in thin}
        listed = ", ".join(f"{name} {times:.2f}" for name, times in faster.items())
        said.append(f"At batch {batch}, times faster: {listed}.")
    figures |= {f"{name}, times fewer MACs": [fewer[name]] for name in thin}
    slower = all(
        figures[f"{name}, batch {batch}"][0] < fewer[name] for name in thin for batch in (1, 64)
    )
    return Headline(
        claim="A factorized network saves less time than MACs",
        paper="fewer MACs is not less latency (the survey, section 3.2 and Figure 7, on a phone)",
        ours=" ".join(said),
        holds=slower,
        seeds=1,
        figures=figures,
        note="One thread, eager torch; medians of paired turns.",
    )


def _tucker_against_svd() -> Headline:
    """Weights of either at the error that the SVD makes, for three layers of two networks."""
    figures: dict[str, list[float]] = {}
    x = datasets.load(DATA).test.x[:1]
    for network in TRAINED:
        model = models.trained(network)
        for layer in LAYERS:
            figures[f"{network}, {layer}"] = [
                _ratio(model, x, layer, rank) for rank in (2, 4, 8, 12, 16, 24)
            ]
    ratios = [ratio for values in figures.values() for ratio in values]
    more = sum(ratio > 1 for ratio in ratios)
    return Headline(
        claim="Tucker-2 compresses more than an SVD at equal error of the weights",
        paper="higher compression than SVD (Kim et al., 2016; the survey's section 2.2)",
        ours=f"In {more} of {len(ratios)} cases. The SVD holds {spread(ratios)} times the weights.",
        holds=more > len(ratios) / 2,
        seeds=1,
        figures=figures,
        note="Ranks 2, 4, 8, 12, 16, 24 of the SVD, from strong to weak compression; it holds if "
        "most cases do.",
    )


def _ratio(model: nn.Module, x: torch.Tensor, layer: str, rank: int) -> float:
    kernel = model.get_submodule(layer).get_parameter("weight").detach().double().flatten(1)
    squares = torch.linalg.svdvals(kernel).square()
    kept = float(squares[:rank].sum() / squares.sum())
    by_svd, _ = factorize_svd(model, x, rank={layer: rank})
    by_tucker, _ = factorize_tucker(model, x, rank={layer: Energy(kept)})
    held = [
        sum(p.numel() for n, p in m.get_submodule(layer).named_parameters() if "weight" in n)
        for m in (by_svd, by_tucker)
    ]
    return held[0] / held[1]
