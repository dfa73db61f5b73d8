"""Take the graph from a network of torch."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from operator import getitem
from typing import Any

import torch
from torch import Tensor, fx, nn

from efficientdl import _check
from efficientdl.costs.trace import MODEL, Inputs, arguments, check_inputs
from efficientdl.systems.compiler.graph import Array, Graph, Node, Value, check, constant, node
from efficientdl.systems.compiler.lower import LOWER
from efficientdl.systems.compiler.names import unused


def trace(model: nn.Module, x: Inputs) -> Graph:
    """Take the graph of what a network computes in inference.

    `torch.export` runs the network once on tensors that have shapes and no numbers, and hands over
    every operation below the modules with its shapes: unlike symbolic tracing it sees functional
    calls and methods alike, and unlike a recorded run it refuses a network whose path depends on
    the numbers. Each operation becomes one of the closed set. Dropout disappears. The constants
    are the network's own tensors, not copies.

    Args:
        model: A network; it may stand on the meta device, for a graph to count and to plan.
        x: An input, or a tuple of them: only shapes and dtypes matter. The graph holds for these.

    Raises:
        BadValue: The network does something that is not in the closed set, or gives what is not
            tensors.

    >>> model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten()).eval()
    >>> print(trace(model, torch.zeros(1, 1, 4, 4)))
    x: float32 (1, 1, 4, 4)
    0 = conv2d(x, 0.weight, 0.bias)  # (1, 2, 2, 2)
    1 = relu(0)  # (1, 2, 2, 2)
    2 = reshape(1, shape=(1, 8))  # (1, 8)
    return 2

    Source: the IR is of the kind that Chen et al., "TVM", OSDI 2018, section 3, and Jia et al.,
    "TASO", SOSP 2019, section 2, rewrite; the survey's section 6.1; lab 13.
    """
    check_inputs("trace", model, x)
    with _inference(model):
        program = _exported(model, x)
    builder = _Builder(model, program)
    for step in program.graph.nodes:
        builder.add(step)
    graph = builder.graph()
    check(graph)
    return graph


@contextmanager
def _inference(model: nn.Module) -> Iterator[None]:
    """Evaluation mode and no gradients; every module gets its mode back."""
    before = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        with torch.no_grad():
            yield
    finally:
        for module, training in before:
            module.training = training


def _exported(model: nn.Module, x: Inputs) -> torch.export.ExportedProgram:
    """Torch's list of steps, none of which writes over a value."""
    try:
        program = torch.export.export(model, arguments(x), strict=False)
    except Exception as error:  # a path that depends on numbers, a shape that does not fit
        first = str(error).strip().split("\n")[0]
        rule = "must run, on a path that does not depend on numbers"
        raise _check.BadValue(f"trace: model {rule}, got {first}") from error
    if any(_writes(step) for step in program.graph.nodes):
        with warnings.catch_warnings():  # torch uses what it deprecates
            warnings.simplefilter("ignore", FutureWarning)
            program = program.run_decompositions({})  # `relu_` becomes `relu`
    signature = program.graph_signature
    written = [*signature.buffers_to_mutate.values(), *signature.user_inputs_to_mutate.values()]
    if written:
        _check.fail("trace", "model", "must not write into its inputs or buffers", written)
    return program


def _writes(step: fx.Node) -> bool:
    schema = getattr(step.target, "_schema", None)
    return schema is not None and schema.is_mutable


class _Builder:
    """Nodes of the graph, made one after the other from the steps that torch hands over."""

    def __init__(self, model: nn.Module, program: torch.export.ExportedProgram) -> None:
        self.leaves = {name for name, m in model.named_modules() if not list(m.children())}
        signature = program.graph_signature
        self.held = {
            **signature.inputs_to_parameters,
            **signature.inputs_to_buffers,
            **signature.inputs_to_lifted_tensor_constants,
        }
        self.stored = {**program.state_dict, **program.constants}
        self.n_inputs = len(signature.user_inputs)
        self.inputs: list[Value] = []
        self.constants: dict[str, Tensor] = {}
        self.nodes: list[Node] = []
        self.names: set[str] = set()
        self.made: dict[fx.Node, Any] = {}  # a value, or a list of them
        self.outputs: tuple[str, ...] = ()

    def add(self, step: fx.Node) -> None:
        if step.op == "placeholder":
            self.made[step] = self.taken(step)
        elif step.op == "output":
            self.finish(step.args[0])
        elif step.target is getitem:
            values, place = step.args
            self.made[step] = self.made[values][place]  # pyright: ignore[reportArgumentType]
        else:
            self.made[step] = self.computed(step)

    def taken(self, step: fx.Node) -> Value:
        """An input, or a tensor that the network holds."""
        if step.name in self.held:
            name = self.held[step.name]
            tensor = self.stored[name].detach()
            self.constants[name] = tensor
            return constant(name, tensor)
        shown = step.meta["val"]
        if not isinstance(shown, Tensor):
            _check.fail("trace", "inputs", "must be tensors", shown)
        name = "x" if self.n_inputs == 1 else f"x{len(self.inputs)}"
        value = Value(self.new(name), tuple(shown.shape), shown.dtype)
        self.inputs.append(value)
        return value

    def computed(self, step: fx.Node) -> Any:  # noqa: ANN401
        """One operation of the closed set, or none where torch's does nothing in inference."""
        schema = step.target._schema  # pyright: ignore
        op = schema.name.removeprefix("aten::")
        _check.one_of("trace", "operation", op, LOWER)
        given = self.given(step, schema)
        lowered = LOWER[op](given)
        if lowered is None:
            return next(v for v in given.values() if isinstance(v, Value))
        name, sources, attributes = lowered
        if attributes.get("shape", 0) is None:
            attributes["shape"] = tuple(step.meta["val"].shape)
        dtype = next(self.values_in(given.values())).dtype
        where = self.new(self.place(step, name))
        if name in ("batch_norm", "layer_norm"):
            given = self.with_affine(given, dtype, where)
        inputs = [v for source in sources for v in self.operands(given.get(source), dtype, where)]
        made = node(where, name, inputs, **attributes)
        self.nodes.append(made)
        self.names.update(v.name for v in made.outputs)
        several = isinstance(step.meta["val"], (list, tuple))
        return list(made.outputs) if several else made.outputs[0]

    def given(self, step: fx.Node, schema: torch.FunctionSchema) -> dict[str, Any]:
        """Torch's arguments by name, defaults filled in, values of the graph in their place."""
        named = {
            a.name: a.default_value if a.has_default_value() else None for a in schema.arguments
        }
        named |= dict(zip(named, step.args, strict=False)) | step.kwargs
        return dict(fx.node.map_arg(named, lambda n: self.made[n]))  # pyright: ignore

    def values_in(self, given: Any) -> Iterator[Value]:  # noqa: ANN401
        for item in given:
            if isinstance(item, Value):
                yield item
            elif isinstance(item, (list, tuple)):
                yield from self.values_in(item)

    def operands(self, item: Any, dtype: torch.dtype, where: str) -> Iterator[Value]:  # noqa: ANN401
        """The values that an argument stands for; a plain number becomes a constant."""
        if isinstance(item, Value):
            yield item
        elif isinstance(item, (int, float)):
            yield self.held_value(f"{where}.number", torch.tensor(item, dtype=dtype))
        elif item is not None:
            yield from (value for part in item for value in self.operands(part, dtype, where))

    def with_affine(self, given: dict[str, Any], dtype: torch.dtype, where: str) -> dict[str, Any]:
        """A norm without weight and bias, as one with ones and zeros."""
        shape = given["input"].shape
        channels = shape[1] if "running_mean" in given else shape[-1]
        device = next(iter(self.constants.values())).device if self.constants else None
        for name, number in (("weight", 1.0), ("bias", 0.0)):
            if given[name] is None:
                given[name] = self.held_value(
                    f"{where}.{name}", torch.full((channels,), number, dtype=dtype, device=device)
                )
        if given.get("running_mean", 0) is None:
            _check.fail("trace", f"batch norm {where!r}", "must have running statistics", None)
        return given

    def held_value(self, name: str, tensor: Array) -> Value:
        """A constant of ours, under a name that nothing has yet."""
        name = self.new(name)
        self.constants[name] = tensor
        return constant(name, tensor)

    def place(self, step: fx.Node, op: str) -> str:
        """A name for a node: the layer's, followed by the operation where the layer has others."""
        stack: Mapping[str, tuple[str, Any]] = step.meta.get("nn_module_stack") or {}
        layer = [name for name, _ in stack.values()][-1] if stack else ""
        if layer in self.leaves and layer:
            return layer
        return f"{layer}.{op}" if layer else op

    def new(self, name: str) -> str:
        """A name that nothing has yet: the one proposed, or that with a number."""
        free = unused(name, self.names.__contains__)
        self.names.add(free)
        return free

    def finish(self, given: Any) -> None:  # noqa: ANN401
        values = [self.made.get(step) for step in given]
        if not values or not all(isinstance(v, Value) for v in values):
            _check.fail("trace", "model", "must give tensors that it computes", MODEL)
        self.outputs = tuple(v.name for v in values if isinstance(v, Value))

    def graph(self) -> Graph:
        """The graph, with the constants that its nodes take."""
        used = {name for n in self.nodes for name in n.inputs} | set(self.outputs)
        constants = {name: t for name, t in self.constants.items() if name in used}
        return Graph(tuple(self.inputs), constants, tuple(self.nodes), self.outputs)
