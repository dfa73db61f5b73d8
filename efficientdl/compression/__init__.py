"""Make a trained network smaller: fewer weights, fewer bits, thinner matrices, a smaller pupil.

Every technique here is a compressor, `f(model, x, *, options) -> Result`: it returns a new model
with a report of what that costs, and leaves the model passed in as it was. Doing two things is
calling one function after the other. An option that may differ from layer to layer takes a
value, or a policy `{layer name: value}`.
"""

from efficientdl.compression.pruning import prune
from efficientdl.compression.quantization import quantize_weights

__all__ = ["prune", "quantize_weights"]
