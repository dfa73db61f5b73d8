"""What layers on kernels share: a form of their buffers that a kernel reads, and what they refuse.

They are for inference alone, as kernels know no gradients, and run on the processor.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from efficientdl import _check

T = TypeVar("T")


class KernelForm(Generic[T]):
    """A form of a layer's buffers that is made when it is first asked for, and kept.

    It is made anew after the buffers were loaded, moved, or written into by torch. A copy of the
    layer makes its own, and files do not hold it.

    Args:
        make: Makes it from the buffers, and from whatever else it is given.

    >>> import torch
    >>> total, x = KernelForm(lambda x: float(x.sum())), torch.ones(2)
    >>> total.of(x), total.of(x.add_(1))
    (2.0, 4.0)
    """

    def __init__(self, make: Callable[..., T]) -> None:
        self._make = make
        self._kept: tuple[tuple[Any, ...], list[Any], T] | None = None

    def of(self, *parts: Any) -> T:  # noqa: ANN401
        """The form of these parts.

        Args:
            parts: Tensors, and what does not change.
        """
        seen = [_version(part) for part in parts]
        kept = self._kept  # once: another thread may put its own there
        if kept is None or kept[1] != seen or not all(map(_same, kept[0], parts)):
            kept = self._kept = (parts, seen, self._make(*parts))
        return kept[2]

    def __reduce__(self) -> tuple[Any, ...]:
        return KernelForm, (self._make,)


def _same(before: object, now: object) -> bool:
    return before is now or (not isinstance(now, Tensor) and before == now)


def _version(part: object) -> int:
    """How often torch has written into a tensor. One that was made in inference mode has none."""
    return part._version if isinstance(part, Tensor) and not part.is_inference() else -1


def demand_inference(layer: nn.Module, x: Tensor, dtype: torch.dtype) -> None:
    """Refuse an input that a layer's kernel cannot take.

    Args:
        layer: The layer.
        x: Its input.
        dtype: What the kernel computes in.

    Raises:
        BadValue: The layer is in training mode, or the input is of another dtype or device.
    """
    caller = type(layer).__name__
    if layer.training:
        rule = "must be evaluation, as the kernel knows no gradients: call model.eval() first"
        _check.fail(caller, "mode", rule, "training")
    if x.dtype != dtype:
        _check.fail(caller, "input", f"must be {dtype}", str(x.dtype))
    if x.device.type not in ("cpu", "meta"):
        _check.fail(caller, "input", "must be on the CPU", str(x.device))


def demand_features(layer: nn.Module, x: Tensor, n_features: int) -> None:
    """Refuse an input whose last axis is of another length."""
    if not x.ndim or x.shape[-1] != n_features:
        rule = f"must have {n_features} features last"
        _check.fail(type(layer).__name__, "input", rule, tuple(x.shape))


def demand_images(layer: nn.Module, x: Tensor, n_channels: int) -> None:
    """Refuse an input that is no image, or no images, of so many channels."""
    if x.ndim not in {3, 4} or x.shape[-3] != n_channels:
        rule = f"must be images of {n_channels} channels"
        _check.fail(type(layer).__name__, "input", rule, tuple(x.shape))
