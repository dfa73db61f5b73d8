"""Memory of training: what the forward pass must keep for the backward pass.

Inference forgets an activation as soon as the next layer has read it; training keeps nearly all
of them, and that, not the weights, fills the memory. Two analytic rules and a measurement stand
side by side here.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.catalogue import Measure, technique
from efficientdl.costs.liveness import peak_activation_bytes
from efficientdl.costs.saving import SavingRule, torch_rule
from efficientdl.costs.trace import (
    MODEL,
    Call,
    Inputs,
    Op,
    StorageNumbers,
    Watcher,
    check_inputs,
    run_training,
    tensors,
)


def weight_bytes(model: nn.Module) -> int:
    """Bytes of the parameters, tied ones counted once.

    >>> weight_bytes(nn.Linear(9, 1))
    40
    """
    _check.kind("weight_bytes", "model", model, nn.Module)
    return sum(p.numel() * p.element_size() for p in model.parameters())


class _Ledger(Watcher):
    """Kept bytes by layer. Memory kept twice counts once, weights and buffers not at all."""

    def __init__(self) -> None:
        self.by_layer: dict[str, int] = {}
        self.layers = [MODEL]
        self._numbers = StorageNumbers()
        self._booked: set[int] = set()

    def enter(self, call: Call) -> None:
        self.layers.append(call.name)
        if call.name == MODEL:
            held = tensors(*call.module.parameters(), *call.module.buffers())
            self._booked.update(map(self._numbers.of, held))

    def leave(self, call: Call, out: object) -> None:  # noqa: ARG002
        self.layers.pop()

    def book(self, n: int, tensor: Tensor | None) -> None:
        """Book `n` bytes on the layer that is running."""
        if tensor is not None:
            number = self._numbers.of(tensor)
            if number in self._booked:
                return
            self._booked.add(number)
        layer = self.layers[-1]
        self.by_layer[layer] = self.by_layer.get(layer, 0) + n


class _Analytic(_Ledger):
    def __init__(self, rule: SavingRule) -> None:
        super().__init__()
        self.rule = rule

    def op(self, op: Op) -> None:
        for kept in self.rule.kept(op):
            self.book(kept.bytes, kept.tensor)


def saved_by_layer(model: nn.Module, x: Inputs, *, rule: SavingRule) -> dict[str, int]:
    """Bytes that each layer keeps for the backward pass, by an analytic rule.

    Memory that two layers keep stands with the first of them. On the meta device nothing is
    computed.

    Args:
        x: A batch.
        rule: `paper_rule` or `torch_rule`.

    >>> from efficientdl.costs.saving import paper_rule
    >>> model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
    >>> saved_by_layer(model, torch.zeros(1, 8), rule=paper_rule)
    {'0': 32, '1': 2, '2': 64}
    """
    check_inputs("saved_by_layer", model, x)
    _check.kind("saved_by_layer", "rule", rule, SavingRule)
    ledger = _Analytic(rule)
    run_training(model, x, ledger)
    return ledger.by_layer


@technique(
    "cost-activation-memory",
    paper="Cai, Gan, Zhu, Han, TinyTL: Reduce Memory, Not Parameters for Efficient On-Device "
    "Learning, 2020",
    survey="4, Fig. 10",
    lab="01_costs",
    kind=Measure(),
)
def saved_activation_bytes(model: nn.Module, x: Inputs, *, rule: SavingRule) -> int:
    """Bytes of activations that training keeps for the backward pass, by an analytic rule.

    They grow with the batch, the weights do not: at batch 16 a ResNet-50 keeps 13.9 times as much
    as it weighs. A network with 4.3 times fewer weights may keep hardly less.

    Args:
        x: A batch.
        rule: `paper_rule` or `torch_rule`.

    >>> from efficientdl.costs.saving import paper_rule
    >>> model = nn.Sequential(nn.Linear(8, 16), nn.ReLU6(), nn.Linear(16, 2))
    >>> saved_activation_bytes(model, torch.zeros(1, 8), rule=paper_rule)
    98
    >>> saved_activation_bytes(model, torch.zeros(1, 8), rule=torch_rule)
    160

    Source: Cai, Gan, Zhu, Han, "TinyTL: Reduce Memory, Not Parameters for Efficient On-Device
        Learning", 2020, section 3; survey section 4, Figure 10; lab 01.
    """
    check_inputs("saved_activation_bytes", model, x)
    _check.kind("saved_activation_bytes", "rule", rule, SavingRule)
    return sum(saved_by_layer(model, x, rule=rule).values())


def measured_saved_by_layer(model: nn.Module, x: Inputs) -> dict[str, int]:
    """Bytes that autograd really keeps, by the layer that was running when it kept them.

    >>> model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
    >>> measured_saved_by_layer(model, torch.zeros(1, 8))
    {'0': 32, '1': 64}
    """
    check_inputs("measured_saved_by_layer", model, x)
    ledger = _Ledger()
    kept: list[Tensor] = []  # as the graph would, so that no memory is used twice meanwhile

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        ledger.book(tensor.untyped_storage().nbytes(), tensor)
        return tensor

    same: Callable[[Tensor], Tensor] = lambda tensor: tensor  # noqa: E731
    with torch.autograd.graph.saved_tensors_hooks(pack, same):
        run_training(model, x, ledger)
    return ledger.by_layer


def measured_saved_bytes(model: nn.Module, x: Inputs) -> int:
    """Bytes that autograd really keeps in one training step: what its saved tensors occupy.

    Each piece of memory counts once and whole, also when only part of it is needed; weights and
    buffers, which are there anyway, do not count. Torch's hooks for saved tensors tell, so this is
    a measurement, though one that no other program on the machine can disturb.

    >>> model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
    >>> measured_saved_bytes(model, torch.zeros(1, 8))
    96

    Source: survey section 4, Figure 9; lab 01.
    """
    check_inputs("measured_saved_bytes", model, x)
    return sum(measured_saved_by_layer(model, x).values())


@dataclass(frozen=True)
class Footprint:
    """Memory of a model with one batch.

    Attributes:
        weight_bytes: The parameters.
        peak_activation_bytes: Activations alive at once in inference.
        saved_bytes: Activations kept for the backward pass in training.
    """

    weight_bytes: int
    peak_activation_bytes: int
    saved_bytes: int

    @property
    def inference_bytes(self) -> int:
        """Weights, and the activations alive at once."""
        return self.weight_bytes + self.peak_activation_bytes

    @property
    def training_bytes(self) -> int:
        """Weights, and the activations kept; gradients and the optimizer's state come on top."""
        return self.weight_bytes + self.saved_bytes


@technique(
    "cost-peak-memory",
    paper="Cai, Gan, Zhu, Han, TinyTL: Reduce Memory, Not Parameters for Efficient On-Device "
    "Learning, 2020",
    survey="4, Fig. 9",
    lab="01_costs",
    kind=Measure(),
)
def footprint(model: nn.Module, x: Inputs, *, rule: SavingRule = torch_rule) -> Footprint:
    """Memory of inference and of training with one batch.

    Inference needs the weights and the activations that live at the same time. Training needs the
    weights and every activation that the backward pass will ask for: the batch multiplies it, and
    what fits in a small device's memory at inference may be far from fitting when it learns.

    Args:
        x: A batch; its size is what the figures are for.
        rule: What training keeps.

    >>> model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
    >>> footprint(model, torch.zeros(4, 8))
    Footprint(weight_bytes=712, peak_activation_bytes=512, saved_bytes=384)

    Source: Cai, Gan, Zhu, Han, "TinyTL", 2020, section 3; survey section 4, Figure 9; lab 01.
    """
    check_inputs("footprint", model, x)
    return Footprint(
        weight_bytes=weight_bytes(model),
        peak_activation_bytes=peak_activation_bytes(model, x),
        saved_bytes=saved_activation_bytes(model, x, rule=rule),
    )
