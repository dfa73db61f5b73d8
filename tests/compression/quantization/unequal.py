"""The small digit classifier with its channels made unequal: the same function, worse to round."""

from copy import deepcopy

import torch

from efficientdl.datasets import load
from efficientdl.models.trained import trained

DIGITS = load("mnist")
X = DIGITS.train.x[:64]
TEST = DIGITS.test.x[:500], DIGITS.test.y[:500]
PAIRS = (("conv1", "conv2"), ("conv2", "conv3"), ("conv3", "conv4"))


def unequal(seed=0):
    """Each channel times a power of two from 1/32 to 32, divided out again behind its ReLU."""
    model = deepcopy(trained("small_cnn_mnist"))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for first, second in PAIRS:
            norm, conv = model.get_submodule(first)[1], model.get_submodule(second)[0]
            factor = 2.0 ** torch.randint(-5, 6, norm.weight.shape, generator=generator)
            norm.weight.mul_(factor)
            norm.bias.mul_(factor)
            conv.weight.div_(factor[:, None, None])
    return model
