"""Runtime pruning: every picture gets as many channels as it needs."""

from collections.abc import Generator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.layers import for_each, put
from efficientdl.compression.pruning.structure import demand_values
from efficientdl.costs.count import count
from efficientdl.costs.trace import MODEL, Call, Watcher, check_inputs, run
from efficientdl.protocols import Policy, Result


class GatedConv2d(nn.Module):
    """A convolution that decides for each picture which of its channels it computes.

    Its filters are dealt into groups of neighbours. A gate looks at the mean size of each input
    channel, `a = mean |x|` in standard units, and opens a group where `sigmoid(w a + b)` reaches
    the threshold; the group that it likes best is always open. In evaluation, filters of closed
    groups are really left out, picture by picture, and their outputs are zero. In training, on
    batches of two or more, all are computed and multiplied by 0 or 1, and the gradient passes as
    if by the sigmoid (straight-through), so the gate can learn.

    Args:
        conv: The convolution; the layer keeps its parameters.
        sizes: Mean `|x|` of each input channel for some examples, by which the gate starts.
        threshold: 0..1; at 0 every group is open.
        n_groups: How many groups.

    >>> conv = nn.Conv2d(1, 4, 1, bias=False)
    >>> _ = nn.init.ones_(conv.weight)
    >>> gated = GatedConv2d(conv, torch.tensor([[0.0], [2.0]]), threshold=0.5, n_groups=2)
    >>> dark, bright = torch.zeros(1, 1, 1, 1), torch.full((1, 1, 1, 1), 2.0)
    >>> gated.is_open(torch.cat([dark, bright])).tolist()
    [[True, False], [True, True]]
    """

    def __init__(
        self,
        conv: nn.Conv2d,
        sizes: Float[Tensor, "n c_in"],
        *,
        threshold: float,
        n_groups: int,
    ) -> None:
        super().__init__()
        parts = torch.arange(conv.out_channels).tensor_split(min(n_groups, conv.out_channels))
        self.threshold = threshold
        self.widths = tuple(len(part) for part in parts)
        self.conv = conv
        device, dtype = conv.weight.device, conv.weight.dtype
        self.norm = nn.BatchNorm1d(conv.in_channels, affine=False, device=device, dtype=dtype)
        # on the meta device nothing is drawn from the global generator
        gate = nn.Linear(conv.in_channels, len(self.widths), device="meta", dtype=dtype)
        self.gate = gate.to_empty(device=device)
        self._start(sizes)
        self.train(conv.training)

    def _start(self, sizes: Tensor) -> None:
        """Open a group where sizes of filters times sizes of inputs are more than their mean."""
        filters = self.conv.weight.detach().abs().flatten(2).sum(dim=2)
        by_group = torch.stack([part.sum(dim=0) for part in filters.split(self.widths)])
        variance, mean = torch.var_mean(sizes, dim=0, correction=0)
        usual = (sizes @ by_group.T).std(dim=0, correction=0).clamp(min=1e-6)
        self.norm.running_mean, self.norm.running_var = mean, variance
        with torch.no_grad():
            self.gate.weight.copy_(by_group * (variance + self.norm.eps).sqrt() / usual[:, None])
            self.gate.bias.zero_()

    def probability(self, x: Float[Tensor, "n c_in h w"]) -> Float[Tensor, "n groups"]:
        """How much each group is wanted for each picture, 0..1."""
        return self.gate(self.norm(x.abs().mean(dim=(2, 3)))).sigmoid()

    def is_open(self, x: Float[Tensor, "n c_in h w"]) -> Bool[Tensor, "n groups"]:
        """Which groups are computed for each picture."""
        p = self.probability(x)
        return (p >= self.threshold).scatter(1, p.argmax(dim=1, keepdim=True), True)

    def share(self, x: Float[Tensor, "n c_in h w"]) -> Float[Tensor, "n"]:
        """The share of channels that each picture uses, 0..1, with the gradient of the sigmoid."""
        widths = torch.tensor(self.widths, dtype=x.dtype, device=x.device)
        return self._straight_through(x) @ (widths / widths.sum())

    def forward(self, x: Float[Tensor, "n c_in h w"]) -> Float[Tensor, "n c_out p q"]:
        if self.training or x.is_meta:
            widths = torch.tensor(self.widths, device=x.device)
            gates = self._straight_through(x).repeat_interleave(widths, dim=1)
            return self.conv(x) * gates[:, :, None, None]
        return self._only_open(x)

    def _straight_through(self, x: Tensor) -> Float[Tensor, "n groups"]:
        p = self.probability(x)
        return self.is_open(x).to(p) + p - p.detach()

    def _only_open(self, x: Tensor) -> Float[Tensor, "n c_out p q"]:
        opened = self.is_open(x)
        bounds = pairwise([0, *torch.tensor(self.widths).cumsum(0).tolist()])
        y: Tensor | None = None
        for group, (first, end) in enumerate(bounds):
            rows = opened[:, group].nonzero().flatten()
            if not len(rows):
                continue
            bias = None if self.conv.bias is None else self.conv.bias[first:end]
            part = self.conv._conv_forward(x[rows], self.conv.weight[first:end], bias)
            if y is None:
                y = part.new_zeros(len(x), self.conv.out_channels, *part.shape[2:])
            y[rows, first:end] = part
        assert y is not None  # the best group of a picture is open
        return y

    def extra_repr(self) -> str:
        return f"groups={len(self.widths)}, threshold={self.threshold}"


@technique(
    "prune-runtime",
    paper="Lin, Rao, Lu and Zhou, Runtime Neural Pruning, 2017",
    survey="2.1, 3.2",
    lab="02_pruning",
    kind=Compressor(
        identity={"threshold": 0.0},
        stronger=({"threshold": 0.4}, {"threshold": 0.6}),
        exempt={
            "is_not_dearer_than_the_original": "each gate has weights of its own, "
            "and parts of a batch are copied out and in"
        },
    ),
)
def gate_channels(
    model: nn.Module,
    x: Float[Tensor, "n c h w"],
    *,
    threshold: Policy[float],
    n_groups: int = 4,
) -> Result:
    """Runtime pruning: put a gate before each convolution that closes channels by input.

    What is cut for good is gone for hard pictures too. Here nothing is cut: a small layer in front
    of each convolution looks at the picture's features and opens as many groups of channels as it
    holds to be worth it. At first the gate opens what should give more than usual, by the sizes of
    filters and inputs; trained with a price on `channel_use`, easy pictures come to use few. The
    paper's decision is made by a recurrent network trained by Q-learning; here it is a linear gate
    trained by the straight-through gradient, which says the same thing in a line.

    The report counts the MACs that these very inputs took, so they depend on `x`.

    Args:
        model: A network with convolutions; those with groups of their own stay as they are.
        x: Pictures: the gates start from their mean features, and the report is for them.
        threshold: 0..1: a group is open where the gate gives at least this; 0 opens all. One
            number, or `{layer name: number}` for the convolutions to gate.
        n_groups: Groups of channels in each convolution.

    Raises:
        BadValue: There is no plain convolution; a weight is not a number.

    >>> model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 1)).eval()
    >>> x = torch.rand(16, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> gated, report = gate_channels(model, x, threshold={"0": 0.5})
    >>> report.total.macs < count(model, x).total.macs
    True

    Source: Lin, Rao, Lu and Zhou, "Runtime Neural Pruning", NeurIPS 2017, section 3; the
    straight-through gradient of Bengio, Leonard and Courville, 2013; the survey's sections 2.1 and
    3.2; lab 02.
    """
    check_inputs("gate_channels", model, x)
    _check.whole("gate_channels", "n_groups", n_groups, 1)
    convs = {
        name: layer
        for name, layer in model.named_modules()
        if type(layer) is nn.Conv2d and layer.groups == 1
    }
    if not convs:
        rule = "must have a Conv2d layer that is not grouped"
        _check.fail("gate_channels", "model", rule, type(model).__name__)
    thresholds = for_each("gate_channels", "threshold", threshold, convs)
    for value in thresholds.values():
        _check.in_range("gate_channels", "threshold", value, 0, 1)
    demand_values("gate_channels", model)
    sizes = _Sizes(set(thresholds))
    run(model, x, sizes)
    ours = deepcopy(model)
    gates: dict[str, nn.Module] = {}
    for name, value in thresholds.items():
        conv, seen = ours.get_submodule(name), sizes.of(name)
        assert isinstance(conv, nn.Conv2d)
        gates[name] = GatedConv2d(conv, seen, threshold=value, n_groups=n_groups)
    gated = put(ours, gates)
    note = "MACs are those that these inputs took; no channel is removed"
    return Result(gated, replace(count(gated, x), note=note))


class _Sizes(Watcher):
    """Mean size of each input channel of some layers, for each picture."""

    def __init__(self, layers: set[str]) -> None:
        self.layers = layers
        self.seen: dict[str, list[Tensor]] = {}

    def enter(self, call: Call) -> None:
        name = "" if call.name == MODEL else call.name
        if name in self.layers:
            size = next(call.inputs()).detach().abs().mean(dim=(2, 3))
            self.seen.setdefault(name, []).append(size)

    def of(self, name: str) -> Float[Tensor, "n c_in"]:
        """What came into a layer; one that did not run is named."""
        if name not in self.seen:
            _check.fail("gate_channels", "threshold", "must name layers that run on x", name)
        return torch.cat(self.seen[name])


def channel_use(model: nn.Module, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n"]:
    """The share of channels that each picture uses, 0..1, the mean over the gated layers.

    Add its mean, times a price, to the loss, and the gates learn to close.

    Args:
        model: A model with gates, from `gate_channels`.
        x: Pictures.

    Raises:
        BadValue: The model has no gates.

    >>> x = torch.ones(2, 1, 4, 4)
    >>> gated, _ = gate_channels(nn.Conv2d(1, 4, 3), x, threshold=0.0)
    >>> channel_use(gated, x).detach()
    tensor([1., 1.])

    Source: Lin et al., "Runtime Neural Pruning", NeurIPS 2017, section 3.2, the penalty on what is
    computed; lab 02.
    """
    shares: list[Tensor] = []
    with _listening(model, shares):
        model(x)
    if not shares:
        rule = "must have gates; gate_channels makes them"
        _check.fail("channel_use", "model", rule, type(model).__name__)
    return torch.stack(shares).mean(dim=0)


@contextmanager
def _listening(model: nn.Module, shares: list[Tensor]) -> Generator[None]:
    def hear(layer: nn.Module, args: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, GatedConv2d)
        shares.append(layer.share(args[0]))

    gates = [layer for layer in model.modules() if isinstance(layer, GatedConv2d)]
    handles = [layer.register_forward_pre_hook(hear) for layer in gates]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
