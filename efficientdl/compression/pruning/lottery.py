"""Lottery tickets: small networks that were there, in the large one, before it was trained."""

from copy import deepcopy

from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.pruning.interruption import noted
from efficientdl.compression.pruning.iterative import demand_masks
from efficientdl.compression.pruning.masks import Pruner
from efficientdl.compression.pruning.prune import prune
from efficientdl.compression.pruning.schedules import check_sparsity, geometric, on_the_way
from efficientdl.costs.count import count
from efficientdl.fit.plan import Training, after
from efficientdl.models.layers.parameter_masks import zero_dropped
from efficientdl.protocols import Policy, Result


@technique(
    "prune-lottery",
    paper="Frankle and Carbin, The Lottery Ticket Hypothesis: Finding Sparse, Trainable Neural "
    "Networks, 2019",
    survey="2.1",
    lab="02_pruning",
    kind=Compressor(
        identity={"sparsity": 0.0},
        stronger=({"sparsity": 0.5}, {"sparsity": 0.9}),
    ),
)
def lottery_ticket(
    model: nn.Module,
    x: Float[Tensor, "..."],
    *,
    sparsity: Policy[float],
    training: Training | None = None,
    n_rounds: int = 1,
    pruner: Pruner = prune,
) -> Result:
    """Lottery ticket: train, prune, and put what is left back to the weights that it began with.

    The ticket comes back untrained: train it, and it learns as well as the whole network did.
    With other initial weights under the same masks, `rewind(ticket, to=other)`, it does not: mask
    and weights were drawn together. In several rounds each one trains the ticket of the last, and
    prunes the same share of what is left.

    Interrupting a round (ctrl-C, or the notebook's stop button) makes it the last one: the
    sparsity is reached from there, and the report's note says so.

    Args:
        model: The network at its initialization.
        x: An example of its input, for the report.
        sparsity: Share of zeros to reach, in [0, 1), of every layer or of those named.
        training: How to train in each round; None judges the initial weights themselves.
        n_rounds: How often to train and prune, 1 or more.
        pruner: How to prune: `prune`, or a `functools.partial` of it.

    Raises:
        BadValue: The sparsity or the rounds are out of their range.

    >>> import torch
    >>> x, start = torch.eye(4), nn.Linear(4, 4)
    >>> training = Training(train=(x, torch.arange(4)), epochs=20, lr=0.1, seed=0)
    >>> ticket, _ = lottery_ticket(start, x, sparsity=0.75, training=training)
    fit: 20 steps
    >>> int(ticket.mask.sum()), bool((ticket.weight == start.weight * ticket.mask).all())
    (4, True)

    Source: Frankle and Carbin, "The Lottery Ticket Hypothesis: Finding Sparse, Trainable Neural
    Networks", ICLR 2019, section 1, steps 1 to 4; the survey's section 2.1, "Importance
    Criteria"; lab 02.
    """
    check_sparsity("lottery_ticket", sparsity)
    return _ticket("lottery_ticket", model, x, sparsity, training, n_rounds, pruner)


@technique(
    "prune-lottery-rewind",
    paper="Frankle, Dziugaite, Roy and Carbin, Linear Mode Connectivity and the Lottery Ticket "
    "Hypothesis, 2020",
    survey="2.1",
    lab="02_pruning",
    kind=Compressor(
        identity={"sparsity": 0.0},
        stronger=({"sparsity": 0.5}, {"sparsity": 0.9}),
    ),
)
def rewound_ticket(
    model: nn.Module,
    x: Float[Tensor, "..."],
    *,
    sparsity: Policy[float],
    early: Training | None = None,
    training: Training | None = None,
    n_rounds: int = 1,
    pruner: Pruner = prune,
) -> Result:
    """Rewound ticket: a lottery ticket with the weights from early in training, not from the start.

    Large networks have no tickets at their initialization: where a training ends still depends on
    the order of its examples. A little later it does not any more, which `instability` measures,
    and from there on tickets are found. Here training has two parts, the early one and the rest;
    the ticket holds the weights from between them, and is trained with the second.

    Args:
        model: The network at its initialization.
        x: An example of its input, for the report.
        sparsity: Share of zeros to reach, in [0, 1), of every layer or of those named.
        early: The first part of the training; without it this is `lottery_ticket`.
        training: The rest, which each round goes through.
        n_rounds: How often to train and prune, 1 or more.
        pruner: How to prune: `prune`, or a `functools.partial` of it.

    Raises:
        BadValue: The sparsity or the rounds are out of their range.

    Source: Frankle, Dziugaite, Roy and Carbin, "Linear Mode Connectivity and the Lottery Ticket
    Hypothesis", ICML 2020, sections 2 and 4, algorithm 2; the survey's section 2.1, "Importance
    Criteria"; lab 02.
    """
    check_sparsity("rewound_ticket", sparsity)
    start, interrupted = after(early, model)
    if interrupted:
        ticket = _ticket("rewound_ticket", start, x, sparsity, None, 1, pruner)
        said = "interrupted: what the early training had reached was pruned"
        return Result(ticket.model, noted(ticket.report, said))
    return _ticket("rewound_ticket", start, x, sparsity, training, n_rounds, pruner)


def rewind(pruned: nn.Module, *, to: nn.Module) -> nn.Module:
    """The masks of one network on the weights of another: what a ticket is made of.

    Biases and the running statistics of batch norm are those of `to` as well. Every masked layer
    is rewound: linear, convolution, recurrent or attention.

    Args:
        pruned: A network with masked layers, say a trained ticket.
        to: A network of the same shape, masked or not, say the one before training or one with
            other initial weights.

    Raises:
        BadValue: The networks are not alike.

    >>> import torch
    >>> a, b = nn.Linear(2, 1, bias=False), nn.Linear(2, 1, bias=False)
    >>> values = [m.weight.data.copy_(torch.tensor([[x, y]])) for m, x, y in ((a, 9, 1), (b, 3, 4))]
    >>> rewind(prune(a, torch.zeros(1, 2), sparsity=0.5).model, to=b).weight.tolist()
    [[3.0, 0.0]]

    Source: Frankle and Carbin, ICLR 2019, section 1, step 4; lab 02.
    """
    ticket = deepcopy(pruned)
    ours, theirs = (
        {name: t for name, t in model.state_dict().items() if not name.endswith("mask")}
        for model in (pruned, to)
    )
    for name in [*ours, *theirs]:
        shapes = [None if n is None else tuple(n.shape) for n in (ours.get(name), theirs.get(name))]
        if shapes[0] != shapes[1]:
            _check.fail("rewind", "networks", f"must be alike in {name!r}", shapes)
    ticket.load_state_dict(theirs, strict=False)  # the masks stay
    zero_dropped(ticket)
    return ticket


def _ticket(
    caller: str,
    start: nn.Module,
    x: Tensor,
    sparsity: Policy[float],
    training: Training | None,
    n_rounds: int,
    pruner: Pruner,
) -> Result:
    _check.whole(caller, "n_rounds", n_rounds, 1)
    ticket, note, said = start, "", ""
    for k in range(1, n_rounds + 1):
        trained, interrupted = after(training, ticket)
        last = interrupted or k == n_rounds
        now = sparsity if last else on_the_way(sparsity, geometric, k / n_rounds)
        pruned, report = pruner(trained, x, sparsity=now)
        demand_masks(caller, start, pruned)
        ticket, note = rewind(pruned, to=start), report.note
        if interrupted:
            said = f"interrupted in round {k} of {n_rounds}: the rest was pruned at once"
            break
    return Result(ticket, noted(count(ticket, x), note, said))
