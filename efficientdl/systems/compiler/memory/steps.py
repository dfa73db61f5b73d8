"""The steps of a program: what each reads and writes, and whether it could write over its input."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from efficientdl.systems.compiler.graph import Array, Graph, Node, Value
from efficientdl.systems.compiler.memory.regions import Cut
from efficientdl.systems.compiler.ops import ACTIVATIONS, Shape, numel

# Each value that such an operation writes needs only the values at its own place.
POINTWISE = frozenset({*ACTIVATIONS, "batch_norm", "add", "mul"})
# What a step does: `run(inputs, outputs, scratch)` fills the outputs, which are places in memory.
Run = Callable[[Sequence[Array], Sequence[Array], Array | None], None]


@dataclass(frozen=True)
class Overwriting:
    """How a step can do its work over one of its inputs.

    Attributes:
        inputs: The values that it may write over, the best first.
        run: What it does then.
        scratch: The memory that it needs beside, if any; its name does not matter.
    """

    inputs: tuple[str, ...]
    run: Run
    scratch: Value | None = None


@dataclass(frozen=True)
class Step:
    """One piece of work.

    Attributes:
        name: Unlike any other step's.
        reads: The values that it takes; weights are not among them.
        writes: The values that it makes.
        run: What it does.
        macs: Multiply-accumulates.
        over: The value in whose memory its first output lies, if it does not get its own.
        scratch: Memory that only this step needs.
        overwriting: How it could work in place, if it can.
    """

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    run: Run
    macs: int = 0
    over: str | None = None
    scratch: Value | None = None
    overwriting: Overwriting | None = None


@dataclass(frozen=True)
class Compute:
    """Run a node of the graph, and copy what it gives to its place.

    Attributes:
        node: The node.
        constants: The weights among its inputs.
    """

    node: Node
    constants: Mapping[str, Array] = field(repr=False)

    def __call__(self, x: Sequence[Array], y: Sequence[Array], scratch: Array | None) -> None:  # noqa: ARG002
        given = iter(x)
        taken = [
            self.constants[n] if n in self.constants else next(given) for n in self.node.inputs
        ]
        for made, place in zip(self.node.rule.run(taken, self.node.attributes), y, strict=True):
            place.copy_(made)


def stay(x: Sequence[Array], y: Sequence[Array], scratch: Array | None) -> None:
    """A reshape: the same memory under another shape, and nothing to do."""


@dataclass(frozen=True)
class ChannelByChannel:
    """A depthwise convolution over its own input: each channel into scratch memory, then back.

    The paper's order keeps the first channel in scratch memory to the end and moves all others by
    one, which saves copies; the memory is the same.

    Attributes:
        node: The convolution.
        constants: Its weight, and its bias if it has one.
        cut: What to take of the input, if not all.
    """

    node: Node
    constants: Mapping[str, Array] = field(repr=False)
    cut: Cut | None = None

    def __call__(self, x: Sequence[Array], y: Sequence[Array], scratch: Array | None) -> None:
        assert scratch is not None
        attributes = {**self.node.attributes, "groups": 1}
        # An output channel is no larger than an input channel: it ends before the next one begins.
        for image, out in zip(x[0], y[0], strict=True):
            for c in range(len(image)):
                given = image[None, c : c + 1]
                taken = given if self.cut is None else self.cut(given)
                own = [self.constants[name][c : c + 1] for name in self.node.inputs[1:]]
                scratch.copy_(self.node.rule.run([taken, *own], attributes)[0][0, 0])
                out[c].copy_(scratch)


def step_of(graph: Graph, node: Node, values: Mapping[str, Value]) -> Step:
    """The step that runs one node of a graph, whose values are given by name."""
    reads = tuple(name for name in node.inputs if name not in graph.constants)
    writes = tuple(value.name for value in node.outputs)
    if node.rule.is_view and reads:
        return Step(node.name, reads, writes, stay, over=reads[0])
    constants = {name: graph.constants[name] for name in node.inputs if name in graph.constants}
    macs = node.rule.macs([values[name].shape for name in node.inputs], node.outputs[0].shape)
    shape = values[node.inputs[0]].shape
    how = None
    if node.op in POINTWISE:
        equal = tuple(name for name in reads if values[name].shape == node.outputs[0].shape)
        how = Overwriting(equal, Compute(node, constants)) if equal else None
    elif is_depthwise(node, shape, node.outputs[0].shape) and len(reads) == 1:
        run, out = ChannelByChannel(node, constants), node.outputs[0]
        how = Overwriting(reads, run, Value("scratch", out.shape[2:], out.dtype))
    return Step(node.name, reads, writes, Compute(node, constants), macs, overwriting=how)


def is_depthwise(node: Node, x: Shape, y: Shape) -> bool:
    """Whether a node makes each output channel of one input channel, and not larger than it."""
    if node.op != "conv2d":
        return False
    return node.attributes["groups"] == x[1] == y[1] and numel(y) <= numel(x)
