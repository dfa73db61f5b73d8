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
from efficientdl.tensors.balanced import keep_balanced, kept_per_pe, load_balance
from efficientdl.tensors.csr import Csr
from efficientdl.tensors.factors import cp, full_cp_rank, truncated_svd, tucker_2
from efficientdl.tensors.granularity import (
    Granularity,
    PerBlock,
    PerChannel,
    PerGroup,
    PerTensor,
)
from efficientdl.tensors.kernels import PerKernel, PerVector
from efficientdl.tensors.masks import keep_largest, keep_largest_together
from efficientdl.tensors.n_of_m import PerInputRun, keep_n_of_m, n_of_m_index_bits
from efficientdl.tensors.patterns import choose_patterns, every_pattern, nearest_pattern
from efficientdl.tensors.storage import (
    Storage,
    bitmap_bits,
    csr_bits,
    group_bitmap_bits,
    pattern_bits,
    relative_index_bits,
    storage_bits,
)
from efficientdl.tensors.vbmf import vbmf_rank

__all__ = [
    "Csr",
    "Granularity",
    "PerBlock",
    "PerChannel",
    "PerGroup",
    "PerInputRun",
    "PerKernel",
    "PerTensor",
    "PerVector",
    "QParams",
    "Storage",
    "affine",
    "bitmap_bits",
    "choose_patterns",
    "choose_qparams",
    "cp",
    "csr_bits",
    "dequantize",
    "every_pattern",
    "fake_quantize",
    "full_cp_rank",
    "group_bitmap_bits",
    "keep_balanced",
    "keep_largest",
    "keep_largest_together",
    "keep_n_of_m",
    "kept_per_pe",
    "load_balance",
    "min_max",
    "n_of_m_index_bits",
    "nearest_pattern",
    "pattern_bits",
    "quantize",
    "relative_index_bits",
    "storage_bits",
    "symmetric",
    "truncated_svd",
    "tucker_2",
    "vbmf_rank",
]
