"""The steps that have C code, what each is called, and the shape of what it gives."""

from math import prod

from torch import nn

from efficientdl import _check
from efficientdl.models.layers.activation_codes import ActivationCodes, KeepsCodes
from efficientdl.models.layers.integer import Geometry, IntegerConv2d, IntegerLinear
from efficientdl.models.layers.integer_steps import (
    IntegerAdd,
    IntegerAveragePool,
    IntegerClamp,
    IntegerConcat,
    IntegerMaxPool,
    IntegerNetwork,
    IntegerReshape,
)
from efficientdl.systems.compiler.codegen.window import axes_of

Shape = tuple[int, ...]
INPUT = "to_codes"  # the name of the network's input among its values: no step can have it

KINDS: dict[type[nn.Module], str] = {
    IntegerConv2d: "convolution",
    IntegerLinear: "linear",
    IntegerAdd: "add",
    IntegerConcat: "concat",
    IntegerAveragePool: "average pool",
    IntegerMaxPool: "max pool",
    IntegerClamp: "clamp",
    IntegerReshape: "reshape",
}


def shapes_of(network: IntegerNetwork, x_shape: Shape) -> list[Shape]:
    """The shape of one example of each value: the input, then the output of each step.

    Args:
        network: The integer model.
        x_shape: What it takes, with a batch of one.

    Raises:
        BadKind: The network or the shape is of another kind.
        BadValue: A step has no C code, or does not take what it is given.
    """
    _check.kind("generate_c", "network", network, IntegerNetwork)
    _check.kind("generate_c", "x_shape", x_shape, tuple)
    for n in x_shape:
        _check.whole("generate_c", "x_shape", n, 1)
    if len(x_shape) < 2 or x_shape[0] != 1:
        rule = "must be a batch of one, (1, ...): the code runs one example at a time"
        _check.fail("generate_c", "x_shape", rule, x_shape)
    shapes: list[Shape] = [x_shape[1:]]
    for i, (name, takes) in enumerate(network.wires):
        module = network.get_submodule(name)
        if type(module) not in KINDS:
            known = ", ".join(KINDS.values())
            rule = f"must have C code: {known}; step {name!r} is another"
            _check.fail("generate_c", "network", rule, type(module).__name__)
        if not takes or not all(0 <= value <= i for value in takes):
            _check.fail("generate_c", f"step {name!r}", "must take values made before it", takes)
        _demand_bytes(name, module)
        shapes.append(_output(name, module, [shapes[value] for value in takes]))
    return shapes


def _demand_bytes(name: str, module: nn.Module) -> None:
    """Demand codes that are bytes, as they might not be in what was loaded from a file."""
    for kept in module.kept if isinstance(module, KeepsCodes) else ():
        held = getattr(module, kept)
        for codes in [held] if isinstance(held, ActivationCodes) else held:
            ends = -128 <= codes.lowest <= codes.highest <= 127
            fits = ends and -128 <= codes.zero_point <= 127
            _demand(name, "must have codes of one byte", fits, codes)


def _output(name: str, module: nn.Module, shapes: list[Shape]) -> Shape:
    x = shapes[0]
    if isinstance(module, IntegerAdd | IntegerConcat):
        return _joined(name, module, shapes)
    _demand(name, "must take one value", len(shapes) == 1, len(shapes))
    if isinstance(module, IntegerConv2d):
        groups = module.geometry.groups
        c_in = module.codes.shape[1] * groups
        _demand(name, "must have filters for each group", len(module.codes) % groups == 0, groups)
        _demand(name, f"must take {c_in} x h x w codes", x[0] == c_in and len(x) == 3, x)
        return (len(module.codes), *_places(name, module.geometry, x))
    if isinstance(module, IntegerLinear):
        _demand(name, f"must take {module.codes.shape[1]} codes", x == module.codes.shape[1:], x)
        return (len(module.codes),)
    if isinstance(module, IntegerMaxPool):
        return (x[0], *_places(name, module.geometry, x))
    if isinstance(module, IntegerAveragePool):
        n_taps = prod(module.geometry.kernel)
        _demand(name, "must average fewer than 2**23 pixels", n_taps < 2**23, n_taps)
        y = (x[0], *_places(name, module.geometry, x))
        return y if module.keeps_axes else (prod(y),)
    if isinstance(module, IntegerReshape):
        _demand(name, f"must take {prod(module.shape)} codes", prod(module.shape) == prod(x), x)
        return tuple(module.shape)
    return x


def _joined(name: str, module: IntegerAdd | IntegerConcat, shapes: list[Shape]) -> Shape:
    n = len(module.xs)
    _demand(name, f"must take {n} values", len(shapes) == n, len(shapes))
    if isinstance(module, IntegerAdd):
        _demand(name, "must add values of one shape", len(set(shapes)) == 1, shapes)
        return shapes[0]
    pictures = {shape[1:] for shape in shapes}
    _demand(name, "must join values of one height and width", len(pictures) == 1, shapes)
    return (sum(shape[0] for shape in shapes), *shapes[0][1:])


def _places(name: str, geometry: Geometry, x: Shape) -> tuple[int, int]:
    _demand(name, "must take c x h x w codes", len(x) == 3, x)
    rows, columns = axes_of(geometry, (x[1], x[2]))
    fits = rows.places > 0 and columns.places > 0
    _demand(name, "must have a window that fits into its padded picture", fits, x)
    return rows.places, columns.places


def _demand(name: str, rule: str, holds: bool, value: object) -> None:
    if not holds:
        _check.fail("generate_c", f"step {name!r}", rule, value)
