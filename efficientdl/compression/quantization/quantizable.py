"""What a call quantizes, and what it must be given: layers, bits, and an input that fits."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor, nn

from efficientdl import _check
from efficientdl.compression.layers import FloatLayer, demand_floats, for_each, weight_layers
from efficientdl.costs.trace import Watcher, check_inputs, run
from efficientdl.protocols import Policy

Allowed = range | tuple[int, ...]


def demand_bits(
    caller: str, option: str, bits: Policy[int], model: nn.Module, *, allowed: Allowed
) -> dict[str, int]:
    """The bits of each layer that is to be quantized.

    One number concerns every weight of the model: a weight matrix that no linear layer and no
    convolution of pictures holds then raises. A mapping concerns the layers that it names, and
    leaves the others alone.

    Args:
        caller: Who asks, for the error.
        option: What the option is called, for the error.
        bits: Bits of a weight, or `{layer name: bits}`.
        model: The model; it is not changed.
        allowed: The numbers of bits that there may be: a range, or each by itself.

    Raises:
        BadKind: The bits are no whole number.
        BadValue: A layer cannot be quantized, holds codes already or weights that are no finite
            numbers; or the bits are others.

    >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> demand_bits("example", "bits", {"2": 4}, model, allowed=range(2, 17))
    {'2': 4}
    """
    layers = weight_layers(caller, model)
    wanted = for_each(caller, option, bits, layers)
    for n_bits in wanted.values():
        demand_allowed(caller, option, n_bits, allowed)
    if not isinstance(bits, Mapping):
        _demand_no_other(caller, model)
    for name in wanted:
        _demand_finite(caller, name, demand_floats(caller, name, layers[name]))
    return wanted


def demand_allowed(caller: str, option: str, bits: object, allowed: Allowed) -> None:
    """Demand a number of bits that is allowed: a whole one, and no bool.

    Args:
        caller: Who asks, for the error.
        option: What the option is called, for the error.
        bits: What was given.
        allowed: A range, or each number by itself.

    >>> demand_allowed("example", "bits", 3, (2, 32))
    Traceback (most recent call last):
    efficientdl._check.BadValue: example: bits must be one of 2, 32, got 3; did you mean '32'?
    """
    if isinstance(allowed, range):
        _check.whole(caller, option, bits, allowed[0], allowed[-1])
        return
    if isinstance(bits, bool) or not hasattr(bits, "__index__"):  # True is 1, and 2.0 is 2, else
        rule = f"must be one of {', '.join(map(str, allowed))}"
        raise _check.BadKind(f"{caller}: {option} {rule}, got {_check.show(bits)}")
    _check.one_of(caller, option, bits, allowed)


def demand_input(caller: str, model: nn.Module, x: Tensor) -> None:
    """Demand examples that the model takes, by running it on them.

    Args:
        caller: Who asks, for the error.
        model: The model; it runs as in inference and is not changed.
        x: A batch of its input.

    Raises:
        BadValue: The batch is empty, or the model cannot take it.

    >>> import torch
    >>> demand_input("example", nn.Linear(3, 2), torch.zeros(1, 4))
    Traceback (most recent call last):
    efficientdl._check.BadValue: example: x must fit the model (mat1 and mat2 shapes cannot be
    multiplied (1x4 and 3x2)), got (1, 4)
    """
    demand_examples(caller, model, x)
    with fitting(caller, x):
        run(model, x, Watcher())


def demand_examples(caller: str, model: nn.Module, x: Tensor) -> None:
    """Demand a batch that is not empty, on the model's device."""
    check_inputs(caller, model, x)
    if isinstance(x, Tensor) and x.numel() == 0:
        _check.fail(caller, "x", "must hold examples", tuple(x.shape))


@contextmanager
def fitting(caller: str, x: Tensor) -> Iterator[None]:
    """What torch says of an input that a model cannot take becomes the caller's own error."""
    try:
        yield
    except RuntimeError as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        shape = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
        rule = f"x must fit the model ({said}), got {shape}"
        raise _check.BadValue(f"{caller}: {rule}") from error


def _demand_no_other(caller: str, model: nn.Module) -> None:
    """A matrix outside of the layers that we know would stay float: say which."""
    for name, module in model.named_modules():
        if isinstance(module, FloatLayer | nn.LayerNorm):
            continue
        if any(weight.ndim > 1 for weight in module.parameters(recurse=False)):
            rule = f"must hold weights in Linear and Conv2d layers alone; layer {name!r} is other"
            _check.fail(caller, "model", rule, type(module).__name__)


def _demand_finite(caller: str, name: str, layer: FloatLayer) -> None:
    for what in (layer.weight, layer.bias):
        if what is not None and not bool(what.isfinite().all()):
            bad = float(what.detach()[~what.isfinite()][0])
            _check.fail(caller, "model", f"must hold finite weights in layer {name!r}", bad)
