"""How a tensor is represented once it is made small: groups, masks, codes.

A *representation* lives here; the *decision* (what to drop, how many bits) is the technique's and
lives above. Pruning, quantization and their combinations therefore share one definition of a
group, a mask and a code, and never need each other. Everything is a pure function of tensors.
"""

from efficientdl.tensors.affine import (
    QParams,
    affine,
    affine_between,
    as_signed,
    choose_qparams,
    dequantize,
    fake_quantize,
    min_max,
    quantize,
    symmetric,
    symmetric_between,
)
from efficientdl.tensors.balanced import keep_balanced, kept_per_pe, load_balance
from efficientdl.tensors.binary import binarize, binarize_stochastically, binary, hard_sigmoid
from efficientdl.tensors.codebooks import (
    best_start,
    density_start,
    from_codebooks,
    linear_start,
    scalar_codebook,
    vector_codebook,
)
from efficientdl.tensors.csr import Csr
from efficientdl.tensors.dorefa import dorefa_activation, dorefa_gradient, dorefa_weight
from efficientdl.tensors.factors import cp, full_cp_rank, truncated_svd, tucker_2
from efficientdl.tensors.fixed_point import FixedPoint, fixed_point, rescale, saturate
from efficientdl.tensors.formats import (
    BF16,
    FP8_E4M3,
    FP8_E5M2,
    FP16,
    TF32,
    AdaptivFloat,
    FloatFormat,
)
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
from efficientdl.tensors.packing import pack, packed_bytes, unpack
from efficientdl.tensors.patterns import choose_patterns, every_pattern, nearest_pattern
from efficientdl.tensors.ranges import LeastDivergence, LeastError, Percentile
from efficientdl.tensors.storage import (
    Storage,
    bitmap_bits,
    csr_bits,
    group_bitmap_bits,
    pattern_bits,
    relative_index_bits,
    storage_bits,
)
from efficientdl.tensors.straight_through import on_levels
from efficientdl.tensors.ternary import ternarize, ternary
from efficientdl.tensors.vbmf import vbmf_rank

__all__ = [
    "AdaptivFloat",
    "BF16",
    "Csr",
    "FP16",
    "FP8_E4M3",
    "FP8_E5M2",
    "FixedPoint",
    "FloatFormat",
    "Granularity",
    "LeastDivergence",
    "LeastError",
    "PerBlock",
    "PerChannel",
    "PerGroup",
    "PerInputRun",
    "PerKernel",
    "PerTensor",
    "PerVector",
    "Percentile",
    "QParams",
    "Storage",
    "TF32",
    "affine",
    "affine_between",
    "as_signed",
    "best_start",
    "binarize",
    "binarize_stochastically",
    "binary",
    "bitmap_bits",
    "choose_patterns",
    "choose_qparams",
    "cp",
    "csr_bits",
    "density_start",
    "dequantize",
    "dorefa_activation",
    "dorefa_gradient",
    "dorefa_weight",
    "every_pattern",
    "fake_quantize",
    "fixed_point",
    "from_codebooks",
    "full_cp_rank",
    "group_bitmap_bits",
    "hard_sigmoid",
    "keep_balanced",
    "keep_largest",
    "keep_largest_together",
    "keep_n_of_m",
    "kept_per_pe",
    "linear_start",
    "load_balance",
    "min_max",
    "n_of_m_index_bits",
    "nearest_pattern",
    "on_levels",
    "pack",
    "packed_bytes",
    "pattern_bits",
    "quantize",
    "relative_index_bits",
    "rescale",
    "saturate",
    "scalar_codebook",
    "storage_bits",
    "symmetric",
    "symmetric_between",
    "ternarize",
    "ternary",
    "truncated_svd",
    "tucker_2",
    "unpack",
    "vbmf_rank",
    "vector_codebook",
]
