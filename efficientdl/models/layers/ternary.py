"""A layer whose weight is zero or one of two numbers, each of a size of its own."""

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.models.layers.coded import Coded
from efficientdl.models.layers.stored_weight import bits_of


class TwoScaleTernary(Coded):
    """A linear layer or convolution whose weights are `-W_n`, 0 or `+W_p`.

    Two bits a weight, and two floats a layer.

    Args:
        layer: The layer to stand for; a masked one hands its mask on.
        signs: -1, 0 or 1 for each weight.
        positive: `W_p`.
        negative: `W_n`, what is taken for -1 without its sign.

    Raises:
        BadValue: The signs are others, or have another shape than the weight.

    >>> signs = torch.tensor([[1.0, 0.0, -1.0]])
    >>> layer = nn.Linear(3, 1, bias=False)
    >>> TwoScaleTernary(layer, signs, torch.tensor(0.5), torch.tensor(2.0)).weight.tolist()
    [[0.5, 0.0, -2.0]]

    Source: Zhu, Han, Mao and Dally, "Trained Ternary Quantization", ICLR 2017, section 3.1, eq. 6.
    """

    codes: Integer[Tensor, "..."]
    levels: Float[Tensor, "3"]

    def __init__(
        self,
        layer: nn.Linear | nn.Conv2d,
        signs: Float[Tensor, "..."],
        positive: Float[Tensor, ""],
        negative: Float[Tensor, ""],
    ) -> None:
        super().__init__(layer)
        if signs.shape != layer.weight.shape:
            rule = f"must have the weight's shape {self.weight_shape}"
            _check.fail("TwoScaleTernary", "signs", rule, tuple(signs.shape))
        known = (signs == 0) | (signs.abs() == 1)
        if not bool(known.all()):
            _check.fail("TwoScaleTernary", "signs", "must be -1, 0 or 1", float(signs[~known][0]))
        levels = torch.stack([-negative, torch.zeros_like(positive), positive])
        self.register_buffer("codes", (signs + 1).to(torch.uint8))
        self.register_buffer("levels", levels.detach().to(layer.weight.dtype))
        self.bias = layer.bias
        self.train(layer.training)

    @property
    def bits(self) -> int:
        """Bits of one code."""
        return 2

    @property
    def side_bits(self) -> int:
        """The two sizes."""
        return 2 * 8 * self.levels.element_size()

    def decoded(self) -> Float[Tensor, "..."]:
        """The weight that the codes stand for."""
        return self.levels[self.codes.long()]

    def bias_bits(self) -> int:
        """Bits of the bias, 0 for none."""
        return bits_of(self.bias)

    def bias_value(self) -> Float[Tensor, "c_out"] | None:
        """The bias as it is added."""
        return self.bias
