"""Systems: what makes a small network a fast one. Compilers so far; hardware comes beside them.

A representation (a mask, codes, a pattern) says what a layer keeps; here it is put onto a kernel
that uses it. No technique is known by name: whatever made the representation, it is served.
"""

from efficientdl.systems.compiler import accelerate

__all__ = ["accelerate"]
