"""Compilers: rewrite a network so that the same outputs come sooner."""

from efficientdl.systems.compiler.accelerate import accelerate

__all__ = ["accelerate"]
