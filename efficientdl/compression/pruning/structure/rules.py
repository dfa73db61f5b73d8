"""What each operation does to channels, by torch's name for it.

Layers with weights make new channels and read old ones (`products`); numbers that move take their
channels along (`moving`); numbers that meet tie theirs, and what mixes channels in a way that a
channel of zeros would still be felt, as a softmax over them does, keeps them all (`meeting`).
"""

from collections.abc import Callable

from efficientdl.compression.pruning.structure.meeting import (
    along,
    layer_norm,
    mixes,
    pointwise,
    reduces,
    spatial,
)
from efficientdl.compression.pruning.structure.moving import (
    halves,
    moves,
    pads,
    picks,
    same,
    splits,
)
from efficientdl.compression.pruning.structure.products import PRODUCTS
from efficientdl.compression.pruning.structure.tracer import Tracer
from efficientdl.costs.trace import Op

Rule = Callable[[Tracer, Op], None]


def nothing(tracer: Tracer, op: Op) -> None:
    """It makes a tensor out of numbers: no channels."""


def decides(tracer: Tracer, op: Op) -> None:
    """A number leaves torch for Python: what it decides there is another path for other inputs."""
    if tracer.is_fed(op.args[0]):
        rule = "must not let values of its input decide what it does, as it does in the module"
        tracer.refuse(rule)


def _names(rule: Rule, names: str) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


RULES: dict[str, Rule] = {
    "pointwise": pointwise,
    **_names(decides, "_local_scalar_dense equal is_nonzero nonzero"),
    **_names(pointwise, "hardswish hardswish_ _prelu_kernel copy_"),
    **_names(same, "clone detach detach_ contiguous alias _to_copy lift_fresh"),
    **_names(same, "zeros_like ones_like empty_like full_like rand_like randn_like"),
    **_names(nothing, "empty zeros ones full arange scalar_tensor empty_strided"),
    **_names(nothing, "new_zeros new_ones new_empty new_full"),
    **_names(moves, "view _unsafe_view reshape permute transpose t cat stack unsqueeze squeeze"),
    **_names(moves, "expand pixel_shuffle pixel_unshuffle repeat flip"),
    **_names(splits, "split"),
    **_names(halves, "glu"),
    **_names(picks, "split_with_sizes slice select unbind"),
    **_names(spatial, "max_pool2d_with_indices max_pool3d_with_indices avg_pool1d avg_pool2d"),
    **_names(spatial, "avg_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_max_pool2d"),
    **_names(spatial, "adaptive_max_pool3d upsample_nearest1d upsample_nearest2d"),
    **_names(spatial, "upsample_bilinear2d upsample_bicubic2d upsample_nearest3d"),
    **_names(spatial, "reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d"),
    **_names(pads, "constant_pad_nd"),
    **_names(reduces, "mean sum amax amin max min var std logsumexp var_mean"),
    **_names(along, "_softmax _log_softmax cumsum"),
    **_names(layer_norm, "native_layer_norm"),
    **_names(mixes, "mkldnn_rnn_layer _trilinear _cdist_forward"),
    **_names(mixes, "bmm baddbmm argmax topk sort linalg_vector_norm"),
    **_names(mixes, "_scaled_dot_product_flash_attention_for_cpu"),
    **_names(mixes, "_scaled_dot_product_flash_attention _scaled_dot_product_efficient_attention"),
    **PRODUCTS,
}
