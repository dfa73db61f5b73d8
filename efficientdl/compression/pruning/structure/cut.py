"""Cut channels out of a model, for good: the weights become smaller tensors."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.compression.pruning.structure.groups import Group
from efficientdl.costs.trace import Inputs, arguments, tensors
from efficientdl.fit.modes import evaluating

# By group name: the units that go, by their number in the group.
Gone = Mapping[str, Collection[int]]


def zero_channels(model: nn.Module, groups: Sequence[Group], gone: Gone) -> nn.Module:
    """A copy of the model with all weights of some units set to zero: masked, not yet smaller.

    Args:
        model: The model that the groups were found in.
        groups: Its groups.
        gone: `{group name: units that go}`.

    >>> from efficientdl.compression.pruning.structure.groups import channel_groups
    >>> model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    >>> groups = channel_groups(model, torch.zeros(1, 4))
    >>> int(zero_channels(model, groups, {"0": [1]})[0].weight.count_nonzero())
    8
    """
    ours = deepcopy(model)
    weights = dict(ours.named_parameters())
    with torch.no_grad():
        for name, axis, places in _places(groups, gone):
            if name in weights:  # statistics of a batch norm may stay: it multiplies them by zero
                index = torch.tensor(places, device=weights[name].device)
                weights[name].index_fill_(axis, index, 0)
    return ours


def remove_channels(model: nn.Module, groups: Sequence[Group], gone: Gone) -> nn.Module:
    """A copy of the model without some units: no mask, but smaller layers.

    Args:
        model: The model that the groups were found in.
        groups: Its groups.
        gone: `{group name: units that go}`.

    >>> from efficientdl.compression.pruning.structure.groups import channel_groups
    >>> model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    >>> groups = channel_groups(model, torch.zeros(1, 4))
    >>> remove_channels(model, groups, {"0": [1]})
    Sequential(
      (0): Linear(in_features=4, out_features=2, bias=True)
      (1): Linear(in_features=2, out_features=2, bias=True)
    )
    """
    going: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for name, axis, places in _places(groups, gone):
        going[name][axis] += places
    held = dict(_tensors(model))
    return _copy_with(
        model, {id(held[name]): _smaller(held[name], axes) for name, axes in going.items()}
    )


def load_smaller(model: nn.Module, weights: Mapping[str, Tensor]) -> nn.Module:
    """A copy of a model whose layers have the sizes of stored weights, and hold them.

    What is stored of a network whose channels were cut is its `state_dict`: numbers alone. The
    sizes that its layers have now are those of the numbers, so the network as it was before the
    cut is all that is needed to read it, a skeleton on the meta device too.

    Args:
        model: The network before any channel was cut; its own weights do not matter.
        weights: The `state_dict` of the network after the cut.

    Raises:
        BadValue: A weight is missing, is not one of the model's, or is not a smaller one.

    >>> before = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    >>> after = nn.Sequential(nn.Linear(4, 1), nn.Linear(1, 2))
    >>> load_smaller(before, after.state_dict())[0]
    Linear(in_features=4, out_features=1, bias=True)
    """
    wanted = model.state_dict(keep_vars=True)
    for name in wanted.keys() ^ weights.keys():
        known = "must be there" if name in wanted else "must be one of the model's"
        _check.fail("load_smaller", "weight", known, name)
    for name, tensor in wanted.items():
        stored = weights[name]
        fits = zip(stored.shape, tensor.shape, strict=False)
        if stored.ndim != tensor.ndim or any(a > b for a, b in fits):
            rule = f"{name!r} must be a smaller one of {tuple(tensor.shape)}"
            _check.fail("load_smaller", "weight", rule, tuple(stored.shape))
    return _copy_with(model, {id(old): _like(old, weights[n].clone()) for n, old in wanted.items()})


def _copy_with(model: nn.Module, new: Mapping[int, Tensor]) -> nn.Module:
    """A copy of a model with other tensors in the places of some, by their ids."""
    ours = deepcopy(model, dict(new))  # what the memo holds is not copied
    put = {id(tensor) for tensor in new.values()}
    for module in ours.modules():
        if any(id(t) in put for own in (module._parameters, module._buffers) for t in own.values()):
            _restate(module)
    return ours


def _like(tensor: Tensor, values: Tensor) -> Tensor:
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(values, requires_grad=tensor.requires_grad)
    return values


def _tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from model.named_parameters()
    yield from model.named_buffers()


def _places(groups: Sequence[Group], gone: Gone) -> Iterator[tuple[str, int, list[int]]]:
    known = {group.name: group for group in groups}
    for name, units in gone.items():
        _check.one_of("remove_channels", "group", name, known)
        for unit in units:
            _check.whole("remove_channels", "unit", unit, 0, len(known[name]) - 1)
        for s in known[name].slices if units else ():
            yield s.weight, s.axis, [place for unit in units for place in s.places[unit]]


def _smaller(tensor: Tensor, going: Mapping[int, list[int]]) -> Tensor:
    values = tensor.detach()
    for axis, places in going.items():
        stays = torch.ones(tensor.shape[axis], dtype=torch.bool)
        stays[places] = False
        values = values.index_select(axis, stays.nonzero().flatten().to(values.device))
    return _like(tensor, values)


def _restate(module: nn.Module) -> None:
    """Let a layer say the sizes that it has now."""
    if isinstance(module, nn.modules.conv._ConvNd):
        _restate_conv(module)
    elif isinstance(module, nn.modules.batchnorm._BatchNorm):
        sized = module.weight if module.weight is not None else module.running_mean
        module.num_features = len(sized) if sized is not None else module.num_features
    elif isinstance(module, nn.GroupNorm):
        each, module.num_channels = module.num_channels // module.num_groups, len(module.weight)
        module.num_groups = module.num_channels // each
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, nn.Embedding):
        module.embedding_dim = module.weight.shape[1]
    elif isinstance(module, nn.PReLU):
        module.num_parameters = module.weight.numel()


def _restate_conv(conv: nn.modules.conv._ConvNd) -> None:
    first, second = conv.weight.shape[:2]
    if conv.groups == conv.in_channels > 1:  # depthwise: a group for each channel that is left
        each = conv.out_channels // conv.in_channels
        conv.groups = first if conv.transposed else first // each
    second *= conv.groups
    conv.in_channels, conv.out_channels = (first, second) if conv.transposed else (second, first)


def cut_exactly(
    caller: str, model: nn.Module, groups: Sequence[Group], gone: Gone, x: Inputs
) -> nn.Module:
    """Remove units, and hold the smaller model to the masked one: the same output, or an error.

    The graph follows what a model did on one input. Code that writes a number of channels down, as
    `x.reshape(n, 64, 7, 7)` does, would break after the cut or mean something else.

    Args:
        caller: Who asks, for the error.
        model: The model that the groups were found in.
        groups: Its groups.
        gone: `{group name: units that go}`.
        x: An input to compare on; on the meta device only shapes are compared.

    Raises:
        BadValue: They differ; the groups that are to blame are named.
    """
    smaller = remove_channels(model, groups, gone)
    fault = _fault(zero_channels(model, groups, gone), smaller, x)
    if fault:
        alone = ({name: units} for name, units in gone.items() if units)
        cuts = [(one, remove_channels(model, groups, one)) for one in alone]
        guilty = [
            name
            for one, cut in cuts
            for name in one
            if _fault(zero_channels(model, groups, one), cut, x)
        ]
        behind = ", ".join(map(repr, guilty)) or "them all"
        rule = f"must not write numbers of channels down, as behind {behind}: once cut, it "
        _check.fail(caller, "model", rule + fault, type(model).__name__)
    return smaller


def _fault(masked: nn.Module, smaller: nn.Module, x: Inputs) -> str:
    """What is wrong with the smaller model, or nothing."""
    with torch.no_grad(), evaluating(masked), evaluating(smaller):
        try:
            ours = list(tensors(smaller(*arguments(x))))
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            return f"does not run ({error})"
        theirs = list(tensors(masked(*arguments(x))))
    near = len(ours) == len(theirs) and all(map(_near, ours, theirs))
    return "" if near else "computes something else"


def _near(a: Tensor, b: Tensor) -> bool:
    if a.shape != b.shape or a.is_meta or not a.is_floating_point():
        return a.shape == b.shape
    # Sums of fewer terms round otherwise: half of the digits is far more than that, and far less
    # than a channel in the wrong place.
    rounding = torch.finfo(a.dtype).eps ** 0.5 * float(b.nan_to_num().abs().max())
    return torch.allclose(a, b, rtol=0, atol=rounding, equal_nan=True)
