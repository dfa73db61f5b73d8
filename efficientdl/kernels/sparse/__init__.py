"""Sparse products: weights packed once into what registers and caches want, then multiplied.

`blocks` takes any sparse matrix, `vectors` one whose rows share columns four by four, `n_of_m` one
that keeps N of every M neighbours, and `spmv` multiplies a single vector. `matrix` chooses among
them. `csc` takes compressed columns. `x` may have any number of columns, in any layout; what lies
batch first comes back batch first.
"""

from efficientdl.kernels.sparse.blocks import (
    BlockedRows,
    block_matmul,
    block_matmul_cost,
    block_matmul_reference,
    pack_blocks,
)
from efficientdl.kernels.sparse.csc import (
    csc_matmul,
    csc_matmul_cost,
    csc_matmul_reference,
    csc_to_csr,
)
from efficientdl.kernels.sparse.matrix import SparseMatrix
from efficientdl.kernels.sparse.n_of_m import (
    NOfM,
    n_of_m_matmul,
    n_of_m_matmul_cost,
    n_of_m_matmul_reference,
    pack_n_of_m,
)
from efficientdl.kernels.sparse.spmv import (
    Bitmap,
    MatvecWeight,
    Permuted,
    matvec,
    matvec_cost,
    matvec_reference,
    pack_matvec,
)
from efficientdl.kernels.sparse.vectors import (
    pack_vectors,
    vector_matmul,
    vector_matmul_cost,
    vector_matmul_reference,
)

__all__ = [
    "BlockedRows",
    "block_matmul",
    "block_matmul_cost",
    "block_matmul_reference",
    "pack_blocks",
    "csc_matmul",
    "csc_matmul_cost",
    "csc_matmul_reference",
    "csc_to_csr",
    "SparseMatrix",
    "pack_vectors",
    "vector_matmul",
    "vector_matmul_cost",
    "vector_matmul_reference",
    "NOfM",
    "n_of_m_matmul",
    "n_of_m_matmul_cost",
    "n_of_m_matmul_reference",
    "pack_n_of_m",
    "Bitmap",
    "MatvecWeight",
    "Permuted",
    "matvec",
    "matvec_cost",
    "matvec_reference",
    "pack_matvec",
]
