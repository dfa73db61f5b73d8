"""An integer network before its ranges are known: a node for each layer that it will have."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any, NoReturn

from torch import Tensor, nn

from efficientdl import _check
from efficientdl.compression.quantization.dataflow import Dataflow, Step
from efficientdl.models.layers.activation_codes import ActivationCodes
from efficientdl.models.layers.integer import Geometry

Make = Callable[[Sequence[ActivationCodes], ActivationCodes], nn.Module]


@dataclass(frozen=True)
class Weights:
    """The float weights of a product.

    Attributes:
        weight: `c_out` first.
        bias: One for each output, or none.
        geometry: How a convolution's window moves; None for a linear layer.
    """

    weight: Tensor
    bias: Tensor | None
    geometry: Geometry | None

    def finite(self) -> bool:
        """Whether every weight is a finite number."""
        held = [self.weight] if self.bias is None else [self.weight, self.bias]
        return all(bool(tensor.isfinite().all()) for tensor in held)

    def scaled(self, factor: Tensor, shift: Tensor) -> "Weights":
        """The product whose every output is multiplied by a factor, and has a shift added."""
        weight = self.weight * factor.reshape(-1, *[1] * (self.weight.ndim - 1))
        bias = shift if self.bias is None else self.bias * factor + shift
        return replace(self, weight=weight, bias=bias)


@dataclass
class Node:
    """One step of the integer network, before its ranges are known.

    Attributes:
        name: The layer that it comes from.
        takes: The nodes whose outputs it takes; 0 is the input.
        op: The operation of the float run whose output it stands for; its range is taken there.
            None where the codes keep the scale that they have.
        make: How to build it; None for a product.
        weights: What a product multiplies by.
        low: The least value that its activation lets through.
        high: The largest.
        shared: Whether something else takes its output before its activation.
    """

    name: str
    takes: tuple[int, ...]
    op: int | None
    make: Make | None = None
    weights: Weights | None = None
    low: float = -inf
    high: float = inf
    shared: bool = False


class Translator:
    """The nodes for the steps of a dataflow.

    Args:
        caller: Who asks, for the error.
        model: The model that ran.
        flow: What it computed.
        rules: What to do at each step, by torch's name for the operation.
    """

    def __init__(
        self, caller: str, model: nn.Module, flow: Dataflow, rules: Mapping[str, Any]
    ) -> None:
        self.caller, self.flow = caller, flow
        self.folders = {n for n, m in model.named_modules() if any(True for _ in m.children())}
        self.nodes: list[Node] = []
        self.made_by = {0: 0}  # value of the flow: node
        for step in flow.steps:
            rule = rules.get(step.name)
            if rule is None:
                self.refuse(step, f"must not compute {step.name}, which has no rule for integers")
            rule(self, step)
        if all(node.weights is None for node in self.nodes):
            _check.fail(caller, "model", "must have a Linear or Conv2d layer", type(model).__name__)
        for node in self.nodes:
            if node.weights is not None and not node.weights.finite():
                _check.fail(caller, "model", "must have finite weights alone, in layer", node.name)

    def refuse(self, step: Step, rule: str) -> NoReturn:
        """Raise, naming the layer."""
        _check.fail(self.caller, "model", f"{rule}, in layer", step.layer)

    def add(self, step: Step, *, keeps_scale: bool = False, **fields: Any) -> None:  # noqa: ANN401
        """Make a node for a step."""
        takes = tuple(self.made_by[value] for value in step.values())
        op = None if keeps_scale else step.op
        self.nodes.append(Node(self._name(step), takes, op, **fields))
        self.made_by[step.number] = len(self.nodes)
        self.nodes[-1].shared = self.flow.n_uses[step.number] > 1

    def source(self, step: Step) -> Node | None:
        """The node whose output this step alone takes, None for the input or a shared one."""
        number = self.made_by[step.values()[0]]
        node = self.nodes[number - 1] if number else None
        return None if node is None or node.shared else node

    def absorb(self, step: Step, node: Node) -> None:
        """Let a node do this step too: what the step gives is now the node's output."""
        self.made_by[step.number] = self.made_by[step.values()[0]]
        node.op = None if node.op is None else step.op
        node.shared = self.flow.n_uses[step.number] > 1

    def value_of(self, step: Step, names: Sequence[str], defaults: Mapping[str, Any]) -> list[Any]:
        """Arguments by name, whether they were given by place, by name, or left out."""
        given = dict(zip(names, step.args, strict=False)) | dict(step.kwargs)
        return [given.get(name, defaults.get(name)) for name in names]

    def _name(self, step: Step) -> str:
        inside = "" if step.layer == "(model)" else step.layer
        name = inside
        if inside in self.folders or not inside:
            name = f"{inside}.{step.name}".lstrip(".")
        taken, count, first = {node.name for node in self.nodes}, 1, name
        while name in taken:
            count += 1
            name = f"{first}_{count}"
        return name
