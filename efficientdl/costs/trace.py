"""Run a model once and watch every operation of torch that it executes.

Counting MACs, laying out memory and following saved tensors all begin here. Operations are seen
below autograd, where `x @ w`, `F.conv2d` and `nn.Linear` have become the few products that torch
really computes, so nothing escapes by being written in an unusual way. Hooks on the modules tell
which layer an operation belongs to. The run leaves no trace of its own: hooks come off, each
module gets its mode back, buffers and torch's random generator stay as they were, also when the
model raises.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from efficientdl import _check

# One tensor, or the positional arguments of a model that takes several.
Inputs = Shaped[Tensor, "..."] | tuple[Any, ...]

# The row of operations and weights that belong to the model itself and to no layer inside it.
MODEL = "(model)"


def arguments(x: Inputs) -> tuple[Any, ...]:
    """The positional arguments that `x` stands for."""
    return x if isinstance(x, tuple) else (x,)


def tensors(*values: Any) -> Iterator[Tensor]:  # noqa: ANN401 (whatever a module takes or gives)
    """The tensors in a nest of tuples, lists and dictionaries, in order; a sparse one in its parts.

    >>> [t.shape for t in tensors({"a": torch.zeros(2)}, [torch.zeros(3), None], 7)]
    [torch.Size([2]), torch.Size([3])]
    """
    for value in values:
        if isinstance(value, Tensor):
            yield from _parts(value)
        elif isinstance(value, Mapping):
            yield from tensors(*value.values())
        elif isinstance(value, (tuple, list)):
            yield from tensors(*value)


def _parts(tensor: Tensor) -> tuple[Tensor, ...]:
    """The dense tensors that a tensor is stored as."""
    if tensor.layout is torch.sparse_csr:
        return tensor.crow_indices(), tensor.col_indices(), tensor.values()
    if tensor.layout is torch.sparse_coo:
        return tensor._indices(), tensor._values()
    return (tensor,)


def n_bytes(tensor: Tensor) -> int:
    """Bytes of the values of one tensor; an expanded one has no more than its storage holds."""
    return min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())


@dataclass(frozen=True, slots=True)
class Op:
    """One executed operation.

    Attributes:
        name: What torch calls it, without the overload: `aten.convolution`.
        args: Its positional arguments, tensors among them.
        kwargs: Its keyword arguments.
        out: What it gave.
        layer: The innermost module in which it ran, `MODEL` outside every layer.
    """

    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    out: Any
    layer: str

    def inputs(self) -> Iterator[Tensor]:
        """The tensors that it reads."""
        return tensors(*self.args, *self.kwargs.values())

    def outputs(self) -> Iterator[Tensor]:
        """The tensors that it gives."""
        if self.name == "aten.native_batch_norm" and not self.args[5]:
            # Statistics of the batch, which only training computes; the meta device claims them.
            return tensors(self.out[0])
        return tensors(self.out)

    def only_views(self) -> bool:
        """Whether it computes nothing: each output is a view of an input, and none is written."""
        if self.name.endswith("_"):
            return False
        read = {t.untyped_storage()._cdata for t in self.inputs()}
        return all(t.untyped_storage()._cdata in read for t in self.outputs())


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a module.

    Attributes:
        name: The module's name in the model, `MODEL` for the model itself.
        module: The module.
        given: Its arguments, however they were passed.
    """

    name: str
    module: nn.Module
    given: tuple[Any, ...]

    def inputs(self) -> Iterator[Tensor]:
        """The tensors among its arguments."""
        return tensors(*self.given)


class Watcher:
    """What a run tells. Override what you need to hear."""

    def op(self, op: Op) -> None:
        """An operation has run."""

    def enter(self, call: Call) -> None:
        """A module is called."""

    def leave(self, call: Call, out: object) -> None:
        """A module has returned."""


class StorageNumbers:
    """A number for every storage, never given twice, though memory is used again and again."""

    def __init__(self) -> None:
        self._held: dict[int, tuple[int, StorageWeakRef]] = {}

    def of(self, tensor: Tensor) -> int:
        """The number of the memory behind a tensor; a view has that of its base."""
        storage = tensor.untyped_storage()
        # A weak reference keeps the address taken after the memory is gone.
        known = self._held.get(storage._cdata)
        if known is None:
            known = (len(self._held), StorageWeakRef(storage))
            self._held[storage._cdata] = known
        return known[0]


class _Listen(TorchDispatchMode):
    """Tell the watcher of every operation below autograd."""

    def __init__(self, watcher: Watcher, layers: list[str]) -> None:
        super().__init__()
        self.watcher, self.layers = watcher, layers

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # noqa: ANN001, ANN204
        kwargs = kwargs or {}
        if torch.is_inference_mode_enabled():  # then compound operations arrive whole
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        out = func(*args, **kwargs)
        name = str(func.overloadpacket)
        self.watcher.op(Op(name, args, kwargs, out, self.layers[-1]))
        return out


@contextmanager
def _mode(model: nn.Module, training: bool) -> Generator[None]:
    before = [(module, module.training) for module in model.modules()]
    try:
        model.train(training)
        yield
    finally:
        for module, mode in before:
            module.training = mode


@contextmanager
def _hooks(model: nn.Module, watcher: Watcher, layers: list[str]) -> Generator[None]:
    handles = []

    def hook(name: str, module: nn.Module) -> None:
        def enter(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            layers.append(name)
            watcher.enter(Call(name, module, (*args, *kwargs.values())))

        def leave(_: nn.Module, args: Any, kwargs: dict[str, Any], out: object) -> None:  # noqa: ANN401
            watcher.leave(Call(name, module, (*args, *kwargs.values())), out)
            layers.pop()

        handles.append(module.register_forward_pre_hook(enter, with_kwargs=True))
        handles.append(module.register_forward_hook(leave, with_kwargs=True))

    try:
        for name, module in model.named_modules():
            hook(name or MODEL, module)
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _plain_attention() -> Generator[None]:
    """Switch off the fused attention of evaluation mode, which hides its matrix products."""
    before = torch.backends.mha.get_fastpath_enabled()
    try:
        torch.backends.mha.set_fastpath_enabled(False)
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def check_inputs(caller: str, model: nn.Module, x: Inputs) -> None:
    """Demand a model, and inputs with a tensor on the model's device."""
    _check.kind(caller, "model", model, nn.Module)
    _check.kind(caller, "x", x, (Tensor, tuple))
    given = next(tensors(x), None)
    if given is None:
        _check.fail(caller, "x", "must hold a tensor", x)
    weight = next(model.parameters(), None)
    if weight is not None and given.device != weight.device:
        rule = f"must be on the model's device, {weight.device}"
        _check.fail(caller, "x", rule, str(given.device))


def run(model: nn.Module, x: Inputs, watcher: Watcher) -> None:
    """Run once as in inference, in evaluation mode and without gradients, and watch."""
    _run(model, model, x, watcher, training=False)


def run_training(model: nn.Module, x: Inputs, watcher: Watcher) -> Any:  # noqa: ANN401
    """Run once as in training, with gradients, and watch; returns the output with its graph.

    Batch norm writes its running statistics into copies, not into the model.
    """
    buffers = {name: b.detach().clone() for name, b in model.named_buffers()}

    def forward(*args: Any) -> Any:  # noqa: ANN401
        return torch.func.functional_call(model, buffers, args)

    return _run(model, forward, x, watcher, training=True)


def _run(
    model: nn.Module, call: Callable[..., Any], x: Inputs, watcher: Watcher, *, training: bool
) -> Any:  # noqa: ANN401
    layers = [MODEL]
    given = [_own(value) for value in arguments(x)]
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=[]))
        stack.enter_context(_plain_attention())
        stack.enter_context(_mode(model, training))
        stack.enter_context(_hooks(model, watcher, layers))
        stack.enter_context(torch.set_grad_enabled(training))
        stack.enter_context(_Listen(watcher, layers))
        return call(*given)


def _own(value: Any) -> Any:  # noqa: ANN401
    """A slice of a larger set as a tensor of its own: the rest of the set is not the model's."""
    if not isinstance(value, Tensor) or value.layout is not torch.strided:
        return value
    if value.untyped_storage().nbytes() <= value.nbytes:
        return value
    return value.detach().clone().requires_grad_(value.requires_grad)
