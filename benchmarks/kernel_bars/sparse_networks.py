"""Pruned networks on the sparse kernels, beside the same network dense in eager torch.

Lab 01's network without structure, and one of 3 x 3 convolutions in patterns of four taps. Batch
norm is folded into the weights beforehand, in all of them. One thread, in turns. `python -m
benchmarks.kernel_bars.sparse_networks` prints the rows.
"""

import json
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from benchmarks.kernel_bars import drawn
from efficientdl.compression.pruning import prune, prune_patterns
from efficientdl.compression.quantization import fold_batch_norm
from efficientdl.costs.count import count
from efficientdl.costs.latency import compare
from efficientdl.kernels.threads import threads
from efficientdl.systems import accelerate

BATCHES = (1, 8)
TURNS = 9
DENSE = "torch, dense"
Pruned = Callable[[nn.Module, Tensor], nn.Module]
WAYS: Mapping[str, Mapping[str, Pruned]] = {
    "mobilenet_v1": {  # lab 01 counts it: nearly all MACs are in 1 x 1 convolutions
        f"sparsity {sparsity}": lambda network, x, sparsity=sparsity: (
            prune(network, x, sparsity=sparsity).model
        )
        for sparsity in (0.5, 0.8, 0.9)
    },
    "resnet50": {
        "patterns of 4 taps": lambda network, x: prune_patterns(network, x).model,
        "sparsity 0.9": lambda network, x: prune(network, x, sparsity=0.9).model,
    },
}


def rows() -> list[dict[str, object]]:
    """Milliseconds of each candidate, and how many times as long the dense network takes."""
    found: list[dict[str, object]] = []
    with torch.no_grad(), threads(1):
        for name in WAYS:
            dense, pruned = folded(name)
            fast = {way: accelerate(network) for way, network in pruned.items()}
            for batch in BATCHES:
                found += _rows(name, {DENSE: dense, **fast}, drawn.images(name, batch=batch))
    return found


def folded(name: str) -> tuple[nn.Module, dict[str, nn.Module]]:
    """A network, and what each way to prune it makes of it, with batch norm folded in."""
    x = drawn.images(name)
    made = {way: drawn.network(name, pruned) for way, pruned in WAYS[name].items()}
    dense = fold_batch_norm(drawn.network(name), x).model
    return dense, {way: fold_batch_norm(network, x).model for way, network in made.items()}


def _rows(name: str, networks: Mapping[str, nn.Module], x: Tensor) -> list[dict[str, object]]:
    entries = {way: lambda network=network: network(x) for way, network in networks.items()}
    taken = compare(entries, repeats=TURNS, threads=1)
    found: list[dict[str, object]] = []
    for way, network in networks.items():
        ratio = taken.ratio(DENSE, way)
        found.append({
            "network": name,
            "batch": len(x),
            "candidate": way,
            "mmacs": round((count(network, x).total.macs or 0) / 1e6),
            "median_ms": round(1e3 * taken.latencies[way].median_s, 2),
            "times_faster": round(ratio.median, 2),
            "between": [round(ratio.low, 2), round(ratio.high, 2)],
        })
    return found


if __name__ == "__main__":
    for row in rows():
        print(json.dumps(row))
