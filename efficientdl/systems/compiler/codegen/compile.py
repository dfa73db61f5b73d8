"""Compile a generated program with the system's C compiler, and run it as a process of its own.

A process is the safer way to run generated code: what goes wrong in it ends it alone, and says so,
where a library loaded into Python would take Python with it. Bytes go in and bytes come out.
"""

import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path

import torch
from jaxtyping import Int8
from torch import Tensor

from efficientdl import _check
from efficientdl.systems.compiler.codegen.elf import ObjectFile, read_object
from efficientdl.systems.compiler.codegen.program import CProgram

COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-pedantic")


@dataclass(frozen=True)
class CompiledC:
    """A network as an executable program.

    Attributes:
        program: Its C code.
        folder: Where its files are.
        compiler: What compiled it.
    """

    program: CProgram
    folder: Path
    compiler: str

    @property
    def executable(self) -> Path:
        """The program: it reads examples from standard input and writes results to its output."""
        return self.folder / self.program.name

    @cached_property
    def object_file(self) -> ObjectFile:
        """What is in the network's object file, the program around it excepted.

        Raises:
            BadValue: It is not in ELF, as on macOS.
        """
        return read_object(self.folder / f"{self.program.name}.o")

    @property
    def flash_bytes(self) -> int:
        """Code and constants, for this machine's processor."""
        return self.object_file.flash_bytes

    @property
    def sram_bytes(self) -> int:
        """What can be written: the arena. The stack, which holds no activations, is not in it."""
        return self.object_file.sram_bytes

    def run(self, codes: Int8[Tensor, "n ..."]) -> Int8[Tensor, "n ..."]:
        """Run the program on examples, one after the other.

        Args:
            codes: What `network.to_codes(x)` gives.

        Raises:
            BadKind: They are no tensor.
            BadValue: They are of another shape or dtype, or the program failed.
        """
        ours = self.program
        _check.kind("CompiledC.run", "codes", codes, Tensor)
        if codes.dtype != torch.int8 or tuple(codes.shape[1:]) != ours.x_shape or codes.ndim < 2:
            rule = f"must be int8 codes of shape (n, {', '.join(map(str, ours.x_shape))})"
            _check.fail("CompiledC.run", "codes", rule, (codes.dtype, tuple(codes.shape)))
        given = codes.cpu().contiguous().numpy().tobytes()
        done = subprocess.run([str(self.executable)], input=given, capture_output=True, check=False)
        if done.returncode or len(done.stdout) != len(codes) * prod(ours.y_shape):
            said = done.stderr.decode(errors="replace").strip().partition("\n")[0]
            rule = f"must end well, with {prod(ours.y_shape)} bytes an example; it said {said!r}"
            got = f"exit code {done.returncode}, {len(done.stdout)} bytes"
            _check.fail("CompiledC.run", "program", rule, got)
        y = torch.frombuffer(bytearray(done.stdout), dtype=torch.int8) if done.stdout else codes
        return y.reshape(len(codes), *ours.y_shape).to(codes.device)


def c_compiler(compiler: str | None = None) -> str | None:
    """The path of a C compiler: the one named, or the first of `cc`, `gcc`, `clang` that is there.

    >>> c_compiler("a-compiler-that-nobody-has") is None
    True
    """
    wanted = COMPILERS if compiler is None else (compiler,)
    return next((path for name in wanted if (path := shutil.which(name))), None)


def compile_c(
    program: CProgram,
    folder: Path | None = None,
    *,
    compiler: str | None = None,
    flags: Sequence[str] = (),
) -> CompiledC:
    """Compile a program with the system's C compiler, every warning an error.

    What it makes runs on Linux and macOS; sizes are read on Linux.

    Args:
        program: What `generate_c` makes.
        folder: Where to put sources, object file and program; without one they are in a temporary
            folder, which goes with what is returned.
        compiler: Its name or path; the first of `cc`, `gcc`, `clang` if none is given.
        flags: What it is told beside `FLAGS`, as `-O3` or `-fsanitize=undefined`.

    Raises:
        BadKind: The program is of another kind.
        BadValue: There is no compiler, or it does not take the code or a flag.

    >>> from efficientdl.models.layers.activation_codes import ActivationCodes
    >>> from efficientdl.models.layers.integer_steps import IntegerClamp, IntegerNetwork
    >>> from efficientdl.systems.compiler.codegen.generate import generate_c
    >>> codes = ActivationCodes(0.5, 0)
    >>> relu = IntegerClamp(codes.between(0.0, 3.0))
    >>> network = IntegerNetwork([("relu", relu, (0,))], x=codes, y=codes)
    >>> run = compile_c(generate_c(network, (1, 3))).run if c_compiler() else network.integers
    >>> run(torch.tensor([[-7, 4, 9]], dtype=torch.int8))
    tensor([[0, 4, 6]], dtype=torch.int8)

    Source: Lin, Chen, Lin, Cohn, Gan, Han, "MCUNet: Tiny Deep Learning on IoT Devices", 2020,
        section 3.2 (TinyEngine); survey section 6.1; lab 13.
    """
    _check.kind("compile_c", "program", program, CProgram)
    found = c_compiler(compiler)
    if found is None:
        rule = (
            "must be on this machine: install one, as by `apt install gcc` on Debian and Ubuntu "
            "or by `xcode-select --install` on macOS"
        )
        _check.fail("compile_c", "C compiler", rule, compiler or f"none of {', '.join(COMPILERS)}")
    where = Path(tempfile.mkdtemp(prefix="efficientdl-") if folder is None else folder).resolve()
    where.mkdir(parents=True, exist_ok=True)
    done = CompiledC(program, where, found)
    if folder is None:
        weakref.finalize(done, shutil.rmtree, where, ignore_errors=True)
    for name, text in program.files.items():
        (where / name).write_text(text, encoding="ascii")
    name = program.name
    _call(found, [*FLAGS, *flags, "-c", f"{name}.c", "-o", f"{name}.o"], where)
    _call(found, [*FLAGS, *flags, f"{name}_main.c", f"{name}.o", "-o", name], where)
    return done


def _call(compiler: str, arguments: Sequence[str], folder: Path) -> None:
    """Call the compiler in the folder, and demand that it has nothing to say."""
    command = [compiler, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error" in line] or [done.stderr]
        rule = f"must take the code and the flags; it said {lines[0].strip()!r}"
        _check.fail("compile_c", "C compiler", rule, compiler)
