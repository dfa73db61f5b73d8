"""An ONNX model while it is written: constants and nodes, each under a name of its own."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Shaped

from efficientdl.systems.compiler.export.extra import package
from efficientdl.systems.compiler.names import unused

# Opset 21 is the first with four-bit codes; file version 10 is the one that came with it.
OPSET, FILE_VERSION = 21, 10
LARGE = 2**12  # bytes
Array = Shaped[np.ndarray, "..."]
Shape = tuple[int, ...]


class Writer:
    """Collects what a model is made of.

    Args:
        caller: Who writes, for the error where `onnx` is missing.
    """

    def __init__(self, caller: str) -> None:
        self.onnx = package(caller, "onnx")
        self.made = self._model([], [], [], [])
        self.names: set[str] = set()

    def new(self, name: str) -> str:
        """A name that nothing has yet: the one proposed, or that with a number."""
        free = unused(name, self.names.__contains__)
        self.names.add(free)
        return free

    def hold(self, name: str, value: Array) -> str:
        """A constant, stored in its own dtype; returns its name."""
        name = self.new(name)
        held = self.onnx.numpy_helper.from_array(np.ascontiguousarray(value), name)
        self.made.graph.initializer.append(held)
        return name

    def hold_four_bits(self, name: str, codes: Array) -> str:
        """A constant of whole numbers, 0..15 where they are unsigned, two in a byte."""
        kinds = self.onnx.TensorProto
        kind = kinds.UINT4 if codes.dtype.kind == "u" else kinds.INT4
        name = self.new(name)
        halves = np.zeros(codes.size + codes.size % 2, dtype=np.uint8)
        halves[: codes.size] = codes.flatten() & 15
        pairs = halves[0::2] | halves[1::2] << 4  # the first of two in the lower half of the byte
        held = self.onnx.helper.make_tensor(name, kind, codes.shape, pairs.tobytes(), raw=True)
        self.made.graph.initializer.append(held)
        return name

    def whole(self, name: str, numbers: Sequence[int]) -> str:
        """A constant list of whole numbers: axes, sizes, a shape."""
        return self.hold(name, np.array(numbers, dtype=np.int64))

    def add(self, op: str, inputs: Sequence[str], *, name: str, **attributes: object) -> str:
        """A node with one output, which has the node's name; returns it."""
        return self.add_several(op, inputs, names=[name], **attributes)[0]

    def add_several(
        self, op: str, inputs: Sequence[str], *, names: Sequence[str], **attributes: object
    ) -> list[str]:
        """A node with an output under each of the names; returns them."""
        outputs = [self.new(name) for name in names]
        made = self.onnx.helper.make_node(op, inputs, outputs, name=outputs[0], **attributes)
        self.made.graph.node.append(made)
        return outputs

    def cast(self, x: str, dtype: type[np.generic], *, name: str) -> str:
        """The same numbers in another dtype."""
        return self.add("Cast", [x], name=name, to=self.kind(np.dtype(dtype)))

    def kind(self, dtype: np.dtype) -> int:
        """ONNX's number for a dtype."""
        return self.onnx.helper.np_dtype_to_tensor_dtype(dtype)

    def described(self, name: str, dtype: np.dtype, shape: Shape) -> Any:  # noqa: ANN401
        """An input or output of the model."""
        return self.onnx.helper.make_tensor_value_info(name, self.kind(dtype), shape)

    def model(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> bytes:
        """The finished model, checked by `onnx` itself: every shape and dtype inferred."""
        graph = self.made.graph
        large = [t for t in graph.initializer if t.ByteSize() > LARGE]
        small = [t for t in graph.initializer if t.ByteSize() <= LARGE]
        # a check copies the model several times: to it, a large constant is one more input
        described = self.onnx.helper.make_tensor_value_info
        as_inputs = [described(t.name, t.data_type, t.dims) for t in large]
        outline = self._model(graph.node, [*inputs, *as_inputs], outputs, small)
        self.onnx.checker.check_model(outline, full_check=True)
        graph.input.extend(inputs)
        graph.output.extend(outputs)
        return self.made.SerializeToString()

    def _model(
        self,
        nodes: Sequence[Any],
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        constants: Sequence[Any],
    ) -> Any:  # noqa: ANN401
        helper = self.onnx.helper
        graph = helper.make_graph(nodes, "efficientdl", inputs, outputs, constants)
        opset = helper.make_opsetid("", OPSET)
        return helper.make_model(
            graph, opset_imports=[opset], ir_version=FILE_VERSION, producer_name="efficientdl"
        )
