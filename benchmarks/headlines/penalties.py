"""Penalties: what a training leaves near zero, or at zero, for the asking."""

from functools import partial
from statistics import mean

from torch import nn

from benchmarks.headlines import Headline, above_zero, differences, spread
from benchmarks.headlines.trainings import (
    BATCH,
    example,
    seeds,
    test_accuracy,
    trained,
    training,
    val_accuracy,
)
from efficientdl.compression.pruning import (
    add_gates,
    expected_l0,
    proximal,
    prune,
    settle_gates,
    shrink_groups,
    weight_penalty,
    without_zeros,
)
from efficientdl.fit import Recipe
from efficientdl.models import build

GRID = [0.5, 0.6, 0.7, 0.75, 0.8, 0.84, 0.88, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99]
ALLOWED = 1.0  # points of validation accuracy that pruning may cost


def _most(network: str, model: nn.Module, level: float) -> nn.Module:
    """The network at the highest sparsity of the grid that keeps this validation accuracy."""
    best = model
    for sparsity in GRID:
        pruned = prune(model, example(network), sparsity=sparsity).model
        if val_accuracy(network, pruned) < level:
            break
        best = pruned
    return best


def _zeros(model: nn.Module) -> float:
    """Share of zeros among the weights, in percent."""
    weights = [p for p in model.parameters() if p.ndim > 1]
    zeros = sum(int((p == 0).sum()) for p in weights)
    return 100 * zeros / sum(p.numel() for p in weights)


def l1_gives_zeros() -> Headline:
    network, passes, strength = "lenet_300_100", 15, 3e-5
    recipes = {
        "plain": Recipe(batch=BATCH, weight_decay=0.0),
        "l1": Recipe(batch=BATCH, weight_decay=0.0, penalty=partial(weight_penalty, l1=strength)),
    }
    figures: dict[str, list[float]] = {}
    for seed in seeds():
        models = {
            name: training(network, seed, passes, recipe=recipe).run(build(network, seed=seed))
            for name, recipe in recipes.items()
        }
        level = val_accuracy(network, models["plain"]) - ALLOWED
        for name, model in models.items():
            pruned = _most(network, model, level)
            got = {"zeros": _zeros(pruned), "test accuracy": test_accuracy(network, pruned)}
            for what, value in got.items():
                figures.setdefault(f"{name}: {what}, %", []).append(value)
    more = differences(figures["l1: zeros, %"], figures["plain: zeros, %"])
    return Headline(
        claim="Trained with an L1 penalty, more weights can go at equal accuracy",
        paper="L1 beats L2 after pruning without retraining (Han et al. 2015, section 4.4, "
        "figure 5)",
        ours=f"LeNet-300-100 without retraining: {spread(figures['l1: zeros, %'], digits=1)} % "
        f"zeros with L1, {spread(figures['plain: zeros, %'], digits=1)} % without a penalty, at "
        f"{spread(figures['l1: test accuracy, %'])} and "
        f"{spread(figures['plain: test accuracy, %'])} % of the test digits.",
        holds=above_zero(more),
        seeds=len(more),
        figures=figures | {"points of zeros more": more},
        note=f"The highest sparsity that costs at most {ALLOWED:g} point of the unpenalised "
        f"network's validation accuracy; strength {strength:g}.",
    )


def l0_closes_rows() -> Headline:
    network, passes, strength = "lenet_300_100", 25, 4e-6
    figures: dict[str, list[float]] = {"dense, %": [], "gated, %": [], "zeros, %": []}
    for seed in seeds():
        gated = add_gates(build(network, seed=seed), share_open={"fc1": 0.5, "fc2": 0.5})
        price = partial(expected_l0, strength=strength)
        recipe = Recipe(batch=BATCH, weight_decay=0.0, penalty=price)
        model = training(network, seed, passes, recipe=recipe).run(gated)
        settled = settle_gates(model, example(network)).model
        figures["dense, %"].append(test_accuracy(network, trained(network, seed)))
        figures["gated, %"].append(test_accuracy(network, settled))
        figures["zeros, %"].append(_zeros(settled))
    lost = differences(figures["dense, %"], figures["gated, %"])
    return Headline(
        claim="L0 regularisation closes whole neurons while the network trains",
        paper="LeNet-300-100 784-300-100 -> 219-214-100 at 1.4 % error (Louizos et al. 2018, "
        "table 1)",
        ours=f"{spread(figures['zeros, %'], digits=1)} % of the weights behind closed gates at "
        f"{spread(figures['gated, %'])} %, {spread(lost)} points below dense.",
        holds=None,
        seeds=len(lost),
        figures=figures | {"points lost": lost},
        note="A gate for each neuron of the hidden layers; the paper has gates for the inputs of "
        f"each layer. Strength {strength:g} a weight.",
    )


def group_lasso_empties_filters() -> Headline:
    network, passes, by = "lenet_5", 5, 2e-4
    figures: dict[str, list[float]] = {}
    for seed in seeds(3):
        hook = proximal(partial(shrink_groups, by=by))
        recipe = Recipe(batch=BATCH, weight_decay=0.0, after_step=hook)
        model = training(network, seed, passes, recipe=recipe).run(build(network, seed=seed))
        settled = without_zeros(model, example(network)).model
        settled = training(network, seed, 1).run(settled)
        got = {"dense, %": test_accuracy(network, trained(network, seed))}
        got |= {"group lasso, %": test_accuracy(network, settled), "zeros, %": _zeros(settled)}
        for layer in ("conv1", "conv2", "fc1"):
            rows = settled.get_submodule(layer).get_parameter("weight").flatten(1)
            got[f"groups left in {layer}"] = float((rows != 0).any(dim=1).sum())
        for name, value in got.items():
            figures.setdefault(name, []).append(value)
    lost = differences(figures["dense, %"], figures["group lasso, %"])
    left = ", ".join(
        f"{mean(figures[f'groups left in {layer}']):.0f} of {of} in {layer}"
        for layer, of in (("conv1", 20), ("conv2", 50), ("fc1", 500))
    )
    return Headline(
        claim="Group lasso empties whole filters",
        paper="LeNet on MNIST: 5 of 20 and 19 of 50 filters left at 0.8 % error, dense 0.9 % "
        "(Wen et al. 2016, section 4.1, table 1)",
        ours=f"left: {left}; {spread(figures['group lasso, %'])} %, {spread(lost)} points below "
        "dense.",
        holds=None,
        seeds=len(lost),
        figures=figures | {"points lost": lost},
        note=f"LeNet-5, {passes} passes with proximal steps of {by:g} for each weight of a group, "
        "and a pass without for what is left.",
    )
