"""Load-balanced pruning of the large matrices: recurrent layers, attention, linear layers."""

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.layers import FloatLayer, demand_floats, for_each, put
from efficientdl.compression.pruning.criteria import magnitude
from efficientdl.compression.pruning.interruption import noted
from efficientdl.compression.pruning.masks import mask_of, masked
from efficientdl.compression.pruning.notes import masked_note
from efficientdl.compression.pruning.schedules import check_sparsity
from efficientdl.compression.pruning.scopes import Shares, Tensors
from efficientdl.costs.count import count
from efficientdl.costs.trace import Inputs
from efficientdl.models.layers.masked_attention import MaskedMultiheadAttention
from efficientdl.models.layers.masked_recurrent import MaskedGRU, MaskedLSTM, MaskedRNN
from efficientdl.models.layers.parameter_masks import masks_of_parameters
from efficientdl.models.layers.quantized import QuantizedConv2d, QuantizedLinear
from efficientdl.protocols import Mask, Policy, Result
from efficientdl.tensors import Granularity, PerGroup
from efficientdl.tensors.balanced import keep_balanced


@dataclass(frozen=True)
class Balanced:
    """A scope: rank the weights of each processing element by themselves, in every layer.

    It goes where `per_layer` goes: `prune(model, x, sparsity=0.9, scope=Balanced(32))`, with any
    criterion.

    Attributes:
        n_pes: Processing elements that the rows of a matrix are dealt out to.

    >>> from efficientdl.compression.pruning.prune import prune
    >>> pruned, _ = prune(nn.Linear(8, 4), torch.zeros(1, 8), sparsity=0.75, scope=Balanced(4))
    >>> (pruned.weight != 0).sum(dim=1).tolist()
    [2, 2, 2, 2]

    Source: Han, Kang, Mao et al., "ESE", FPGA 2017, section 3.2; lab 02.
    """

    n_pes: int

    def __post_init__(self) -> None:
        _check.whole("Balanced", "n_pes", self.n_pes, 1)

    def __call__(
        self, scores: Tensors, kept: Tensors, sparsity: Shares, granularity: Granularity
    ) -> dict[str, Tensor]:
        """The masks, by layer."""
        if granularity != PerGroup(1):
            rule = "must be PerGroup(1), each weight alone, where loads are balanced"
            _check.fail("Balanced", "granularity", rule, granularity)
        return {
            name: keep_balanced(scores[name], sparsity=share, n_pes=self.n_pes, among=kept[name])
            for name, share in sparsity.items()
        }


@technique(
    "prune-rnn-transformer",
    paper="Han, Kang, Mao et al., ESE: Efficient Speech Recognition Engine with Sparse LSTM on "
    "FPGA, 2017",
    survey="2.1",
    lab="02_pruning",
    kind=Compressor(
        identity={"sparsity": 0.0},
        stronger=({"sparsity": 0.5}, {"sparsity": 0.9}),
    ),
)
def prune_balanced(
    model: nn.Module, x: Inputs, *, sparsity: Policy[float], n_pes: int = 4
) -> Result:
    """Load-balanced pruning: smallest weights go, and every processing element keeps as many.

    LSTM, GRU and plain recurrent layers, multi-head attention, linear layers and convolutions: of
    each matrix, row `i` belongs to element `i % n_pes`, and each element keeps the same number of
    weights. When the elements work side by side, none waits for another. The layers become masked
    ones, so the zeros survive training. In the report the MACs are those of a dense kernel.

    Args:
        model: A network with layers of these kinds.
        x: An example of its input, or a tuple of its arguments, for the report.
        sparsity: Share of zeros, in [0, 1), of every matrix, or of those in the layers named.
        n_pes: Processing elements, 1 or more, no more than a matrix has rows.

    Raises:
        BadValue: An option is out of its range, a layer is quantized, or there is none to prune.

    >>> from efficientdl.tensors.balanced import kept_per_pe
    >>> pruned, _ = prune_balanced(nn.LSTM(6, 8), torch.zeros(5, 1, 6), sparsity=0.75, n_pes=8)
    >>> kept_per_pe(pruned.weight_hh_l0 != 0, n_pes=8)
    [8, 8, 8, 8, 8, 8, 8, 8]

    Source: Han, Kang, Mao et al., "ESE: Efficient Speech Recognition Engine with Sparse LSTM on
    FPGA", FPGA 2017, section 3.2; Cheong and Daniel, "transformers.zip", 2019, for Transformers;
    the survey's section 2.1, "Fine-grained pruning"; lab 02.
    """
    check_sparsity("prune_balanced", sparsity)
    _check.whole("prune_balanced", "n_pes", n_pes, 1)
    ours = deepcopy(model)
    layers = _layers(ours)
    new: dict[str, nn.Module] = {}
    every: dict[str, Mask] = {}
    for name, share in for_each("prune_balanced", "sparsity", sparsity, layers).items():
        masks = {
            weight: _mask(f"{name}.{weight}".strip("."), p, layers[name], weight, share, n_pes)
            for weight, p in _matrices(name, layers[name]).items()
        }
        new[name] = _masked(layers[name], masks)
        every |= {f"{name}.{weight}": mask for weight, mask in masks.items()}
    pruned = put(ours, new)
    gone = f"removed single weights of {len(every)} matrices, as many of each of {n_pes} elements"
    return Result(pruned, noted(count(pruned, x), masked_note(gone, every)))


_KINDS = (
    nn.Linear,
    nn.Conv2d,
    nn.RNNBase,
    nn.MultiheadAttention,
    QuantizedLinear,
    QuantizedConv2d,
)


def _layers(model: nn.Module) -> dict[str, nn.Module]:
    """The layers to prune by name; attention's inner linear layer belongs to attention."""
    _check.kind("prune_balanced", "model", model, nn.Module)
    attentions = [m for m in model.modules() if isinstance(m, nn.MultiheadAttention)]
    inner = {id(m.out_proj) for m in attentions}
    named = model.named_modules()
    found: dict[str, nn.Module] = {
        name: m for name, m in named if isinstance(m, _KINDS) and id(m) not in inner
    }
    if not found:
        rule = "must have a linear, convolution, recurrent or attention layer"
        _check.fail("prune_balanced", "model", rule, type(model).__name__)
    return found


def _matrices(name: str, layer: nn.Module) -> dict[str, Tensor]:
    """What is pruned of a layer: its weights, not its biases."""
    if isinstance(layer, nn.RNNBase | nn.MultiheadAttention):
        return {n: p for n, p in layer.named_parameters() if p.ndim == 2}
    return {"weight": demand_floats("prune_balanced", name, layer).weight}  # pyright: ignore[reportArgumentType]


def _mask(
    name: str, weight: Tensor, layer: nn.Module, weight_name: str, share: float, n_pes: int
) -> Mask:
    if n_pes > len(weight):
        rule = f"must be at most the {len(weight)} rows of {name!r}"
        _check.fail("prune_balanced", "n_pes", rule, n_pes)
    if bool(weight.isnan().any()):
        _check.fail("prune_balanced", "model", f"must have numbers in {name!r}", float("nan"))
    if isinstance(layer, FloatLayer):
        among = mask_of(layer)
    else:
        among = masks_of_parameters(layer).get(weight_name)
    scores = magnitude(weight.detach())
    return keep_balanced(scores, sparsity=share, n_pes=n_pes, among=among)


def _masked(layer: nn.Module, masks: dict[str, Mask]) -> nn.Module:
    """The masked form of a layer of our own copy of the model."""
    if isinstance(layer, FloatLayer):
        return masked(layer, masks["weight"])
    with torch.no_grad():
        for name, mask in masks.items():
            layer.get_parameter(name).mul_(mask)
    match layer:
        case nn.LSTM():
            return MaskedLSTM(layer, masks)
        case nn.GRU():
            return MaskedGRU(layer, masks)
        case nn.RNN():
            return MaskedRNN(layer, masks)
    assert isinstance(layer, nn.MultiheadAttention)  # nothing else is among _KINDS
    return MaskedMultiheadAttention(layer, masks)
