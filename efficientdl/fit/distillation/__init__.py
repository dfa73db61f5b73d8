"""Losses of distillation: how far a student is from its teacher.

Each compares what the student says with what the teacher says for the same batch, and sends its
gradient to the student alone. They differ in what they compare: the network's output (`logits`,
`synthesis`), the features inside it (`hints`, `attention`), or what a task makes of them
(`detection`, `segmentation`, `language`). `efficientdl.compression.distillation` trains with them.
"""

from efficientdl.fit.distillation.attention import attention_map, attention_transfer
from efficientdl.fit.distillation.detection import bounded_regression, weighted_soft_targets
from efficientdl.fit.distillation.hints import hint
from efficientdl.fit.distillation.language import hidden_cosine
from efficientdl.fit.distillation.logits import match_logits, soft_targets
from efficientdl.fit.distillation.segmentation import affinity, pairwise, pixelwise
from efficientdl.fit.distillation.synthesis import reconstruction

__all__ = [
    "match_logits",
    "soft_targets",
    "hint",
    "attention_map",
    "attention_transfer",
    "weighted_soft_targets",
    "bounded_regression",
    "affinity",
    "pixelwise",
    "pairwise",
    "hidden_cosine",
    "reconstruction",
]
