"""What is tuned: a product or a convolution of one shape, and what a trial of a schedule is."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from efficientdl import _check
from efficientdl.kernels.scheduled import (
    Schedule,
    pack_columns,
    pack_filters,
    scheduled_conv2d,
    scheduled_conv2d_reference,
    scheduled_matmul,
    scheduled_matmul_reference,
)

Array = Float32[np.ndarray, "..."]
_LARGEST = 4  # operands are whole numbers below it: sums are exact, and equal in any order


def _operand(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.integers(-_LARGEST + 1, _LARGEST, shape).astype(np.float32)


class Program(NamedTuple):
    """A task under a schedule, ready to run.

    Attributes:
        run: Computes it; the weight is packed already.
        reference: Computes it in NumPy.
    """

    run: Callable[[], Array]
    reference: Callable[[], Array]


class _Sized:
    """A task whose fields are whole numbers, 1 or more; a padding may be 0."""

    def __post_init__(self) -> None:
        for field in fields(self):  # pyright: ignore[reportArgumentType]
            least = 0 if field.name == "padding" else 1
            _check.whole(type(self).__name__, field.name, getattr(self, field.name), least, 2**20)


@dataclass(frozen=True)
class MatmulTask(_Sized):
    """The product of a matrix of m rows and k columns by one of k rows and n columns.

    Attributes:
        m: Rows of `x`.
        k: Columns of `x`: steps.
        n: Columns of `w`.

    >>> MatmulTask(64, 128, 256).macs
    2097152
    """

    m: int
    k: int
    n: int

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Rows, steps and columns of the product."""
        return self.m, self.k, self.n

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.m * self.k * self.n

    @property
    def n_inputs(self) -> int:
        """Numbers of `x` that are read, each once."""
        return self.m * self.k

    def program(self, schedule: Schedule, *, seed: int) -> Program:
        """The product under a schedule, of random operands."""
        rng = np.random.default_rng(seed)
        x = _operand(rng, (self.m, self.k))
        weight = pack_columns(_operand(rng, (self.k, self.n)), schedule)
        return Program(
            lambda: scheduled_matmul(x, weight, schedule),
            lambda: scheduled_matmul_reference(x, weight, schedule),
        )


@dataclass(frozen=True)
class ConvTask(_Sized):
    """A convolution with square filters.

    Attributes:
        n: Images.
        c_in: Channels of the input.
        h: Rows of the input.
        w: Columns of the input.
        c_out: Filters.
        kernel: Rows and columns of a filter.
        stride: Rows and columns from one output to the next.
        padding: Rows and columns of zeros around each image.

    >>> ConvTask(1, 16, 8, 8, 32, 3, padding=1).sizes
    (64, 144, 32)
    """

    n: int
    c_in: int
    h: int
    w: int
    c_out: int
    kernel: int
    stride: int = 1
    padding: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.h, self.w) + 2 * self.padding < self.kernel:
            rule = f"must fit {self.h} x {self.w} with padding {self.padding}"
            _check.fail("ConvTask", "kernel", rule, self.kernel)

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Rows, steps and columns of the product that it is: outputs, taps of channels, filters."""
        p, q = (
            (side + 2 * self.padding - self.kernel) // self.stride + 1 for side in (self.h, self.w)
        )
        return self.n * p * q, self.c_in * self.kernel**2, self.c_out

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        m, k, n = self.sizes
        return m * k * n

    @property
    def n_inputs(self) -> int:
        """Numbers of `x`; many are read by several outputs."""
        return self.n * self.c_in * self.h * self.w

    def program(self, schedule: Schedule, *, seed: int) -> Program:
        """The convolution under a schedule, of random operands."""
        rng = np.random.default_rng(seed)
        x = _operand(rng, (self.n, self.c_in, self.h, self.w))
        filters = _operand(rng, (self.c_out, self.c_in, self.kernel, self.kernel))
        weight = pack_filters(filters, schedule)
        how = {"stride": self.stride, "padding": self.padding}
        return Program(
            lambda: scheduled_conv2d(x, weight, schedule, **how),
            lambda: scheduled_conv2d_reference(x, weight, schedule, **how),
        )


Task = MatmulTask | ConvTask


class Trial(NamedTuple):
    """A schedule that was measured.

    Attributes:
        task: Of what.
        schedule: Which.
        latency_s: Seconds that it took.
    """

    task: Task
    schedule: Schedule
    latency_s: float
