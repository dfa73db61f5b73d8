"""An integer network as a program for the memory planner: int8 values, and who may write over whom.

A step that reads each code before it writes at its place can work in place: a clamp, a sum, a pool
without a border. Channels side by side can begin where the first of them lies already. A depthwise
convolution needs one channel as scratch memory, unless its window has no border either.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import nn

from efficientdl.models.layers.integer import IntegerConv2d, IntegerProduct
from efficientdl.models.layers.integer_steps import (
    IntegerAdd,
    IntegerAveragePool,
    IntegerClamp,
    IntegerConcat,
    IntegerMaxPool,
    IntegerNetwork,
    IntegerReshape,
)
from efficientdl.systems.compiler.codegen.shapes import INPUT, Shape, shapes_of
from efficientdl.systems.compiler.codegen.window import axes_of, may_overwrite
from efficientdl.systems.compiler.graph import Array, Value
from efficientdl.systems.compiler.memory.program import Program
from efficientdl.systems.compiler.memory.steps import Overwriting, Step, stay


@dataclass(frozen=True)
class Apply:
    """Run a step of the integer model, and copy what it gives to its place.

    Attributes:
        module: The step.
    """

    module: nn.Module

    def __call__(self, x: Sequence[Array], y: Sequence[Array], scratch: Array | None) -> None:  # noqa: ARG002
        with torch.no_grad():
            y[0].copy_(self.module(*x))


def program_of_network(network: IntegerNetwork, x_shape: Shape) -> Program:
    """The steps of an integer network on one example, each with its places in memory still open.

    Args:
        network: The integer model.
        x_shape: What it takes, with a batch of one.

    Raises:
        BadKind: The network or the shape is of another kind.
        BadValue: A step has no C code, or does not take what it is given.

    >>> from efficientdl.models.layers.activation_codes import ActivationCodes
    >>> codes = ActivationCodes(0.5, 0)
    >>> relu = IntegerClamp(codes.between(0.0, 6.0))
    >>> network = IntegerNetwork([("relu", relu, (0,))], x=codes, y=codes)
    >>> [(step.name, step.reads) for step in program_of_network(network, (1, 8)).steps]
    [('relu', ('to_codes',))]
    """
    shapes = shapes_of(network, x_shape)
    names = [INPUT, *(name for name, _ in network.wires)]
    values = {
        name: Value(name, (1, *shape), torch.int8)
        for name, shape in zip(names, shapes, strict=True)
    }
    storage, steps = {INPUT: INPUT}, []
    for name, takes in network.wires:
        module, reads = network.get_submodule(name), tuple(names[value] for value in takes)
        view = isinstance(module, IntegerReshape)
        storage[name] = storage[reads[0]] if view else name
        if view:
            steps.append(Step(name, reads, (name,), stay, over=reads[0]))
            continue
        how = _overwriting(module, reads, values, storage)
        macs = _macs(module, values[name].shape)
        steps.append(Step(name, reads, (name,), Apply(module), macs, overwriting=how))
    return Program(values, (INPUT,), tuple(steps), (names[-1],))


def _overwriting(
    module: nn.Module,
    reads: tuple[str, ...],
    values: Mapping[str, Value],
    storage: Mapping[str, str],
) -> Overwriting | None:
    """How a step could work in place, if it can."""
    run = Apply(module)
    if isinstance(module, IntegerClamp | IntegerAdd):
        return Overwriting(tuple(dict.fromkeys(reads)), run)
    if isinstance(module, IntegerConcat):
        roots = [storage[name] for name in reads]  # the first must not be read again behind it
        return Overwriting(reads[:1], run) if roots[0] not in roots[1:] else None
    if isinstance(module, IntegerAveragePool | IntegerMaxPool):
        axes = axes_of(module.geometry, values[reads[0]].shape[2:])  # pyright: ignore[reportArgumentType]
        return Overwriting(reads, run) if may_overwrite(axes) else None
    return _over_channels(module, reads, values[reads[0]].shape, run)


def _over_channels(
    module: nn.Module, reads: tuple[str, ...], x: Shape, run: Apply
) -> Overwriting | None:
    """A depthwise convolution looks at one channel for each that it makes."""
    if not isinstance(module, IntegerConv2d):
        return None
    if not module.geometry.groups == len(module.codes) == x[1]:
        return None
    rows, columns = axes = axes_of(module.geometry, (x[2], x[3]))
    if may_overwrite(axes):
        return Overwriting(reads, run)
    n_outputs = rows.places * columns.places
    if n_outputs > rows.size * columns.size:
        return None
    return Overwriting(reads, run, Value("scratch", (n_outputs,), torch.int8))


def _macs(module: nn.Module, y: Shape) -> int:
    if not isinstance(module, IntegerProduct):
        return 0
    return module.codes.numel() * prod(y[2:])
