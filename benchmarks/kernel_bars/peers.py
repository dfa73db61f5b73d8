"""The peers, each in its fastest spelling: weights packed beforehand wherever a peer packs them."""

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module, metadata
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_info
from torch import Tensor

from benchmarks.kernel_bars import Entry

PREPACKED, LINEAR, BF16 = "oneDNN, prepacked", "F.linear", "bf16 F.linear"
MKL_CSR, SCIPY_CSR = "torch CSR (MKL)", "SciPy CSR"
BF16_ERROR = 2e-2  # eight bits of each factor, and of the sum
PACKAGES = (
    "efficientdl",
    "numba",
    "numpy",
    "scipy",
    "torch",
    "onnxruntime",
    "spconv",
    "zstandard",
    "constriction",
)


def here(package: str) -> bool:
    """Whether a peer can be imported."""
    return find_spec(package) is not None


def versions() -> dict[str, str]:
    """Of all peers, and of the libraries inside them; a peer that is not installed is absent."""
    found = {name: _version(name) for name in PACKAGES}
    inside = torch.__config__.show()
    for name, pattern in (
        ("oneDNN", r"MKL-DNN v(\S+)"),
        ("MKL", r"Math Kernel Library Version (\S+)"),
    ):
        match = re.search(pattern, inside)
        found[name] = match[1] if match else "absent"
    for pool in threadpool_info():
        if pool["user_api"] == "blas":
            found[f"NumPy's {pool['internal_api']}"] = f"{pool['version']} {pool['architecture']}"
    return found


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


def linears(weight: Tensor, x: Tensor, *, seen: Callable[[Any], Any]) -> dict[str, Entry]:
    """A dense layer, batch first: prepacked, as users write it, and in bfloat16.

    Args:
        weight: `m k`.
        x: `n k`.
        seen: Turns `n m` into the reference's layout.
    """
    made = {LINEAR: Entry(lambda: torch.nn.functional.linear(x, weight), 1e-4, seen)}
    if torch.backends.mkldnn.is_available():
        packed = torch.ops.mkldnn._reorder_linear_weight(weight, len(x))
        pointwise = torch.ops.mkldnn._linear_pointwise
        made[PREPACKED] = Entry(lambda: pointwise(x, packed, None, "none", [], ""), 1e-4, seen)
    x16, w16 = x.bfloat16(), weight.bfloat16()
    call = Entry(lambda: torch.nn.functional.linear(x16, w16), BF16_ERROR, seen, counts=False)
    return made | {BF16: call}


def convolutions(
    weight: Tensor, x: Tensor, *, groups: int = 1, stride: int = 1
) -> dict[str, Entry]:
    """A 3 x 3 convolution with padding one: both layouts, prepacked or not, and bfloat16."""
    last = torch.channels_last
    conv, options = torch.nn.functional.conv2d, {"padding": 1, "groups": groups, "stride": stride}
    x_last, w_last = x.contiguous(memory_format=last), weight.contiguous(memory_format=last)
    made = {
        "conv2d": Entry(lambda: conv(x, weight, **options)),
        "conv2d, channels last": Entry(lambda: conv(x_last, w_last, **options)),
    }
    if torch.backends.mkldnn.is_available():
        for name, x_, w_ in (
            (PREPACKED, x, weight),
            (f"{PREPACKED}, channels last", x_last, w_last),
        ):
            made[name] = Entry(_prepacked_convolution(x_, w_, groups, stride))
    x16, w16 = x_last.bfloat16(), w_last.bfloat16()
    bf16 = Entry(lambda: conv(x16, w16, **options), BF16_ERROR, counts=False)
    return made | {"bf16 conv2d, channels last": bf16}


def _prepacked_convolution(
    x: Tensor, weight: Tensor, groups: int, stride: int
) -> Callable[[], Any]:
    places = [1, 1], [stride, stride], [1, 1], groups
    packed = torch.ops.mkldnn._reorder_convolution_weight(weight, *places, list(x.shape))
    pointwise = torch.ops.mkldnn._convolution_pointwise
    return lambda: pointwise(x, packed, None, *places, "none", [], "")


def torch_engines() -> list[str]:
    """Engines of torch's quantized layers that this processor has."""
    return [
        e for e in ("fbgemm", "x86", "onednn") if e in torch.backends.quantized.supported_engines
    ]


def dynamic_int8(weight: Tensor, x: Tensor, engine: str) -> Callable[[], Any]:
    """torch's dynamic int8 layer: floats in, bytes multiplied, floats out."""
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = engine
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it will move to torchao
            layer = torch.ao.nn.quantized.dynamic.Linear(weight.shape[1], len(weight))
            scales = weight.abs().amax(1) / 127
            zeros = torch.zeros(len(weight), dtype=torch.long)
            codes = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
            layer.set_weight_bias(codes, None)
    finally:
        torch.backends.quantized.engine = before

    return lambda: layer(x)


def session(
    nodes: Sequence[Any],
    inputs: Mapping[str, np.ndarray],
    output: np.dtype[Any] | type,
    constants: Mapping[str, np.ndarray],
    *,
    n_threads: int,
) -> Callable[[], Any]:
    """An onnxruntime session of a few nodes, with as many threads, which do not spin.

    Args:
        nodes: Of `onnx.helper.make_node`; the last one's output is the graph's.
        inputs: What each call reads.
        output: The type of the result.
        constants: Weights, which the session may pack.
        n_threads: For the work inside an operator.
    """
    helper, of = (import_module(f"onnx.{name}") for name in ("helper", "numpy_helper"))
    kinds = helper.np_dtype_to_tensor_dtype
    graph = helper.make_graph(
        list(nodes),
        "peer",
        [helper.make_tensor_value_info(k, kinds(v.dtype), v.shape) for k, v in inputs.items()],
        [helper.make_tensor_value_info(nodes[-1].output[0], kinds(np.dtype(output)), None)],
        [of.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()],
    )
    sets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=sets, ir_version=9).SerializeToString()
    return loaded(model, inputs, n_threads=n_threads)


def loaded(
    model: bytes | str, inputs: Mapping[str, np.ndarray], *, n_threads: int
) -> Callable[[], Any]:
    """A model of onnxruntime's, from its bytes or its file, with threads that do not spin."""
    runtime = import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = n_threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    made = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    read = dict(inputs)
    return lambda: made.run(None, read)


def nodes(*lines: tuple[Any, ...]) -> list[Any]:
    """Nodes of a graph: operator, inputs, outputs, and what else `make_node` takes.

    >>> [node.op_type for node in nodes(("Add", "a b", "c"))]
    ['Add']
    """
    helper = import_module("onnx.helper")
    return [
        helper.make_node(kind, of.split(), to.split(), **(options[0] if options else {}))
        for kind, of, to, *options in lines
    ]


def has_onnxruntime() -> bool:
    """Whether onnxruntime and the package that writes its graphs are here."""
    return here("onnxruntime") and here("onnx")
