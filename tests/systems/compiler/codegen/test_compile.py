"""Compiling and running: the object file's bytes, what is undefined, and what goes wrong."""

import gc
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from efficientdl._check import BadKind, BadValue
from efficientdl.models.layers.integer_steps import IntegerAdd, IntegerClamp, IntegerReshape
from efficientdl.systems.compiler.codegen import compile as compiling
from efficientdl.systems.compiler.codegen import compile_c, generate_c
from tests.systems.compiler.codegen.networks import (
    X,
    codes_of,
    needs_a_compiler,
    network_of,
    product,
)
from tests.systems.compiler.codegen.test_generate import CASES, small

SANITIZE = ("-g", "-fsanitize=undefined,address", "-fno-sanitize-recover=all")
# gcc writes calls of these for loops that copy or fill; every C library has them, also without OS.
FREESTANDING = {"memcpy", "memset", "memmove"}
needs_elf = pytest.mark.skipif(sys.platform != "linux", reason="sizes are read of ELF alone")


def relu():
    return network_of(IntegerClamp(X.between(0.0, 2.0)), y=X)


@needs_a_compiler
@needs_elf
def test_flash_and_sram_are_what_was_planned():
    network, x_shape = small()
    program = generate_c(network, x_shape)
    done = compile_c(program)
    assert done.sram_bytes == program.arena_bytes
    assert done.object_file.data_bytes == 0
    assert 0 < done.flash_bytes - program.table_bytes < 2**14  # the code of nine loops
    assert set(done.object_file.undefined) <= FREESTANDING


@needs_a_compiler
@needs_elf
def test_more_weights_are_as_many_bytes_of_flash():
    layers = {n: network_of(product((10, n))) for n in (512, 1024)}  # the same code for both
    sizes = [compile_c(generate_c(layer, (1, n))).flash_bytes for n, layer in layers.items()]
    assert abs(sizes[1] - sizes[0] - 10 * 512) < 64  # where a table begins is rounded up


def sanitizer():
    """Whether the compiler has the checks that these tests need."""
    program = generate_c(relu(), (1, 4))
    try:
        compile_c(program, flags=SANITIZE).run(codes_of((1, 4)))
    except BadValue:
        return False
    return True


@needs_a_compiler
@pytest.mark.slow
def test_nothing_undefined_happens():
    if not sanitizer():
        pytest.skip("the compiler has no sanitizers")
    for network, x_shape in (every_case(), small()):
        done = compile_c(generate_c(network, x_shape), flags=SANITIZE)
        codes = torch.cat([codes_of((2, *x_shape[1:])), *ends(x_shape)])
        np.testing.assert_array_equal(done.run(codes), network.integers(codes))


def every_case():
    """The steps of all cases in one network, most of which nothing takes; but they run."""
    steps = [(IntegerReshape((96,)), (0,))]
    for name, case in CASES.items():
        first, *rest = (case.get_submodule(step) for step, _ in case.wires)
        if not rest:
            takes = {IntegerAdd: (0, 0, 0)}.get(type(first), (1 if "linear" in name else 0,))
            steps.append((first, takes))
    return network_of(*steps), (1, 6, 4, 4)


def ends(x_shape):
    """The least code everywhere, and the largest: the sums that go farthest."""
    return [torch.full(x_shape, code, dtype=torch.int8) for code in (-128, 127)]


@needs_a_compiler
@pytest.mark.slow
def test_the_sanitizer_sees_an_arena_that_is_too_small():
    if not sanitizer():
        pytest.skip("the compiler has no sanitizers")
    program = generate_c(relu(), (1, 4))
    cut = program.header.replace("ARENA_BYTES 4", "ARENA_BYTES 3")
    assert cut != program.header
    done = compile_c(replace(program, header=cut), flags=SANITIZE)
    with pytest.raises(BadValue, match=r"CompiledC.run: program must end well.*got 'exit code"):
        done.run(codes_of((1, 4)))


@needs_a_compiler
def test_examples_are_run_one_after_the_other():
    done, codes = compile_c(generate_c(relu(), (1, 4))), codes_of((50, 4))
    whole = done.run(codes)
    np.testing.assert_array_equal(whole, relu().integers(codes))
    np.testing.assert_array_equal(done.run(codes[7:8]), whole[7:8])
    np.testing.assert_array_equal(done.run(codes.t().contiguous().t()), whole)
    assert done.run(codes[:0]).shape == (0, 4)


@needs_a_compiler
def test_the_output_is_memory_of_its_own():
    done, codes = compile_c(generate_c(relu(), (1, 4))), codes_of((2, 4))
    given = codes.clone()
    done.run(codes).zero_()
    done.run(codes[:0])
    np.testing.assert_array_equal(codes, given)


@needs_a_compiler
def test_a_folder_keeps_what_was_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    program = generate_c(relu(), (1, 4), name="relu")
    done = compile_c(program, tmp_path / "new" / "folder")
    names = sorted(path.name for path in done.folder.iterdir())
    assert names == ["relu", "relu.c", "relu.h", "relu.o", "relu_main.c"]
    assert (done.folder / "relu.c").read_text() == program.source
    here = compile_c(program, ".")  # a program without a slash would be looked for on the path
    np.testing.assert_array_equal(here.run(codes_of((1, 4))), done.run(codes_of((1, 4))))


@needs_a_compiler
def test_a_temporary_folder_goes_with_its_program():
    done = compile_c(generate_c(relu(), (1, 4)))
    folder = done.folder
    assert folder.is_dir()
    del done
    gc.collect()
    assert not folder.exists()


@needs_a_compiler
def test_a_user_of_the_header_needs_nothing_else(tmp_path):
    program = generate_c(relu(), (1, 4), name="relu")
    done = compile_c(program, tmp_path)
    (tmp_path / "user.c").write_text(
        '#include "relu.h"\n'
        "int main(void) { relu_input()[0] = 3; relu_run(); return relu_output()[0] - 3; }\n"
    )
    command = [done.compiler, "-std=c99", "user.c", "relu.o", "-o", "user"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert subprocess.run([str(tmp_path / "user")], check=False).returncode == 0


def test_without_a_compiler_one_is_asked_for(monkeypatch):
    monkeypatch.setattr(compiling, "COMPILERS", ("no-cc", "no-gcc"))
    said = (
        r"compile_c: C compiler must be on this machine: install one.*got 'none of no-cc, no-gcc'"
    )
    with pytest.raises(BadValue, match=said):
        compile_c(generate_c(relu(), (1, 4)))
    with pytest.raises(BadValue, match=r"must be on this machine.*got 'icc-of-old'"):
        compile_c(generate_c(relu(), (1, 4)), compiler="icc-of-old")


@needs_a_compiler
def test_what_the_compiler_says_is_passed_on():
    with pytest.raises(BadValue, match=r"compile_c: C compiler must take .*no-such-flag"):
        compile_c(generate_c(relu(), (1, 4)), flags=["-fno-such-flag"])


@needs_a_compiler
@pytest.mark.parametrize(
    "codes",
    [codes_of((2, 5)), codes_of((4,)), codes_of((2, 4)).to(torch.int32), torch.zeros(2, 4)],
    ids=["shape", "no batch", "int32", "floats"],
)
def test_other_codes_are_refused(codes):
    done = compile_c(generate_c(relu(), (1, 4)))
    with pytest.raises(
        BadValue, match=r"CompiledC.run: codes must be int8 codes of shape \(n, 4\)"
    ):
        done.run(codes)


@needs_a_compiler
@pytest.mark.parametrize("code", [0, 3], ids=["nothing comes out", "it says that it failed"])
def test_a_program_that_fails_is_told(code):
    program = generate_c(relu(), (1, 4))
    done = compile_c(replace(program, main=f"int main(void) {{ return {code}; }}\n"))
    with pytest.raises(BadValue, match=rf"must end well, .*got 'exit code {code}, 0 bytes'"):
        done.run(codes_of((2, 4)))


@needs_a_compiler
def test_other_kinds_are_refused():
    with pytest.raises(BadKind, match=r"compile_c: program must be a CProgram"):
        compile_c("int main(void) { return 0; }")
    with pytest.raises(BadKind, match=r"CompiledC.run: codes must be a Tensor"):
        compile_c(generate_c(relu(), (1, 4))).run([1, 2, 3, 4])
