"""The networks by name: to run (`build`), to count (`skeleton`), and what to feed them.

A network enters by a line of `NETWORKS`, or of a table that `NETWORKS` takes in; nothing else has
to change.
"""

from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.models.entry import Entry
from efficientdl.models.initialise import outline, seeded
from efficientdl.models.networks import small, small_family
from efficientdl.models.networks.alexnet import alexnet_layers
from efficientdl.models.networks.efficientnet_lite import efficientnet_lite0_layers
from efficientdl.models.networks.googlenet import googlenet_layers
from efficientdl.models.networks.mobilenet_v1 import mobilenet_v1_layers
from efficientdl.models.networks.mobilenet_v2 import mobilenet_v2_layers
from efficientdl.models.networks.mobilenet_v3 import mobilenet_v3_large_layers
from efficientdl.models.networks.resnet50 import resnet50_layers
from efficientdl.models.networks.shufflenet_v1 import shufflenet_v1_layers
from efficientdl.models.networks.shufflenet_v2 import shufflenet_v2_layers
from efficientdl.models.networks.squeezenet import squeezenet_layers
from efficientdl.models.networks.vgg16 import vgg16_layers

# In the order of the survey's Table 1; the small networks that labs train come after them.
TABLE_1 = {
    "alexnet": Entry(alexnet_layers, resolution=227),
    "googlenet": Entry(googlenet_layers, resolution=224),
    "vgg16": Entry(vgg16_layers, resolution=224),
    "resnet50": Entry(resnet50_layers, resolution=224),
    "squeezenet": Entry(squeezenet_layers, resolution=227),
    "mobilenet_v1": Entry(mobilenet_v1_layers, resolution=224),
    "mobilenet_v2": Entry(mobilenet_v2_layers, resolution=224),
    "mobilenet_v2_140": Entry(partial(mobilenet_v2_layers, width=1.4), resolution=224),
    "mobilenet_v3_large": Entry(mobilenet_v3_large_layers, resolution=224),
    "shufflenet_v1_150": Entry(partial(shufflenet_v1_layers, width=1.5), resolution=224),
    "shufflenet_v2_150": Entry(partial(shufflenet_v2_layers, width=1.5), resolution=224),
    "shufflenet_v2_200": Entry(partial(shufflenet_v2_layers, width=2.0), resolution=224),
}
NETWORKS: dict[str, Entry] = {
    **TABLE_1,
    "efficientnet_lite0": Entry(efficientnet_lite0_layers, resolution=224),
    **small.NETWORKS,
    **small_family.NETWORKS,
}


def _entry(caller: str, name: str) -> Entry:
    _check.one_of(caller, "network", name, list(NETWORKS))
    return NETWORKS[name]


def _classes(caller: str, entry: Entry, classes: int | None) -> int:
    if classes is None:
        return entry.classes
    _check.whole(caller, "classes", classes, 1)
    return classes


def names() -> list[str]:
    """The networks that can be built, those of the survey's Table 1 first.

    >>> names()[:3]
    ['alexnet', 'googlenet', 'vgg16']
    """
    return list(NETWORKS)


def resolution(name: str) -> int:
    """The side of the square images that a network takes, in pixels.

    >>> resolution("squeezenet")
    227
    """
    return _entry("resolution", name).resolution


def build(name: str, *, seed: int, classes: int | None = None) -> nn.Module:
    """Build a network with weights drawn from a seed, in train mode.

    The layers draw in their order, so two numbers of classes give the same network but for the
    last layer. Torch's global generator is neither read nor moved.

    Args:
        name: One of `names()`.
        seed: Draws the weights.
        classes: Outputs of the last layer; the network's own number where there is none.

    >>> build("squeezenet", seed=0, classes=10).conv10.conv
    Conv2d(512, 10, kernel_size=(1, 1), stride=(1, 1), padding=(1, 1))
    """
    entry = _entry("build", name)
    _check.whole("build", "seed", seed, 0, 2**63 - 1)
    return seeded(partial(entry.layers, _classes("build", entry, classes)), seed=seed)


def skeleton(name: str, *, classes: int | None = None) -> nn.Module:
    """Build a network on the meta device: shapes and names, no memory, for counting.

    Args:
        name: One of `names()`.
        classes: Outputs of the last layer; the network's own number where there is none.

    >>> sum(p.numel() for p in skeleton("vgg16").parameters())
    138357544
    """
    entry = _entry("skeleton", name)
    return outline(partial(entry.layers, _classes("skeleton", entry, classes)))


def example(
    name: str, *, batch: int = 1, device: str | torch.device = "cpu"
) -> Float[Tensor, "batch c h w"]:
    """Zeros in the shape that a network takes; on the meta device to count a skeleton.

    Args:
        name: One of `names()`.
        batch: How many images.
        device: Where they are.

    >>> skeleton("resnet50")(example("resnet50", batch=8, device="meta")).shape
    torch.Size([8, 1000])
    """
    entry = _entry("example", name)
    _check.whole("example", "batch", batch, 1)
    return torch.zeros(batch, entry.channels, entry.resolution, entry.resolution, device=device)
