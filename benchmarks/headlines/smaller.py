"""How many weights can go: the ratios of the papers, and what helps to reach them."""

from collections.abc import Callable
from functools import cache, partial
from statistics import mean

from torch import nn

from benchmarks.headlines import Headline, above_zero, differences, spread
from benchmarks.headlines.trainings import (
    SIZES,
    STARTS,
    data_of,
    example,
    seeds,
    test_accuracy,
    times_fewer,
    trained,
    training,
)
from efficientdl.compression.pruning import (
    dynamic_surgery,
    geometric,
    globally,
    prune,
    prune_gradually,
    prune_iteratively,
    train_prune_retrain,
)
from efficientdl.models.trained import trained as shipped
from efficientdl.protocols import Result

MOST_LOST = 0.5  # points

# Shares of zeros by layer: Han et al. 2015, tables 3 and 4 (fc1 of LeNet-5 0.2 points more, so
# that the whole is 12 times), and Guo et al. 2016, table 2.
HAN = {
    "lenet_300_100": {"fc1": 0.92, "fc2": 0.91, "classifier": 0.74},
    "lenet_5": {"conv1": 0.34, "conv2": 0.88, "fc1": 0.922, "classifier": 0.81},
}
GUO = {
    "lenet_300_100": {"fc1": 0.982, "fc2": 0.982, "classifier": 0.945},
    "lenet_5": {"conv1": 0.858, "conv2": 0.969, "fc1": 0.993, "classifier": 0.957},
}


def _han(
    network: str, paper: str, method: Callable[[nn.Module, int], Result], note: str
) -> Headline:
    dense, pruned, fewer = [], [], []
    for seed in seeds():
        start = trained(network, seed)
        small = method(start, seed).model
        dense.append(test_accuracy(network, start))
        pruned.append(test_accuracy(network, small))
        fewer.append(times_fewer(small))
    lost = differences(dense, pruned)
    return Headline(
        claim=f"{network}: 12 times fewer weights cost at most {MOST_LOST} points",
        paper=paper,
        ours=f"{fewer[0]:.1f} times fewer weights; test accuracy {spread(dense)} % dense, "
        f"{spread(pruned)} % pruned: {spread(lost)} points lost.",
        holds=mean(lost) <= MOST_LOST and min(fewer) >= 12,
        seeds=len(dense),
        figures={
            "dense, %": dense,
            "pruned, %": pruned,
            "points lost": lost,
            "times fewer weights": fewer,
        },
        note=f"The paper's own shares by layer, {note}; {len(data_of(network).train[0]):,} "
        "training digits instead of 60,000.",
    )


def lenet_300_100() -> Headline:
    network, passes, rounds = "lenet_300_100", 5, 5

    def method(start: nn.Module, seed: int) -> Result:
        return prune_iteratively(
            start,
            example(network),
            sparsity=HAN[network],
            retrain=training(network, seed, passes),
            n_rounds=rounds,
            schedule=geometric(0.92),
        )

    paper = "12x, error 1.64 -> 1.59 % (Han et al. 2015, tables 1 and 3)"
    return _han(network, paper, method, f"`prune_iteratively`, {rounds} rounds of {passes} passes")


def lenet_5() -> Headline:
    """The second attempt: 3 rounds of a pass, each with its own learning rate cycle, lose more."""
    network, passes = "lenet_5", 8

    def method(start: nn.Module, seed: int) -> Result:
        plan = training(network, seed, passes)
        return prune_gradually(
            start, example(network), sparsity=HAN[network], training=plan, every=20
        )

    paper = "12x, error 0.80 -> 0.77 % (Han et al. 2015, tables 1 and 4)"
    note = (
        f"`prune_gradually` in {passes} passes (a first attempt, `prune_iteratively` in 3 rounds "
    )
    return _han(network, paper, method, note + "of a pass, missed the half point)")


def convolutions() -> Headline:
    """On clothes, where every weight has work to do."""
    network = "dense_w24_d1_early"
    note = (
        "58,594 weights and 9,000 pictures of clothes; AlexNet has 61 million weights. A first "
        "attempt, `prune_iteratively` in rounds of a pass, lost more than the half point too."
    )
    return _nine_and_thirteen(network, shipped(network), passes=4, note=note)


def convolutions_on_digits() -> Headline:
    """On digits, which are easier."""
    note = "57,594 weights, 5,400 training digits."
    start = shipped("small_cnn_mnist")
    return _nine_and_thirteen("small_cnn", start, passes=8, note=note)


def _nine_and_thirteen(network: str, start: nn.Module, *, passes: float, note: str) -> Headline:
    """9 and 13 times on a network of lab 01's zoo, from its shipped weights."""
    x = example(network)
    dense = test_accuracy(network, start)
    found: dict[int, list[float]] = {9: [], 13: []}
    for seed in seeds(3):
        plan = training(network, seed, passes)
        for times, got in found.items():
            small = prune_gradually(
                start,
                x,
                sparsity=1 - 1 / times,
                training=plan,
                every=20,
                pruner=partial(prune, scope=globally),
            ).model
            got.append(test_accuracy(network, small))
    lost = {f"{t}x": differences([dense] * len(got), got) for t, got in found.items()}
    says = "; ".join(f"{times} {spread(points)} points lost" for times, points in lost.items())
    return Headline(
        claim=f"{network} on {STARTS[network][0]}: 9 and 13 times fewer weights cost at most "
        f"{MOST_LOST} points",
        paper="AlexNet 9x, VGG-16 13x, no loss on ImageNet (Han et al. 2015, table 1)",
        ours=f"dense {dense:.2f} %; {says}.",
        holds=all(mean(points) <= MOST_LOST for points in lost.values()),
        seeds=len(found[9]),
        figures={"dense, %": [dense]}
        | {f"{t}x, %": got for t, got in found.items()}
        | {f"{t}, points lost": points for t, points in lost.items()},
        note=f"The shipped weights, ranked over the whole network, `prune_gradually` in {passes} "
        f"passes. {note}",
    )


def iterative_beats_one_shot() -> Headline:
    """In rounds, as the paper prunes: each retraining is one of its own."""
    network = "lenet_300_100"
    in_rounds = []
    for seed in seeds():
        slowly = prune_iteratively(
            trained(network, seed),
            example(network),
            sparsity=GUO[network],
            retrain=training(network, seed, 5),
            n_rounds=5,
            schedule=geometric(max(GUO[network].values())),
        ).model
        in_rounds.append(test_accuracy(network, slowly))
    return _against_one_shot(
        "Iterative pruning in rounds",
        in_rounds,
        "5 rounds of 5 passes against 25 passes; each round removes the same share of what is "
        "left. The learning rate has a cycle for each round, and one for all at once.",
    )


def gradual_beats_one_shot() -> Headline:
    """In one training: the learning rate has one cycle, as after one-shot pruning."""
    network = "lenet_300_100"
    gradual = [test_accuracy(network, _gradual(network, seed, 25)) for seed in seeds()]
    return _against_one_shot(
        "Gradual pruning, iterative within one training,",
        gradual,
        "The second attempt at the claim before: 25 passes and one cycle of the learning rate "
        "for both.",
    )


def _against_one_shot(name: str, ours: list[float], note: str) -> Headline:
    network = "lenet_300_100"
    one_shot = [test_accuracy(network, _one_shot(network, seed, 25)) for seed in seeds()]
    gained = differences(ours, one_shot)
    return Headline(
        claim=f"{name} beats one-shot at the same sparsity and as many steps",
        paper="AlexNet: 9x instead of 5x without loss (Han et al. 2015, section 4.4, figure 5)",
        ours=f"LeNet-300-100 at 55 times fewer weights: {spread(ours)} % little by little, "
        f"{spread(one_shot)} % at once, {spread(gained)} points between them.",
        holds=above_zero(gained),
        seeds=len(gained),
        figures={"iterative, %": ours, "one-shot, %": one_shot, "points gained": gained},
        note=note,
    )


def _one_shot(network: str, seed: int, passes: float) -> nn.Module:
    """Two claims want it."""
    return _retrained(network, seed, passes, SIZES["passes"])


@cache
def _retrained(network: str, seed: int, passes: float, _: float) -> nn.Module:
    return train_prune_retrain(
        trained(network, seed),
        example(network),
        sparsity=GUO[network],
        retrain=training(network, seed, passes),
    ).model


def _gradual(network: str, seed: int, passes: float) -> nn.Module:
    """Pruned gradually to the sparsities of Guo et al.; two claims want it."""
    return _pruned_gradually(network, seed, passes, SIZES["passes"])


@cache
def _pruned_gradually(network: str, seed: int, passes: float, _: float) -> nn.Module:
    return prune_gradually(
        trained(network, seed),
        example(network),
        sparsity=GUO[network],
        training=training(network, seed, passes),
        every=20,
    ).model


def _surgery(network: str, paper: str, most: int, passes: float) -> Headline:
    dense, gradual, surgery, fewer = [], [], [], []
    for seed in seeds(most):
        start = trained(network, seed)
        operated = dynamic_surgery(
            start,
            example(network),
            sparsity=GUO[network],
            training=training(network, seed, passes),
        ).model
        dense.append(test_accuracy(network, start))
        gradual.append(test_accuracy(network, _gradual(network, seed, passes)))
        surgery.append(test_accuracy(network, operated))
        fewer.append(times_fewer(operated))
    gained = differences(surgery, gradual)
    return Headline(
        claim=f"{network}: dynamic surgery beats gradual pruning at very high sparsity",
        paper=paper,
        ours=f"{spread(fewer, digits=1)} times fewer weights; dense {spread(dense)} %, surgery "
        f"{spread(surgery)} %, gradual {spread(gradual)} %: {spread(gained)} points gained, "
        f"{spread(differences(dense, surgery))} lost against dense.",
        holds=above_zero(gained),
        seeds=len(gained),
        figures={
            "dense, %": dense,
            "surgery, %": surgery,
            "gradual pruning, %": gradual,
            "points gained": gained,
            "times fewer weights, surgery": fewer,
        },
        note=f"The paper's shares by layer for both, {passes:g} passes each; surgery may "
        "keep fewer than asked: between its thresholds what is cut stays cut.",
    )


def surgery_300_100() -> Headline:
    paper = "56x, error 2.28 -> 1.99 % (Guo et al. 2016, table 1)"
    return _surgery("lenet_300_100", paper, 5, 25)


def surgery_5() -> Headline:
    paper = "108x, error 0.91 -> 0.91 % (Guo et al. 2016, table 1)"
    return _surgery("lenet_5", paper, 2, 4)
