"""What passes through layers while a network runs, as matrices.

A convolution is a matrix product too: each output position multiplies the filters by one unfolded
patch of the input. In that form an input norm, a layer's Hessian and the gradient of one example
are the same few lines for linear layers and for convolutions.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, einsum, nn
from torch.nn import functional

from efficientdl import _check
from efficientdl.compression.layers import WeightLayer
from efficientdl.models.layers.quantized import QuantizedConv2d


class Call(NamedTuple):
    """One use of a layer.

    Attributes:
        layer: The layer that was called: this one, or another with the same weight.
        x: A copy of its input, without a gradient.
        y: Its output, still in the graph.
    """

    layer: WeightLayer
    x: Tensor
    y: Tensor


Calls = Mapping[str, list[Call]]


@contextmanager
def recording(caller: str, model: nn.Module, layers: Mapping[str, WeightLayer]) -> Iterator[Calls]:
    """Write down every use of these layers' weights while inside.

    A weight that several layers share is used by each of them, and all their calls are its own.

    Args:
        caller: Who asks, for the error.
        model: The network, which the caller owns.
        layers: Those of its layers that are meant, by name.

    Raises:
        BadValue: A weight is used without its layer being called, as attention's are.

    >>> import torch
    >>> layer = nn.Linear(2, 3)
    >>> with recording("prune", layer, {"head": layer}) as calls:
    ...     _ = layer(torch.ones(5, 2))
    >>> [call.y.shape for call in calls["head"]]
    [torch.Size([5, 3])]
    """
    calls: dict[str, list[Call]] = {name: [] for name in layers}

    def hook_of(name: str):  # noqa: ANN202 (a closure)
        def hook(
            module: WeightLayer,
            inputs: tuple[Tensor, ...],
            named: dict[str, Tensor],
            output: Tensor,
        ) -> Tensor:
            x = inputs[0] if inputs else named["input"]
            calls[name].append(Call(module, x.detach().clone(), output))
            return output.clone()  # an activation in place must not write into what we keep

        return hook

    handles = [
        module.register_forward_hook(hook_of(name), with_kwargs=True)  # pyright: ignore[reportArgumentType]
        for name, layer in layers.items()
        for module in sharing(model, layer)
    ]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()
    for name, found in calls.items():
        if not found:
            rule = f"must call layer {name!r}, or its inputs are not seen"
            _check.fail(caller, "model", rule, "no call")


def sharing(model: nn.Module, layer: WeightLayer) -> list[WeightLayer]:
    """The layers of a model that use this layer's weight: itself, and those tied to it."""
    others = (m for m in model.modules() if isinstance(m, WeightLayer) and m is not layer)
    return [layer, *(m for m in others if m.weight is layer.weight)]


def n_groups(layer: WeightLayer) -> int:
    """Into how many independent parts a layer's channels fall: 1 but for grouped convolutions."""
    return layer.groups if isinstance(layer, nn.Conv2d | QuantizedConv2d) else 1


def input_columns(
    layer: WeightLayer, x: Float[Tensor, "n ..."]
) -> Float[Tensor, "groups n positions k"]:
    """What each row of the weight matrix is multiplied by: inputs, or unfolded patches of them.

    Args:
        layer: The layer; its weight is the matrix `c_out` by `k = c_in/groups r s`.
        x: Its input, the batch first.

    >>> import torch
    >>> input_columns(nn.Conv2d(4, 6, 3, groups=2), torch.zeros(5, 4, 8, 8)).shape
    torch.Size([2, 5, 36, 18])
    """
    if not isinstance(layer, nn.Conv2d | QuantizedConv2d):
        return x.reshape(1, len(x), -1, x.shape[-1])
    border = layer.border if isinstance(layer, QuantizedConv2d) else _border(layer)
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    padded = functional.pad(x, border, mode=mode)
    size, dilation, stride = layer.kernel_size, layer.dilation, layer.stride
    patches = functional.unfold(padded, size, dilation=dilation, stride=stride)  # pyright: ignore[reportArgumentType]
    return patches.unflatten(1, (layer.groups, -1)).permute(1, 0, 3, 2)


def output_columns(
    layer: WeightLayer, y: Float[Tensor, "n ..."]
) -> Float[Tensor, "groups n positions c_out"]:
    """The output that belongs to each of `input_columns`, or its gradient."""
    if not isinstance(layer, nn.Conv2d | QuantizedConv2d):
        return y.reshape(1, len(y), -1, y.shape[-1])
    return y.flatten(2).unflatten(1, (layer.groups, -1)).permute(1, 0, 3, 2)


def example_gradients(
    columns: Float[Tensor, "groups n positions k"], y_grad: Float[Tensor, "groups n positions o"]
) -> Float[Tensor, "n c_out k"]:
    """The gradient in the weight that each example causes by itself, in one call of a layer.

    Args:
        columns: The layer's `input_columns`.
        y_grad: `output_columns` of the gradient in its output.
    """
    return einsum("gnpo,gnpk->ngok", y_grad, columns).flatten(1, 2)


def _border(layer: nn.Conv2d) -> list[int]:
    """Widths of the padding, last axis first, as functional.pad takes them."""
    return list(layer._reversed_padding_repeated_twice)
