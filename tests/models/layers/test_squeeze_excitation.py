import torch

from efficientdl.models import seeded
from efficientdl.models.layers import SqueezeExcitation


def image():
    return torch.randn(2, 8, 5, 5, generator=torch.Generator().manual_seed(1))


def gated(bias):
    """A block whose answer does not depend on the image: hard sigmoid of its last bias."""
    block = seeded(lambda: SqueezeExcitation(8, 2), seed=0)
    with torch.no_grad():
        block.excite.weight.zero_()
        block.excite.bias.fill_(bias)
    return block


def test_with_an_open_gate_it_is_the_identity():
    torch.testing.assert_close(gated(3.0)(image()), image(), rtol=0, atol=0)


def test_with_a_shut_gate_it_is_silent_and_in_between_it_is_a_sixth_of_a_step():
    torch.testing.assert_close(gated(-3.0)(image()), torch.zeros(2, 8, 5, 5))
    torch.testing.assert_close(gated(1.0)(image()), image() * (1 + 3) / 6)


def test_it_equals_its_two_matrices_on_the_averages():
    block = seeded(lambda: SqueezeExcitation(8, 2), seed=0)
    squeeze, excite = block.squeeze.weight[:, :, 0, 0], block.excite.weight[:, :, 0, 0]
    hidden = (image().mean(dim=(2, 3)) @ squeeze.T).relu()
    gate = ((hidden @ excite.T) / 6 + 0.5).clamp(0, 1)
    torch.testing.assert_close(block(image()), image() * gate[:, :, None, None])
