"""A quantized network as C that needs nothing: no library, no float, no memory from a heap."""

import re
from collections.abc import Mapping

from efficientdl import _check
from efficientdl.catalogue import Measure, technique
from efficientdl.models.layers.integer import IntegerConv2d, IntegerLinear
from efficientdl.models.layers.integer_steps import (
    IntegerAdd,
    IntegerAveragePool,
    IntegerClamp,
    IntegerConcat,
    IntegerMaxPool,
    IntegerNetwork,
)
from efficientdl.systems.compiler.codegen import between, products
from efficientdl.systems.compiler.codegen.files import (
    Body,
    Ends,
    header_text,
    main_text,
    source_text,
)
from efficientdl.systems.compiler.codegen.lowering import program_of_network
from efficientdl.systems.compiler.codegen.program import CProgram, CStep
from efficientdl.systems.compiler.codegen.shapes import KINDS, Shape
from efficientdl.systems.compiler.codegen.text import Code
from efficientdl.systems.compiler.memory.in_place import in_place
from efficientdl.systems.compiler.memory.plan import Plan
from efficientdl.systems.compiler.memory.planner import plan_memory
from efficientdl.systems.compiler.memory.program import (
    Program,
    lifetimes_of,
    scratch_name,
    storages,
)
from efficientdl.systems.compiler.memory.steps import Step, stay

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@technique(
    "sys-codegen",
    paper="Lin, Chen, Lin, Cohn, Gan and Han, MCUNet: Tiny Deep Learning on IoT Devices, 2020",
    survey="6.1",
    lab="13_kernels_and_compilers",
    kind=Measure(),
)
def generate_c(network: IntegerNetwork, x_shape: Shape, *, name: str = "network") -> CProgram:
    """C99 for a quantized network: constant tables, one arena, and one loop nest for each step.

    An interpreter reads at run time what to do next, of which size and where. All of that is known
    before: so here each step is a function of its own, whose sizes are constants that the compiler
    unrolls by, and each activation has its place in one static arena. The code multiplies and
    rounds as the integer model does, so that the codes that come out are the same, bit by bit. A
    network that only reshapes gives back what it is given.

    Args:
        network: What `integer_only` makes.
        x_shape: What it takes, with a batch of one: `(1, 1, 28, 28)`.
        name: What its files and functions begin with: a small letter, then small letters, digits
            and underscores.

    Raises:
        BadKind: An argument is of another kind.
        BadValue: A step has no C code or does not take what it is given; a sum could leave 32
            bits; the name could not stand in C.

    >>> from efficientdl.models.layers.activation_codes import ActivationCodes
    >>> from efficientdl.models.layers.integer import Geometry
    >>> from efficientdl.models.layers.integer_steps import IntegerReshape
    >>> codes = ActivationCodes(0.5, 0)
    >>> steps = [("flat", IntegerReshape((8, 4, 4)), (0,)),
    ...          ("pool", IntegerMaxPool(Geometry((2, 2), (2, 2))), (1,))]
    >>> program = generate_c(IntegerNetwork(steps, x=codes, y=codes), (1, 128))
    >>> program.arena_bytes
    128
    >>> print(program)
    step  kind      from    to      shape  in place  MACs  constants
    ----  --------  ------  ------  -----  --------  ----  ---------
    flat  reshape   0..128  0..128  8x4x4       yes     0          0
    pool  max pool  0..128   0..32  8x2x2       yes     0          0

    Source: Lin, Chen, Lin, Cohn, Gan, Han, "MCUNet: Tiny Deep Learning on IoT Devices", 2020,
        section 3.2 (TinyEngine); survey section 6.1; lab 13.
    """
    _check.kind("generate_c", "name", name, str)
    if not _NAME.fullmatch(name):
        rule = "must be a small letter, then small letters, digits and underscores"
        _check.fail("generate_c", "name", rule, name)
    program = in_place(program_of_network(network, x_shape))
    plan = plan_memory(lifetimes_of(program))
    codes = {
        step.name: _code(network, program, step, number)
        for number, step in enumerate(program.steps, start=1)
        if step.run is not stay
    }
    body = _body(network, program, plan, codes)
    header = header_text(name, body.x, body.y, plan.peak_bytes)
    source = source_text(name, body)
    return CProgram(
        name, source, header, main_text(name), body.x.shape, body.y.shape, plan, tuple(body.steps)
    )


def _code(network: IntegerNetwork, program: Program, step: Step, number: int) -> Code:
    """The C code of one step."""
    module = network.get_submodule(step.name)
    xs, y = [_shape(program, name) for name in step.reads], _shape(program, step.name)
    if isinstance(module, IntegerConv2d):
        by_channel = step.scratch is not None
        return products.convolution(module, xs[0], number, by_channel=by_channel)
    if isinstance(module, IntegerLinear):
        return products.linear(module, number)
    if isinstance(module, IntegerConcat):
        return between.concat(module, xs)
    if isinstance(module, IntegerAveragePool):
        return between.average_pool(module, xs[0])
    if isinstance(module, IntegerMaxPool):
        return between.max_pool(module, xs[0])
    assert isinstance(module, IntegerAdd | IntegerClamp), "shapes_of lets no other through"
    return between.add(module, y) if isinstance(module, IntegerAdd) else between.clamp(module, y)


def _body(network: IntegerNetwork, program: Program, plan: Plan, codes: Mapping[str, Code]) -> Body:
    root, offsets = storages(program), plan.offsets
    at = {name: offsets[root[name]] for name in program.values}
    steps = [
        CStep(
            step.name,
            _kind(network, step),
            tuple(_shape(program, name) for name in step.reads),
            _shape(program, step.name),
            tuple(at[name] for name in step.reads),
            at[step.name],
            step.over is not None,
            step.macs,
            sum(table.n_bytes for table in codes[step.name].tables) if step.name in codes else 0,
        )
        for step in program.steps
    ]
    scratch = {s.name: offsets[scratch_name(s)] for s in program.steps if s.scratch is not None}
    (x,), (y,) = program.inputs, program.outputs
    return Body(
        steps,
        codes,
        scratch,
        Ends(_shape(program, x), network.to_codes.codes, at[x]),
        Ends(_shape(program, y), network.from_codes.codes, at[y]),
    )


def _shape(program: Program, name: str) -> Shape:
    """The shape of one example of a value."""
    return program.values[name].shape[1:]


def _kind(network: IntegerNetwork, step: Step) -> str:
    module = network.get_submodule(step.name)
    if isinstance(module, IntegerConv2d) and module.codes.shape[1] == 1 < module.geometry.groups:
        return "depthwise"
    return KINDS[type(module)]
