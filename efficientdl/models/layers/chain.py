"""Layers one after the other, run image by image, so that what is between them stays near.

Layer by layer, a batch of activations goes out to memory and comes back, is packed for a kernel and
unpacked behind it; batch norm and ReLU each take it out and back once more. A chain takes an image
through its convolutions before the next one begins. Two places are enough for what lies between:
each convolution reads one and writes the other.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook

from efficientdl import _check
from efficientdl.kernels.planes import Floats, floats_of, planes_of
from efficientdl.kernels.simd import aligned
from efficientdl.kernels.threads import deal, n_threads, threads
from efficientdl.models.layers.kernel_form import KernelForm
from efficientdl.models.layers.plane_steps import ANY, BOUNDS, Shape, Step, folds, step_of
from efficientdl.models.layers.sparse import SparseConv2d

Part = Callable[[Tensor], Tensor]
Sizes = tuple[int, int, int]
Places = tuple[Floats, Floats, Floats]  # two for planes, and scratch

SMALL = 2**16  # floats between layers: of fewer, a kernel takes several images at a call
NOTHING = (nn.Identity, nn.Dropout, nn.Dropout2d)  # in inference


class Chain(nn.Sequential):
    """A sequence of layers whose sparse convolutions run on planes, with what stands around them.

    It holds the same layers as the sequence that it is made from, under the same names, and gives
    what they give one after the other, up to rounding. A run of sparse and depthwise convolutions
    is one pass over each image: batch norm is in the weights, a ReLU in the kernel's last store,
    and activations lie as the next kernel reads them. All other layers are called as they are, and
    so are all where a batch has images so small that calls, image by image, would be most of it.

    Where a layer has a hook, in training, and for inputs that are not images in float32 on the
    processor, it is the plain sequence. What torch writes into a layer is seen at the next call;
    what is written behind its back, through `.data` or NumPy, is not. No gradient comes back.

    Args:
        sequence: The layers, or these by their names.

    Raises:
        BadKind: It is neither.

    >>> from efficientdl.models.layers.masked import MaskedConv2d
    >>> masked = MaskedConv2d(nn.Conv2d(1, 2, 3), torch.eye(3, dtype=torch.bool).expand(2, 1, 3, 3))
    >>> layers = nn.Sequential(SparseConv2d(masked), nn.ReLU())
    >>> x = torch.ones(4, 1, 5, 5)
    >>> torch.allclose(Chain(layers)(x), layers(x))
    True

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", CVPR 2018, section 3.2, for norms in weights; Chen et al.,
    "TVM", OSDI 2018, section 3, for fusion; the survey's section 6.1; lab 13.
    """

    def __init__(self, sequence: nn.Module | dict[str, nn.Module]) -> None:
        _check.kind("Chain", "sequence", sequence, (nn.Sequential, dict))
        super().__init__()
        assert isinstance(sequence, nn.Sequential | dict)
        if isinstance(sequence, nn.Sequential):
            self.__dict__.update(vars(sequence))  # its mode and hooks, too
            sequence = sequence._modules  # pyright: ignore[reportAssignmentType]
        self._modules = dict(sequence)
        self._parts = KernelForm(_parts_of)

    def forward(self, input: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        inside = list(_inside(self))
        if not _fits(input) or self.training or _is_watched(inside):
            return super().forward(input)
        layers = [module for module in inside if type(module) not in SEQUENCES]
        held = [t for m in layers for t in (*m._parameters.values(), *m._buffers.values())]
        y = input
        for part in self._parts.of(*layers, *held):
            y = part(y)
        return y


SEQUENCES = (nn.Sequential, Chain)


class Pass:
    """Convolutions that an image passes one after the other.

    Args:
        steps: The convolutions.
        layers: The layers that they stand for, which run where the input is no image of theirs.
    """

    def __init__(self, steps: Sequence[Step], layers: Sequence[nn.Module]) -> None:
        self.steps, self.layers = steps, nn.Sequential(*layers)
        self._known: dict[Shape, tuple[Shape, Sizes]] = {}
        self._free: list[Places] = []  # that no thread is using

    def __call__(self, x: Tensor) -> Tensor:
        """What comes out, image by image."""
        if not _fits(x) or x.shape[1] != self.steps[0].c_in:
            return self.layers(x)
        images = x.detach().numpy()
        y_shape, sizes = self._sizes(images.shape[1:])
        if len(images) > 1 and max(sizes[:2]) < SMALL:
            return self.layers(x)
        y = np.empty((len(images), *y_shape), np.float32)

        def some(first: int, last: int) -> None:
            places = self._places(sizes)
            for image in range(first, last):
                self._run(images[image], y[image], places)
            self._free.append(places)

        def alone(first: int, last: int) -> None:
            with threads(1):
                some(first, last)

        if len(images) < n_threads():  # the threads share an image
            some(0, len(images))
        else:
            deal(alone, len(images))
        return torch.from_numpy(y)

    def _run(
        self,
        image: Float32[np.ndarray, "c h w"],
        y: Float32[np.ndarray, "c_out p q"],
        places: Places,
    ) -> None:
        planes = planes_of(image, places[0])
        for i, step in enumerate(self.steps):
            planes = step.run(planes, places[(i + 1) % 2], places[2])
        y[...] = planes.image

    def _sizes(self, x_shape: Shape) -> tuple[Shape, Sizes]:
        """The shape of an output, and the floats of each place."""
        if x_shape not in self._known:
            shape, sizes = x_shape, [floats_of(x_shape[0], x_shape[1] * x_shape[2])]
            scratch = 0
            for step in self.steps:
                sizes.append(step.floats(shape))
                scratch = max(scratch, step.scratch(shape))
                shape = step.y_shape(shape)
            self._known[x_shape] = shape, (max(sizes[::2]), max(sizes[1::2]), scratch)
        return self._known[x_shape]

    def _places(self, sizes: Sizes) -> Places:
        """Places of these sizes or more: some that are free, or new ones."""
        try:
            found = self._free.pop()
        except IndexError:
            found = None
        if found is None or any(len(f) < n for f, n in zip(found, sizes, strict=True)):
            first, second, scratch = (aligned(n, np.float32) for n in sizes)
            return first, second, scratch
        return found


def has_sparse_convolution(sequence: nn.Sequential) -> bool:
    """Whether a chain of these layers would do anything.

    >>> has_sparse_convolution(nn.Sequential(nn.Conv2d(1, 1, 1)))
    False
    """
    return any(isinstance(module, SparseConv2d) for module in _inside(sequence))


def _inside(sequence: nn.Module) -> Iterator[nn.Module]:
    """All modules of a sequence in their order, each sequence before what stands in it."""
    for module in sequence._modules.values():
        if module is not None:
            yield module
            if type(module) in SEQUENCES:
                yield from _inside(module)


def _parts_of(*parts: object) -> list[Part]:
    """The parts of a chain: passes over images, and layers as they are.

    Args:
        parts: The layers, and then what these hold.
    """
    layers = [part for part in parts if isinstance(part, nn.Module)]
    made: list[Part] = []
    steps: list[Step] = []
    begin = at = 0
    while at < len(layers):
        step, end = _fused(layers, at)
        if step is not None:
            begin = begin if steps else at
            steps.append(step)
        if step is None or end == len(layers):
            made += _pass(steps, layers[begin : at if step is None else end])
            steps = []
        if step is None:
            made.append(layers[at])
        at = end
    return made


def _pass(steps: list[Step], layers: list[nn.Module]) -> list[Part]:
    """One pass, if any convolution of it is sparse; else the layers that it would stand for."""
    if any(step.sparse for step in steps):
        return [Pass(steps, layers)]
    return list(layers) if steps else []


def _fused(layers: list[nn.Module], at: int) -> tuple[Step | None, int]:
    """The step that begins with a layer, if one does, and the next layer that is not in it."""
    end, norm, bounds = _behind(layers, at + 1), None, ANY
    after = layers[end] if end < len(layers) else None
    if folds(after, layers[at]):
        norm, end = after, _behind(layers, end + 1)
    if end < len(layers) and type(layers[end]) in BOUNDS:
        bounds = BOUNDS[type(layers[end])]
        end = _behind(layers, end + 1)
    step = step_of(layers[at], norm, bounds)
    return step, at + 1 if step is None else end


def _behind(layers: list[nn.Module], at: int) -> int:
    """The next layer that does something."""
    while at < len(layers) and type(layers[at]) in NOTHING:
        at += 1
    return at


def _fits(x: Tensor) -> bool:
    """Whether an input is images, one at least, that a kernel can read."""
    ours = x.dtype == torch.float32 and x.device.type == "cpu" and x.layout == torch.strided
    return ours and x.ndim == 4 and bool(x.numel())


def _is_watched(modules: Iterable[nn.Module]) -> bool:
    """Whether somebody wants to see what goes in or out, or a batch is to be learned from."""
    return bool(_has_any_global_hook()) or any(
        module.training or module._forward_hooks or module._forward_pre_hooks for module in modules
    )
