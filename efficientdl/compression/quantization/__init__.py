"""Quantization: store each weight in few bits.

Which weights share a scale is a granularity of `efficientdl.tensors`, how their range is chosen
a rule of the same place; the bits may differ from layer to layer.
"""

from efficientdl.compression.quantization.weights import quantize_weights

__all__ = ["quantize_weights"]
