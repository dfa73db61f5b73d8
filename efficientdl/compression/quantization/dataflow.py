"""What a network computes, as a list of steps: which operation takes the output of which.

The model runs once on real examples, and every operation that its input reaches is written down.
Weights are whatever else goes in, however the model computes them, so that a masked weight is seen
as the product that it is. What the output does not need is left out.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from jaxtyping import Float
from torch import Tensor, nn
from torch.utils._pytree import tree_iter, tree_map
from torch.utils.weak import WeakTensorKeyDictionary

from efficientdl import _check
from efficientdl.compression.quantization.quantizable import demand_examples, fitting
from efficientdl.costs.trace import MODEL, Call, Op, Watcher, run, tensors


class Value(NamedTuple):
    """A value that depends on the input: 0 is the input, `i` what step `i` gives."""

    number: int


@dataclass(frozen=True)
class Step:
    """One operation on values.

    Attributes:
        number: Its place among the steps, from 1; also the value that it gives.
        op: Its place among all operations of the run.
        name: torch's name for it, without the underscore of one that works in place.
        layer: The innermost module in which it ran, "(model)" outside every layer.
        args: Its arguments, a `Value` for each that depends on the input.
        kwargs: The same of those given by name.
        x_shape: The shape of its first value.
        shape: The shape of its output.
    """

    number: int
    op: int
    name: str
    layer: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    x_shape: tuple[int, ...]
    shape: tuple[int, ...]

    def values(self) -> list[int]:
        """The values that it takes, in order."""
        leaves = tree_iter((self.args, dict(self.kwargs)), is_leaf=_is_value)
        return [v.number for v in leaves if isinstance(v, Value)]


class Dataflow(NamedTuple):
    """The steps that the output needs, in the order in which they ran.

    Attributes:
        steps: The steps.
        output: The value that the network gives.
        n_uses: How often each value is taken, as output too.
    """

    steps: list[Step]
    output: int
    n_uses: Mapping[int, int]


def dataflow(caller: str, model: nn.Module, x: Float[Tensor, "n ..."]) -> Dataflow:
    """Run a model once as in inference, and write down what it computes.

    Args:
        caller: Who asks, for the error.
        model: A model with one tensor in and one out.
        x: A batch of its input.

    Raises:
        BadValue: The batch is empty, or the output is not one tensor that depends on the input.

    >>> import torch
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.ReLU())
    >>> flow = dataflow("example", model, torch.zeros(1, 1, 2, 2))
    >>> [(step.name, step.layer, step.values()) for step in flow.steps]
    [('view', '0', [0]), ('addmm', '1', [1]), ('relu', '2', [2])]
    """
    demand_examples(caller, model, x)
    recorder = _Recorder()
    with fitting(caller, x):
        run(model, x, recorder)
    outputs = recorder.outputs
    if len(outputs) != 1 or outputs[0] is None:
        rule = "must give one tensor that depends on its input"
        _check.fail(caller, "model", rule, type(model).__name__)
    return _needed(recorder.steps, outputs[0])


class _Recorder(Watcher):
    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.outputs: list[int | None] = []
        self.n_ops = 0
        self.numbers: Any = WeakTensorKeyDictionary()  # no value is kept alive for this

    def enter(self, call: Call) -> None:
        if call.name == MODEL:
            for tensor in call.inputs():
                self.numbers[tensor] = 0

    def leave(self, call: Call, out: object) -> None:
        if call.name == MODEL:
            self.outputs = [self.numbers.get(tensor) for tensor in tensors(out)]

    def op(self, op: Op) -> None:
        taken = [t for t in op.inputs() if t in self.numbers]
        shapes = [tuple(t.shape) for t in taken]
        args, kwargs = tree_map(self._as_value, (op.args, dict(op.kwargs)))
        for place, out in enumerate(tensors(op.out)):
            if not taken:
                self.numbers.pop(out, None)  # written over by what does not depend on the input
                continue
            name = op.name.removeprefix("aten.").removesuffix("_") + f"[{place}]" * (place > 0)
            number, shape = len(self.steps) + 1, tuple(out.shape)
            step = Step(number, self.n_ops, name, op.layer, args, kwargs, shapes[0], shape)
            self.steps.append(step)
            self.numbers[out] = number
        self.n_ops += 1

    def _as_value(self, leaf: object) -> object:
        known = isinstance(leaf, Tensor) and leaf in self.numbers
        return Value(self.numbers[leaf]) if known else leaf


def _needed(steps: list[Step], output: int) -> Dataflow:
    needed, n_uses = {output}, Counter([output])
    for step in reversed(steps):
        if step.number in needed:
            needed.update(step.values())
            n_uses.update(step.values())
    return Dataflow([s for s in steps if s.number in needed], output, n_uses)


def _is_value(leaf: object) -> bool:
    return isinstance(leaf, Value)
