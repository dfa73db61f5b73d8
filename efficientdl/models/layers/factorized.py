"""A linear layer or convolution as a chain of thinner ones: ordinary layers in `nn.Sequential`.

Nothing here is a new kind of layer, so a counter, an exporter, and whatever compresses next find
what they know.
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check


def linear_chain(
    layer: nn.Linear,
    weights: Sequence[Float[Tensor, "_ _"]],
    *,
    bias: Float[Tensor, " c_out"] | None = None,
) -> nn.Sequential:
    """Linear layers one after another, standing for one whose weight is (near) their product.

    Args:
        layer: The layer to stand for, which gives its bias, dtype, device, mode and
            `requires_grad`, and stays as it was.
        weights: A weight for each layer of the chain, the first to be applied first.
        bias: Another bias than the layer's own.

    >>> import torch
    >>> layer = nn.Linear(6, 4)
    >>> chain = linear_chain(layer, [torch.eye(6), layer.weight])
    >>> x = torch.ones(1, 6)
    >>> torch.allclose(chain(x), layer(x))
    True
    """
    _demand_chain("linear_chain", layer, weights, layer.in_features)
    parts: list[nn.Module] = [
        nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta") for weight in weights
    ]
    return _filled(layer, parts, weights, bias)


def conv_chain(
    layer: nn.Conv2d,
    weights: Sequence[Float[Tensor, "_ _ _ _"]],
    *,
    rows: int,
    columns: int,
    bias: Float[Tensor, " c_out"] | None = None,
) -> nn.Sequential:
    """Convolutions one after another, standing for one whose kernel is (near) their product.

    Two of them, or one that is both, walk the image as the layer does: its stride, padding and
    dilation along the rows belong to one, those along the columns to the other. The rest have
    kernels of one pixel. A convolution whose weight has fewer input channels than come in is a
    grouped one.

    Args:
        layer: The convolution to stand for, which gives its bias, dtype, device, mode and
            `requires_grad`, and stays as it was.
        weights: A weight for each convolution of the chain, the first to be applied first.
        rows: Which of them walks along the rows, from 0.
        columns: Which of them walks along the columns.
        bias: Another bias than the layer's own.

    >>> import torch
    >>> layer = nn.Conv2d(3, 4, 3, stride=2, padding=1)
    >>> identity = torch.eye(4)[:, :, None, None]
    >>> chain = conv_chain(layer, [layer.weight, identity], rows=0, columns=0)
    >>> x = torch.ones(1, 3, 8, 8)
    >>> torch.allclose(chain(x), layer(x))
    True
    """
    _demand_chain("conv_chain", layer, weights, layer.in_channels)
    before, parts = layer.in_channels, []
    for i, weight in enumerate(weights):
        walks = (i == rows, i == columns)
        parts.append(_conv(layer, weight, before, walks))
        before = weight.shape[0]
    return _filled(layer, parts, weights, bias)


def _conv(layer: nn.Conv2d, weight: Tensor, before: int, walks: tuple[bool, bool]) -> nn.Conv2d:
    """A convolution that walks the image along the rows, the columns, both or neither."""

    def along(values: tuple[int, ...], still: int) -> tuple[int, ...]:
        return tuple(v if walk else still for v, walk in zip(values, walks, strict=True))

    padding = layer.padding  # in words it fits every kernel, that of one pixel too
    return nn.Conv2d(
        before,
        weight.shape[0],
        tuple(weight.shape[2:]),  # pyright: ignore[reportArgumentType]
        along(layer.stride, 1),  # pyright: ignore[reportArgumentType]
        padding if isinstance(padding, str) else along(padding, 0),  # pyright: ignore[reportArgumentType]
        along(layer.dilation, 1),  # pyright: ignore[reportArgumentType]
        before // weight.shape[1],
        bias=False,
        padding_mode=layer.padding_mode if any(walks) else "zeros",
        device="meta",
    )


def _demand_chain(
    caller: str, layer: nn.Linear | nn.Conv2d, weights: Sequence[Tensor], before: int
) -> None:
    """Demand that each weight takes what the one before gives, and the last gives what `layer`
    does."""
    if not weights:
        _check.fail(caller, "weights", "must be one or more", [])
    shapes = [tuple(weight.shape) for weight in weights]
    for weight in weights:
        if before % weight.shape[1]:
            _check.fail(caller, "weights", f"must fit the {before} that come in", shapes)
        before = weight.shape[0]
    if before != layer.weight.shape[0]:
        _check.fail(caller, "weights", f"must end in {layer.weight.shape[0]}", shapes)


def _filled(
    layer: nn.Linear | nn.Conv2d,
    parts: Sequence[nn.Module],
    weights: Sequence[Tensor],
    bias: Tensor | None,
) -> nn.Sequential:
    """The chain with weights of the layer's dtype and device, and its bias at the end."""
    old = layer.weight
    for part, weight in zip(parts, weights, strict=True):
        # a copy of its own: a slice would drag the whole factorization along
        own = weight.detach().to(old.device, old.dtype, copy=True).contiguous()
        part.weight = nn.Parameter(own, requires_grad=old.requires_grad)
    learns = old.requires_grad if layer.bias is None else layer.bias.requires_grad
    given = layer.bias if bias is None else bias
    if given is not None:
        own = given.detach().to(old.device, old.dtype, copy=True)
        parts[-1].bias = nn.Parameter(own, requires_grad=learns)
    return nn.Sequential(*parts).train(layer.training)
