"""Kernels: the loops that do the work, in Numba, each beside its plain NumPy reference.

Three functions stand together in each file: `name`, which is fast, `name_reference`, which is
plain enough to be believed, and `name_cost`, which knows MACs and bytes from the shapes. Arrays go
in and come out; torch is not needed here. Nothing is compiled before the first call.

Here are the plain forms, a loop or two each, beside which the fast ones are held. Those stand in
folders: `sparse/` has products that skip zeros, `low_bit/` products of few bits, `points/` what
clouds of points need, `entropy/` Huffman's codes in streams, `scheduled/` loops that a tuner cuts;
`pattern_conv.py` and `depthwise.py` are convolutions. In planes (`planes.py`) activations go from
one kernel of a network to the next: `sparse/planes.py`, `depthwise_planes.py` and `pattern_conv.py`
read and write these. All are made of `simd/` (registers as values), `compiled.py` (machine code
that is kept on disk), `threads.py` and `cpu.py` (what this processor can do).
"""

from efficientdl.kernels.csr import csr_matmul, csr_matmul_cost, csr_matmul_reference
from efficientdl.kernels.huffman import huffman_decode, huffman_encode
from efficientdl.kernels.int8 import int8_matmul
from efficientdl.kernels.popcount import pack_signs, popcount_matmul
from efficientdl.kernels.threads import n_threads, threads

__all__ = [
    "csr_matmul",
    "csr_matmul_cost",
    "csr_matmul_reference",
    "huffman_decode",
    "huffman_encode",
    "int8_matmul",
    "pack_signs",
    "popcount_matmul",
    "n_threads",
    "threads",
]
