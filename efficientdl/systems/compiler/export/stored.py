"""How a file keeps the weight of a compressed layer: in the fewest bytes that give it back exactly.

Each form is tried, and taken only where what it decodes to is the weight, number by number. So the
file computes with the numbers that the network computes with, however the layer came by them.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from efficientdl.models.layers.quantized import Quantized
from efficientdl.systems.compiler.export.writer import Array, Writer

MOST_VALUES = 256  # of a codebook whose codes are bytes


def hold_weight(w: Writer, name: str, weight: Array, layer: nn.Module | None) -> str:
    """Write a weight; returns the name of the value that the layer multiplies by.

    Codes of equal steps come with DequantizeLinear; a few values with Gather, as a codebook;
    numbers that 16 bits hold, with Cast. A weight of a layer that is not compressed, or that no
    form fits, is stored as it is.

    Args:
        w: The model to write into.
        name: The weight's name.
        weight: What the layer multiplies by.
        layer: The compressed layer that it belongs to, or none.
    """
    if layer is not None:
        forms: tuple[Form, ...] = (_steps, _few_values, _half)
        for form in forms:
            made = form(w, name, weight, layer)
            if made is not None:
                return made
    return w.hold(name, weight)


Form = Callable[[Writer, str, Array, nn.Module], str | None]


class _Steps(NamedTuple):
    """Codes in rows: `(codes - zero_point) * scale`, a scale and a zero point for each row."""

    codes: Array
    scale: Array
    zero_point: Array

    def decoded(self) -> Array:
        steps = self.codes.astype(np.int32) - self.zero_point.astype(np.int32)[:, None]
        return steps.astype(self.scale.dtype) * self.scale[:, None]


def _steps(w: Writer, name: str, weight: Array, layer: nn.Module) -> str | None:
    """Equal steps: the layer's own codes."""
    if not isinstance(layer, Quantized) or layer.n_levels > 2**16:
        return None
    steps = _rows_of(layer)
    if steps is None or not np.array_equal(steps.decoded().reshape(weight.shape), weight):
        return None
    n_rows = len(steps.codes)
    by_channel = n_rows in {1, weight.shape[0]}
    codes = steps.codes.reshape(weight.shape) if by_channel else steps.codes
    scale, zero_point = steps.scale, steps.zero_point.astype(steps.codes.dtype)
    if n_rows == 1:
        scale, zero_point = scale[0], zero_point[0]
    hold = w.hold_four_bits if layer.n_levels <= 2**4 else w.hold
    inputs = [
        hold(f"{name}.codes", codes),
        w.hold(f"{name}.scale", scale),
        hold(f"{name}.zero_point", zero_point),
    ]
    if by_channel:
        return w.add("DequantizeLinear", inputs, name=name, axis=0)
    rows = w.add("DequantizeLinear", inputs, name=f"{name}.rows", axis=0)
    return w.add("Reshape", [rows, w.whole(f"{name}.shape", weight.shape)], name=name)


def _rows_of(layer: Quantized) -> _Steps | None:
    """The codes, one row for each scale; none where a zero point does not fit beside them.

    What the mask drops gets the code of zero.
    """
    codes = layer.granularity.group(layer.codes).long()
    zero_point = layer.zero_point.round().long()
    if layer.mask is not None:
        codes = torch.where(layer.granularity.group(layer.mask), codes, zero_point)
    bits = next(b for b in (4, 8, 16) if layer.n_levels <= 2**b)
    low = -(2 ** (bits - 1)) if layer.lowest < 0 else 0
    if not bool(((zero_point >= low) & (zero_point < low + 2**bits)).all()):
        return None
    dtype = np.dtype(f"{'u' * (low == 0)}int{max(bits, 8)}")
    scale = layer.scale.detach().flatten().numpy()
    return _Steps(codes.numpy().astype(dtype), scale, zero_point.flatten().numpy())


def _few_values(w: Writer, name: str, weight: Array, layer: nn.Module) -> str | None:  # noqa: ARG001
    """A codebook: the values that there are, and which of them each weight is."""
    book, codes = np.unique(weight, return_inverse=True)
    if len(book) > MOST_VALUES or len(book) * 4 > weight.size:
        return None
    codes = codes.reshape(weight.shape).astype(np.uint8)
    hold = w.hold_four_bits if len(book) <= 2**4 else w.hold
    held = [w.hold(f"{name}.codebook", book), hold(f"{name}.codes", codes)]
    places = w.cast(held[1], np.int32, name=f"{name}.places")
    return w.add("Gather", [held[0], places], name=name)


def _half(w: Writer, name: str, weight: Array, layer: nn.Module) -> str | None:  # noqa: ARG001
    """Numbers of 16 bits, widened."""
    half = weight.astype(np.float16)
    if weight.dtype == np.float16 or not np.array_equal(half.astype(weight.dtype), weight):
        return None
    return w.cast(w.hold(f"{name}.half", half), weight.dtype.type, name=name)
