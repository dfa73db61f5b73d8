"""torchao on our networks: `python -m benchmarks.peers.torchao`, in its own Python.

`EFFICIENTDL_TORCHAO` names a Python that has the peer and what `efficientdl` needs. There this
module is a program: `groups NETWORK` quantizes the linear layers of a shipped network by groups
with both libraries, `convolutions NETWORK` asks the peer for a network with convolutions. Both
print JSON. The peer is called as its manual shows.
"""

import json
import os
import sys
import warnings
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.headlines.shipped import accuracy, data, float_layers, shipped
from efficientdl.compression.layers import put
from efficientdl.compression.quantization import quantize_weights
from efficientdl.costs import compare
from efficientdl.tensors import PerGroup, affine, symmetric
from efficientdl.tensors.affine import Rule

REPEATS, BATCH = 200, 256
LONGEST = 64


def group_size(n_inputs: int) -> int:
    """The largest divisor of a row's length that is no longer than 64."""
    return max(size for size in range(1, LONGEST + 1) if n_inputs % size == 0)


def _width(bits: int) -> torch.dtype:
    """The type by which the peer is told a number of bits."""
    return getattr(torch, f"int{bits}")


def _theirs(model: nn.Module, bits: int, mapping: str) -> nn.Module:
    """A copy that the peer quantized, each layer by groups of its own size."""
    import torchao.quantization as peer  # pyright: ignore[reportMissingImports]

    copy = deepcopy(model)
    for layer in float_layers(copy).values():
        config = peer.IntxWeightOnlyConfig(
            weight_dtype=_width(bits),
            granularity=peer.PerGroup(group_size(layer.weight.shape[1])),
            mapping_type=peer.MappingType[mapping],
        )
        peer.quantize_(layer, config)
    return copy


def _ours(model: nn.Module, x: Tensor, bits: int, rule: Rule) -> nn.Module:
    """The same, each layer by a call of its own."""
    new = {}
    for name, layer in float_layers(model).items():
        size = PerGroup(group_size(layer.weight.shape[1]))
        small = quantize_weights(model, x, bits={name: bits}, granularity=size, rule=rule).model
        new[name] = small.get_submodule(name)
    return put(deepcopy(model), new)


@torch.no_grad()
def _weights(model: nn.Module, names: list[str]) -> Tensor:
    found: list[Tensor] = [model.get_submodule(name).weight for name in names]  # pyright: ignore[reportAssignmentType]
    return torch.cat([w.dequantize().detach().flatten() for w in found])


def groups(name: str) -> Mapping[str, list[float]]:
    """For bits and kinds of ranges: errors of both and between them, accuracies, times faster.

    Errors are shares of the weights' norm, in percent.
    """
    model, (pictures, _) = shipped(name), data(name).test
    names = list(float_layers(model))
    exact = _weights(model, names)
    found = {}
    for mapping, rule in {"SYMMETRIC": symmetric, "ASYMMETRIC": affine}.items():
        for bits in (8, 4, 2):
            ours = _ours(model, pictures[:1], bits, rule)
            theirs = _theirs(model, bits, mapping)
            values = [_weights(m, names) for m in (ours, theirs)]
            errors = [100 * float((v - exact).norm() / exact.norm()) for v in values]
            found[f"{mapping.lower()}, {bits} bits"] = [
                *errors,
                100 * float((values[0] - values[1]).norm() / exact.norm()),
                accuracy(name, ours),
                accuracy(name, theirs),
                _times_faster(ours, theirs, pictures[:BATCH]),
            ]
    return found


def _times_faster(ours: nn.Module, theirs: nn.Module, x: Tensor) -> float:
    def call(model: nn.Module) -> Tensor:
        with torch.no_grad():
            return model(x)

    calls = {"ours": lambda: call(ours), "theirs": lambda: call(theirs)}
    return compare(calls, repeats=REPEATS).ratio("theirs", "ours").median


def convolutions(name: str) -> Mapping[str, Any]:
    """What the peer's usual call does to each layer of a network with convolutions."""
    import torchao.quantization as peer  # pyright: ignore[reportMissingImports]

    model = deepcopy(shipped(name))
    before = {n: layer.weight.detach().clone() for n, layer in float_layers(model).items()}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        peer.quantize_(model, peer.IntxWeightOnlyConfig(weight_dtype=_width(4)))
    changed, left = [], []
    for layer, weight in before.items():
        now = model.get_submodule(layer).weight
        same = type(now) is nn.Parameter and torch.equal(now, weight)
        (left if same else changed).append(layer)
    return {"changed": changed, "left": left, "warnings": [str(w.message)[:120] for w in said]}


def main(words: list[str]) -> None:
    warnings.simplefilter("ignore")
    os.environ["EFFICIENTDL_UI"] = "silent"
    torch.set_num_threads(1)
    programs = {"groups": groups, "convolutions": convolutions}
    print(json.dumps(programs[words[0]](*words[1:])))


if __name__ == "__main__":
    main(sys.argv[1:])
