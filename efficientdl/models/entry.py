"""What the registry knows about a network."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Entry:
    """One network of the registry.

    Attributes:
        layers: `f(classes)`, the network made of torch's layers, weights not yet drawn.
        resolution: Side of the square images that it takes, in pixels.
        channels: Channels of the images.
        classes: Classes that it tells apart where nothing else is asked.
    """

    layers: Callable[[int], nn.Module]
    resolution: int
    channels: int = 3
    classes: int = 1000
