"""Products of few bits, in the tiles and registers that make them fast.

Bytes: products (`int8_gemm`, and with floats at both ends `int8_linear`), convolutions
(`int8_conv`, requantized by `int8_conv_codes`, in floats by `int8_conv_floats`), and what stands
between them in a network of whole numbers. Weights of 4, 3 or 2 bits times one vector: `int4_gemv`,
exact for any codebook, and `int4_gemv_bytes`, on integers. Signs: `xnor_gemm`. Weights are packed
once, in the order in which registers want them; packing checks them, so that a call need not.
"""

from efficientdl.kernels.low_bit.int4_bytes import int4_gemv_bytes
from efficientdl.kernels.low_bit.int4_gemv import int4_gemv
from efficientdl.kernels.low_bit.int8_conv import int8_conv
from efficientdl.kernels.low_bit.int8_conv_codes import (
    FilterCodes,
    int8_conv_codes,
    pack_requantize,
)
from efficientdl.kernels.low_bit.int8_conv_floats import (
    FilterScales,
    int8_conv_floats,
    pack_scales,
)
from efficientdl.kernels.low_bit.int8_encode import Levels, int8_encode
from efficientdl.kernels.low_bit.int8_filters import Int8Filters, pack_filters
from efficientdl.kernels.low_bit.int8_gemm import int8_gemm
from efficientdl.kernels.low_bit.int8_linear import int8_linear
from efficientdl.kernels.low_bit.int8_panels import Int8Panels, pack_int8, unpack_int8
from efficientdl.kernels.low_bit.int8_pool import int8_max_pool, int8_mean_pool
from efficientdl.kernels.low_bit.int8_quantize import QuantizedRows, quantize_rows
from efficientdl.kernels.low_bit.int8_requantize import Requantize, int8_gemm_codes
from efficientdl.kernels.low_bit.int8_sum import ScaledSum, int8_look_up, int8_sum
from efficientdl.kernels.low_bit.packed_codes import CodedWeights, PackedCodes, pack_codes
from efficientdl.kernels.low_bit.unpack import unpack_codes
from efficientdl.kernels.low_bit.xnor_gemm import (
    SignPanels,
    pack_sign_panels,
    sign_words,
    unpack_sign_panels,
    xnor_gemm,
)

__all__ = [
    "Int8Panels",
    "pack_int8",
    "unpack_int8",
    "int8_gemm",
    "Requantize",
    "int8_gemm_codes",
    "QuantizedRows",
    "quantize_rows",
    "int8_linear",
    "Int8Filters",
    "pack_filters",
    "int8_conv",
    "FilterCodes",
    "pack_requantize",
    "int8_conv_codes",
    "FilterScales",
    "pack_scales",
    "int8_conv_floats",
    "Levels",
    "int8_encode",
    "int8_max_pool",
    "int8_mean_pool",
    "ScaledSum",
    "int8_sum",
    "int8_look_up",
    "CodedWeights",
    "PackedCodes",
    "pack_codes",
    "unpack_codes",
    "int4_gemv",
    "int4_gemv_bytes",
    "SignPanels",
    "pack_sign_panels",
    "unpack_sign_panels",
    "sign_words",
    "xnor_gemm",
]
