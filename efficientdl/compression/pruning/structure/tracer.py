"""Follow the channels through one run of a model.

Every operation below autograd is seen; a rule for each kind says what it does to channels, and
which axis of which weight belongs to them. What no rule covers raises, where channels reach it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.compression.pruning.structure.labels import Labels, read_back, written_out
from efficientdl.compression.pruning.structure.ties import Ids, Ties
from efficientdl.costs.trace import MODEL, Call, Op, Watcher, tensors

# torch's own layers that can be made narrower; others write their sizes down in ways of their own.
CUTTABLE = (
    nn.Linear,
    nn.Embedding,
    nn.PReLU,
    nn.modules.conv._ConvNd,
    nn.modules.batchnorm._BatchNorm,
    nn.GroupNorm,
)


@dataclass(frozen=True)
class Held:
    """A parameter or buffer on its way into an operation, perhaps seen in another order.

    Attributes:
        names: Its name; several where they were multiplied, as a weight and its mask.
        axes: For each axis of the view, the tensor's own axis, None where the view made it up.
    """

    names: tuple[str, ...]
    axes: tuple[int | None, ...]


@dataclass(frozen=True)
class Slot:
    """An axis of a weight, and the channels along it.

    Attributes:
        layer: The layer that used it.
        role: What the channels are to that layer.
        ids: Their numbers.
    """

    layer: str
    role: str
    ids: Ids


class Tracer(Watcher):
    """What is known while the model runs.

    Args:
        caller: Who asks, for the error.
        model: The model that will be run.
        rules: What to do at each operation, by torch's name for it.
    """

    def __init__(self, caller: str, model: nn.Module, rules: Mapping[str, Any]) -> None:
        self.caller, self.rules = caller, rules
        self.ties = Ties()
        self.slots: dict[tuple[str, int], Slot] = {}
        self.layer = MODEL
        self._labels: dict[int, tuple[Tensor, Labels]] = {}
        self._held: dict[int, tuple[Tensor, Held]] = {}
        self._keeps: set[str] = set()
        self._fed: dict[int, Tensor] = {}
        self.places = {"": model} | dict(model.named_modules())
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            self._held[id(tensor)] = tensor, Held((name,), tuple(range(tensor.ndim)))

    def op(self, op: Op) -> None:
        """Apply the rule of this operation."""
        self.layer = op.layer
        if any(self.is_fed(tensor) for tensor in op.inputs()):
            self._fed |= {id(tensor): tensor for tensor in tensors(op.out)}
        rule = self.rules.get(op.name.removeprefix("aten."))
        if rule is not None:
            rule(self, op)
        elif _pointwise(op):
            self.rules["pointwise"](self, op)
        else:
            self._unknown(op)

    def enter(self, call: Call) -> None:
        """What the model is given decides what it computes."""
        if call.name == MODEL:
            self._fed |= {id(tensor): tensor for tensor in call.inputs()}

    def leave(self, call: Call, out: object) -> None:
        """What the model gives out stays."""
        if call.name == MODEL:
            given = list(tensors(out))
            if not given:
                rule = "must give tensors out, or a tuple, list or dictionary of them"
                _check.fail(self.caller, "model", rule, type(out).__name__)
            self.keep(*given)

    def refuse(self, rule: str) -> NoReturn:
        """Say what cannot be followed, and in which module."""
        _check.fail(self.caller, "model", rule, self.layer)

    def is_fed(self, tensor: object) -> bool:
        """Whether a tensor depends on the model's input, and not on its weights alone."""
        return id(tensor) in self._fed

    def _unknown(self, op: Op) -> None:
        if any(self.labels(tensor) is not None for tensor in op.inputs()):
            name = op.name.removeprefix("aten.")
            self.refuse(f"must not put channels through {name}, which has no rule, in the module")
        self.keep_weights(op)

    def labels(self, tensor: object) -> Labels | None:
        """The channels of a tensor, those that stay as 0; None where there are none to cut."""
        found = self._labels.get(id(tensor))
        if found is None:
            return None
        ids = self.ties.of(found[1].ids)
        return Labels(found[1].axis, ids) if ids.any() else None

    def give(self, tensor: Tensor, labels: Labels | None) -> None:
        """Say which channels a tensor has. It is held, so that its id is not used again."""
        if labels is None:
            self._labels.pop(id(tensor), None)  # an operation in place gives the same tensor out
        else:
            self._labels[id(tensor)] = tensor, labels

    def grid(self, tensor: Tensor) -> Tensor:
        """The channels of a tensor, written out."""
        return written_out(self.labels(tensor), tensor.shape)

    def give_grid(self, tensor: Tensor, grid: Tensor, prefer: int | None = None) -> None:
        """Say which channels a tensor has, by a number for each place."""
        self.give(tensor, read_back(grid, self.ties, prefer))

    def keep(self, *kept: Tensor) -> None:
        """Say that all channels of these tensors stay."""
        for tensor in kept:
            labels = self.labels(tensor)
            if labels is not None:
                self.ties.keep(labels.ids)

    def held(self, tensor: object) -> Held | None:
        """The weight that a tensor is, or is a view of."""
        found = self._held.get(id(tensor))
        return None if found is None else found[1]

    def hold(self, tensor: Tensor, held: Held) -> None:
        """Say that a tensor is a view of a weight."""
        self._held[id(tensor)] = tensor, held

    def keep_weights(self, op: Op) -> None:
        """The weights that go into this operation are never cut."""
        for tensor in op.inputs():
            held = self.held(tensor)
            for name in held.names if held else ():
                self._keeps.add(name)
                for (weight, _), slot in self.slots.items():
                    if weight == name:
                        self.ties.keep(slot.ids)

    def attach(self, held: Held, axis: int, ids: Ids, role: str) -> None:
        """An axis of a weight runs over these channels."""
        own = held.axes[axis]
        if own is None:
            self.ties.keep(ids)
            return
        for name in held.names:
            place = name, own
            if place in self.slots:  # a weight that is used twice
                self.ties.tie(self.slots[place].ids, ids)
            else:
                self.slots[place] = Slot(name.rpartition(".")[0], role, ids)
            if name in self._keeps or not self._can_shrink(name):
                self.ties.keep(ids)

    def _can_shrink(self, name: str) -> bool:
        owner = self.places[name.rpartition(".")[0]]
        ours = not type(owner).__module__.startswith("torch.nn.modules")
        return ours or isinstance(owner, CUTTABLE)


def _pointwise(op: Op) -> bool:
    packet = getattr(torch.ops.aten, op.name.removeprefix("aten."), None)
    if packet is None or not op.name.startswith("aten."):
        return False
    tags = (getattr(packet, overload).tags for overload in packet.overloads())
    return any(torch.Tag.pointwise in t for t in tags)
