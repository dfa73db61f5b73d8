"""Quantization: store each weight in few bits, and compute with few.

After training: `quantize_weights`, `quantize_static` with activations too, `quantize_analytically`
at four bits, `quantize_data_free` without a single example, `integer_only` without a float between
input and output. While training: `quantization_aware_training`, and weights of one or two bits,
which have to be learned as such. Values shared instead of spaced: `share_weights`,
`quantize_product`, and `huffman` for their codes.

Which weights share a scale is a granularity of `efficientdl.tensors`, how their range is chosen
a rule of the same place; the bits may differ from layer to layer.
"""

from efficientdl.compression.quantization.aciq import (
    allocate_bits,
    correct_bias,
    quantize_analytically,
)
from efficientdl.compression.quantization.binaryconnect import (
    binary_connect,
    binary_connect_stochastic,
)
from efficientdl.compression.quantization.bnn import binarize_network
from efficientdl.compression.quantization.clipping import gauss, gauss_cut, laplace, laplace_cut
from efficientdl.compression.quantization.data_free import quantize_data_free
from efficientdl.compression.quantization.dorefa import dorefa
from efficientdl.compression.quantization.equalize import equalize
from efficientdl.compression.quantization.fold import fold_batch_norm
from efficientdl.compression.quantization.half import half_precision
from efficientdl.compression.quantization.huffman import huffman
from efficientdl.compression.quantization.integer_only import integer_only
from efficientdl.compression.quantization.kmeans import share_weights
from efficientdl.compression.quantization.norm_ranges import NormRanges
from efficientdl.compression.quantization.product import quantize_product
from efficientdl.compression.quantization.qat import (
    quantization_aware_training,
    settle_quantization,
    with_fake_quantization,
)
from efficientdl.compression.quantization.static import quantize_static
from efficientdl.compression.quantization.ternary import ternarize_weights
from efficientdl.compression.quantization.ttq import train_ternary, two_scale_ternary
from efficientdl.compression.quantization.weights import quantize_weights
from efficientdl.compression.quantization.xnor import xnor_network
from efficientdl.compression.quantization.zeroq import distill_data, norm_mismatch

__all__ = [
    "NormRanges",
    "allocate_bits",
    "binarize_network",
    "binary_connect",
    "binary_connect_stochastic",
    "correct_bias",
    "distill_data",
    "dorefa",
    "equalize",
    "fold_batch_norm",
    "gauss",
    "gauss_cut",
    "half_precision",
    "huffman",
    "integer_only",
    "laplace",
    "laplace_cut",
    "norm_mismatch",
    "quantization_aware_training",
    "quantize_analytically",
    "quantize_data_free",
    "quantize_product",
    "quantize_static",
    "quantize_weights",
    "settle_quantization",
    "share_weights",
    "ternarize_weights",
    "train_ternary",
    "two_scale_ternary",
    "with_fake_quantization",
    "xnor_network",
]
