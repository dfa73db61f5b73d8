"""Whole networks: in int8 and pruned, beside eager torch and onnxruntime."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.kernel_bars import Bar, Case, Entry, drawn, int8_networks, peers, sparse_networks
from efficientdl.systems import accelerate

TITLE = "Whole networks"
NOTE = (
    "On one thread, with batch norm folded in but for the integer network's eager peer. Networks "
    "in int8 give what is near the floats', not the same. Pruned ones give what the compressed "
    "network gives; their peers are dense, of the same shapes."
)
FLOAT_ERROR = 1e-3  # fused and in another order, layer upon layer
LAYERS = "Int8Conv2d and Int8Linear"  # ours as well
ORT, OURS = "onnxruntime, float32", "accelerated"
SAME = {int8_networks.EAGER, ORT}


def cases(n_threads: int) -> Iterator[Case]:
    """The integer network, then the pruned ones, each at each batch."""
    if n_threads > 1:
        return
    for batch in int8_networks.BATCHES:
        with tempfile.TemporaryDirectory() as folder:
            yield _integer(batch, Path(folder))
    for name in sparse_networks.WAYS:
        with torch.inference_mode(mode=False), torch.no_grad():
            dense, made = sparse_networks.folded(name)
        for batch in sparse_networks.BATCHES:
            with torch.inference_mode(mode=False):
                x = drawn.images(name, batch=batch)
            for way, compressed in made.items():
                yield _pruned(f"{name}, {way}", dense, compressed, x)


def _integer(batch: int, folder: Path) -> Case:
    with torch.inference_mode(mode=False), torch.no_grad():
        runs = int8_networks.runs(batch, folder)
        want = runs[int8_networks.EAGER]()
    entries = {
        name: Entry(run, FLOAT_ERROR if name in SAME else None, counts=name != LAYERS)
        for name, run in runs.items()
    }
    bars = [Bar(1.0, (int8_networks.EAGER,))]
    name = f"{int8_networks.NETWORK}, int8, batch {batch}"
    return Case(name, int8_networks.OURS, entries, want, bars)


def _pruned(name: str, dense: nn.Module, compressed: nn.Module, x: Tensor) -> Case:
    with torch.inference_mode(mode=False), torch.no_grad():
        fast, want = accelerate(compressed), compressed(x)
        entries = {
            OURS: Entry(lambda: fast(x), FLOAT_ERROR),
            sparse_networks.DENSE: Entry(lambda: dense(x), error=None),
        }
        if peers.has_onnxruntime():
            entries[ORT] = Entry(_exported(dense, x), error=None)
    bars = [Bar(1.0, (sparse_networks.DENSE,))]
    return Case(f"{name}, batch {len(x)}", OURS, entries, want, bars)


def _exported(network: nn.Module, x: Tensor) -> Callable[[], object]:
    """A network as torch exports it, run by onnxruntime on one thread."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "network.onnx")
        torch.onnx.export(network, (x,), path, dynamo=False, input_names=["x"])
        return peers.loaded(path, {"x": x.numpy()}, n_threads=1)
