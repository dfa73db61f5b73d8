"""Hear what layers say while a network runs."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor, nn

from efficientdl import _check
from efficientdl.compression.distillation.matches import CALLER


@contextmanager
def listening(model: nn.Module, names: Iterable[str]) -> Iterator[Mapping[str, list[Tensor]]]:
    """Write down the output of every call of these layers while inside.

    Args:
        model: The network, which has no hook left on it afterwards.
        names: Its layers, by name; "" is the network itself.

    >>> import torch
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(inplace=True))
    >>> with listening(model, ["0"]) as heard:
    ...     _ = model(-torch.ones(5, 2))
    >>> [output.shape for output in heard["0"]]
    [torch.Size([5, 3])]
    """
    heard: dict[str, list[Tensor]] = {name: [] for name in names}

    def hook_of(name: str):  # noqa: ANN202 (a closure)
        def hook(_module: nn.Module, _inputs: object, output: object) -> Tensor:
            if not isinstance(output, Tensor):
                rule = f"must give one tensor in layer {name!r}"
                _check.fail(CALLER, "model", rule, type(output).__name__)
            heard[name].append(output)
            return output.clone()  # an activation in place must not write into what we keep

        return hook

    handles = [model.get_submodule(n).register_forward_hook(hook_of(n)) for n in heard]
    try:
        yield heard
    finally:
        for handle in handles:
            handle.remove()


def said(who: str, heard: Mapping[str, list[Tensor]], name: str) -> Tensor:
    """The one output of a layer.

    Args:
        who: Student or teacher, for the error.
        heard: What `listening` wrote down.
        name: The layer.

    Raises:
        BadValue: The layer was never called, or more than once.
    """
    outputs = heard[name]
    if len(outputs) != 1:
        rule = f"must call layer {name!r} once for each batch"
        _check.fail(CALLER, who, rule, f"{len(outputs)} calls")
    return outputs[0]
