"""Low-rank factorization: a layer becomes a chain of thinner ones that are nearly its product.

Five ways to cut: at the singular values of a weight matrix, into rows and columns, at the principal
directions of the responses, into a sum of rank-one tensors, or on both sides of a smaller
convolution. How thin is a rank, or `Share`, `Energy`, `MacBudget` or `Vbmf`, which find it.
"""

from efficientdl.compression.lowrank.channel import factorize_channel
from efficientdl.compression.lowrank.cp import factorize_cp
from efficientdl.compression.lowrank.ranks import Energy, MacBudget, Share, Vbmf
from efficientdl.compression.lowrank.spatial import factorize_spatial
from efficientdl.compression.lowrank.svd import factorize_svd
from efficientdl.compression.lowrank.tucker import factorize_tucker

__all__ = [
    "Energy",
    "MacBudget",
    "Share",
    "Vbmf",
    "factorize_channel",
    "factorize_cp",
    "factorize_spatial",
    "factorize_svd",
    "factorize_tucker",
]
