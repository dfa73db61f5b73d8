"""The layers of a network, as machines see them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.systems.hardware.gemm import INT8, Bits, Gemm
from efficientdl.systems.hardware.layer import Conv

Shape = tuple[int, ...]


def from_torch(model: nn.Module, x: Tensor, *, bits: Bits = INT8) -> dict[str, Conv | Gemm]:
    """Walk a network and give its convolutions and linear layers, in the order in which they run.

    The network runs once on `x`, so that every layer's input size is known. Pools, norms and
    activations have no matrix product and are left out; so are products without weights, as in
    attention. A layer that is called twice comes twice, with a number.

    Args:
        model: The network; its mode and weights stay what they are.
        x: Its input.
        bits: Widths of the words that the machine shall use.

    Raises:
        BadValue: A convolution that is not of images, or is padded with anything but equal zeros.

    >>> net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Flatten(), nn.Linear(128, 10))
    >>> [layer.macs for layer in from_torch(net, torch.zeros(1, 3, 4, 4)).values()]
    [3456, 1280]

    Source: survey section 6.2; lab 14.
    """
    _check.kind("from_torch", "model", model, nn.Module)
    _check.kind("from_torch", "x", x, Tensor)
    found: dict[str, Conv | Gemm] = {}
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.modules.conv._ConvTransposeNd)
    hooks = [
        module.register_forward_hook(_seen(found, name or "model", bits))
        for name, module in model.named_modules()
        if isinstance(module, kinds)
    ]
    was = {module: module.training for module in model.modules()}
    try:
        model.eval()  # a norm in training would change what it has learnt
        with torch.no_grad():
            model(x)
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in was.items():
            module.training = training
    return found


def _seen(found: dict[str, Conv | Gemm], name: str, bits: Bits) -> Callable[..., None]:
    def note(module: nn.Module, inputs: tuple[Any, ...], _: object) -> None:
        shape, key, number = tuple(inputs[0].shape), name, 2
        while key in found:
            key, number = f"{name} ({number})", number + 1
        linear = isinstance(module, nn.Linear)
        found[key] = _linear(module, shape, bits) if linear else _conv(name, module, shape, bits)

    return note


def _linear(layer: nn.Linear, shape: Shape, bits: Bits) -> Gemm:
    rows = 1
    for size in shape[:-1]:
        rows *= size
    return Gemm(rows, layer.in_features, layer.out_features, bits=bits)


def _conv(name: str, layer: Any, shape: Shape, bits: Bits) -> Conv:  # noqa: ANN401
    if not isinstance(layer, nn.Conv2d):
        _check.fail("from_torch", f"layer {name!r}", "must be a convolution of images", layer)
    batch, c_in, h, w = shape if len(shape) == 4 else (1, *shape)
    padding = layer.padding
    if padding == "valid":
        padding = (0, 0)
    elif padding == "same":
        spans = [d * (r - 1) for d, r in zip(layer.dilation, layer.kernel_size, strict=True)]
        padding = tuple(span // 2 for span in spans)
        if any(span % 2 for span in spans):
            _check.fail(
                "from_torch", f"layer {name!r}", "must be padded alike on both sides", layer
            )
    return Conv(
        c_in,
        h,
        w,
        layer.out_channels,
        kernel=layer.kernel_size,  # pyright: ignore[reportArgumentType]
        stride=layer.stride,  # pyright: ignore[reportArgumentType]
        padding=padding,  # pyright: ignore[reportArgumentType]
        dilation=layer.dilation,  # pyright: ignore[reportArgumentType]
        groups=layer.groups,
        batch=batch,
        bits=bits,
    )
