"""Recurrent layers with masks: LSTM, GRU and plain RNN that use only the weights kept.

The weights stay dense parameters of their usual names (`weight_ih_l0`, `weight_hh_l0`), so that
training, saving and hooks know them. Every pass multiplies them by their masks, which masks the
gradients as well. A mask is the buffer `weight_ih_l0_mask`.
"""

from typing import Any

import torch
from torch import Tensor, nn

from efficientdl.models.layers.parameter_masks import Masks, masked, stored_bits, take_over
from efficientdl.report import Cost


class MaskedRecurrent(nn.RNNBase):
    """What masked recurrent layers share; use one of its three children.

    torch's recurrent layers hand their weights to the kernel as one flat list. Here that list is
    made anew for each pass, out of masked weights.
    """

    @property
    def _flat_weights(self) -> list[Tensor | None]:  # pyright: ignore[reportIncompatibleVariableOverride]
        names = [n for n in self._flat_weights_names if n in self._parameters]
        return [masked(self, name) for name in names]

    @_flat_weights.setter
    def _flat_weights(self, value: list[Tensor | None]) -> None:
        """Nothing: torch would keep a list of its own here, which knows nothing of masks."""

    def flatten_parameters(self) -> None:
        """Leave the weights where they are: those made for each pass cannot be laid out ahead."""

    def cost(self, x_shape: tuple[int, ...]) -> Cost:  # noqa: ARG002
        """Weights stored without their zeros; the MACs are dense and left to the counter."""
        return Cost(weight_bits=stored_bits(self))


class MaskedLSTM(MaskedRecurrent, nn.LSTM):
    """An LSTM that uses only the weights that its masks keep.

    It takes over the parameters of the layer that it is made from: give it a copy to keep that.

    Args:
        layer: The layer to take over.
        masks: True for each weight that stays, by the name of the weight; others stay whole.

    >>> lstm = nn.LSTM(3, 2)
    >>> masks = {"weight_hh_l0": torch.zeros(8, 2, dtype=torch.bool)}  # no recurrence left
    >>> masked = MaskedLSTM(lstm, masks)
    >>> masked(torch.ones(5, 1, 3))[0].sum().backward()
    >>> int(masked.weight_hh_l0.grad.count_nonzero())
    0
    """

    def __init__(self, layer: nn.LSTM, masks: Masks) -> None:
        super().__init__(**_options(layer), proj_size=layer.proj_size)
        take_over(self, layer, masks)


class MaskedGRU(MaskedRecurrent, nn.GRU):
    """A GRU that uses only the weights that its masks keep.

    Args:
        layer: The layer to take over, which stays as it was.
        masks: True for each weight that stays, by the name of the weight; others stay whole.
    """

    def __init__(self, layer: nn.GRU, masks: Masks) -> None:
        super().__init__(**_options(layer))
        take_over(self, layer, masks)


class MaskedRNN(MaskedRecurrent, nn.RNN):
    """A plain recurrent layer that uses only the weights that its masks keep.

    Args:
        layer: The layer to take over, which stays as it was.
        masks: True for each weight that stays, by the name of the weight; others stay whole.
    """

    def __init__(self, layer: nn.RNN, masks: Masks) -> None:
        super().__init__(**_options(layer), nonlinearity=layer.nonlinearity)
        take_over(self, layer, masks)


def _options(layer: nn.RNNBase) -> dict[str, Any]:
    """What to build a layer of the same shape with, on the meta device: it draws nothing."""
    names = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout")
    own = {name: getattr(layer, name) for name in (*names, "bidirectional")}
    return {**own, "device": torch.device("meta")}
