"""Inputs that are rounded to levels, as a file says it: codes and back, at once."""

import numpy as np

from efficientdl.systems.compiler.export.writer import Writer
from efficientdl.tensors import QParams


def rounded(w: Writer, x: str, levels: QParams, *, name: str) -> str:
    """Write the rounding of an input; returns the name of what comes out.

    Bytes with a whole zero point are what QuantizeLinear and DequantizeLinear are for, and a
    runtime may then multiply bytes. It rounds before it adds the zero point, and the layer after:
    they differ where a value lies halfway between two levels, and the zero point is odd. Levels
    of another kind are written with float arithmetic, step by step.

    Args:
        w: The model to write into.
        x: What is to be rounded.
        levels: One scale for the whole tensor.
        name: Of the layer, to name the values after.
    """
    room, zero_point = np.iinfo(_byte(levels)), float(levels.zero_point)
    whole = zero_point.is_integer() and room.min <= zero_point <= room.max
    in_bytes = whole and levels.n_levels <= 2**8
    return (_in_bytes if in_bytes else _in_floats)(w, x, levels, name)


def _byte(levels: QParams) -> np.dtype:
    return np.dtype(np.int8 if levels.lowest < 0 else np.uint8)


def _in_bytes(w: Writer, x: str, levels: QParams, name: str) -> str:
    dtype = _byte(levels)
    held = [
        w.hold(f"{name}.input_scale", levels.scale.detach().numpy().reshape(())),
        w.hold(f"{name}.input_zero_point", np.array(int(levels.zero_point), dtype=dtype)),
    ]
    codes = w.add("QuantizeLinear", [x, *held], name=f"{name}.input_codes")
    if levels.n_levels < 2**8:
        ends = _ends(levels).astype(dtype)
        held_ends = [w.hold(f"{name}.input_end", end) for end in ends]
        codes = w.add("Clip", [codes, *held_ends], name=f"{name}.input_codes_used")
    return w.add("DequantizeLinear", [codes, *held], name=f"{name}.input_rounded")


def _in_floats(w: Writer, x: str, levels: QParams, name: str) -> str:
    dtype = levels.scale.detach().numpy().dtype
    scale = w.hold(f"{name}.input_scale", levels.scale.detach().numpy().reshape(()))
    zero = w.hold(f"{name}.input_zero_point", levels.zero_point.detach().numpy().reshape(()))
    ends = [w.hold(f"{name}.input_end", end) for end in _ends(levels).astype(dtype)]
    y = w.add("Div", [x, scale], name=f"{name}.input_steps")
    y = w.add("Add", [y, zero], name=f"{name}.input_places")
    y = w.add("Round", [y], name=f"{name}.input_codes")
    y = w.add("Clip", [y, *ends], name=f"{name}.input_codes_used")
    y = w.add("Sub", [y, zero], name=f"{name}.input_whole_steps")
    return w.add("Mul", [y, scale], name=f"{name}.input_rounded")


def _ends(levels: QParams) -> np.ndarray:
    """The lowest and the highest code."""
    return np.array([levels.lowest, levels.lowest + levels.n_levels - 1])
