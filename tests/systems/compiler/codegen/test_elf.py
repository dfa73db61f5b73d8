"""Object files: bytes by section against binutils, and against files written by hand."""

import shutil
import struct
import subprocess
import sys

import pytest

from efficientdl._check import BadValue
from efficientdl.systems.compiler.codegen.compile import c_compiler
from efficientdl.systems.compiler.codegen.elf import ObjectFile, read_object

C = """
int outside(int);
static const char table[100] = {1, 2, 3};
char zeros[4000];
int started[25] = {1};
int inside(int i) { return outside(table[i]) + zeros[i] + started[i]; }
"""
TEXT, DATA, BSS, NOTE = (1, 0x6, 40), (1, 0x3, 12), (8, 0x3, 500), (1, 0x0, 7)


def compiled(folder, *flags):
    (folder / "some.c").write_text(C)
    command = [c_compiler(), "-O1", *flags, "-c", "some.c", "-o", "some.o"]
    if subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode:
        pytest.skip(f"the compiler does not take {flags}")
    return folder / "some.o"


def output(*command):
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} is here")
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.skipif(
    c_compiler() is None or sys.platform != "linux", reason="needs cc that makes ELF"
)
@pytest.mark.parametrize("flags", [(), ("-m32",)], ids=["64 bits", "32 bits"])
def test_sizes_and_symbols_are_those_of_binutils(tmp_path, flags):
    path = compiled(tmp_path, *flags)
    found = read_object(path)
    sizes = output("size", path).splitlines()[1].split()
    assert [found.text_bytes, found.data_bytes, found.bss_bytes] == list(map(int, sizes[:3]))
    wanted = {line.split()[-1] for line in output("nm", "-u", path).splitlines()}
    assert set(found.undefined) == wanted
    assert "outside" in wanted
    assert found.bss_bytes == 4000
    assert found.data_bytes == 100


def by_hand(*, wide, order, sections=(TEXT, DATA, BSS, NOTE)):
    """An object file with these sections, and one symbol here and two elsewhere."""
    code = {"<": 1, ">": 2}[order]
    strings = b"\0here\0there\0elsewhere\0"
    header = 64 if wide else 52
    entry = "IBBHQQ" if wide else "IIIBBH"
    symbols = b""
    for name, section in ((0, 0), (1, 1), (6, 0), (12, 0)):
        row = (name, 0, 0, section, 0, 0) if wide else (name, 0, 0, 0, 0, section)
        symbols += struct.pack(order + entry, *row)
    rows = [(0, 0, 0, 0, 0), *((kind, flags, 0, size, 0) for kind, flags, size in sections)]
    n = len(rows)
    rows.append((3, 0, header, len(strings), 0))
    rows.append((2, 0, header + len(strings), len(symbols), n))
    shape = order + ("IIQQQQIIQQ" if wide else "IIIIIIIIII")
    table = b"".join(
        struct.pack(shape, 0, kind, flags, 0, offset, size, link, 0, 0, 0)
        for kind, flags, offset, size, link in rows
    )
    at = header + len(strings) + len(symbols)
    ident = b"\x7fELF" + bytes([2 if wide else 1, code, 1]) + bytes(9)
    word = "Q" if wide else "I"
    rest = struct.pack(
        order + "HHI" + 3 * word + "IHHHHHH",
        *(1, 40, 1, 0, 0, at, 0, header, 0, 0, struct.calcsize(shape), len(rows), n),
    )
    return ident + rest + strings + symbols + table


@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
@pytest.mark.parametrize("wide", [False, True], ids=["32 bits", "64 bits"])
def test_a_file_written_by_hand(tmp_path, wide, order):
    path = tmp_path / "hand.o"
    path.write_bytes(by_hand(wide=wide, order=order))
    found = read_object(path)
    assert found == ObjectFile(40, 12, 500, ("elsewhere", "there"))
    assert (found.flash_bytes, found.sram_bytes) == (40 + 12, 12 + 500)


def test_another_format_is_named(tmp_path):
    path = tmp_path / "mac.o"
    path.write_bytes(b"\xcf\xfa\xed\xfe" + bytes(60))
    with pytest.raises(BadValue, match=r"read_object: object file must be in ELF.*macOS, got 'mac"):
        read_object(path)


@pytest.mark.parametrize("wide", [False, True], ids=["32 bits", "64 bits"])
def test_a_file_cut_off_anywhere_is_refused(tmp_path, wide):
    whole, path = by_hand(wide=wide, order="<"), tmp_path / "cut.o"
    for length in range(4, len(whole), 5):
        path.write_bytes(whole[:length])
        with pytest.raises(BadValue, match=r"read_object: object file must be"):
            read_object(path)
