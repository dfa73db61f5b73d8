"""Sparse matrix times vector on an FPGA, where the machine can be built around the matrix.

Four ideas, each a machine of its own. `adder_tree.py` adds the products of a row at once, and
goes on adding though its adders are deep pipelines. `bvcsr.py` stores indices in fewer bits.
`striping.py` cuts the matrix into stripes, one for each unit of a pipeline. `index_matching.py`
multiplies two sparse operands, and lets the comparing of indices run ahead of the arithmetic.
"""

from efficientdl.systems.hardware.fpga_spmv.adder_tree import AdderTree, adder_tree
from efficientdl.systems.hardware.fpga_spmv.bvcsr import Bvcsr, bvcsr_matvec, csr_index_bits
from efficientdl.systems.hardware.fpga_spmv.index_matching import IndexMatcher, index_matching
from efficientdl.systems.hardware.fpga_spmv.striping import StripePipeline, striped, stripes

__all__ = [
    "AdderTree",
    "adder_tree",
    "Bvcsr",
    "bvcsr_matvec",
    "csr_index_bits",
    "StripePipeline",
    "stripes",
    "striped",
    "IndexMatcher",
    "index_matching",
]
