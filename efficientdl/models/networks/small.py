"""The small networks that the labs train: for grey images of 28 x 28 pixels, ten classes.

Each is a chain of torch's own layers under names that read well in a report, so that a lab can
prune, quantize or rewrite it layer by layer.
"""

from collections import OrderedDict

from torch import nn

from efficientdl.models.entry import Entry
from efficientdl.models.layers.conv_norm_activation import conv_norm_activation


def _conv(c_in: int, c_out: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(c_in, c_out, 3, stride=stride, padding=1, bias=False)
    return conv_norm_activation(conv)


def small_cnn(classes: int = 10) -> nn.Sequential:
    """The course's everyday network: four 3x3 convolutions, 57,594 weights, 3.8 M MACs.

    Its first two layers halve the picture each, so that it trains in ten seconds on one core.

    >>> sum(p.numel() for p in small_cnn().parameters())
    57594
    """
    return nn.Sequential(
        OrderedDict(
            conv1=_conv(1, 16, stride=2),  # 14 x 14
            conv2=_conv(16, 32, stride=2),  # 7 x 7
            conv3=_conv(32, 64),
            conv4=_conv(64, 32),
            flatten=nn.Flatten(),
            classifier=nn.Linear(32 * 7 * 7, classes),
        )
    )


def lenet_300_100(classes: int = 10) -> nn.Sequential:
    """LeNet-300-100: two hidden layers, fully connected; on which pruning made its name.

    >>> sum(p.numel() for p in lenet_300_100().parameters())
    266610

    Source: LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document
    Recognition", 1998; pruned in Han, Pool, Tran and Dally, "Learning both Weights and Connections
    for Efficient Neural Networks", NeurIPS 2015, Table 3.
    """
    return nn.Sequential(
        OrderedDict(
            flatten=nn.Flatten(),
            fc1=nn.Linear(28 * 28, 300),
            relu1=nn.ReLU(),
            fc2=nn.Linear(300, 100),
            relu2=nn.ReLU(),
            classifier=nn.Linear(100, classes),
        )
    )


def lenet_5(classes: int = 10) -> nn.Sequential:
    """LeNet-5 as Caffe ships it, the one that Deep Compression made 39 times smaller.

    Nine tenths of its 431,080 weights stand in one fully connected layer, and most of its MACs in
    the convolutions before it.

    >>> sum(p.numel() for p in lenet_5().parameters())
    431080

    Source: LeCun, Bottou, Bengio and Haffner, 1998; the widths are those of Han, Pool, Tran and
    Dally, NeurIPS 2015, Table 4.
    """
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 20, 5),  # 24 x 24
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(20, 50, 5),  # 8 x 8
            pool2=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            fc1=nn.Linear(50 * 4 * 4, 500),
            relu1=nn.ReLU(),
            classifier=nn.Linear(500, classes),
        )
    )


NETWORKS = {
    make.__name__: Entry(make, resolution=28, channels=1, classes=10)
    for make in (small_cnn, lenet_300_100, lenet_5)
}
