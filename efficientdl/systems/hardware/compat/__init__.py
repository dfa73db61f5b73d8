"""Compatibility: what another simulator prints, exactly, beside what its machine could do."""

from efficientdl.systems.hardware.compat.reference import Reference, reference
from efficientdl.systems.hardware.compat.reference_dram import dram_reads, matrices, windows

__all__ = ["Reference", "reference", "dram_reads", "matrices", "windows"]
