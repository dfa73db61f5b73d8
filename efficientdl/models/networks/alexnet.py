"""AlexNet, the network that started it."""

from collections import OrderedDict
from functools import partial

from torch import nn

from efficientdl import _check
from efficientdl.catalogue import Network, technique
from efficientdl.models.initialise import seeded


def alexnet_layers(classes: int) -> nn.Sequential:
    """AlexNet layer by layer, as Caffe defines it: two groups in conv2, conv4 and conv5."""
    _check.whole("alexnet", "classes", classes, 1)
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, 96, 11, stride=4),  # 227 -> 55
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(3, stride=2),  # 55 -> 27
            conv2=nn.Conv2d(96, 256, 5, padding=2, groups=2),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(3, stride=2),  # 27 -> 13
            conv3=nn.Conv2d(256, 384, 3, padding=1),
            relu3=nn.ReLU(),
            conv4=nn.Conv2d(384, 384, 3, padding=1, groups=2),
            relu4=nn.ReLU(),
            conv5=nn.Conv2d(384, 256, 3, padding=1, groups=2),
            relu5=nn.ReLU(),
            pool5=nn.MaxPool2d(3, stride=2),  # 13 -> 6
            flatten=nn.Flatten(),
            fc6=nn.Linear(256 * 6 * 6, 4096),
            relu6=nn.ReLU(),
            drop6=nn.Dropout(0.5),
            fc7=nn.Linear(4096, 4096),
            relu7=nn.ReLU(),
            drop7=nn.Dropout(0.5),
            fc8=nn.Linear(4096, classes),
        )
    )


@technique(
    "arch-alexnet",
    paper="Krizhevsky, Sutskever and Hinton, ImageNet Classification with Deep Convolutional "
    "Neural Networks, 2012",
    survey="2.5, Table 1",
    lab="01_costs",
    kind=Network(resolution=227, params=60_965_224, macs=724_406_816),
)
def alexnet(*, classes: int = 1000, seed: int) -> nn.Module:
    """AlexNet: five convolutions and three huge linear layers.

    96 % of its weights are in the linear layers and 92 % of its MACs in the convolutions, which is
    why neither figure stands for the other. The groups were there to fit two graphics cards of 3
    GB each. Local response normalization is left out: it has no weights, and VGG's authors found
    that it costs time and memory and brings no accuracy.

    Args:
        classes: Outputs of the last layer.
        seed: Draws the weights.

    Source: Krizhevsky et al., NeurIPS 2012, section 3.5, Figure 2, with the paddings of Caffe's
    `bvlc_alexnet`; the survey's Table 1; lab 01.
    """
    return seeded(partial(alexnet_layers, classes), seed=seed)
