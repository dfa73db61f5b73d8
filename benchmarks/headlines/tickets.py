"""Lottery tickets, and how much chance decides where a training ends."""

from copy import deepcopy
from dataclasses import replace
from statistics import mean

from torch import nn

from benchmarks.headlines import Headline, above_zero, differences, spread
from benchmarks.headlines.trainings import (
    data_of,
    example,
    seeds,
    test_accuracy,
    test_part,
    training,
)
from efficientdl.compression.pruning import instability, lottery_ticket, masks_of, with_masks
from efficientdl.fit import fit
from efficientdl.fit.plan import Training
from efficientdl.models import build
from efficientdl.protocols import Policy

OTHER = 1_000  # added to a seed: other initial weights, another order
EPOCHS = 5  # in which a ticket is trained: early stopping takes the best


def _learned(network: str, start: nn.Module, plan: Training) -> dict[str, float]:
    """How a training went: at its end, at its best validation, and meanwhile."""
    ends: list[nn.Module] = []
    step = 0

    def keep_last(model: nn.Module) -> None:
        nonlocal step
        step += 1
        if step == plan.steps:
            ends.append(deepcopy(model))

    fitted = fit(
        start,
        plan.train,
        data_of(network).val,
        epochs=plan.epochs,
        lr=plan.lr,
        seed=plan.seed,
        recipe=replace(plan.recipe, after_step=keep_last),
    )
    return {
        "at the end": test_accuracy(network, ends[0]),
        "at early stopping": test_accuracy(network, fitted.model),
        "on the way": 100 * mean(fitted.history.val_accuracy),
    }


def _in_epochs(plan: Training, epochs: int) -> Training:
    """As many steps in more epochs, so that there are several to choose from."""
    x, y = plan.train
    n = plan.epochs * len(x) // epochs
    return replace(plan, train=(x[:n], y[:n]), epochs=epochs)


def _ticket(
    network: str, sparsity: Policy[float], *, rounds: int, passes: float, paper: str
) -> Headline:
    figures: dict[str, list[float]] = {}
    shares = []
    for seed in seeds():
        plan = _in_epochs(training(network, seed, passes), EPOCHS)
        start, other = build(network, seed=seed), build(network, seed=seed + OTHER)
        ticket = lottery_ticket(
            start, example(network), sparsity=sparsity, training=plan, n_rounds=rounds
        ).model
        masks = masks_of(ticket)
        shares.append(
            100 * sum(int(m.sum()) for m in masks.values()) / sum(m.numel() for m in masks.values())
        )
        drawn = {"ticket": ticket, "random": with_masks(other, masks), "dense": start}
        for name, model in drawn.items():
            for when, accuracy in _learned(network, model, plan).items():
                figures.setdefault(f"{name} {when}, %", []).append(accuracy)
    gained = {
        when: differences(figures[f"ticket {when}, %"], figures[f"random {when}, %"])
        for when in ("at the end", "at early stopping", "on the way")
    }
    says = "; ".join(
        f"{when} {spread(figures[f'ticket {when}, %'])} % against "
        f"{spread(figures[f'random {when}, %'])} %, {spread(gained[when])} points"
        for when in gained
    )
    return Headline(
        claim=f"{network}: a lottery ticket at {mean(shares):.0f} % of the weights beats its "
        "random re-initialisation",
        paper=paper,
        ours=f"{says}; the dense network ends at {spread(figures['dense at the end, %'])} %.",
        holds=above_zero(gained["at the end"]) and above_zero(gained["at early stopping"]),
        seeds=len(shares),
        figures=figures | {f"points gained {when}": gain for when, gain in gained.items()},
        note=f"{rounds} rounds of {passes:g} passes, with `fit`'s one-cycle learning rate instead "
        "of the paper's constant one; early stopping is the best validation accuracy; on the way "
        "is the validation accuracy, mean over the epochs.",
    )


def ticket_300_100() -> Headline:
    return _ticket(
        "lenet_300_100",
        {"fc1": 0.86, "fc2": 0.86, "classifier": 0.6},
        rounds=5,
        passes=10,
        paper="at 13.5 to 21 % better than dense and than random (Frankle and Carbin 2019, "
        "section 2, figures 3 and 4)",
    )


def ticket_convolutions() -> Headline:
    return _ticket(
        "dense_w8_d1_early",
        0.85,
        rounds=3,
        passes=3,
        paper="Conv-2 to Conv-6: 3 points above dense, above random to 2 % (Frankle and Carbin "
        "2019, section 3, figure 5)",
    )


def instability_falls() -> Headline:
    network, begins, passes = "dense_w8_d1_early", (0, 1, 3), 3
    barriers: dict[int, list[float]] = {begin: [] for begin in begins}
    for seed in seeds(3):
        start = build(network, seed=seed)
        for begin in begins:
            barrier = instability(
                start,
                test_part(network),
                training=training(network, seed, passes),
                seeds=(seed + OTHER, seed + 2 * OTHER),
                early=training(network, seed, begin) if begin else None,
                n_points=7,
            )
            barriers[begin].append(100 * barrier)
    first, last = barriers[begins[0]], barriers[begins[-1]]
    says = ", ".join(f"{spread(barriers[b], digits=1)} after {b}" for b in begins)
    return Headline(
        claim="The error barrier falls with the passes that two trainings have in common",
        paper="ResNet-20 and VGG-16 are unstable at the start, stable after 3 % and 1.5 % of the "
        "training (Frankle et al. 2020, section 3, figure 2)",
        ours=f"{network}, barrier in points of error, passes in common: {says}.",
        holds=above_zero(differences(first, last)),
        seeds=len(first),
        figures={f"barrier after {b} passes, points": got for b, got in barriers.items()},
        note="Each part of the training has a learning rate cycle of its own; batch norm's "
        "statistics are interpolated with the weights.",
    )
