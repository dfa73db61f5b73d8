"""Sparse matrix times sparse matrix: two machines that multiply by outer products.

`outerspace.py` writes every product to DRAM and merges them later. `sparch.py` merges while it
multiplies; its four ideas stand in `merge.py` (the tree), `columns.py` (condensed columns),
`merge_order.py` (Huffman's order) and `row_buffer.py` (Belady's rule). `rows.py` is the matrix
as both read it, and `published.py` what the paper says of each idea.
"""

from efficientdl.systems.hardware.spgemm.columns import condensed, plain
from efficientdl.systems.hardware.spgemm.merge_order import huffman, in_turn, waiting_words
from efficientdl.systems.hardware.spgemm.outerspace import OuterSpace, outerspace
from efficientdl.systems.hardware.spgemm.published import beside_the_paper, rmat
from efficientdl.systems.hardware.spgemm.row_buffer import RowBuffer
from efficientdl.systems.hardware.spgemm.rows import Rows, compress
from efficientdl.systems.hardware.spgemm.sparch import SpArch, breakdown, sparch

__all__ = [
    "Rows",
    "compress",
    "OuterSpace",
    "outerspace",
    "SpArch",
    "sparch",
    "breakdown",
    "beside_the_paper",
    "rmat",
    "condensed",
    "plain",
    "in_turn",
    "huffman",
    "waiting_words",
    "RowBuffer",
]
