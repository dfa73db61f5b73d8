"""Points: kernels for clouds of them, where most of space is empty and must cost nothing.

A kernel map pairs points with the weights of a filter; a sparse convolution multiplies those pairs
alone. Neighbours are found, and their features summed, without a list of all distances.
"""

from efficientdl.kernels.points.kernel_map import (
    KernelMap,
    cube,
    kernel_map,
    kernel_map_by_grid,
    kernel_map_by_hash,
    kernel_map_by_sorting,
)
from efficientdl.kernels.points.neighbours import (
    InBall,
    Neighbours,
    ball_query,
    farthest_points,
    knn,
    neighbour_sum,
)
from efficientdl.kernels.points.sparse_conv import sparse_conv, sparse_conv_by_gathering

__all__ = [
    "InBall",
    "KernelMap",
    "Neighbours",
    "ball_query",
    "cube",
    "farthest_points",
    "kernel_map",
    "kernel_map_by_grid",
    "kernel_map_by_hash",
    "kernel_map_by_sorting",
    "knn",
    "neighbour_sum",
    "sparse_conv",
    "sparse_conv_by_gathering",
]
