"""Compilers: rewrite a network so that the same outputs come sooner, or from less memory.

`trace` takes a `Graph` from a network, `check` and `run` say what it means; everything else is
held against them. `passes/` rewrite it by rules that always pay, `substitution/` by rules that it
finds itself and a search, `ios/` runs branches at the same time, `memory/` finds a place for every
tensor, `autotune/` measures how loops should be cut for this processor. What leaves Python goes
through `codegen/`, as C, or `export/`, as ONNX. `accelerate` puts the layers of a compressed
network onto kernels, without a graph.
"""

from efficientdl.systems.compiler.accelerate import accelerate
from efficientdl.systems.compiler.graph import Graph, Node, Value, check, node, run
from efficientdl.systems.compiler.passes import (
    compute_constants,
    fold_constants,
    fuse,
    remove_dead_code,
    simplify_layout,
)
from efficientdl.systems.compiler.trace import trace

__all__ = [
    "accelerate",
    "Graph",
    "Node",
    "Value",
    "node",
    "check",
    "run",
    "trace",
    "fuse",
    "fold_constants",
    "compute_constants",
    "remove_dead_code",
    "simplify_layout",
]
