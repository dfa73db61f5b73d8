"""Groups of channels that go together, to be looked at before anything is cut.

A convolution's output channel is a row of its own weight, a number of the batch norm behind it, a
filter of a depthwise convolution, a column of every layer that reads it, and, across an addition,
the row of another layer too. All of these are one unit: they are cut together or not at all.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.compression.layers import WeightLayer, demand_floats
from efficientdl.compression.pruning.structure.rules import RULES
from efficientdl.compression.pruning.structure.ties import STAYS
from efficientdl.compression.pruning.structure.tracer import Slot, Tracer
from efficientdl.costs.trace import check_inputs, run


@dataclass(frozen=True)
class Slice:
    """The places along one axis of one weight that a group of channels takes.

    Attributes:
        layer: The layer that the weight belongs to.
        weight: The name of the parameter or buffer.
        axis: Which of its axes runs over the channels.
        role: What the channels are to the layer: `in`, `out`, `batch norm`, `group norm`,
            `depthwise`, `bias` or `scale`.
        places: For each unit of the group, where it stands along the axis.
    """

    layer: str
    weight: str
    axis: int
    role: str
    places: tuple[tuple[int, ...], ...]

    @property
    def reads(self) -> bool:
        """Whether the layer reads the channels, rather than making them."""
        return self.role == "in"

    def __str__(self) -> str:
        return f"{self.layer or self.weight} {self.role} {_spans(self.places)}"


@dataclass(frozen=True)
class Group:
    """Units of channels that run through the same layers: any of them may be cut, each as a whole.

    Attributes:
        name: The layer that makes them first.
        slices: Where they stand, in the order in which the model runs.

    >>> import torch
    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 1))
    >>> print(channel_groups(model, torch.zeros(1, 3, 5, 5))[0])
    0: 8 units
      0 out 0:8
      -> 1 batch norm 0:8
      -> 2 in 0:8
    """

    name: str
    slices: tuple[Slice, ...]

    def __len__(self) -> int:
        return len(self.slices[0].places)

    def __str__(self) -> str:
        lines = list(dict.fromkeys(str(s) for s in self.slices if s.role != "bias"))
        return f"{self.name}: {len(self)} units\n  " + "\n  -> ".join(lines)


def channel_groups(model: nn.Module, x: Shaped[Tensor, "..."]) -> list[Group]:
    """Find the channels that can be cut, and what must go with each.

    The model runs once on the example. Every operation below autograd is followed: additions tie
    the channels that meet, concatenations and shuffles carry them along, a group convolution ties
    the same place of its groups. Input and output channels of the model are in no group, nor are
    those that a layer norm, a recurrent layer, an attention or a slice by number holds. Layers
    that do not run on the example, as those for training alone, are not seen.

    Args:
        model: Any model that runs on `x`; nothing needs to be rewritten for it.
        x: An example of its input, batch first.

    Raises:
        BadValue: An operation without a rule meets channels, or values of the input decide which
            way the model goes: the module is named.

    >>> import torch
    >>> mlp = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    >>> [group.name for group in channel_groups(mlp, torch.zeros(1, 4))]
    ['0']

    Source: Fang, Ma, Song, Mi and Wang, "DepGraph: Towards Any Structural Pruning", CVPR 2023,
    section 3.2; the survey's section 2.1, "Channel-based pruning"; lab 02.
    """
    check_inputs("channel_groups", model, x)
    for name, layer in model.named_modules():
        if isinstance(layer, WeightLayer) and not layer.weight.is_meta:  # shapes are enough to look
            demand_floats("channel_groups", name, layer)
    tracer = Tracer("channel_groups", model, RULES)
    run(model, x, tracer)
    return _grouped(tracer)


def _grouped(tracer: Tracer) -> list[Group]:
    units: dict[int, dict[tuple[str, int], list[int]]] = defaultdict(dict)
    for place, slot in tracer.slots.items():
        for i, root in enumerate(tracer.ties.of(slot.ids).tolist()):
            if root != STAYS:
                units[root].setdefault(place, []).append(i)
    alike: dict[tuple[tuple[str, int], ...], list[dict[tuple[str, int], list[int]]]] = {}
    for unit in units.values():
        alike.setdefault(tuple(unit), []).append(unit)
    groups: list[Group] = []
    taken: dict[str, int] = defaultdict(int)
    for places, members in alike.items():
        slots = [tracer.slots[place] for place in places]
        makers = [slot.layer for slot in slots if slot.role == "out"]
        name = (makers or [slots[0].layer])[0]
        taken[name] += 1
        unique = name if taken[name] == 1 else f"{name} #{taken[name]}"
        groups.append(Group(unique, _slices(slots, places, members)))
    return groups


def _slices(
    slots: list[Slot],
    places: tuple[tuple[str, int], ...],
    members: list[dict[tuple[str, int], list[int]]],
) -> tuple[Slice, ...]:
    return tuple(
        Slice(slot.layer, *place, slot.role, tuple(tuple(unit[place]) for unit in members))
        for slot, place in zip(slots, places, strict=True)
    )


def _spans(places: tuple[tuple[int, ...], ...]) -> str:
    """All places as Python writes them: `0:32, 40:48`."""
    every = np.sort(np.concatenate([np.array(unit) for unit in places]))
    runs = np.split(every, np.flatnonzero(np.diff(every) > 1) + 1)
    shown = [f"{r[0]}:{r[-1] + 1}" for r in runs]
    few = shown if len(shown) <= 4 else [*shown[:2], f"... {len(shown)} runs"]
    each = len(every) // len(places)
    return ", ".join(few) + (f" ({each} for each unit)" if each > 1 else "")


def demand_groups(caller: str, model: nn.Module, x: Tensor) -> list[Group]:
    """The groups of a model that has some.

    Raises:
        BadValue: There is no channel that could go.
    """
    groups = [group for group in channel_groups(model, x) if len(group) > 1]
    if not groups:
        rule = "must have channels that can go, beside those of its input and output"
        _check.fail(caller, "model", rule, type(model).__name__)
    return groups


def demand_values(caller: str, model: nn.Module) -> None:
    """Demand weights that are numbers.

    Raises:
        BadValue: They are on the meta device, or one is NaN or infinite.
    """
    for name, weight in model.named_parameters():
        if weight.is_meta:
            rule = f"must hold values: {name!r} is on the meta device, which has shapes alone"
            _check.fail(caller, "model", rule, type(model).__name__)
        if not bool(weight.isfinite().all()):
            rule = f"must have finite weights: those of {name!r} are not"
            bad = weight[~weight.isfinite()][0].item()
            _check.fail(caller, "model", rule, bad)
