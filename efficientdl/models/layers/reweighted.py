"""A layer whose weight passes through a rule each time that it is used: a gate, or a mask that
changes. It stands in while a network trains, and is taken away afterwards."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from efficientdl import _check
from efficientdl.models.layers.masked import MaskedConv2d, MaskedLinear


class Reweighted(nn.Module):
    """A linear layer or convolution that uses `rule(weight)` in the place of its weight.

    The layer inside keeps its weight whole, and its mask if it has one. Unlike torch's
    parametrizations this changes no class, so copies of it are independent and can be saved.

    Args:
        layer: The layer to stand for; it is used, not copied.
        rule: `f(weight) -> weight`, with parameters and buffers of its own.

    Raises:
        BadKind: The layer is neither of the two.

    >>> import torch
    >>> half = Reweighted(nn.Linear(2, 1, bias=False), nn.Dropout(0.0))
    >>> bool((half(torch.ones(1, 2)) == half.layer.weight.sum()).all())
    True
    """

    def __init__(self, layer: nn.Linear | nn.Conv2d, rule: nn.Module) -> None:
        super().__init__()
        _check.kind("Reweighted", "layer", layer, (nn.Linear, nn.Conv2d))
        self.layer, self.rule = layer, rule
        self.training = layer.training
        rule.train(layer.training)

    @property
    def weight(self) -> Float[Tensor, "..."]:
        """The weight as it is used now; where the rule draws, another one each time."""
        weight = self.rule(self.layer.weight)
        masked = isinstance(self.layer, MaskedLinear | MaskedConv2d)
        return weight * self.layer.mask if masked else weight  # pyright: ignore[reportOperatorIssue]

    @property
    def bias(self) -> Float[Tensor, "c_out"] | None:
        """The bias of the layer inside, where torch's Transformer layers look for it."""
        return self.layer.bias

    def forward(self, input: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """What the layer gives with that weight."""
        if isinstance(self.layer, nn.Conv2d):
            return self.layer._conv_forward(input, self.weight, self.layer.bias)
        return functional.linear(input, self.weight, self.layer.bias)
