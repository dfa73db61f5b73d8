"""Lab 04's panel for whole numbers: one output of a small layer, traced step by step."""

from math import frexp

from efficientdl.viz import Panel, Slider, Table, View

WEIGHTS, OTHERS, BIAS = (0.8, -0.5, 0.3), (0.6, 0.9), 0.1
W_SCALE, X_SCALE, Y_SCALE = 0.8 / 127, 2 / 255, 3 / 255
X_ZERO, Y_ZERO = -64, -128  # inputs from -0.5 to 1.5, outputs from 0 to 3
Row = tuple[str, str, int, float]


def code(value: float, scale: float, zero: int) -> int:
    """The code of 8 bits, with a sign, of a real number."""
    return max(-128, min(127, round(value / scale) + zero))


def factor(bits: int) -> tuple[int, int]:
    """The scales' quotient as a multiplier of so many bits, and a shift."""
    part, exponent = frexp(W_SCALE * X_SCALE / Y_SCALE)
    multiplier, shift = round(part * 2**bits), bits - exponent
    return (multiplier // 2, shift - 1) if multiplier == 2**bits else (multiplier, shift)


def codes(first: float) -> tuple[list[int], list[int], int]:
    """Codes of the inputs and of the weights, and the bias in units of both scales.

    Args:
        first: The first input, a real number.
    """
    x = [code(value, X_SCALE, X_ZERO) for value in (first, *OTHERS)]
    w = [code(value, W_SCALE, 0) for value in WEIGHTS]
    return x, w, round(BIAS / (W_SCALE * X_SCALE))


def trace(first: float, bits: int) -> tuple[Row, ...]:
    """Every step: its name, what is computed, the whole number, and what that stands for.

    Args:
        first: The first input, a real number.
        bits: Bits of the multiplier.
    """
    x, w, bias = codes(first)
    products = [a * (b - X_ZERO) for a, b in zip(w, x, strict=True)]
    total = sum(products) + bias
    multiplier, shift = factor(bits)
    scaled = (total * multiplier + (1 << (shift - 1))) >> shift
    moved = scaled + Y_ZERO
    y = max(-128, min(127, moved))
    unit = W_SCALE * X_SCALE
    return (
        *_before(first, x, w, bias),
        *(
            (f"product {i}", f"{a} x ({b} + {-X_ZERO})", p, p * unit)
            for i, (a, b, p) in enumerate(zip(w, x, products, strict=True))
        ),
        ("sum", _plus([*products, bias]), total, total * unit),
        (
            "to the output's scale",
            f"{total:,} x {multiplier:,} >> {shift}",
            scaled,
            scaled * Y_SCALE,
        ),
        ("its zero point", _plus([scaled, Y_ZERO]), moved, scaled * Y_SCALE),
        ("clamp", "-128 .. 127", y, (y - Y_ZERO) * Y_SCALE),
    )


def _before(first: float, x: list[int], w: list[int], bias: int) -> list[Row]:
    """What is computed once, or where numbers come in: the only divisions by a scale."""
    rows: list[Row] = [
        (f"input {i}", f"{v:g} / {X_SCALE:.4f} - {-X_ZERO}", c, (c - X_ZERO) * X_SCALE)
        for i, (v, c) in enumerate(zip((first, *OTHERS), x, strict=True))
    ]
    rows += [
        (f"weight {i}", f"{v:g} / {W_SCALE:.4f}", c, c * W_SCALE)
        for i, (v, c) in enumerate(zip(WEIGHTS, w, strict=True))
    ]
    words = f"{BIAS:g} / ({W_SCALE:.4f} x {X_SCALE:.4f})"
    return [*rows, ("bias, 32 bits", words, bias, bias * W_SCALE * X_SCALE)]


def _plus(numbers: list[int]) -> str:
    """A sum as it is written down.

    >>> _plus([8128, -6004, 5520])
    '8,128 - 6,004 + 5,520'
    """
    return "".join(
        f" {'-' if n < 0 else '+'} {abs(n):,}" if i else f"{n:,}" for i, n in enumerate(numbers)
    )


def exact(first: float) -> float:
    """What the layer gives in real numbers, behind a ReLU."""
    inputs = (first, *OTHERS)
    return max(0.0, sum(w * x for w, x in zip(WEIGHTS, inputs, strict=True)) + BIAS)


def _integer_layer(first: float, bits: int) -> View:
    rows = trace(first, bits)
    *_, y, near = rows[-1]
    multiplier, shift = factor(bits)
    text = (
        f"The output's code is {y}, which stands for {near:.3f}; in real numbers it is "
        f"{exact(first):.3f}. From the products on all is whole numbers: the scales are in the "
        f"factor {multiplier:,} / 2^{shift}."
    )
    head = ("step", "computed", "whole number", "stands for")
    return View(None, Table("One output, step by step", head, rows), text)


def integer_layer() -> Panel:
    """One output of a layer of three inputs in whole numbers, every step written out.

    The weights are 0.8, -0.5 and 0.3, the other inputs 0.6 and 0.9, the bias is 0.1; a ReLU stands
    behind it, which is why the output's zero is its least code.
    """
    controls = {
        "first": Slider("First input", -0.5, 1.5, value=0.5, step=0.1),
        "bits": Slider("Bits of the multiplier", 1, 31, value=31),
    }
    return Panel(_integer_layer, controls, title="A layer without a float")
