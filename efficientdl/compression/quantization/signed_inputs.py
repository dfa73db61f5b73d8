"""Inputs that signs can tell apart: what a network needs before its activations become signs."""

from collections.abc import Collection

from torch import Tensor, nn

from efficientdl import _check
from efficientdl.compression.layers import put
from efficientdl.compression.quantization.few_bits import least_inputs


def with_signed_inputs(
    caller: str, model: nn.Module, x: Tensor, names: Collection[str]
) -> tuple[nn.Module, str | None]:
    """A network whose layers can be told by signs, and the one that its input comes to first.

    Where layers are to be changed, hard tanh takes the place of every ReLU.

    Args:
        caller: Who asks, for the error.
        model: A copy that the caller owns.
        x: An example of its input.
        names: The layers that are to see signs.

    Raises:
        BadValue: One of them but the first gets no negative number.
    """
    if not names:
        return model, None
    relus = {n: m for n, m in model.named_modules() if isinstance(m, nn.ReLU | nn.ReLU6)}
    tanhs: dict[str, nn.Module] = {n: nn.Hardtanh(inplace=m.inplace) for n, m in relus.items()}
    for name, tanh in tanhs.items():
        tanh.train(relus[name].training)
    model = put(model, tanhs)
    every = [n for n, m in model.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    least = least_inputs(caller, model, x, every)
    first = next(iter(least), None)
    for name in names:
        if name != first and least.get(name, -1.0) >= 0:
            rule = f"must hand layer {name!r} numbers of both signs; the least for this `x`"
            _check.fail(caller, "model", rule, least[name])
    return model, first
