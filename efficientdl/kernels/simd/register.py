"""A register as a type: 64 bytes side by side, on which one instruction works at once.

Numba knows numbers and arrays. Here it learns a third kind of value, a run of `lanes` numbers of
one type, which LLVM keeps in the processor's vector registers: one register of AVX-512, two of
AVX2, four of anything older. A variable of this type never lies in memory unless it is stored, and
that is what makes a kernel fast: sums stay in registers while the data stream by.

Each operation is two things under one name. Where Numba compiles, it is the instruction; with
`NUMBA_DISABLE_JIT=1` it is the line of NumPy in its body, on an array of as many lanes, so that a
kernel can be read, printed and stepped through.
"""

from collections.abc import Callable, Sequence
from inspect import Parameter, signature
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model

from efficientdl.kernels.cpu import config

BYTES = 64
Llvm = Any  # a type, a value or a builder of llvmlite or of Numba: they have no annotations
Emit = Callable[..., Llvm]
Typing = Callable[..., Any]

_FLOATS = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}


class Register(types.Type):
    """The type of a register, in Numba.

    Attributes:
        element: The type of a lane.
        lanes: How many there are.
    """

    def __init__(self, element: Llvm, lanes: int) -> None:
        self.element, self.lanes = element, lanes
        super().__init__(name=f"{element} x {lanes}")

    @property
    def is_float(self) -> bool:
        """Whether lanes are floats."""
        return self.element in _FLOATS

    @property
    def signed(self) -> bool:
        """Whether lanes may be negative."""
        return self.is_float or self.element.signed

    @property
    def llvm(self) -> ir.VectorType:
        """LLVM's name for it."""
        return ir.VectorType(_llvm(self.element), self.lanes)


@register_model(Register)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: object, front_end: Register) -> None:
        super().__init__(manager, front_end, front_end.llvm)


def _llvm(element: Llvm) -> ir.Type:
    return _FLOATS.get(element) or ir.IntType(element.bitwidth)


def register(element: Llvm, n_bytes: int = BYTES) -> Register:
    """The register of so many bytes that holds numbers of this type."""
    return Register(element, 8 * n_bytes // element.bitwidth)


def operation(typing: Typing, emit: Emit) -> Callable[[Callable[..., Any]], Any]:
    """Make an operation of its NumPy twin and of its instructions.

    Args:
        typing: `f(*argument types) -> type of the result`; None where they do not fit.
        emit: `f(builder, context, (argument types, result type), arguments) -> value`.
    """

    def made(twin: Callable[..., Any]) -> Llvm:
        if config.DISABLE_JIT:
            return twin

        def define(_context: object, *given: Llvm) -> object:
            result = typing(*given)
            if result is None:
                return None

            def lower(context: Llvm, builder: Llvm, types_of: Llvm, args: Llvm) -> Llvm:
                value = emit(builder, context, types_of, args)
                return context.get_dummy_value() if value is None else value

            return result(*given), lower

        asked = signature(twin)  # Numba wants the arguments' names, and one for its context
        context = Parameter("context", Parameter.POSITIONAL_OR_KEYWORD)
        define.__signature__ = asked.replace(parameters=[context, *asked.parameters.values()])  # pyright: ignore[reportFunctionMemberAccess]
        define.__name__ = define.__qualname__ = twin.__name__
        define.__doc__, define.__module__ = twin.__doc__, twin.__module__
        made_of = intrinsic(define)
        TWINS[twin.__name__] = (made_of, twin)
        return made_of

    return made


TWINS: dict[str, tuple[Any, Callable[..., Any]]] = {}  # operation, and the NumPy line it stands for


def call(builder: Llvm, name: str, result: ir.Type, args: Sequence[Llvm]) -> Llvm:
    """Call one of LLVM's own functions."""
    kind = ir.FunctionType(result, [arg.type for arg in args])
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    return builder.call(function, args)


def spread(builder: Llvm, value: Llvm, lanes: int) -> Llvm:
    """One number in every lane."""
    kind, places = ir.VectorType(value.type, lanes), ir.VectorType(ir.IntType(32), lanes)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.IntType(32)(0))
    return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), places([0] * lanes))


def lanes_of(dtype: np.dtype[Any], n_bytes: int = BYTES) -> int:
    """How many numbers of a dtype a register holds.

    >>> lanes_of(np.dtype(np.float32)), lanes_of(np.dtype(np.int8))
    (16, 64)
    """
    return n_bytes // dtype.itemsize
