"""Run an ONNX file in onnxruntime, which knows nothing of this library."""

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from efficientdl import _check
from efficientdl.systems.compiler.export.extra import package

Array = Shaped[Tensor, "..."]


def run_onnx(model: bytes | str | Path, *x: Array) -> list[Array]:
    """Run an ONNX model in onnxruntime on the CPU, with as many threads as torch has.

    A session is made for each call; to measure the runtime, make one of its own.

    Args:
        model: The bytes of a file, or where it is.
        x: Its inputs, in order.

    Returns:
        Its outputs, in order.

    Raises:
        BadValue: The extra `export` is not installed; the file is no model; or the inputs are not
            of its number, shapes and dtypes.

    >>> from efficientdl.systems.compiler.export.export import export_onnx
    >>> layer = torch.nn.Linear(2, 1)
    >>> run_onnx(export_onnx(layer, torch.ones(1, 2)), torch.ones(1, 2))[0].shape
    torch.Size([1, 1])
    """
    _check.kind("run_onnx", "model", model, (bytes, str, Path))
    for tensor in x:
        _check.kind("run_onnx", "x", tensor, Tensor)
    session = _session(model)
    wanted = session.get_inputs()
    if len(x) != len(wanted):
        _check.fail("run_onnx", "inputs", f"must be {len(wanted)}", len(x))
    given = {}
    for place, tensor in zip(wanted, x, strict=True):
        kind = str(tensor.dtype).removeprefix("torch.")
        got = (_SAID.get(kind, kind), list(tensor.shape))
        rule = (place.type.removeprefix("tensor(").removesuffix(")"), list(place.shape))
        if got != rule:
            _check.fail("run_onnx", place.name, f"must be {rule[0]} {rule[1]}", got)
        given[place.name] = tensor.detach().cpu().numpy()
    return [torch.from_numpy(y) for y in session.run(None, given)]


_SAID = {"float32": "float", "float64": "double"}  # onnxruntime's names


def _session(model: bytes | str | Path) -> Any:  # noqa: ANN401
    runtime = package("run_onnx", "onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors alone
    # its threads would otherwise keep a core busy after they are done
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    data = model if isinstance(model, bytes) else Path(model).read_bytes()
    try:
        return runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own classes, one for each reason
        first = str(error).strip().split("\n")[0]
        rule = f"must be an ONNX model that onnxruntime {runtime.__version__} runs"
        raise _check.BadValue(f"run_onnx: model {rule}, got {first}") from error
