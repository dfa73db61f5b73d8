"""How a tensor is represented once it is made small: groups, masks, codes.

A *representation* lives here; the *decision* (what to drop, how many bits) is the technique's and
lives above. Pruning, quantization and their combinations therefore share one definition of a
group, a mask and a code, and never need each other. Everything is a pure function of tensors.
"""

from efficientdl.tensors.affine import (
    QParams,
    affine,
    choose_qparams,
    dequantize,
    fake_quantize,
    min_max,
    quantize,
    symmetric,
)
from efficientdl.tensors.granularity import (
    Granularity,
    PerBlock,
    PerChannel,
    PerGroup,
    PerTensor,
)
from efficientdl.tensors.masks import keep_largest, keep_largest_together
from efficientdl.tensors.storage import (
    Storage,
    bitmap_bits,
    csr_bits,
    relative_index_bits,
    storage_bits,
)

__all__ = [
    "Granularity",
    "PerBlock",
    "PerChannel",
    "PerGroup",
    "PerTensor",
    "QParams",
    "Storage",
    "affine",
    "bitmap_bits",
    "choose_qparams",
    "csr_bits",
    "dequantize",
    "fake_quantize",
    "keep_largest",
    "keep_largest_together",
    "min_max",
    "quantize",
    "relative_index_bits",
    "storage_bits",
    "symmetric",
]
