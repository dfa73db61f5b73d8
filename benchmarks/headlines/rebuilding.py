"""Channels chosen by what others can make up for, beside channels chosen by their norms."""

from statistics import mean

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.headlines import Headline, above_zero, differences, spread
from benchmarks.headlines.trainings import (
    data_of,
    example,
    seeds,
    test_accuracy,
    trained,
    training,
)
from efficientdl.compression.pruning import merge_neurons, prune_channels, select_channels
from efficientdl.compression.pruning.lasso import lasso_choice
from efficientdl.compression.pruning.lasso_channels import rebuilt

NETWORK, PASSES, SHARE = "dense_w24_d1_early", 2, 0.5
N_PICTURES, ROWS = 400, 8000
MLP, MLP_SHARES = "lenet_300_100", (0.3, 0.5, 0.7)


@torch.no_grad()
def _columns(model: nn.Module, layer: nn.Conv2d, x: Tensor) -> Tensor:
    """For each number that a convolution gives, the inputs that it is made of."""
    seen: list[Tensor] = []
    handle = layer.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    model.eval()(x)
    handle.remove()
    k, p, s = layer.kernel_size, layer.padding, layer.stride
    rows = functional.unfold(seen[0], k, padding=p, stride=s).transpose(1, 2).flatten(0, 1)  # pyright: ignore[reportArgumentType]
    return rows[:: max(1, len(rows) // ROWS)].double()


def _errors(model: nn.Module, layer: nn.Conv2d, x: Tensor, others: Tensor) -> dict[str, float]:
    """What is lost of a layer's output on other pictures, relative, when half of its inputs go."""
    w = layer.weight.detach().double().flatten(1)
    columns, fresh = _columns(model, layer, x), _columns(model, layer, others)
    gram = columns.T @ columns
    n, taps = layer.in_channels, w.shape[1] // layer.in_channels
    shares = (gram * (w.T @ w)).reshape(n, taps, n, taps).sum(dim=(1, 3))
    norms = w.reshape(-1, n, taps).norm(dim=(0, 2))
    n_stay = n - round(SHARE * n)
    choices = {
        "LASSO": lasso_choice(shares, shares.sum(dim=0), n_stay=n_stay),
        "norm": norms.topk(n_stay).indices,
        "first": torch.arange(n_stay),
    }
    whole = (fresh @ w.T).square().sum()
    lost = {}
    for name, chosen in choices.items():
        stays = torch.zeros(n, dtype=torch.bool)
        stays[chosen] = True
        columns_stay = stays.repeat_interleave(taps)
        new = rebuilt(w, gram, w @ gram, columns_stay)
        lost[f"{name}, rebuilt"] = float((fresh @ (new - w).T).square().sum() / whole)
        lost[f"{name}, as it is"] = float(
            (fresh[:, ~columns_stay] @ w[:, ~columns_stay].T).square().sum() / whole
        )
    return lost


def lasso_rebuilds_layers() -> Headline:
    """One layer after the other: the error of its output on pictures that it was not fitted to."""
    data = data_of(NETWORK)
    x, others = data.train[0][:N_PICTURES], data.test[0][:N_PICTURES]
    figures: dict[str, list[float]] = {}
    for seed in seeds():
        model = trained(NETWORK, seed)
        convs = [m for m in model.modules() if type(m) is nn.Conv2d and m.in_channels > 1]
        by_layer = [_errors(model, conv, x, others) for conv in convs]
        for name in by_layer[0]:
            value = 100 * mean(errors[name] for errors in by_layer)
            figures.setdefault(f"{name}: output lost, %", []).append(value)
    ours, theirs = (figures[f"{n}, rebuilt: output lost, %"] for n in ("LASSO", "norm"))
    return Headline(
        claim="LASSO rebuilds a layer's output better than a choice by norm, at equal channels",
        paper="He, Zhang and Sun 2017, figure 4: LASSO below max response below the first ones",
        ours=f"of the energy of an output that reads half of its channels is lost, mean over the "
        f"layers of {NETWORK}, weights rebuilt: {spread(ours, '%')} by LASSO, "
        f"{spread(theirs, '%')} by norm, {spread(figures['first, rebuilt: output lost, %'], '%')} "
        "with the first ones",
        holds=above_zero(differences(theirs, ours)),
        seeds=len(ours),
        figures=figures,
    )


def lasso_beats_norm() -> Headline:
    """The whole network, at the same widths, without retraining and with it."""
    data, x = data_of(NETWORK), example(NETWORK)
    figures: dict[str, list[float]] = {}
    for seed in seeds():
        dense = trained(NETWORK, seed)
        by_norm = prune_channels(dense, x, sparsity=SHARE)
        by_lasso = select_channels(dense, data.train[0][:N_PICTURES], sparsity=SHARE)
        figures.setdefault("dense, %", []).append(test_accuracy(NETWORK, dense))
        for name, (cut, _) in {"norm": by_norm, "LASSO": by_lasso}.items():
            again = training(NETWORK, seed, PASSES).run(cut)
            got = {
                f"{name}, outputs lost, %": _outputs_lost(dense, cut, data.test[0]),
                f"{name}, %": test_accuracy(NETWORK, cut),
                f"{name}, retrained, %": test_accuracy(NETWORK, again),
            }
            for key, value in got.items():
                figures.setdefault(key, []).append(value)
    cut = differences(figures["LASSO, %"], figures["norm, %"])
    again = differences(figures["LASSO, retrained, %"], figures["norm, retrained, %"])
    return Headline(
        claim="LASSO beats norm at equal channels",
        paper="He, Zhang and Sun 2017, table 1: VGG-16 at 2 times, fine-tuned: no point of top-5 "
        "lost by LASSO, 0.8 by the norms of Li et al.",
        ours=f"half of the channels of {NETWORK}: LASSO is {spread(cut)} points ahead before "
        f"retraining and {spread(again)} after {PASSES} passes",
        holds=above_zero(cut),
        seeds=len(cut),
        figures=figures,
        note="LASSO also rebuilds the weights that stay, from "
        f"{N_PICTURES} pictures without labels; norms look at no picture.",
    )


@torch.no_grad()
def _outputs_lost(dense: nn.Module, cut: nn.Module, x: Tensor) -> float:
    """Squared error of the network's outputs over their variance, in percent."""
    before, after = dense.eval()(x), cut.eval()(x)
    return float(100 * (after - before).square().sum() / (before - before.mean(0)).square().sum())


def merging_without_data() -> Headline:
    """Merging neurons beside dropping those of least norm; neither sees an example."""
    x = example(MLP)
    figures: dict[str, list[float]] = {}
    for seed in seeds():
        dense = trained(MLP, seed)
        figures.setdefault("dense, %", []).append(test_accuracy(MLP, dense))
        for share in MLP_SHARES:
            merged = merge_neurons(dense, x, sparsity=share).model
            dropped = prune_channels(dense, x, sparsity=share).model
            for name, model in {"merged": merged, "dropped": dropped}.items():
                key = f"{name}, {100 * share:.0f} % of the neurons, %"
                figures.setdefault(key, []).append(test_accuracy(MLP, model))
    said, ahead = [], []
    for share in MLP_SHARES:
        ours, theirs = (
            figures[f"{n}, {100 * share:.0f} % of the neurons, %"] for n in ("merged", "dropped")
        )
        ahead = differences(ours, theirs)
        said.append(f"{100 * share:.0f} %: {spread(ours)} against {spread(theirs)}")
    return Headline(
        claim="Merging like neurons beats dropping small ones, without any data",
        paper="Srinivas and Babu 2015: up to 85 % of the weights of a network for MNIST go",
        ours=f"accuracy of {MLP} when so many neurons went, merged against dropped by norm: "
        + "; ".join(said),
        holds=above_zero(ahead),
        seeds=len(ahead),
        figures=figures,
        note=f"The verdict is for {100 * MLP_SHARES[-1]:.0f} %.",
    )
