"""Post-training quantization to four bits: three closed forms instead of a training."""

from copy import deepcopy

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.catalogue import technique
from efficientdl.compression.layers import FloatLayer, demand_floats, put, weight_layers
from efficientdl.compression.quantization.clipping import laplace
from efficientdl.compression.quantization.kinds import BOTH_IN_CODES
from efficientdl.compression.quantization.observe import observe_inputs
from efficientdl.compression.quantization.quantizable import demand_bits
from efficientdl.costs.count import count
from efficientdl.models.layers.channel_bits import ChannelBitsConv2d, ChannelBitsLinear
from efficientdl.models.layers.masked import MaskedConv2d, MaskedLinear
from efficientdl.models.layers.quantized_input import QuantizedInput
from efficientdl.protocols import Policy, Result
from efficientdl.tensors import PerChannel, QParams, symmetric
from efficientdl.tensors.affine import Rule

LEAST_BITS, MOST_BITS = 2, 16  # of a channel, with zero in the middle of its levels


def allocate_bits(
    ranges: Float[Tensor, " c_out"], *, bits: int, least: int = LEAST_BITS, most: int = MOST_BITS
) -> Int64[Tensor, " c_out"]:
    """Bits for each channel: the wider its range, the more, at `2**bits` levels on average.

    Channel i of range `a_i` in `B_i` levels has an error in proportion to `(a_i / B_i)^2`. Of all
    ways to share out `n 2**bits` levels, `B_i` in proportion to `a_i^(2/3)` has the least sum. The
    bits are `log2 B_i`, rounded.

    Args:
        ranges: How far each channel reaches, 0 or more.
        bits: What each would have if all were alike.
        least: Fewest bits of a channel.
        most: Most bits of a channel.

    >>> allocate_bits(torch.tensor([1.0, 1.0, 8.0]), bits=4)  # levels 8, 8 and 32
    tensor([3, 3, 5])

    Source: Banner, Nahshan and Soudry, "Post Training 4-bit Quantization of Convolutional Networks
    for Rapid-Deployment", NeurIPS 2019, section 3, "Per-channel bit-allocation"; lab 04.
    """
    _check.whole("allocate_bits", "bits", bits, least, most)
    shares = ranges.detach().double() ** (2 / 3)
    if not bool((shares > 0).any()):
        return torch.full_like(ranges, bits, dtype=torch.int64)
    levels = shares / shares.sum() * len(ranges) * 2.0**bits  # section 3, B_i
    return levels.log2().round().clamp(least, most).long()


def correct_bias(
    rows: Float[Tensor, "c_out size"],
    coded: Float[Tensor, "c_out size"],
    kept: Bool[Tensor, "c_out size"],
) -> tuple[Float[Tensor, "c_out 1"], Float[Tensor, "c_out 1"]]:
    """Factor and shift that give each coded channel the mean and the spread that it had.

    Rounding moves a channel's mean by some `mu`, and changes the norm of what varies around it by
    some `1 / xi`. `xi (coded - mean(coded)) + mean(rows)` has both as before. The paper writes
    `xi (coded + mu)`, which has the spread, but `xi` times the mean.

    Args:
        rows: The weights of each channel.
        coded: What their codes stand for.
        kept: Which weights count; a pruned one does not.

    Returns:
        `xi`, and the shift behind it.

    >>> rows = torch.tensor([[0.0, 1.0, 5.0]])
    >>> xi, shift = correct_bias(rows, torch.tensor([[0.0, 0.0, 4.0]]), torch.ones_like(rows) > 0)
    >>> round((xi * torch.tensor([[0.0, 0.0, 4.0]]) + shift).mean().item(), 4)
    2.0

    Source: Banner, Nahshan and Soudry, NeurIPS 2019, section 4, "Bias-correction"; lab 04.
    """
    n = kept.sum(dim=1, keepdim=True).clamp(min=1)
    mean = (rows * kept).sum(dim=1, keepdim=True) / n
    coded_mean = (coded * kept).sum(dim=1, keepdim=True) / n
    spread = torch.linalg.vector_norm((rows - mean) * kept, dim=1, keepdim=True)
    coded_spread = torch.linalg.vector_norm((coded - coded_mean) * kept, dim=1, keepdim=True)
    known = (spread > 0) & (coded_spread > 0)
    xi = torch.where(known, spread / coded_spread.where(known, 1.0), 1.0)  # section 4, xi_c
    return xi, mean - xi * coded_mean  # for mu_c, so that the mean is exact


@technique(
    "quant-ptq-int4",
    paper="Banner, Nahshan and Soudry, Post Training 4-bit Quantization of Convolutional Networks "
    "for Rapid-Deployment, 2019",
    survey="2.3",
    lab="04_quantization",
    kind=BOTH_IN_CODES,
)
def quantize_analytically(
    model: nn.Module,
    x: Float[Tensor, "n ..."],
    *,
    weight_bits: Policy[int] = 4,
    activation_bits: int = 4,
    activation_rule: Rule = laplace,
) -> Result:
    """Post-training INT4 (ACIQ): cut activations, share out the bits, correct the bias.

    Inputs of layers are cut where the expected error of a Laplace density is least. The bits of a
    layer's weights are shared out among its output channels by their ranges. The channels' means
    and spreads, which rounding moves, are put back; that costs nothing but other scales and zero
    points. The paper shares out the bits of activations too, channel by channel; here all of an
    activation has one width. As in `quantize_static` what lies between the layers stays float, and
    batch norm stays where it stands: fold it beforehand.

    Args:
        model: A trained network with linear layers or convolutions.
        x: Real examples, some dozens at least, to calibrate by. The report is for this batch.
        weight_bits: Bits of a weight, 2..16, as a mean over a layer's channels, or
            `{layer name: bits}`, which leaves the other layers float.
        activation_bits: Bits of an activation, 1..16.
        activation_rule: Where to cut: `laplace`, `gauss`, or another rule of `tensors`.

    Raises:
        BadValue: A layer cannot be quantized, as an embedding or an LSTM cannot; a weight or an
            activation is no finite number; there are no examples.

    >>> model = nn.Sequential(nn.Linear(64, 4), nn.ReLU(), nn.Linear(4, 2))
    >>> small, report = quantize_analytically(model, torch.rand(8, 64))
    >>> small[0].bits, bool(torch.allclose(small[0].layer.weight.mean(1), model[0].weight.mean(1)))
    (4, True)

    Source: Banner, Nahshan and Soudry, "Post Training 4-bit Quantization of Convolutional Networks
    for Rapid-Deployment", NeurIPS 2019, sections 2 to 4; the survey's section 2.3, "Quantization
    Schemes"; lab 04.
    """
    caller = "quantize_analytically"
    wanted = demand_bits(
        caller, "weight_bits", weight_bits, model, allowed=range(LEAST_BITS, MOST_BITS + 1)
    )
    _check.whole(caller, "activation_bits", activation_bits, 1, 16)

    def levels(values: Tensor) -> QParams:
        return activation_rule(values, bits=activation_bits)

    inputs = observe_inputs(caller, model, x, layers=wanted, measure=levels)
    ours = deepcopy(model)
    layers = weight_layers(caller, ours)
    new = {
        name: QuantizedInput(
            code_by_channel(demand_floats(caller, name, layers[name]), bits=bits), inputs[name]
        )
        for name, bits in wanted.items()
    }
    small = put(ours, new)
    return Result(small, count(small, x))


@torch.no_grad()
def code_by_channel(layer: FloatLayer, *, bits: int) -> ChannelBitsLinear | ChannelBitsConv2d:
    """A layer's weights in codes of as many bits as each channel needs, their bias corrected.

    Args:
        layer: The layer; it is not changed.
        bits: Bits of a weight, as a mean, 2..16.
    """
    rows = PerChannel().group(layer.weight)
    masked = isinstance(layer, MaskedLinear | MaskedConv2d)
    kept = PerChannel().group(layer.mask) if masked else torch.ones_like(rows, dtype=torch.bool)  # pyright: ignore[reportArgumentType]
    rows = rows * kept
    channel_bits = allocate_bits(rows.abs().amax(dim=1), bits=bits)
    qparams = _levels_of_each(rows, channel_bits)
    of = ChannelBitsConv2d if isinstance(layer, nn.Conv2d) else ChannelBitsLinear
    coded = of(layer, qparams, bits=channel_bits)  # pyright: ignore[reportArgumentType]
    xi, shift = correct_bias(rows, PerChannel().group(coded.weight), kept)
    scale = xi * qparams.scale
    coded.decode_by(scale, qparams.zero_point - shift / scale)
    return coded


def _levels_of_each(rows: Tensor, channel_bits: Tensor) -> QParams:
    """Symmetric levels, as many in each row as its bits allow."""
    scale, zero_point = torch.empty_like(rows[:, :1]), torch.empty_like(rows[:, :1])
    for bits in channel_bits.unique().tolist():
        these = channel_bits == bits
        chosen = symmetric(rows[these], bits=bits)
        scale[these], zero_point[these] = chosen.scale, chosen.zero_point
    return QParams(scale, zero_point, 2 ** int(channel_bits.max()) - 1)
