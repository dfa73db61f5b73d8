"""Distillation: a small network learns from a large one.

`distil` trains a student under a teacher. What it is to take over is a list of `Match`es: which
layer of the student is compared with which of the teacher, by which loss of
`efficientdl.fit.distillation`, and how much that weighs beside the task's own loss. A `regressor`
brings a thin layer to the teacher's width. `tasks` has four tasks small enough for a lab beside
plain classification: boxes, maps of labels, text and pictures.
"""

from efficientdl.compression.distillation.adapters import regressor
from efficientdl.compression.distillation.distil import distil
from efficientdl.compression.distillation.matches import Match

__all__ = ["distil", "Match", "regressor"]
