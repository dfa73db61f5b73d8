"""Lab 01's network in bytes, beside eager torch in float32 and onnxruntime in both.

One thread, in turns. `python -m benchmarks.kernel_bars.int8_networks` prints the rows.
onnxruntime is left out where it is not installed.
"""

import json
import tempfile
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.kernel_bars import drawn
from efficientdl.compression.quantization import fold_batch_norm, integer_only
from efficientdl.costs.latency import compare
from efficientdl.kernels.threads import threads
from efficientdl.models.layers.int8 import Int8Conv2d, Int8Linear

NETWORK = "mobilenet_v1"  # lab 01 counts it
BATCHES = (1, 8)
TURNS = 15
Runs = dict[str, Callable[[], object]]
EAGER, OURS = "torch, float32", "integer_only, int8"


def in_bytes(network: nn.Module, x: Tensor) -> nn.Module:
    """The network with batch norm folded in and every layer on the int8 kernels."""
    made = fold_batch_norm(network, x).model.eval()
    for name, layer in list(made.named_modules()):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            parent, _, last = name.rpartition(".")
            new = Int8Conv2d.of(layer) if isinstance(layer, nn.Conv2d) else Int8Linear.of(layer)
            setattr(made.get_submodule(parent), last, new)
    return made


def _sessions(network: nn.Module, x: Tensor, folder: Path) -> Runs:
    """onnxruntime on the network as torch exports it, and as its own tool quantizes that."""
    import onnxruntime as ort  # pyright: ignore[reportMissingImports]
    from onnxruntime import quantization  # pyright: ignore[reportMissingImports]

    floats, codes, ready = (str(folder / name) for name in ("f.onnx", "q.onnx", "r.onnx"))
    torch.onnx.export(network, (x,), floats, dynamo=False, input_names=["x"])
    quantization.quant_pre_process(floats, ready)

    class Once(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self.left = [{"x": x.numpy()}]

        def get_next(self) -> dict[str, Any]:
            return self.left.pop() if self.left else {}

    quantization.quantize_static(ready, codes, Once(), per_channel=True)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    runs: Runs = {}
    for name, path in (("onnxruntime, float32", floats), ("onnxruntime, int8", codes)):
        session = ort.InferenceSession(path, options)
        runs[name] = lambda session=session: session.run(None, {"x": x.numpy()})
    return runs


def runs(batch: int, folder: Path) -> Runs:
    """The candidates on a batch of noise, by name."""
    network, x = drawn.network(NETWORK), drawn.images(NETWORK, batch=batch)
    integer, layers = integer_only(network, x).model, in_bytes(network, x)
    found: Runs = {
        EAGER: lambda: network(x),
        OURS: lambda: integer(x),
        "Int8Conv2d and Int8Linear": lambda: layers(x),
    }
    if find_spec("onnxruntime") is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found |= _sessions(network, x, folder)
    return found


def rows() -> list[dict[str, object]]:
    """Milliseconds of each candidate, and how many times as long as ours it takes."""
    found: list[dict[str, object]] = []
    with torch.no_grad(), threads(1), tempfile.TemporaryDirectory() as folder:
        for batch in BATCHES:
            taken = compare(runs(batch, Path(folder)), repeats=TURNS, threads=1)
            for name, latency in taken.latencies.items():
                found.append({
                    "network": NETWORK,
                    "batch": batch,
                    "candidate": name,
                    "ms": round(1e3 * latency.median_s, 2),
                    "best ms": round(1e3 * min(latency.times), 2),
                    "times ours": round(taken.ratio(name, OURS).median, 2),
                })
    return found


if __name__ == "__main__":
    for row in rows():
        print(json.dumps(row))
