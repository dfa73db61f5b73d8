"""Small networks with every kind of layer that statistics are gathered from, and losses."""

import torch
from torch import nn
from torch.nn import functional

from tests.models.layers.test_masked import drawn, gen


def mlp():
    """Two hidden units' worth of ReLU, in double precision: small enough for a full Hessian."""
    model = nn.Sequential(drawn(nn.Linear(5, 4)), nn.ReLU(), drawn(nn.Linear(4, 3)))
    return model.double().eval()


def convnet():
    """Plain, grouped and strided convolutions with batch norm, an in-place ReLU, and a head."""
    return (
        nn
        .Sequential(
            drawn(nn.Conv2d(2, 4, 3, padding=1, bias=False)),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace=True),
            drawn(nn.Conv2d(4, 4, (3, 2), groups=2, stride=2, dilation=(1, 2), padding=1)),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            drawn(nn.Linear(4, 3)),
        )
        .double()
        .eval()
    )


def examples(model, n=7):
    """Inputs that fit the network, and labels."""
    shape = (5,) if isinstance(model[0], nn.Linear) else (2, 6, 6)
    x = torch.randn(n, *shape, generator=gen(1), dtype=torch.float64)
    return x, torch.randint(0, 3, (n,), generator=gen(2))


def half_square(output, y):
    """Half the squared distance from the one-hot label, mean over the batch."""
    return (output - functional.one_hot(y, 3)).square().sum(dim=1).mean() / 2


def loss_of(model, data, loss, name):
    """The mean loss as a function of one layer's weight."""

    def value(weight):
        return loss(torch.func.functional_call(model, {f"{name}.weight": weight}, data[0]), data[1])

    return value
