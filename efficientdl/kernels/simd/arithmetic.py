"""What registers compute, lane by lane, and what they are turned into.

`+ - * & | ^` and `>>` work on two registers of one type, `>>` by a number too; a shift of unsigned
lanes brings in zeros. Whole numbers wrap around.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float32, Int32, Shaped
from llvmlite import ir
from numba import types
from numba.extending import lower_builtin, type_callable

from efficientdl.kernels.cpu import config
from efficientdl.kernels.simd.register import Llvm, Register, call, operation, register, spread

Lanes = Shaped[np.ndarray, "lanes"]


def _infix(symbol: Callable[..., Any], for_floats: str | None, for_whole: str) -> None:
    """Teach Numba what a sign between two registers means."""

    @type_callable(symbol)
    def _(_context: object) -> Callable[..., Llvm]:
        def typer(a: Llvm, b: Llvm) -> Llvm:
            fits = isinstance(a, Register) and a == b and (for_floats or not a.is_float)
            return a if fits else None

        return typer

    @lower_builtin(symbol, Register, Register)
    def _(_context: object, builder: Llvm, signature: Llvm, args: Llvm) -> Llvm:
        name = for_floats if signature.return_type.is_float else for_whole
        return getattr(builder, str(name))(*args)


def _shift() -> None:
    @type_callable(operator.rshift)
    def _(_context: object) -> Callable[..., Llvm]:
        def typer(a: Llvm, by: Llvm) -> Llvm:
            fits = isinstance(a, Register) and not a.is_float and isinstance(by, types.Integer)
            return a if fits else None

        return typer

    @lower_builtin(operator.rshift, Register, types.Integer)
    def _(context: Llvm, builder: Llvm, signature: Llvm, args: Llvm) -> Llvm:
        value, by = args
        kind = signature.args[0]
        places = spread(
            builder, context.cast(builder, by, signature.args[1], kind.element), kind.lanes
        )
        return (builder.ashr if kind.signed else builder.lshr)(value, places)


if not config.DISABLE_JIT:
    for _sign, _for_floats, _for_whole in (
        (operator.add, "fadd", "add"),
        (operator.sub, "fsub", "sub"),
        (operator.mul, "fmul", "mul"),
        (operator.and_, None, "and_"),
        (operator.or_, None, "or_"),
        (operator.xor, None, "xor"),
    ):
        _infix(_sign, _for_floats, _for_whole)
    _shift()


def _same(*given: Llvm) -> Llvm:
    first = given[0]
    return first if isinstance(first, Register) and all(a == first for a in given) else None


def _floats(*given: Llvm) -> Llvm:
    same = _same(*given)
    return same if same is not None and same.is_float else None


def _by_name(name: str) -> Callable[..., Llvm]:
    """LLVM's own function of this name, for the type of the result."""

    def emit(builder: Llvm, _context: object, signature: Llvm, args: Llvm) -> Llvm:
        kind = signature.return_type
        letter = "f" if kind.is_float else "i"
        full = f"llvm.{name}.v{kind.lanes}{letter}{kind.element.bitwidth}"
        return call(builder, full, kind.llvm, args)

    return emit


@operation(_floats, _by_name("fma"))
def fma(a: Lanes, b: Lanes, c: Lanes) -> Lanes:
    """`a * b + c`, rounded once."""
    return (a.astype(np.float64) * b + c).astype(a.dtype)


@operation(_floats, _by_name("minnum"))
def minimum(a: Lanes, b: Lanes) -> Lanes:
    """The lesser of each pair of floats."""
    return np.fmin(a, b)


@operation(_floats, _by_name("maxnum"))
def maximum(a: Lanes, b: Lanes) -> Lanes:
    """The larger of each pair of floats."""
    return np.fmax(a, b)


def _within(builder: Llvm, _context: object, _signature: Llvm, args: Llvm) -> Llvm:
    value, low, high = args
    value = builder.select(builder.fcmp_ordered("<", value, low), low, value)
    return builder.select(builder.fcmp_ordered(">", value, high), high, value)


@operation(_floats, _within)
def within(a: Lanes, low: Lanes, high: Lanes) -> Lanes:
    """Floats, but none below `low` or above `high`: a ReLU. What is no number stays so."""
    a = np.where(a < low, low, a)
    return np.where(a > high, high, a)


@operation(_floats, _by_name("fabs"))
def magnitude(a: Lanes) -> Lanes:
    """Floats without their signs."""
    return np.abs(a)


@operation(lambda a: None if a.is_float else _same(a), _by_name("ctpop"))
def bit_count(a: Lanes) -> Lanes:
    """How many bits of each lane are ones."""
    return np.bitwise_count(a).astype(a.dtype)


def _sum(builder: Llvm, _context: object, signature: Llvm, args: Llvm) -> Llvm:
    kind = signature.args[0]
    element = kind.llvm.element
    if kind.is_float:
        name = f"llvm.vector.reduce.fadd.v{kind.lanes}f{kind.element.bitwidth}"
        start = ir.Constant(element, -0.0)
        function = builder.module.globals.get(name) or ir.Function(
            builder.module, ir.FunctionType(element, [element, kind.llvm]), name
        )
        return builder.call(function, [start, args[0]], fastmath=("reassoc",))  # in any order
    return call(
        builder, f"llvm.vector.reduce.add.v{kind.lanes}i{kind.element.bitwidth}", element, args
    )


@operation(lambda a: a.element if isinstance(a, Register) else None, _sum)
def total(a: Lanes) -> Llvm:
    """The sum of all lanes, of floats in any order."""
    return a.sum(dtype=a.dtype)


def _to_floats(builder: Llvm, _context: object, signature: Llvm, args: Llvm) -> Llvm:
    kind = signature.return_type.llvm
    return (builder.sitofp if signature.args[0].signed else builder.uitofp)(args[0], kind)


def _float_register(a: Llvm) -> Llvm:
    whole = isinstance(a, Register) and a.element in (types.int32, types.uint32)
    return Register(types.float32, a.lanes) if whole else None


@operation(_float_register, _to_floats)
def floats(a: Shaped[np.ndarray, "lanes"]) -> Float32[np.ndarray, "lanes"]:
    """Whole numbers of 32 bits as floats of 32 bits."""
    return a.astype(np.float32)


def _nearest(builder: Llvm, _context: Llvm, signature: Llvm, args: Llvm) -> Llvm:
    kind = signature.args[0].llvm
    near = call(builder, f"llvm.rint.v{signature.args[0].lanes}f32", kind, args)
    return builder.fptosi(near, signature.return_type.llvm)


def _whole_register(a: Llvm) -> Llvm:
    floats32 = isinstance(a, Register) and a.element == types.float32
    return Register(types.int32, a.lanes) if floats32 else None


@operation(_whole_register, _nearest)
def nearest(a: Float32[np.ndarray, "lanes"]) -> Int32[np.ndarray, "lanes"]:
    """The nearest whole numbers, a half to the even one; they must fit into 32 bits."""
    return np.rint(a).astype(np.int32)


def _view(element: Llvm) -> Llvm:
    def typing(a: Llvm) -> Llvm:
        if not isinstance(a, Register):
            return None
        return register(element, a.lanes * a.element.bitwidth // 8)

    def emit(builder: Llvm, _context: object, signature: Llvm, args: Llvm) -> Llvm:
        return builder.bitcast(args[0], signature.return_type.llvm)

    return operation(typing, emit)


@_view(types.uint32)
def as_uint32(a: Lanes) -> Lanes:
    """The same bits as unsigned numbers of 32 bits."""
    return a.view(np.uint32)


@_view(types.int32)
def as_int32(a: Lanes) -> Lanes:
    """The same bits as numbers of 32 bits."""
    return a.view(np.int32)


@_view(types.int8)
def as_int8(a: Lanes) -> Lanes:
    """The same bits as bytes with a sign."""
    return a.view(np.int8)


@_view(types.uint8)
def as_uint8(a: Lanes) -> Lanes:
    """The same bits as bytes without a sign."""
    return a.view(np.uint8)


@_view(types.float32)
def as_float32(a: Lanes) -> Lanes:
    """The same bits as floats of 32 bits."""
    return a.view(np.float32)
