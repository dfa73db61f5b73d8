"""Patch by patch: run the first layers on one part of the picture after another.

In a network for pictures the first layers hold most of the memory: few channels, but every pixel.
If a patch of a later, smaller picture is computed all the way from the input before the next patch
is begun, only patches of the large pictures are ever in memory. The price: patches overlap, since
windows do, and the rim (the halo) is computed more than once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from efficientdl import _check
from efficientdl.systems.compiler.graph import Array, Graph, Node, Value, check
from efficientdl.systems.compiler.memory.program import Program, program_of
from efficientdl.systems.compiler.memory.regions import (
    Box,
    Region,
    Span,
    cut_of,
    is_local,
    needed,
    unpadded,
    whole,
)
from efficientdl.systems.compiler.memory.steps import (
    POINTWISE,
    ChannelByChannel,
    Overwriting,
    Step,
    is_depthwise,
)
from efficientdl.systems.compiler.ops import Shape


def patch_by_patch(graph: Graph, *, until: str, rows: int, cols: int) -> Program:
    """Compute one value patch by patch, and the rest of the graph layer by layer.

    With one row and one column, this is layer by layer all the way.

    Args:
        graph: The graph.
        until: The value that is put together from patches. All that it needs must be local, and
            must be needed for nothing else.
        rows: Patches from top to bottom.
        cols: Patches from left to right.

    Raises:
        BadValue: The value is no picture, has fewer rows or columns than that, or what leads to it
            is not local or is needed elsewhere.

    >>> import torch
    >>> from torch import nn
    >>> from efficientdl.systems.compiler.trace import trace
    >>> model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 1, 3, 2, padding=1))
    >>> graph = trace(model, torch.zeros(1, 1, 16, 16))
    >>> program_of(graph).cost()
    Cost(macs=23040, activation_bytes=9216)
    >>> patch_by_patch(graph, until="1", rows=2, cols=2).cost()
    Cost(macs=25416, activation_bytes=3872)

    Source: Lin, Chen, Cai, Gan, Han, "MCUNetV2: Memory-Efficient Patch-based Inference for Tiny
        Deep Learning", 2021; survey section 6.1; lab 13.
    """
    check(graph)
    values = graph.values()
    _check.one_of(
        "patch_by_patch", "until", until, [v.name for n in graph.nodes for v in n.outputs]
    )
    if len(values[until].shape) != 4:
        _check.fail("patch_by_patch", "until", "must be a picture, n c h w", values[until].shape)
    for name, n, most in zip(("rows", "cols"), (rows, cols), values[until].shape[2:], strict=True):
        _check.whole("patch_by_patch", name, n, 1, most)
    first = leading_to(graph, until)
    _check_local(graph, first, until)
    boxes = grid(values[until], rows, cols)
    patches = [_Patch(graph, first, values, until, i, len(boxes)) for i in range(len(boxes))]
    steps = [step for patch, box in zip(patches, boxes, strict=True) for step in patch.steps(box)]
    plain = program_of(graph)
    done = {node.name for node in first}
    rest = [step for step in plain.steps if step.name not in done]
    made = {v.name for node in first for v in node.outputs} - {until}
    kept = {name: value for name, value in plain.values.items() if name not in made}
    parts = {value.name: value for patch in patches for value in patch.values_made}
    return replace(plain, values={**kept, **parts}, steps=(*steps, *rest))


def recomputed(patched: Program, plain: Program) -> float:
    """The share of MACs that patches add: 0.1 is ten per cent more than layer by layer."""
    ours, theirs = patched.cost().macs, plain.cost().macs
    return ours / theirs - 1 if ours and theirs else 0.0


def leading_to(graph: Graph, name: str) -> tuple[Node, ...]:
    """The nodes that a value needs, in order."""
    wanted, found = {name}, []
    for node in reversed(graph.nodes):
        if wanted & {value.name for value in node.outputs}:
            wanted.update(node.inputs)
            found.append(node)
    return tuple(reversed(found))


def grid(value: Value, rows: int, cols: int) -> list[Box]:
    """A picture cut into patches as equal as can be, row by row.

    >>> [box.size for box in grid(Value("y", (1, 1, 5, 4)), 2, 1)]
    [(2, 4), (3, 4)]
    """
    h, w = value.shape[2:]
    return [Box(a, b) for a in _cut(h, rows) for b in _cut(w, cols)]


def _cut(n: int, parts: int) -> list[Span]:
    ends = [n * i // parts for i in range(parts + 1)]
    return [Span(low, high) for low, high in pairwise(ends)]


def _check_local(graph: Graph, first: tuple[Node, ...], until: str) -> None:
    values, names = graph.values(), {node.name for node in first}
    for node in first:
        if not is_local(node, values, graph.constants):
            _check.fail("patch_by_patch", "what leads to `until`", "must be local", str(node))
    inner = {v.name for node in first for v in node.outputs} - {until}
    elsewhere = [n for node in graph.nodes if node.name not in names for n in node.inputs]
    shared = inner & {*elsewhere, *graph.outputs}
    if shared:
        rule = "must be needed for nothing else"
        _check.fail("patch_by_patch", "what leads to `until`", rule, sorted(shared))


@dataclass
class _Patch:
    """The steps of one patch, and the values that they make."""

    graph: Graph
    first: tuple[Node, ...]
    values: Mapping[str, Value]
    until: str
    number: int
    n_patches: int

    def __post_init__(self) -> None:
        self.values_made: list[Value] = []

    def steps(self, box: Box) -> Iterator[Step]:
        """One step for each node, for the boxes that this box of `until` is made of."""
        boxes = self.boxes(box)
        for node in self.first:
            yield self.step(node, boxes)

    def boxes(self, box: Box) -> dict[str, Box]:
        """From the back: the box of each value that the steps after it ask for."""
        boxes = {self.until: box}
        for node in reversed(self.first):
            wanted = needed(node, self.values, boxes[node.outputs[0].name])
            for name in self.pictures(node):
                part = wanted.inside(self.size(name))
                boxes[name] = boxes[name].union(part) if name in boxes else part
        return boxes | {v.name: whole(v) for v in self.graph.inputs if v.name in boxes}

    def step(self, node: Node, boxes: dict[str, Box]) -> Step:
        name, pictures = node.outputs[0].name, self.pictures(node)
        box, last = boxes[name], name == self.until
        self.values_made.append(self.value(name, box))
        wanted = needed(node, self.values, box)
        cuts = tuple(cut_of(node, boxes[n], wanted, self.values[n]) for n in pictures)
        run = Region(unpadded(node), self.weights(node), cuts, box if last else None)
        before = self.version(name, self.number - 1) if last and self.number else None
        reads = tuple(self.part(n) for n in pictures)
        made = (*node.outputs[0].shape[:2], *box.size)
        return Step(
            name=f"{node.name} of patch {self.number}",
            reads=reads if before is None else (*reads, before),
            writes=(self.values_made[-1].name,),
            run=run,
            macs=node.rule.macs([self.values[n].shape for n in node.inputs], made),
            over=before,
            overwriting=None if last else self.overwriting(run, boxes, made),
        )

    def overwriting(self, run: Region, boxes: dict[str, Box], made: Shape) -> Overwriting | None:
        """How the step could work over one of its parts, if it can."""
        node, pictures = run.node, self.pictures(run.node)
        shapes = {n: (*self.values[n].shape[:2], *boxes[n].size) for n in pictures}
        if node.op in POINTWISE:
            here = boxes[node.outputs[0].name]
            equal = [n for n in pictures if boxes[n] == here and shapes[n] == made]
            return Overwriting(tuple(map(self.part, equal)), run) if equal else None
        if is_depthwise(node, shapes[pictures[0]], made):
            by_channel = ChannelByChannel(node, run.constants, run.cuts[0])
            scratch = Value("scratch", made[2:], node.outputs[0].dtype)
            return Overwriting((self.part(pictures[0]),), by_channel, scratch)
        return None

    def value(self, name: str, box: Box) -> Value:
        whole_value = self.values[name]
        if name == self.until:
            return replace(whole_value, name=self.version(name, self.number))
        shape = (*whole_value.shape[:2], *box.size)
        return replace(whole_value, name=self.part(name), shape=shape)

    def version(self, name: str, number: int) -> str:
        """The whole picture after so many patches; after the last it has its own name."""
        return name if number == self.n_patches - 1 else f"{name} after patch {number}"

    def part(self, name: str) -> str:
        """A value of this patch; an input of the graph is there as a whole."""
        inputs = {value.name for value in self.graph.inputs}
        return name if name in inputs else f"{name} of patch {self.number}"

    def pictures(self, node: Node) -> list[str]:
        return [name for name in node.inputs if name not in self.graph.constants]

    def weights(self, node: Node) -> dict[str, Array]:
        held = self.graph.constants
        return {name: held[name] for name in node.inputs if name in held}

    def size(self, name: str) -> tuple[int, int]:
        h, w = self.values[name].shape[2:]
        return h, w
