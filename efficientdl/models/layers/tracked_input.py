"""A layer whose input is rounded while it trains, to a range that follows the data."""

from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.tensors import PerTensor, QParams, affine_between
from efficientdl.tensors.affine import ends_of
from efficientdl.tensors.straight_through import on_levels

_WHOLE = PerTensor()


class TrackedInput(nn.Module):
    """A layer behind a quantizer whose range is a moving average of each batch's.

    In evaluation mode the range stands still. Zero is a level always.

    Args:
        layer: The layer; it is used, not copied.
        low: Where the range begins before training.
        high: Where it ends.
        bits: Bits of a code, 1..16.
        momentum: What a new batch counts for, in (0, 1].

    >>> import torch
    >>> tracked = TrackedInput(nn.Identity(), torch.tensor(0.0), torch.tensor(1.0), bits=1)
    >>> _ = tracked.train()(torch.tensor([0.0, 11.0]))
    >>> tracked.high.item()
    2.0

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", CVPR 2018, section 3.1; lab 04.
    """

    low: Float[Tensor, ""]
    high: Float[Tensor, ""]

    def __init__(
        self,
        layer: nn.Module,
        low: Float[Tensor, ""],
        high: Float[Tensor, ""],
        *,
        bits: int,
        momentum: float = 0.1,
    ) -> None:
        super().__init__()
        _check.whole("TrackedInput", "bits", bits, 1, 16)
        if not 0 < _check.number("TrackedInput", "momentum", momentum) <= 1:
            _check.fail("TrackedInput", "momentum", "must be in (0, 1]", momentum)
        self.layer, self.bits, self.momentum = layer, bits, momentum
        self.register_buffer("low", low.detach().clone())
        self.register_buffer("high", high.detach().clone())
        self.training = layer.training

    @property
    def qparams(self) -> QParams:
        """The levels of the input as they are now."""
        return affine_between(self.low[None, None], self.high[None, None], bits=self.bits)

    def forward(self, input: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """What the layer gives for the rounded input."""
        if self.training:
            low, high = ends_of("TrackedInput", input.detach().reshape(1, -1))
            self.low.lerp_(low[0, 0], self.momentum)
            self.high.lerp_(high[0, 0], self.momentum)
        return self.layer(on_levels(input, self.qparams, granularity=_WHOLE))

    def extra_repr(self) -> str:
        return f"input bits={self.bits}"
