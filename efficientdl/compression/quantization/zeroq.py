"""ZeroQ: pictures made up so that batch norm finds in them what it found in the data.

A trained network has kept the mean and the spread of every channel before each batch norm. A batch
that gives the same ones is not real, but it drives each layer through the range that real data
do, and that is what a calibration needs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from math import inf

import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.catalogue import Measure, technique
from efficientdl.costs.trace import check_inputs

Norm = nn.modules.batchnorm._BatchNorm
Seen = list[tuple[Norm, Tensor]]


@technique(
    "quant-zeroq",
    paper="Cai, Yao, Dong, Gholami, Mahoney and Keutzer, ZeroQ: A Novel Zero Shot Quantization "
    "Framework, 2020",
    survey="2.3",
    lab="04_quantization",
    kind=Measure(),
)
def distill_data(
    model: nn.Module,
    x: Float[Tensor, "_ ..."],
    *,
    n_examples: int,
    generator: torch.Generator,
    steps: int = 200,
    lr: float = 0.1,
    limits: tuple[float, float] = (-inf, inf),
) -> Float[Tensor, "n ..."]:
    """Make up a batch whose statistics are those that the batch norms of a network have kept.

    From normal noise, Adam goes down `norm_mismatch` in the pixels; the weights stay. The batch
    takes the place of real examples wherever ranges are taken: as the `x` of `integer_only`, say.
    The authors' code takes statistics example by example, and wants mean 0 and spread 1 of the
    input too; here a batch has them together, as batch norm does, and `limits` bound the input.

    Args:
        model: A trained network with batch norms that have running statistics.
        x: An example of its input, for shape and dtype; its values do not matter.
        n_examples: How many to make up, 2 or more; some dozens do.
        generator: Draws the noise.
        steps: Steps of Adam, 0 or more; 0 gives the noise.
        lr: Its step size, in units of the input.
        limits: The least and the largest value of a pixel, where that is known: `(0, 1)`.

    Raises:
        BadValue: The network has no batch norm with statistics.

    >>> model = nn.Sequential(nn.BatchNorm1d(2), nn.ReLU()).eval()
    >>> model[0].running_mean[:] = torch.tensor([3.0, -1.0])
    >>> rng = torch.Generator().manual_seed(0)
    >>> batch = distill_data(model, torch.zeros(1, 2), n_examples=50, generator=rng)
    >>> [round(m, 2) for m in batch.mean(dim=0).tolist()]
    [3.0, -1.0]

    Source: Cai et al., "ZeroQ: A Novel Zero Shot Quantization Framework", CVPR 2020, section 3,
    "Generation of Distilled Data"; the survey's section 2.3; lab 04.
    """
    check_inputs("distill_data", model, x)
    _check.whole("distill_data", "n_examples", n_examples, 2)
    _check.whole("distill_data", "steps", steps, 0)
    if not 0 < _check.number("distill_data", "lr", lr) < inf:
        _check.fail("distill_data", "lr", "must be above 0 and finite", lr)
    low, high = limits
    if not low < high:
        _check.fail("distill_data", "limits", "must be two numbers, the lower first", limits)
    ours = deepcopy(model).eval().requires_grad_(False)
    _demand_norms("distill_data", ours)
    noise = torch.randn((n_examples, *x.shape[1:]), generator=generator, dtype=x.dtype)
    batch = noise.to(x.device).clamp(low, high).requires_grad_()
    adam = torch.optim.Adam([batch], lr=lr)
    for _ in range(steps):
        with torch.enable_grad():
            mismatch = _mismatch(ours, batch)
        (batch.grad,) = torch.autograd.grad(mismatch, batch)
        adam.step()
        with torch.no_grad():
            batch.clamp_(low, high)
    return batch.detach()


def norm_mismatch(model: nn.Module, x: Float[Tensor, "n ..."]) -> Float[Tensor, ""]:
    """How far the statistics of a batch are from those that the batch norms have kept.

    `sum over norms of mean over channels (m - mu)**2 + (s - sigma)**2`, where `m` and `s` are mean
    and standard deviation of what goes into the norm, and `mu` and `sigma` what it kept. The paper
    sums over channels; by the mean a wide layer counts no more than a narrow one.

    Args:
        model: A network with batch norms that have running statistics.
        x: A batch of two examples or more.

    >>> norm_mismatch(nn.BatchNorm1d(1), torch.tensor([[1.0], [3.0]]))  # m = 2 and s = 1, not 0, 1
    tensor(4.)
    """
    check_inputs("norm_mismatch", model, x)
    ours = deepcopy(model).eval()
    _demand_norms("norm_mismatch", ours)
    return _mismatch(ours, x)


def _mismatch(model: nn.Module, x: Tensor) -> Tensor:
    with _inputs_of_norms(model) as seen:
        model(x)
    parts = [_distance(norm, value) for norm, value in seen]
    return torch.stack(parts).sum()


def _distance(norm: Norm, value: Tensor) -> Tensor:
    assert norm.running_mean is not None, "demanded before"
    assert norm.running_var is not None, "demanded before"
    rows = value.transpose(0, 1).flatten(1)
    mean, variance = rows.mean(dim=1), rows.var(dim=1, correction=0)
    # `eps` on both sides: the root has no slope at 0, where a dead channel stands
    std, kept = (variance + norm.eps).sqrt(), (norm.running_var + norm.eps).sqrt()
    return ((mean - norm.running_mean).square() + (std - kept).square()).mean()


@contextmanager
def _inputs_of_norms(model: nn.Module) -> Iterator[Seen]:
    """What goes into each batch norm while inside, of a model that the caller owns."""
    seen: Seen = []

    def hook(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, Norm), "hooks are on norms"
        seen.append((norm, inputs[0]))

    norms = [m for m in model.modules() if isinstance(m, Norm)]
    handles = [norm.register_forward_pre_hook(hook) for norm in norms]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _demand_norms(caller: str, model: nn.Module) -> None:
    norms = [m for m in model.modules() if isinstance(m, Norm)]
    if not norms or any(norm.running_mean is None for norm in norms):
        rule = "must have batch norms, each with running statistics"
        _check.fail(caller, "model", rule, type(model).__name__)
