"""The closed set of operations that a graph is made of.

Each is a class with its shape rule and its interpreter line beside each other. A graph cannot hold
an operation that is not in `OPS`, so whoever reads, plans or rewrites graphs knows all there is.
"""

from efficientdl.systems.compiler.ops.arranging import Concat, Pad, Permute, Reshape, Slice, Split
from efficientdl.systems.compiler.ops.op import Op, Shape, numel
from efficientdl.systems.compiler.ops.pointwise import (
    ACTIVATIONS,
    Add,
    BatchNorm,
    LayerNorm,
    Mul,
    Softmax,
)
from efficientdl.systems.compiler.ops.pooling import AdaptiveAvgPool2d, AvgPool2d, MaxPool2d, Mean
from efficientdl.systems.compiler.ops.products import Conv2d, Linear, Matmul

OPS: dict[str, Op] = {
    op.name: op
    for op in (
        Conv2d(),
        Linear(),
        Matmul(),
        BatchNorm(),
        LayerNorm(),
        *ACTIVATIONS.values(),
        Add(),
        Mul(),
        Softmax(),
        MaxPool2d(),
        AvgPool2d(),
        AdaptiveAvgPool2d(),
        Mean(),
        Concat(),
        Split(),
        Slice(),
        Reshape(),
        Permute(),
        Pad(),
    )
}

__all__ = ["ACTIVATIONS", "OPS", "Op", "Shape", "numel"]
