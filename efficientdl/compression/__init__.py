"""Make a trained network smaller: fewer weights, fewer bits, thinner matrices, a smaller pupil.

Every technique here is a compressor, `f(model, x, *, options) -> Result`: it returns a new model
with a report of what that costs, and leaves the model passed in as it was. Doing two things is
calling one function after the other. An option that may differ from layer to layer takes a
value, or a policy `{layer name: value}`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from efficientdl.compression.distillation import Match as Match
    from efficientdl.compression.distillation import distil as distil
    from efficientdl.compression.lowrank import Energy as Energy
    from efficientdl.compression.lowrank import MacBudget as MacBudget
    from efficientdl.compression.lowrank import Share as Share
    from efficientdl.compression.lowrank import Vbmf as Vbmf
    from efficientdl.compression.lowrank import factorize_channel as factorize_channel
    from efficientdl.compression.lowrank import factorize_cp as factorize_cp
    from efficientdl.compression.lowrank import factorize_spatial as factorize_spatial
    from efficientdl.compression.lowrank import factorize_svd as factorize_svd
    from efficientdl.compression.lowrank import factorize_tucker as factorize_tucker
    from efficientdl.compression.pruning import dynamic_surgery as dynamic_surgery
    from efficientdl.compression.pruning import gate_channels as gate_channels
    from efficientdl.compression.pruning import lottery_ticket as lottery_ticket
    from efficientdl.compression.pruning import merge_neurons as merge_neurons
    from efficientdl.compression.pruning import optimal_brain_surgeon as optimal_brain_surgeon
    from efficientdl.compression.pruning import prune as prune
    from efficientdl.compression.pruning import prune_balanced as prune_balanced
    from efficientdl.compression.pruning import prune_channels as prune_channels
    from efficientdl.compression.pruning import prune_gradually as prune_gradually
    from efficientdl.compression.pruning import prune_iteratively as prune_iteratively
    from efficientdl.compression.pruning import prune_n_of_m as prune_n_of_m
    from efficientdl.compression.pruning import prune_patterns as prune_patterns
    from efficientdl.compression.pruning import rewound_ticket as rewound_ticket
    from efficientdl.compression.pruning import select_channels as select_channels
    from efficientdl.compression.pruning import train_prune_retrain as train_prune_retrain
    from efficientdl.compression.quantization import binarize_network as binarize_network
    from efficientdl.compression.quantization import binary_connect as binary_connect
    from efficientdl.compression.quantization import dorefa as dorefa
    from efficientdl.compression.quantization import fold_batch_norm as fold_batch_norm
    from efficientdl.compression.quantization import half_precision as half_precision
    from efficientdl.compression.quantization import huffman as huffman
    from efficientdl.compression.quantization import integer_only as integer_only
    from efficientdl.compression.quantization import (
        quantization_aware_training as quantization_aware_training,
    )
    from efficientdl.compression.quantization import quantize_analytically as quantize_analytically
    from efficientdl.compression.quantization import quantize_data_free as quantize_data_free
    from efficientdl.compression.quantization import quantize_product as quantize_product
    from efficientdl.compression.quantization import quantize_static as quantize_static
    from efficientdl.compression.quantization import quantize_weights as quantize_weights
    from efficientdl.compression.quantization import share_weights as share_weights
    from efficientdl.compression.quantization import ternarize_weights as ternarize_weights
    from efficientdl.compression.quantization import train_ternary as train_ternary
    from efficientdl.compression.quantization import xnor_network as xnor_network

_HOME = {
    "prune": "pruning",
    "prune_channels": "pruning",
    "prune_n_of_m": "pruning",
    "prune_patterns": "pruning",
    "prune_balanced": "pruning",
    "optimal_brain_surgeon": "pruning",
    "select_channels": "pruning",
    "merge_neurons": "pruning",
    "gate_channels": "pruning",
    "train_prune_retrain": "pruning",
    "prune_iteratively": "pruning",
    "prune_gradually": "pruning",
    "dynamic_surgery": "pruning",
    "lottery_ticket": "pruning",
    "rewound_ticket": "pruning",
    "factorize_svd": "lowrank",
    "factorize_spatial": "lowrank",
    "factorize_channel": "lowrank",
    "factorize_cp": "lowrank",
    "factorize_tucker": "lowrank",
    "Energy": "lowrank",
    "MacBudget": "lowrank",
    "Share": "lowrank",
    "Vbmf": "lowrank",
    "quantize_weights": "quantization",
    "binarize_network": "quantization",
    "binary_connect": "quantization",
    "dorefa": "quantization",
    "fold_batch_norm": "quantization",
    "half_precision": "quantization",
    "huffman": "quantization",
    "integer_only": "quantization",
    "quantization_aware_training": "quantization",
    "quantize_analytically": "quantization",
    "quantize_data_free": "quantization",
    "quantize_product": "quantization",
    "quantize_static": "quantization",
    "share_weights": "quantization",
    "ternarize_weights": "quantization",
    "train_ternary": "quantization",
    "xnor_network": "quantization",
    "Match": "distillation",
    "distil": "distillation",
}

__all__ = [
    "prune",
    "prune_channels",
    "prune_n_of_m",
    "prune_patterns",
    "prune_balanced",
    "optimal_brain_surgeon",
    "select_channels",
    "merge_neurons",
    "gate_channels",
    "train_prune_retrain",
    "prune_iteratively",
    "prune_gradually",
    "dynamic_surgery",
    "lottery_ticket",
    "rewound_ticket",
    "factorize_svd",
    "factorize_spatial",
    "factorize_channel",
    "factorize_cp",
    "factorize_tucker",
    "Energy",
    "MacBudget",
    "Share",
    "Vbmf",
    "quantize_weights",
    "binarize_network",
    "binary_connect",
    "dorefa",
    "fold_batch_norm",
    "half_precision",
    "huffman",
    "integer_only",
    "quantization_aware_training",
    "quantize_analytically",
    "quantize_data_free",
    "quantize_product",
    "quantize_static",
    "share_weights",
    "ternarize_weights",
    "train_ternary",
    "xnor_network",
    "Match",
    "distil",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"efficientdl.compression.{_HOME[name]}"), name)
    raise AttributeError(f"module 'efficientdl.compression' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
