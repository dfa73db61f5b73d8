"""Write a network as an ONNX file, compressed as it is."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.catalogue import Measure, technique
from efficientdl.costs.trace import Inputs, Watcher, check_inputs, run
from efficientdl.models.layers.integer_steps import IntegerNetwork
from efficientdl.systems.compiler.export.integer import from_bytes, to_bytes, write_integers
from efficientdl.systems.compiler.export.levels import rounded
from efficientdl.systems.compiler.export.operations import Task, write
from efficientdl.systems.compiler.export.stand_in import StandIn, stand_in
from efficientdl.systems.compiler.export.stored import hold_weight
from efficientdl.systems.compiler.export.writer import Writer
from efficientdl.systems.compiler.graph import Graph, Node, check
from efficientdl.systems.compiler.trace import trace

DTYPES = {torch.float32: np.dtype(np.float32), torch.float16: np.dtype(np.float16)}


@technique(
    "sys-export",
    paper="Chen, Moreau, Jiang, Zheng, Yan, Cowan, Shen, Wang, Hu, Ceze, Guestrin and "
    "Krishnamurthy, TVM: An Automated End-to-End Optimizing Compiler for Deep Learning, 2018; "
    "Jiang et al., MNN: A Universal and Efficient Inference Engine, 2020",
    survey="6.1",
    lab="13_kernels_and_compilers",
    kind=Measure(),
)
def export_onnx(model: nn.Module, x: Inputs, path: str | Path | None = None) -> bytes:
    """Write a network in the format that runtimes of other makers read, compressed as it is.

    Pruned channels and low rank need nothing new: the file holds the smaller layers. Masks become
    zeros. Weights in codes stay in codes, with what turns them into numbers beside them, so that
    bytes take a quarter of the room and four bits an eighth; inputs that are rounded to levels are
    rounded in the file, too. A network of `integer_only` becomes operations on whole numbers and
    gives the very same codes. Any other gives the same outputs but for the order of float sums;
    where an input is rounded, a sum that comes to lie on the other side of a half takes the next
    level.

    Args:
        model: A network, in inference; it stays as it is. Its weights are on the CPU.
        x: An input, or a tuple of them, float32 or float16: the file holds for these shapes.
        path: Where to write it, too, if anywhere; a file that is there is replaced.

    Returns:
        The bytes of the file.

    Raises:
        BadValue: The extra `export` is not installed; the network does something that is not in
            the closed set of `trace`, or holds no numbers.

    >>> from efficientdl.systems.compiler.export import run_onnx
    >>> model = nn.Sequential(nn.Linear(4, 2), nn.ReLU())
    >>> x = torch.ones(1, 4)
    >>> y, = run_onnx(export_onnx(model, x), x)
    >>> torch.allclose(y, model(x))
    True

    Source: a graph as what framework and backend share: Chen et al., "TVM", OSDI 2018, and Jiang
    et al., "MNN", MLSys 2020; the format: the ONNX operator specification, opset 21; the survey's
    section 6.1; lab 13.
    """
    check_inputs("export_onnx", model, x)
    _check.kind("export_onnx", "path", path, (str, Path, type(None)))
    _demand_numbers(model, x)
    run(model, x, Watcher())  # what it raises is its own error, not one of the tracing
    if isinstance(model, IntegerNetwork):
        made = _integer_file(model, x)
    else:
        ordinary = stand_in(model)
        made = _file(Writer("export_onnx"), trace(ordinary.model, x), ordinary)
    if path is not None:
        Path(path).write_bytes(made)
    return made


def export_graph(graph: Graph) -> bytes:
    """Write a graph as it stands, after whatever passes or substitutions.

    >>> from efficientdl.systems.compiler.export import run_onnx
    >>> from efficientdl.systems.compiler.graph import Value, node
    >>> x = Value("x", (1, 4))
    >>> file = export_graph(Graph((x,), {}, (node("y", "relu", [x]),), ("y",)))
    >>> run_onnx(file, torch.tensor([[-1.0, 2.0, -3.0, 4.0]]))
    [tensor([[0., 2., 0., 4.]])]
    """
    _check.kind("export_graph", "graph", graph, Graph)
    check(graph)
    return _file(Writer("export_graph"), graph, StandIn(nn.Module(), {}, {}))


def _demand_numbers(model: nn.Module, x: Inputs) -> None:
    held = [*model.parameters(), *model.buffers()]
    for tensor in held:
        if tensor.device.type != "cpu":
            _check.fail("export_onnx", "model", "must hold numbers, on the CPU", str(tensor.device))
    for tensor in (x,) if isinstance(x, Tensor) else x:
        if not isinstance(tensor, Tensor) or tensor.dtype not in DTYPES:
            got = tensor.dtype if isinstance(tensor, Tensor) else tensor
            _check.fail("export_onnx", "x", "must be float32 or float16", got)


def _file(w: Writer, graph: Graph, ordinary: StandIn) -> bytes:
    dtype = _dtype(graph)
    names = {value.name: w.new(value.name) for value in graph.inputs}
    inputs = [w.described(names[v.name], dtype, v.shape) for v in graph.inputs]
    for name, tensor in graph.constants.items():
        names[name] = hold_weight(w, name, tensor.numpy(), ordinary.layers.get(name))
    values = graph.values()
    for n in graph.nodes:
        taken = _inputs(w, n, names, ordinary)
        shapes = [values[name].shape for name in n.inputs]
        task = Task(n, taken, shapes, dtype, [value.name for value in n.outputs])
        names |= zip(task.out, write(w, task), strict=True)
    outputs = []
    for name in graph.outputs:
        given = w.add("Identity", [names[name]], name="y")
        outputs.append(w.described(given, dtype, values[name].shape))
    return w.model(inputs, outputs)


def _dtype(graph: Graph) -> np.dtype:
    """The dtype of all values."""
    found = {value.dtype for value in graph.values().values()}
    if len(found) != 1 or not found <= DTYPES.keys():
        names = sorted(str(dtype) for dtype in found)
        _check.fail("export", "values of the graph", "must all be float32 or all float16", names)
    return DTYPES[found.pop()]


def _inputs(w: Writer, n: Node, names: dict[str, str], ordinary: StandIn) -> list[str]:
    """What a node takes, its first input rounded where its layer rounds it."""
    taken = [names[name] for name in n.inputs]
    weight = next((name for name in n.inputs[1:] if name in ordinary.levels), None)
    if weight is not None:
        taken[0] = rounded(w, taken[0], ordinary.levels[weight], name=n.name)
    return taken


def _integer_file(network: IntegerNetwork, x: Inputs) -> bytes:
    _check.kind("export_onnx", "x of an integer network", x, Tensor)
    assert isinstance(x, Tensor)
    w, dtype = Writer("export_onnx"), DTYPES[x.dtype]
    name = w.new("x")
    first, last = network.to_codes.codes, network.from_codes.codes
    with torch.no_grad():
        codes, shape = network.to_codes(x), tuple(network(x).shape)
    made = write_integers(w, network, to_bytes(w, name, first, dtype), codes)
    y = w.add("Identity", [from_bytes(w, made, last, dtype)], name="y")
    return w.model([w.described(name, dtype, tuple(x.shape))], [w.described(y, dtype, shape)])
