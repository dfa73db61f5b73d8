"""The shapes that techniques fit, as types. Read this after `report.py`.

A compressor is a function `f(model, x, *, options) -> Result`. The model passed in is never
changed; composition is calling one after the other; a per-layer policy is a mapping
`{layer name: value}`.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor, nn

from efficientdl.report import Cost, Report
from efficientdl.tensors.granularity import Granularity as Granularity

V = TypeVar("V")

# A value for every layer, or one value for each layer named: what auto-compression searches.
Policy = V | Mapping[str, V]


class Result(NamedTuple):
    """A new model and what it costs. The model passed in was not changed."""

    model: nn.Module
    report: Report


class Compressor(Protocol):
    """Make a model cheaper."""

    def __call__(self, model: nn.Module, x: Tensor) -> Result: ...


@runtime_checkable
class Criterion(Protocol):
    """Score each weight; the larger, the more worth keeping.

    A criterion names the statistics that it needs as keyword-only arguments (`grad`,
    `input_norm`) and swallows the rest in `**_`, so that one driver can call any of them and
    collects only what is asked for.
    """

    def __call__(self, weight: Tensor, **_: Tensor) -> Tensor: ...


@runtime_checkable
class Costed(Protocol):
    """A layer that knows its own cost: what a counter asks before it counts for itself.

    `weight_bits` includes the index bits of a sparse form, and `macs` counts only what runs.
    """

    def cost(self, x_shape: tuple[int, ...]) -> Cost: ...


class Loss(Protocol):
    """Compare a student with its teacher: zero when they are the same."""

    def __call__(self, student: Tensor, teacher: Tensor) -> Float[Tensor, ""]: ...


class Pass(Protocol[V]):
    """Rewrite a graph: the same outputs, never dearer, nothing to do the second time."""

    def __call__(self, graph: V) -> V: ...


Mask = Bool[Tensor, "..."]
LatencyOf = Callable[[nn.Module, Tensor], float]
