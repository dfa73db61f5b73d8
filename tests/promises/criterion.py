"""Promises of pruning criteria: `f(weight, *, statistics, **_) -> scores`."""

import torch
from torch import Tensor

from efficientdl.catalogue import Technique
from efficientdl.tensors import PerGroup, keep_largest
from tests.promises.state import global_generators_untouched

# Everything that a criterion may ask for: it takes what it names and swallows the rest.
Statistics = dict[str, Tensor]
SPARSITIES = (0.3, 0.5, 0.7)


def layer() -> tuple[Tensor, Tensor, Statistics]:
    """A linear layer, inputs that differ in size, and what can be known of it.

    Its loss is half the squared distance to the target that the layer was trained for; `grad` is
    taken a step away from that target, where first-order criteria have something to see.
    """
    rng = torch.Generator().manual_seed(0)
    weight = torch.randn(12, 16, generator=rng, dtype=torch.float64)
    x = torch.randn(64, 16, generator=rng, dtype=torch.float64)
    y = x @ weight.T
    hessian = x.T @ x / len(x)  # of each row of the weight, the same for all
    inverse = torch.linalg.inv(hessian)
    return (
        weight,
        x,
        {
            "grad": y.T @ x / len(x),
            "hessian_diagonal": hessian.diagonal().expand_as(weight),
            "inverse_hessian_diagonal": inverse.diagonal(),
            "input_norm": x.norm(dim=0),
            "activations": y,
            "sensitivity_variance": x.var(dim=0, correction=0).expand_as(weight) / len(weight),
        },
    )


def error_of(scores: Tensor, sparsity: float) -> float:
    """How far the layer's output moves when what scores low is pruned."""
    weight, x, _ = layer()
    mask = keep_largest(scores, sparsity=sparsity, granularity=PerGroup(1))
    return float((x @ (weight * ~mask).T).square().mean())


def best_of_random(sparsity: float, tries: int = 20) -> float:
    rng = torch.Generator().manual_seed(1)
    return min(error_of(torch.rand(12, 16, generator=rng), sparsity) for _ in range(tries))


def scores_of(technique: Technique) -> Tensor:
    weight, _, statistics = layer()
    return technique.call(weight, **statistics)


def gives_each_weight_a_score(technique: Technique) -> None:
    weight, _, statistics = layer()
    given = weight.clone()
    scores = technique.call(weight, **statistics)
    assert scores.shape == weight.shape, f"gave scores of shape {tuple(scores.shape)}"
    assert bool(scores.isfinite().all()), "gave a score that is not finite"
    assert torch.equal(weight, given), "changed the weight"
    with global_generators_untouched():
        again = technique.call(weight, **statistics, something_else=weight)
    assert torch.equal(scores, again), "gave other scores the second time"


def beats_the_best_of_twenty_random_scores(technique: Technique) -> None:
    for sparsity in SPARSITIES:
        ours, random = error_of(scores_of(technique), sparsity), best_of_random(sparsity)
        assert ours < random, f"at sparsity {sparsity}: error {ours:.3g}, random {random:.3g}"


def is_beaten_when_negated(technique: Technique) -> None:
    for sparsity in SPARSITIES:
        theirs, random = error_of(-scores_of(technique), sparsity), best_of_random(sparsity)
        assert theirs > random, f"at sparsity {sparsity} its negation is better than random"


PROMISES = [
    gives_each_weight_a_score,
    beats_the_best_of_twenty_random_scores,
    is_beaten_when_negated,
]
