"""Iterative pruning: a little at a time, with training in between or meanwhile."""

from collections.abc import Callable, Mapping
from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.pruning.interruption import noted
from efficientdl.compression.pruning.masks import Pruner
from efficientdl.compression.pruning.prune import prune
from efficientdl.compression.pruning.schedules import (
    Schedule,
    check_sparsity,
    cubic,
    geometric,
    on_the_way,
)
from efficientdl.costs.count import count
from efficientdl.fit.history import Stop
from efficientdl.fit.plan import Training, after
from efficientdl.models.layers.masked import MaskedConv2d, MaskedLinear
from efficientdl.models.layers.parameter_masks import masks_of_parameters, zero_dropped
from efficientdl.protocols import Policy, Result


@technique(
    "prune-iterative",
    paper="Han, Pool, Tran and Dally, Learning both Weights and Connections for Efficient Neural "
    "Networks, 2015",
    survey="2.1",
    lab="02_pruning",
    kind=Compressor(
        identity={"sparsity": 0.0},
        stronger=({"sparsity": 0.5}, {"sparsity": 0.9}),
    ),
)
def prune_iteratively(
    model: nn.Module,
    x: Float[Tensor, "..."],
    *,
    sparsity: Policy[float],
    retrain: Training | None = None,
    n_rounds: int = 5,
    schedule: Schedule | None = None,
    pruner: Pruner = prune,
) -> Result:
    """Iterative pruning: prune a little, retrain, prune a little more, until enough is gone.

    After each retraining the weights have adapted, and tell better than before which of them
    matter. Each round removes the same share of what is left, unless a schedule says otherwise:
    then the sparsity of round `k` of `n` is `sparsity * schedule(k / n)`. A network that is pruned
    already goes on from there. In one round this is `train_prune_retrain`.

    Interrupting it (ctrl-C, or the notebook's stop button) leaves out the trainings that are
    still to come; the sparsity is reached all the same, and the report's note says so.

    Args:
        model: A trained network.
        x: An example of its input, for the report.
        sparsity: Share of zeros to reach, in [0, 1), of every layer or of those named.
        retrain: What follows each round; None prunes without.
        n_rounds: How often to prune, 1 or more.
        schedule: How the sparsity rises from round to round; None is `geometric`, for each layer
            to the sparsity that it is to reach. (After `linear` rounds to a high sparsity the
            last one removes most of what is left.)
        pruner: How to prune: `prune`, or a `functools.partial` of it.

    Raises:
        BadValue: The sparsity or the rounds are out of their range, or the pruner removes weights
            in the place of masking them, and there are several rounds.

    >>> import torch
    >>> model = nn.Linear(8, 4)
    >>> pruned, report = prune_iteratively(model, torch.zeros(1, 8), sparsity=0.75, n_rounds=3)
    >>> int(pruned.weight.count_nonzero())
    8

    Source: Han et al., "Learning both Weights and Connections for Efficient Neural Networks",
    NeurIPS 2015, section 3.4; the survey's section 2.1, "Training Methods"; lab 02.
    """
    check_sparsity("prune_iteratively", sparsity)
    _check.whole("prune_iteratively", "n_rounds", n_rounds, 1)
    said = ""
    rise = geometric if schedule is None else lambda _: schedule
    begun = dropped(model, sparsity)
    for k in range(1, n_rounds):
        now = onwards(begun, sparsity, rise, k / n_rounds)
        pruned = pruner(model, x, sparsity=now).model
        demand_masks("prune_iteratively", model, pruned)
        model, interrupted = after(retrain, pruned)
        if interrupted:
            said = f"interrupted in round {k} of {n_rounds}: the rest was pruned at once"
            retrain = None
            break
    pruned, report = pruner(model, x, sparsity=sparsity)
    model, interrupted = after(retrain, pruned)
    if interrupted:
        said = "the last retraining was interrupted"
    return Result(model, noted(count(model, x), report.note, said))


def prune_gradually(
    model: nn.Module,
    x: Float[Tensor, "..."],
    *,
    sparsity: Policy[float],
    training: Training,
    schedule: Schedule = cubic,
    every: int = 10,
    until: float = 0.75,
    pruner: Pruner = prune,
) -> Result:
    """Gradual pruning: one training, during which the sparsity rises step by step.

    After step `t` of `T` the sparsity is `sparsity * schedule(t / (until T))`; what is gone stays
    gone. The rest of the training recovers. The last epoch is kept, not the best: an earlier one
    would be less sparse. Where the training is interrupted, the sparsity is reached at once.

    Args:
        model: Where to start, trained or not.
        x: An example of its input, for the report.
        sparsity: Share of zeros to reach, in [0, 1), of every layer or of those named.
        training: During which to prune.
        schedule: How the sparsity rises.
        every: Steps from one pruning to the next, 1 or more.
        until: Share of the training at which the sparsity is reached, 0..1.
        pruner: How to prune: `prune`, or a `functools.partial` of it.

    Raises:
        BadValue: An option is out of its range.

    >>> import torch
    >>> x = torch.eye(4)
    >>> training = Training(train=(x, torch.arange(4)), epochs=20, lr=0.1, seed=0)
    >>> pruned, _ = prune_gradually(nn.Linear(4, 4), x, sparsity=0.75, training=training)
    fit: 20 steps
    >>> int(pruned.weight.count_nonzero())
    4

    Source: Zhu and Gupta, "To Prune, or Not to Prune: Exploring the Efficacy of Pruning for Model
    Compression", 2017, section 3, equation 1; the survey's section 2.1; lab 02.
    """
    check_sparsity("prune_gradually", sparsity)
    _check.whole("prune_gradually", "every", every, 1)
    _check.in_range("prune_gradually", "until", until, 0, 1)
    last = max(1, round(until * training.steps))

    def prune_to(model: nn.Module, step: int) -> nn.Module:
        now = on_the_way(sparsity, lambda _: schedule, min(1.0, step / last))  # eq. 1
        return pruner(model, x, sparsity=now).model

    def hook(model: nn.Module, step: int) -> None:
        if step == last or (step < last and step % every == 0):
            narrow_masks(model, prune_to(model, step))
        zero_dropped(model)  # the optimizer's momentum moves what has just been cut

    start = prune_to(model, 0)
    demand_masks("prune_gradually", model, start)
    trained, history = training.fit(start, counting(hook))
    pruned, report = pruner(trained, x, sparsity=sparsity)  # as a rule nothing is left to do
    cut = history.stop is Stop.INTERRUPTED
    said = f"interrupted after {len(history.epochs)} of {training.epochs} epochs" if cut else ""
    return Result(pruned, noted(report, said))


def dropped(model: nn.Module, sparsity: Policy[float]) -> Policy[float]:
    """What masks have removed of a network already, in the form that its sparsity is given in.

    Of one number for all layers that is the share of the layer that has lost least.
    """
    if isinstance(sparsity, Mapping):
        known = {name for name, _ in model.named_modules()}
        return {n: _dropped(model.get_submodule(n)) if n in known else 0.0 for n in sparsity}
    masked = [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d) or _masks(m)]
    return min((_dropped(m) for m in masked), default=0.0)


def _masks(layer: nn.Module) -> list[Tensor]:
    if isinstance(layer, MaskedLinear | MaskedConv2d):
        return [layer.mask]
    return list(masks_of_parameters(layer).values())


def _dropped(layer: nn.Module) -> float:
    masks = _masks(layer)
    kept, total = sum(int(m.sum()) for m in masks), sum(m.numel() for m in masks)
    return 1 - kept / total if total else 0.0


def onwards(
    begun: Policy[float],
    sparsity: Policy[float],
    schedule_for: Callable[[float], Schedule],
    progress: float,
) -> Policy[float]:
    """The sparsity at this point of the way from the one that there is to the one to be reached.

    Args:
        begun: What is gone already, of the whole network or of each layer named.
        sparsity: What is to be reached, likewise.
        schedule_for: The schedule for a sparsity to be reached: `geometric`, or always the same.
        progress: How much of the way is done, 0..1.

    >>> from efficientdl.compression.pruning.schedules import linear
    >>> onwards(0.5, 0.9, lambda _: linear, 0.5)
    0.7
    """
    if isinstance(sparsity, Mapping):
        starts = begun if isinstance(begun, Mapping) else dict.fromkeys(sparsity, begun)
        ways = {n: onwards(starts[n], s, schedule_for, progress) for n, s in sparsity.items()}
        return cast(dict[str, float], ways)
    start = cast(float, begun)
    if sparsity <= start:
        return sparsity  # nothing to do
    of_the_rest = (sparsity - start) / (1 - start)
    return start + (1 - start) * cast(float, on_the_way(of_the_rest, schedule_for, progress))


def counting(hook: Callable[[nn.Module, int], None]) -> Callable[[nn.Module], None]:
    """A hook for after each step that is told which step it was, from 1."""
    step = 0

    def counted(model: nn.Module) -> None:
        nonlocal step
        step += 1
        hook(model, step)

    return counted


def narrow_masks(model: nn.Module, pruned: nn.Module) -> None:
    """Give a network in training the masks and the weights of a pruned copy, in place.

    Parameters stay the objects that they are, so the optimizer knows them.
    """
    now, then = ({n: t.shape for n, t in m.state_dict().items()} for m in (model, pruned))
    if now != then:
        changed = sorted({n for n in {**now, **then} if now.get(n) != then.get(n)})
        rule = "must mask the same layers each time, and no others"
        _check.fail("prune_gradually", "pruner", rule, f"changes in {', '.join(changed)}")
    model.load_state_dict(pruned.state_dict())


def demand_masks(caller: str, model: nn.Module, pruned: nn.Module) -> None:
    """Demand of a pruner, where it prunes more than once, that it left every weight its shape.

    One that removes channels has another network before it the next time, and a share of that is
    not a share of the one it began with.
    """
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
    now = {name: tuple(p.shape) for name, p in pruned.named_parameters()}
    for name in [*shapes, *now]:
        if shapes.get(name) != now.get(name):
            rule = (
                f"must mask weights where it is asked more than once, not remove those of {name!r}"
            )
            _check.fail(caller, "pruner", rule, [shapes.get(name), now.get(name)])
