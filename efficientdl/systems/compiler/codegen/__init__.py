"""Code generation: a quantized network as C99 that needs nothing but a C compiler.

Read `generate.py` first. `shapes.py` knows which steps have C code, `lowering.py` makes them a
program for the memory planner, which says where in one static arena each activation lies.
`products.py` and `between.py` write one loop nest for each step, with `window.py` for what slides
over a picture; `files.py` puts them together. `compile.py` hands the text to the system's compiler
and runs what comes out, and `elf.py` reads from the object file what it would take on a device.
"""

from efficientdl.systems.compiler.codegen.compile import CompiledC, c_compiler, compile_c
from efficientdl.systems.compiler.codegen.elf import ObjectFile, read_object
from efficientdl.systems.compiler.codegen.generate import generate_c
from efficientdl.systems.compiler.codegen.program import CProgram, CStep

__all__ = [
    "generate_c",
    "CProgram",
    "CStep",
    "c_compiler",
    "compile_c",
    "CompiledC",
    "ObjectFile",
    "read_object",
]
