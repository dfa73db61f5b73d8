"""Pruning: remove the weights that matter least.

Four questions, asked apart: which weights matter (`criteria`), which go together (a granularity of
`efficientdl.tensors`), within what they are ranked (`scopes`), and how far to go at each point of
the way (`schedules`). `prune` asks the first three; the training methods add the fourth.

Masks leave a layer its shape and a zero in each dropped place (`prune`, `prune_n_of_m`,
`prune_patterns`, `prune_balanced`, `optimal_brain_surgeon`). Cuts make the network itself smaller
(`prune_channels`, `select_channels`, `merge_neurons`). A gate decides anew for every input
(`gate_channels`).
"""

from efficientdl.compression.pruning.balanced import Balanced, prune_balanced
from efficientdl.compression.pruning.brain_surgeon import optimal_brain_surgeon
from efficientdl.compression.pruning.channel import prune_channels
from efficientdl.compression.pruning.connectivity import (
    error_barrier,
    errors_between,
    instability,
    interpolate,
)
from efficientdl.compression.pruning.criteria import (
    l2_norm,
    magnitude,
    obd,
    obs,
    sensitivity,
    taylor,
)
from efficientdl.compression.pruning.hard_concrete import add_gates, expected_l0, settle_gates
from efficientdl.compression.pruning.iterative import prune_gradually, prune_iteratively
from efficientdl.compression.pruning.lasso_channels import select_channels
from efficientdl.compression.pruning.lottery import lottery_ticket, rewind, rewound_ticket
from efficientdl.compression.pruning.masks import masks_of, with_masks, without_zeros
from efficientdl.compression.pruning.merge import merge_neurons
from efficientdl.compression.pruning.n_of_m import prune_n_of_m
from efficientdl.compression.pruning.patterns import prune_patterns
from efficientdl.compression.pruning.prune import prune
from efficientdl.compression.pruning.regularize import (
    group_lasso,
    proximal,
    shrink_groups,
    soft_threshold,
    weight_penalty,
)
from efficientdl.compression.pruning.retrain import dropout_after_pruning, train_prune_retrain
from efficientdl.compression.pruning.runtime import channel_use, gate_channels
from efficientdl.compression.pruning.schedules import at_once, cubic, geometric, linear
from efficientdl.compression.pruning.scopes import globally, per_layer
from efficientdl.compression.pruning.structure import (
    channel_groups,
    load_smaller,
    remove_channels,
    zero_channels,
)
from efficientdl.compression.pruning.surgery import dynamic_surgery

__all__ = [
    "Balanced",
    "add_gates",
    "at_once",
    "channel_groups",
    "channel_use",
    "cubic",
    "dropout_after_pruning",
    "dynamic_surgery",
    "error_barrier",
    "errors_between",
    "expected_l0",
    "gate_channels",
    "geometric",
    "globally",
    "group_lasso",
    "instability",
    "interpolate",
    "l2_norm",
    "linear",
    "load_smaller",
    "lottery_ticket",
    "magnitude",
    "masks_of",
    "merge_neurons",
    "obd",
    "obs",
    "optimal_brain_surgeon",
    "per_layer",
    "proximal",
    "prune",
    "prune_balanced",
    "prune_channels",
    "prune_gradually",
    "prune_iteratively",
    "prune_n_of_m",
    "prune_patterns",
    "remove_channels",
    "rewind",
    "rewound_ticket",
    "select_channels",
    "sensitivity",
    "settle_gates",
    "shrink_groups",
    "soft_threshold",
    "taylor",
    "train_prune_retrain",
    "weight_penalty",
    "with_masks",
    "without_zeros",
    "zero_channels",
]
