"""Whole networks, one in each file, each with its paper's table in view.

A file has two functions: `resnet50_layers(classes)` puts the network together, and
`resnet50(classes=..., seed=...)` also draws its weights. `efficientdl.models.build` finds them by
name.
"""

from efficientdl.models.networks.alexnet import alexnet
from efficientdl.models.networks.efficientnet_lite import efficientnet_lite0
from efficientdl.models.networks.googlenet import googlenet
from efficientdl.models.networks.mobilenet_v1 import mobilenet_v1
from efficientdl.models.networks.mobilenet_v2 import mobilenet_v2
from efficientdl.models.networks.mobilenet_v3 import mobilenet_v3_large
from efficientdl.models.networks.resnet50 import resnet50
from efficientdl.models.networks.shufflenet_v1 import shufflenet_v1
from efficientdl.models.networks.shufflenet_v2 import shufflenet_v2
from efficientdl.models.networks.squeezenet import squeezenet
from efficientdl.models.networks.vgg16 import vgg16

__all__ = [
    "alexnet",
    "efficientnet_lite0",
    "googlenet",
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "resnet50",
    "shufflenet_v1",
    "shufflenet_v2",
    "squeezenet",
    "vgg16",
]
