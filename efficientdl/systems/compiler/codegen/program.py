"""The C program of a network: its files, where its activations lie, and what each step takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple

from efficientdl.report import Cost, Report, table_text
from efficientdl.systems.compiler.codegen.shapes import Shape
from efficientdl.systems.compiler.codegen.text import shown
from efficientdl.systems.compiler.memory.lifetimes import live_bytes
from efficientdl.systems.compiler.memory.plan import Plan


class CStep(NamedTuple):
    """One step of the program.

    Attributes:
        name: What the network calls it.
        kind: `convolution`, `linear`, `add`, ...
        x_shapes: What it takes.
        y_shape: What it gives.
        x_offsets: Where in the arena it reads, in bytes.
        y_offset: Where it writes.
        in_place: Whether that is where one of its inputs lies.
        macs: Multiply-accumulates.
        table_bytes: Its constants: codes, biases, factors.
    """

    name: str
    kind: str
    x_shapes: tuple[Shape, ...]
    y_shape: Shape
    x_offsets: tuple[int, ...]
    y_offset: int
    in_place: bool
    macs: int
    table_bytes: int


@dataclass(frozen=True)
class CProgram:
    """C99 for one network: `source` and `header` alone are what a device needs.

    Attributes:
        name: Its files and functions begin with it.
        source: The network: `name.c`.
        header: What its user includes: `name.h`.
        main: A program that runs it on bytes from standard input: `name_main.c`.
        x_shape: One example of what it takes.
        y_shape: One example of what it gives.
        plan: Where the activations lie in the arena.
        steps: What is done, in order.
    """

    name: str
    source: str = field(repr=False)
    header: str = field(repr=False)
    main: str = field(repr=False)
    x_shape: Shape
    y_shape: Shape
    plan: Plan = field(repr=False)
    steps: tuple[CStep, ...] = field(repr=False)

    @property
    def arena_bytes(self) -> int:
        """Memory of all activations."""
        return self.plan.peak_bytes

    @property
    def table_bytes(self) -> int:
        """Constants of all steps."""
        return sum(step.table_bytes for step in self.steps)

    @property
    def files(self) -> Mapping[str, str]:
        """Each file's text, by its name."""
        return {
            f"{self.name}.c": self.source,
            f"{self.name}.h": self.header,
            f"{self.name}_main.c": self.main,
        }

    @property
    def report(self) -> Report:
        """MACs, bits of constants and bytes of live activations of each step."""
        live = live_bytes(self.plan.lifetimes)
        rows = {
            step.name: Cost(
                macs=step.macs, weight_bits=8 * step.table_bytes, activation_bytes=n_bytes
            )
            for step, n_bytes in zip(self.steps, live, strict=False)
        }
        return Report(rows, note="weights: constant tables in C, one byte a code")

    def __str__(self) -> str:
        """A line for each step: where it reads and writes."""
        rows = [["step", "kind", "from", "to", "shape", "in place", "MACs", "constants"]]
        for step in self.steps:
            reads = ", ".join(
                _span(at, shape) for at, shape in zip(step.x_offsets, step.x_shapes, strict=True)
            )
            rows.append([
                step.name,
                step.kind,
                reads,
                _span(step.y_offset, step.y_shape),
                shown(step.y_shape),
                "yes" if step.in_place else "",
                f"{step.macs:,}",
                f"{step.table_bytes:,}",
            ])
        return table_text(rows)


def _span(at: int, shape: Shape) -> str:
    return f"{at}..{at + prod(shape)}"
