"""What an object file holds: bytes of flash, bytes of SRAM, and names that it wants from outside.

An object file of Linux and of most microcontrollers' compilers is in ELF, the executable and
linkable format: a header, sections, and one table entry for each section. What is loaded and never
written, code and constants, stays in flash. What is written needs SRAM, and what of it does not
begin as zeros is in flash too, from where it is copied at the start.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from efficientdl import _check

_WRITE, _ALLOC = 0x1, 0x2  # sh_flags: written while it runs; takes memory while it runs
_SYMTAB, _STRTAB, _NOBITS = 2, 3, 8  # sh_type: symbols; their names; zeros, not in the file
_UNDEFINED = 0  # a symbol's section when it is in none of this file's


class Section(NamedTuple):
    """A piece of an object file: as its header says it."""

    type: int
    flags: int
    offset: int
    size: int
    link: int


@dataclass(frozen=True)
class ObjectFile:
    """What is in an object file.

    Attributes:
        text_bytes: Code and constants.
        data_bytes: Variables that begin with a value of their own.
        bss_bytes: Variables that begin as zeros.
        undefined: Names of what it takes from elsewhere.

    >>> ObjectFile(900, 16, 4096, ("memcpy",)).flash_bytes
    916
    """

    text_bytes: int
    data_bytes: int
    bss_bytes: int
    undefined: tuple[str, ...]

    @property
    def flash_bytes(self) -> int:
        """What is stored: code, constants, and the first values of variables."""
        return self.text_bytes + self.data_bytes

    @property
    def sram_bytes(self) -> int:
        """What can be written, the stack excepted."""
        return self.data_bytes + self.bss_bytes


def read_object(path: Path) -> ObjectFile:
    """Read an object file in ELF, of 32 or 64 bits, in either byte order.

    Args:
        path: The file.

    Raises:
        BadValue: It is not in ELF (macOS and Windows have formats of their own), or is cut off.

    Source: TIS Committee, "Executable and Linking Format (ELF) Specification", version 1.2, 1995.
    """
    content = Path(path).read_bytes()
    if content[:4] != b"\x7fELF" or len(content) < 16:
        rule = "must be in ELF, the format of Linux; sizes are not read of others, as of macOS"
        _check.fail("read_object", "object file", rule, Path(path).name)
    try:
        return _read(content)
    except (struct.error, IndexError, ValueError):
        _check.fail("read_object", "object file", "must be whole", Path(path).name)


def _read(content: bytes) -> ObjectFile:
    wide, order = content[4] == 2, "<" if content[5] == 1 else ">"
    sections = _sections(content, order, wide)
    loaded = [s for s in sections if s.flags & _ALLOC]
    written = [s for s in loaded if s.flags & _WRITE]
    zeros = sum(s.size for s in written if s.type == _NOBITS)
    n_written = sum(s.size for s in written)
    text = sum(s.size for s in loaded) - n_written
    undefined = _undefined(content, sections, order, wide)
    return ObjectFile(text, n_written - zeros, zeros, undefined)


def _sections(content: bytes, order: str, wide: bool) -> list[Section]:
    at = struct.unpack_from(order + ("Q" if wide else "I"), content, 40 if wide else 32)[0]
    size, n_sections = struct.unpack_from(order + "HH", content, 58 if wide else 46)
    if at + size * n_sections > len(content):
        raise IndexError
    entry = order + ("IIQQQQI" if wide else "IIIIIII")  # name type flags address offset size link
    rows = (struct.unpack_from(entry, content, at + i * size) for i in range(n_sections))
    return [Section(row[1], row[2], row[4], row[5], row[6]) for row in rows]


def _undefined(content: bytes, sections: list[Section], order: str, wide: bool) -> tuple[str, ...]:
    entry = order + ("IBBHQQ" if wide else "IIIBBH")
    where = 3 if wide else 5  # of the section's number
    names = set()
    for table in sections:
        if table.type != _SYMTAB:
            continue
        strings = sections[table.link]
        for row in struct.iter_unpack(entry, content[table.offset : table.offset + table.size]):
            if row[where] == _UNDEFINED and row[0]:
                start = strings.offset + row[0]
                names.add(content[start : content.index(b"\0", start)].decode())
    return tuple(sorted(names))
