"""Export: a network, compressed as it is, in the format that other makers' runtimes read.

`export_onnx` writes it, `run_onnx` runs it in onnxruntime; both need `efficientdl[export]`. Read
`operations.py` for ordinary networks, `stored.py` for weights in codes, `levels.py` for rounded
inputs, and `integer.py` for networks that compute on whole numbers alone.
"""

from efficientdl.systems.compiler.export.export import export_graph, export_onnx
from efficientdl.systems.compiler.export.runtime import run_onnx

__all__ = ["export_graph", "export_onnx", "run_onnx"]
