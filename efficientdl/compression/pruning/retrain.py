"""Train, prune, retrain: the three steps that made pruning work."""

from math import sqrt

from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.pruning.interruption import noted
from efficientdl.compression.pruning.masks import Pruner
from efficientdl.compression.pruning.prune import prune
from efficientdl.compression.pruning.schedules import check_sparsity
from efficientdl.costs.count import count
from efficientdl.fit.plan import Training, after
from efficientdl.protocols import Policy, Result


@technique(
    "prune-train-retrain",
    paper="Han, Pool, Tran and Dally, Learning both Weights and Connections for Efficient Neural "
    "Networks, 2015",
    survey="2.1, Fig. 3",
    lab="02_pruning",
    kind=Compressor(
        identity={"sparsity": 0.0},
        stronger=({"sparsity": 0.5}, {"sparsity": 0.9}),
    ),
)
def train_prune_retrain(
    model: nn.Module,
    x: Float[Tensor, "..."],
    *,
    sparsity: Policy[float],
    train: Training | None = None,
    retrain: Training | None = None,
    pruner: Pruner = prune,
) -> Result:
    """Train, prune, retrain: learn which connections matter, drop the others, learn the rest anew.

    What is left is trained on from where it stands, not from new random weights, and moves to do
    the work of what is gone. Without the third step this is one-shot pruning.

    Interrupting a step (ctrl-C, or the notebook's stop button) leaves out what would follow it,
    but the pruning; the report's note says so.

    Args:
        model: A network, trained or not.
        x: An example of its input, for the report.
        sparsity: Share of zeros to reach, in [0, 1), of every layer or of those named.
        train: The first step; None where the model is trained already.
        retrain: The third step, as a rule at a tenth of the first one's learning rate; None to
            leave it out.
        pruner: The second step: `prune`, or a `functools.partial` of it.

    Raises:
        BadValue: The sparsity is out of its range.

    >>> import torch
    >>> x = torch.tensor([[0.0, 0.1], [1.0, 0.2], [0.1, 0.9], [0.9, 1.0]])
    >>> training = Training(train=(x, torch.tensor([0, 1, 0, 1])), epochs=20, lr=0.1, seed=0)
    >>> pruned, _ = train_prune_retrain(
    ...     nn.Linear(2, 2), x, sparsity=0.5, train=training, retrain=training
    ... )
    fit: 20 steps
    fit: 20 steps
    >>> int(pruned.weight.count_nonzero())
    2

    Source: Han et al., "Learning both Weights and Connections for Efficient Neural Networks",
    NeurIPS 2015, section 3 and figure 2; the survey's section 2.1 and figure 3; lab 02.
    """
    check_sparsity("train_prune_retrain", sparsity)
    trained, interrupted = after(train, model)
    pruned = pruner(trained, x, sparsity=sparsity)
    if interrupted:
        said = "interrupted: what training had reached was pruned, and not retrained"
        return Result(pruned.model, noted(pruned.report, said))
    if retrain is None:
        return pruned
    retrained, interrupted = after(retrain, pruned.model)
    said = "the retraining was interrupted" if interrupted else ""
    return Result(retrained, noted(count(retrained, x), pruned.report.note, said))


def dropout_after_pruning(dropout: float, *, n_before: int, n_after: int) -> float:
    """How much dropout a layer wants when it has fewer connections: `D sqrt(C_after / C_before)`.

    A sparse layer overfits less by itself; dropout hides units, and so a number of connections
    that grows with the square, which is where the root comes from.

    Args:
        dropout: The share that was dropped when the dense layer was trained, 0..1.
        n_before: Connections of the dense layer.
        n_after: Connections that are left.

    >>> dropout_after_pruning(0.5, n_before=100, n_after=25)
    0.25

    Source: Han et al., NeurIPS 2015, section 3.2, equation 2; lab 02.
    """
    _check.in_range("dropout_after_pruning", "dropout", dropout, 0, 1)
    _check.whole("dropout_after_pruning", "n_before", n_before, 1)
    _check.whole("dropout_after_pruning", "n_after", n_after, 0, n_before)
    return dropout * sqrt(n_after / n_before)  # eq. 2
