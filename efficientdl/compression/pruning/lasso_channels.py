"""Choose channels by what the next layer needs of them, then let that layer mend what is lost."""

from copy import deepcopy

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn
from torch.nn import functional

from efficientdl import _check
from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.layers import for_each
from efficientdl.compression.pruning.channel import cut, n_going
from efficientdl.compression.pruning.lasso import lasso_choice
from efficientdl.compression.pruning.schedules import check_sparsity
from efficientdl.compression.pruning.structure import (
    Group,
    Slice,
    demand_groups,
    demand_values,
)
from efficientdl.costs.trace import Call, Watcher, run
from efficientdl.protocols import Policy, Result

# Equations to rebuild an output from, at most: those of ever so many pictures are much alike.
ROWS = 10_000


@technique(
    "channel-select-lasso",
    paper="He, Zhang and Sun, Channel Pruning for Accelerating Very Deep Neural Networks, 2017",
    survey="2.1",
    lab="02_pruning",
    kind=Compressor(
        identity={"sparsity": 0.0},
        stronger=({"sparsity": 0.25}, {"sparsity": 0.75}),
    ),
)
def select_channels(
    model: nn.Module, x: Shaped[Tensor, "..."], *, sparsity: Policy[float]
) -> Result:
    """LASSO channel selection: keep the channels from which the next layer rebuilds its output.

    A layer's output is a sum over its input channels, `Y = sum_i X_i W_i`. Give channel i a factor
    `b_i` and minimise `|Y - sum_i b_i X_i W_i|^2 / 2 + penalty * |b|_1`: factors of channels that
    others make up for fall to zero first, and the penalty rises until few enough are left. Then
    `W` is solved anew by least squares on the channels that stay. Layers follow one another, each
    fed by what the ones before it have become, held to what the layer gave at first.

    Args:
        model: Any model that runs on `x`, its weights in floats.
        x: Examples to rebuild the outputs on: some hundred pictures; every output pixel is one
            equation. No labels are needed.
        sparsity: Share of the units that go, 0..1 without 1, in every group of `channel_groups`
            that plain linear layers and convolutions read, or by group's name.

    Raises:
        BadValue: No group is read by a linear layer or a convolution of one group alone.

    >>> model = nn.Sequential(nn.Linear(3, 4, bias=False), nn.Linear(4, 2))
    >>> x = torch.randn(9, 3, generator=torch.Generator().manual_seed(0))
    >>> smaller, _ = select_channels(model, x, sparsity=0.25)
    >>> len(smaller[0].weight), bool(torch.allclose(smaller(x), model(x), atol=1e-4))
    (3, True)

    Source: He, Zhang and Sun, "Channel Pruning for Accelerating Very Deep Neural Networks", ICCV
    2017, section 3.1, eq. 1-4; the survey's section 2.1, "Channel-based pruning"; lab 02.
    """
    caller = "select_channels"
    groups = [g for g in demand_groups(caller, model, x) if _readers(model, g)]
    if not groups:
        rule = "must have channels that a linear layer or a plain convolution reads"
        _check.fail(caller, "model", rule, type(model).__name__)
    shares = for_each(caller, "sparsity", sparsity, {g.name: g for g in groups})
    check_sparsity(caller, shares)
    demand_values(caller, model)
    ours, gone = deepcopy(model), {}
    for group in groups:
        n_gone = n_going(shares.get(group.name, 0.0), len(group))
        gone[group.name] = _select(model, ours, group, x, n_gone) if n_gone else []
    return cut(caller, ours, x, groups, gone, before=model)


def rebuilt(
    weight: Float[Tensor, "c_out _"],
    gram: Float[Tensor, "_ _"],
    target: Float[Tensor, "c_out _"],
    stays: Bool[Tensor, "_"],
) -> Float[Tensor, "c_out _"]:
    """The weights by which the columns that stay come nearest to what all of them gave.

    Least squares; where the examples leave a direction open, the weights do not move in it.

    Args:
        weight: The weights before, a column for each input.
        gram: Products of the inputs with one another.
        target: Products of the outputs wanted with the inputs.
        stays: Which columns stay; the others become zero.

    >>> x = torch.tensor([[1.0, 2.0], [2.0, 4.0]])
    >>> weight = torch.tensor([[3.0, 1.0]])
    >>> rebuilt(weight, x.T @ x, weight @ x.T @ x, torch.tensor([True, False]))
    tensor([[5., 0.]])
    """
    new = weight * stays
    missing = (target - new @ gram)[:, stays]
    inner = gram[stays][:, stays]
    new[:, stays] += missing @ torch.linalg.pinv(inner, hermitian=True, rtol=1e-10)  # eq. 4
    return new


def _readers(model: nn.Module, group: Group) -> list[Slice]:
    """The slices of a group in layers that read it, or none where one of them is no plain layer."""
    readers = [s for s in group.slices if s.reads]
    layers = [model.get_submodule(s.weight.rpartition(".")[0]) for s in readers]
    plain = (type(r) is nn.Linear or (type(r) is nn.Conv2d and r.groups == 1) for r in layers)
    return readers if all(plain) else []


def _select(model: nn.Module, ours: nn.Module, group: Group, x: Tensor, n_gone: int) -> list[int]:
    """Choose within one group and rebuild its readers in our own copy; gives those that go."""
    fits = [_Fit(model, ours, s, x) for s in _readers(model, group)]
    shares = [fit.shares() for fit in fits]
    gram, target = (torch.stack(part).sum(dim=0) for part in zip(*shares, strict=True))
    stay = set(lasso_choice(gram, target, n_stay=len(group) - n_gone).tolist())  # eq. 3
    gone = [unit for unit in range(len(group)) if unit not in stay]
    for fit in fits:
        fit.rebuild(gone)
    return gone


class _Fit:
    """One layer that reads the group: what comes in now, and what it gave at first.

    Args:
        model: As it was.
        ours: As it has become; its reading layer is changed.
        s: Where the units stand in the reading layer.
        x: The examples.
    """

    def __init__(self, model: nn.Module, ours: nn.Module, s: Slice, x: Tensor) -> None:
        name = s.weight.rpartition(".")[0]
        self.places = s.places
        self.weight = ours.get_parameter(s.weight)
        first, now = _patches(model, name, x), _patches(ours, name, x)
        self.n_taps = now.shape[2]
        wanted = first.flatten(1) @ model.get_parameter(s.weight).detach().double().flatten(1).T
        self.gram = now.flatten(1).T @ now.flatten(1)
        self.target = wanted.T @ now.flatten(1)

    def matrix(self) -> Float[Tensor, "c_out _"]:
        """The weights now, a column for each input channel and tap."""
        return self.weight.detach().double().flatten(1)

    def shares(self) -> tuple[Float[Tensor, "c c"], Float[Tensor, "c"]]:
        """Products of the units' shares in the output with one another, and with the output.

        What channels outside of the group give is taken off the output first.
        """
        w, units = self.matrix(), len(self.places)
        n_in = w.shape[1] // self.n_taps
        unit = torch.full((n_in,), units)  # the last one: all channels outside of the group
        for i, places in enumerate(self.places):
            unit[list(places)] = i
        member = functional.one_hot(unit, units + 1).repeat_interleave(self.n_taps, dim=0)
        member = member.to(w)
        products = member.T @ (self.gram * (w.T @ w)) @ member
        wanted = (w * self.target).sum(dim=0) @ member
        return products[:-1, :-1], wanted[:-1] - products[:-1, -1]

    def rebuild(self, gone: list[int]) -> None:
        """Solve for the weights on the channels that stay; those that go become zero.

        Channels whose weights are zero already went with another group, and stay away.
        """
        w = self.matrix()
        stays = w.ne(0).any(dim=0)
        columns = stays.unflatten(0, (-1, self.n_taps))
        columns[[place for unit in gone for place in self.places[unit]]] = False
        new = rebuilt(w, self.gram, self.target, columns.flatten())
        with torch.no_grad():
            self.weight.copy_(new.reshape(self.weight.shape))


class _Inputs(Watcher):
    """What came into one layer, call by call."""

    def __init__(self, layer: str) -> None:
        self.layer = layer
        self.seen: list[Tensor] = []

    def enter(self, call: Call) -> None:
        if call.name == self.layer:
            self.seen += [t.detach() for t in call.inputs()]


def _patches(model: nn.Module, name: str, x: Tensor) -> Float[Tensor, "rows c_in taps"]:
    """For each number that a layer gives out, the inputs that it was made of."""
    inputs = _Inputs(name)
    run(model, x, inputs)
    layer = model.get_submodule(name)
    rows = torch.cat([_unfolded(layer, t) for t in inputs.seen])
    every = torch.arange(0, len(rows), -(-len(rows) // ROWS), device=rows.device)
    return rows[every].double()


def _unfolded(layer: nn.Module, x: Tensor) -> Float[Tensor, "rows c_in taps"]:
    if not isinstance(layer, nn.Conv2d):
        return x.flatten(0, -2)[:, :, None]
    if isinstance(layer.padding, str) or layer.padding_mode != "zeros":
        x = functional.pad(x, layer._reversed_padding_repeated_twice, _padding(layer))
        padding = 0
    else:
        padding = layer.padding
    size, stride, dilation = layer.kernel_size, layer.stride, layer.dilation
    columns = functional.unfold(x, size, dilation, padding, stride)  # pyright: ignore[reportArgumentType]
    return columns.transpose(1, 2).flatten(0, 1).unflatten(1, (layer.in_channels, -1))


def _padding(layer: nn.Conv2d) -> str:
    return "constant" if layer.padding_mode == "zeros" else layer.padding_mode
