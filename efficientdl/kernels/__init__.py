"""Kernels: the loops that do the work, in Numba, each beside its plain NumPy reference.

Three functions stand together in each file: `name`, which is fast, `name_reference`, which is
plain enough to be believed, and `name_cost`, which knows MACs and bytes from the shapes. Arrays go
in and come out; torch is not needed here. Nothing is compiled before the first call.
"""

from efficientdl.kernels.csr import csr_matmul, csr_matmul_cost, csr_matmul_reference
from efficientdl.kernels.huffman import huffman_decode, huffman_encode
from efficientdl.kernels.int8 import int8_matmul
from efficientdl.kernels.popcount import pack_signs, popcount_matmul

__all__ = [
    "csr_matmul",
    "csr_matmul_cost",
    "csr_matmul_reference",
    "huffman_decode",
    "huffman_encode",
    "int8_matmul",
    "pack_signs",
    "popcount_matmul",
]
