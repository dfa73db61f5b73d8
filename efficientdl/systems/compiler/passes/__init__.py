"""Passes: rewrite a graph so that it computes the same in fewer steps.

Each takes a graph and gives a new one, with the same outputs, never dearer, and with nothing left
to do the second time.
"""

from efficientdl.systems.compiler.passes.constant_folding import compute_constants, fold_constants
from efficientdl.systems.compiler.passes.dead_code import remove_dead_code
from efficientdl.systems.compiler.passes.fusion import fuse
from efficientdl.systems.compiler.passes.layout import simplify_layout

__all__ = ["compute_constants", "fold_constants", "fuse", "remove_dead_code", "simplify_layout"]
