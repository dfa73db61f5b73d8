"""Cross-layer equalization of a network of ReLU6, whose bound moves with its channel.

A ReLU lets a factor through and a ReLU6 does not: `relu6(s x) = s min(relu(x), 6 / s)`. So the
network is equalized as if it had ReLU, and each channel's bound is divided by the channel's factor.
The function stays the same; what a ReLU in the place of each ReLU6 does to it is told beside.
"""

from collections.abc import Mapping
from copy import deepcopy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl.compression.quantization import equalize
from efficientdl.compression.quantization.bias_correction import correct_biases, expected_inputs
from efficientdl.compression.quantization.dataflow import dataflow
from efficientdl.compression.quantization.equalize import links_of
from efficientdl.compression.quantization.norm_statistics import fold_with_statistics

BOUND = 6.0


class Bounded(nn.Module):
    """Between 0 and a bound for each channel.

    Args:
        bounds: One for each channel.
    """

    bounds: Float[Tensor, " c"]

    def __init__(self, bounds: Float[Tensor, " c"]) -> None:
        super().__init__()
        self.register_buffer("bounds", bounds)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        return x.clamp(min=0).minimum(self.bounds[:, None, None])


def unbounded(model: nn.Module) -> nn.Module:
    """A copy with a ReLU in the place of every ReLU6."""
    ours = deepcopy(model)
    for parent in list(ours.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.ReLU6):
                setattr(parent, name, nn.ReLU())
    return ours


class Equalized:
    """A network of ReLU6 with its layers equalized, and what that did to each channel.

    Attributes:
        model: The network: the same function.
        factors: By layer, what each of its channels was divided by.

    Args:
        model: A network of bricks `conv`, `norm`, `activation`, as the zoo's are.
        x: An example of its input.
    """

    def __init__(self, model: nn.Module, x: Float[Tensor, "n ..."]) -> None:
        plain, self._statistics = fold_with_statistics("Equalized", model, x)
        opened = unbounded(model)
        self.model = equalize(opened, x).model
        self._plain, self._links = plain, links_of(dataflow("Equalized", self.model, x))
        self._x = x
        layers = [name for name, m in plain.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        self.factors = {name: self._factor(name) for name in layers}
        for name, module in plain.named_modules():
            if isinstance(module, nn.ReLU6):
                folder = name.rpartition(".")[0]
                bounds = Bounded(BOUND / self.factors[f"{folder}.conv"])
                self.model.get_submodule(folder).add_module("activation", bounds)

    @torch.no_grad()
    def _factor(self, name: str) -> Tensor:
        """A bias is divided by its channel's factor, and by nothing else."""
        before = self._plain.get_submodule(name).bias
        after = self.model.get_submodule(name).bias
        return torch.where(after == 0, 1.0, before / after.where(after != 0, 1.0))

    def corrected(self, small: nn.Module) -> nn.Module:
        """A quantized version with the mean error of its rounded weights out of its biases.

        Args:
            small: What `quantize_weights` makes of `model`; it is not changed.
        """
        ours = deepcopy(small)
        flow = dataflow("Equalized", self._plain, self._x)
        correct_biases(ours, self.model, self._scaled(expected_inputs(flow, self._statistics)))
        return ours

    def _scaled(self, means: Mapping[str, Tensor]) -> dict[str, Tensor]:
        before = {link.second: link.first for link in self._links}
        return {
            name: mean / self.factors[before[name]] if name in before else mean
            for name, mean in means.items()
        }
