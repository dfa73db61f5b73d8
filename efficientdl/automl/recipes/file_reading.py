"""Read what `save` wrote, believing none of it: every number is checked before it is used."""

import struct
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from math import prod
from os import PathLike
from pathlib import Path
from typing import NoReturn, TypeVar
from zlib import crc32

import numpy as np
import torch
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.automl.recipes.file_format import (
    CRC,
    DTYPES,
    ENTRY,
    FIELDS,
    HEAD,
    MAGIC,
    RAW,
    SHARED,
    VERSION,
)
from efficientdl.compression.layers import FloatLayer, demand_floats, put, weight_layers
from efficientdl.models.layers.masked import MaskedConv2d, MaskedLinear
from efficientdl.models.layers.shared_weight import SharedConv2d, SharedLinear, shared
from efficientdl.tensors.coded_weight import places_of, read_stream

T = TypeVar("T")
U8 = struct.Struct("<B")


def load(path: str | PathLike[str], model: nn.Module) -> nn.Module:
    """Read a compressed network from a file.

    Args:
        path: A file that `save` wrote.
        model: The network that the file is for, before it was compressed: its layers and shapes
            are used, its weights are not.

    Returns:
        A copy of that network with the file's weights, shared where they are shared there.

    Raises:
        BadValue: The file is cut off or damaged, or is for another network; the text says at
            which byte.

    Source: Han, Mao and Dally, "Deep Compression", ICLR 2016; lab 04.
    """
    _check.kind("load", "model", model, nn.Module)
    ours, path = deepcopy(model), Path(path)
    found: dict[str, Tensor | nn.Module] = {}
    for section in _sections(_Bytes(path.read_bytes(), path.name)):
        kind, name = section.title()
        if name in found or kind not in {RAW, SHARED}:
            section.fail("must begin with a known kind and a name of its own")
        found[name] = _value(section, name, ours) if kind == RAW else _layer(section, name, ours)
        if section.rest():
            section.fail(f"must have nothing behind it, not {section.rest()} bytes")
    return _filled(ours, found, path.name)


@dataclass
class _Bytes:
    """A run of bytes that is read from its beginning, and knows where in the file it is."""

    data: bytes
    file: str
    at: int = 0
    start: int = 0
    name: str = "directory"

    def fail(self, rule: str) -> NoReturn:
        where = f"at byte {self.start + self.at}, in the {self.name},"
        _check.fail("load", "file", f"{where} {rule}", self.file)

    def rest(self) -> int:
        return len(self.data) - self.at

    def take(self, n_bytes: int) -> bytes:
        if n_bytes > self.rest():
            self.fail(f"must go on for {n_bytes} bytes, and ends after {self.rest()}")
        self.at += n_bytes
        return self.data[self.at - n_bytes : self.at]

    def numbers(self, form: struct.Struct) -> tuple[int, ...]:
        return form.unpack(self.take(form.size))

    def symbols(self, n_bytes: int) -> np.ndarray:
        return np.frombuffer(self.take(n_bytes), np.uint8)

    def tensor(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        raw = self.take(prod(shape) * dtype.itemsize)
        if dtype == torch.bool and raw.strip(b"\0\1"):
            self.fail("must hold zeros and ones")
        flat = torch.frombuffer(bytearray(raw), dtype=dtype) if raw else torch.empty(0, dtype=dtype)
        return flat.reshape(shape)

    def title(self) -> tuple[int, str]:
        kind, length = self.numbers(struct.Struct("<BB"))
        try:
            name = self.take(length).decode()
        except UnicodeDecodeError:
            self.fail("must have a name in UTF-8")
        self.name += f" of {name!r}"
        return kind, name

    def axes(self) -> tuple[int, ...]:
        (n_axes,) = self.numbers(U8)
        return self.numbers(struct.Struct(f"<{n_axes}I"))


def _sections(file: _Bytes) -> list[_Bytes]:
    """The sections, each of which has the checksum that the directory gives."""
    magic, version, n_sections = file.numbers(HEAD)
    if magic != MAGIC or version != VERSION:
        file.at = 0
        file.fail(f"must begin with {MAGIC!r} and version {VERSION}")
    if n_sections * ENTRY.size + CRC.size > file.rest():
        file.fail(f"must list {n_sections} sections, and ends after {file.rest()} bytes")
    entries = [file.numbers(ENTRY) for _ in range(n_sections)]
    sum_of_head = crc32(file.data[: file.at])
    if file.numbers(CRC) != (sum_of_head,):
        file.fail("must have the checksum of its directory")
    sections = []
    for index, (length, checksum) in enumerate(entries):
        start = file.at
        section = _Bytes(file.take(length), file.file, start=start, name=f"section {index}")
        if crc32(section.data) != checksum:
            section.fail("must have the checksum that the directory gives")
        sections.append(section)
    if file.rest():
        file.fail(f"must end, and goes on for {file.rest()} bytes")
    return sections


def _value(section: _Bytes, name: str, model: nn.Module) -> Tensor:
    wanted = model.state_dict().get(name)
    (kind,) = section.numbers(U8)
    shape = section.axes()
    if wanted is None or tuple(wanted.shape) != shape:
        section.fail(
            f"must be a tensor of this network; it has none of this name and shape {shape}"
        )
    if kind >= len(DTYPES) or wanted.dtype != DTYPES[kind]:
        section.fail(f"must be of the network's own type {wanted.dtype}")
    return section.tensor(shape, wanted.dtype)


def _layer(section: _Bytes, name: str, model: nn.Module) -> SharedLinear | SharedConv2d:
    layers = weight_layers("load", model)
    shape = section.axes()
    if name not in layers or tuple(layers[name].weight.shape) != shape:
        section.fail(f"must be a layer of this network; it has none of this name and shape {shape}")
    layer = demand_floats("load", name, layers[name])
    fields = section.numbers(FIELDS)
    books, size, length, index_bits, n_codes, n_gaps = fields[:6]
    n_weights = prod(shape)
    if not (length and books and 1 <= size <= 256 and n_weights % (length * books) == 0):
        section.fail(f"must have codebooks that fit {n_weights} weights, not {fields[:3]}")
    codebooks = section.tensor((books, size, length), layer.weight.dtype)
    codes = _stream(section, fields[6], fields[7], n_codes)
    mask = None
    if index_bits:
        gaps = _stream(section, fields[8], fields[9], n_gaps)
        mask = _sound(section, places_of, gaps, index_bits=index_bits, n_places=n_weights)
    return _rebuilt(section, layer, codebooks, codes, mask)


def _stream(section: _Bytes, n_bytes: int, table_bytes: int, count: int) -> Tensor:
    table = section.symbols(table_bytes)
    return _sound(section, read_stream, section.symbols(n_bytes), table, count=count)


def _rebuilt(
    section: _Bytes, layer: FloatLayer, codebooks: Tensor, codes: Tensor, mask: Tensor | None
) -> SharedLinear | SharedConv2d:
    books, _, length = codebooks.shape
    every = torch.zeros(layer.weight.numel() // length, dtype=torch.uint8)
    places = mask if mask is not None and length == 1 else torch.ones_like(every).bool()
    if int(places.sum()) != len(codes):
        section.fail(f"must have {int(places.sum())} codes, not {len(codes)}")
    every[places] = codes
    if mask is not None:
        made = MaskedConv2d if isinstance(layer, nn.Conv2d) else MaskedLinear
        layer = made(layer, mask.reshape(layer.weight.shape))  # pyright: ignore[reportArgumentType]
    new = _sound(section, shared, layer, codebooks, every.reshape(-1, books))
    new.coded = True
    return new


def _sound(section: _Bytes, function: Callable[..., T], *values: object, **options: object) -> T:
    """What a function makes of the file's numbers; where it refuses them, the file is at fault."""
    try:
        return function(*values, **options)
    except _check.BadValue as error:
        section.fail(f"must be sound: {error}")


@torch.no_grad()
def _filled(model: nn.Module, found: dict[str, Tensor | nn.Module], file: str) -> nn.Module:
    """The network with everything that was found, which is all that it has."""
    layers = {name: part for name, part in found.items() if isinstance(part, nn.Module)}
    values = {name: part for name, part in found.items() if isinstance(part, Tensor)}
    gone = {id(model.get_submodule(name)) for name in layers}
    every = model.named_modules(remove_duplicate=False)
    held = {f"{name}.weight".lstrip(".") for name, module in every if id(module) in gone}
    state = model.state_dict(keep_vars=True)
    given = {id(state[name]) for name in values}  # one of two names is enough
    missing = [n for n, value in state.items() if n not in held and id(value) not in given]
    for said, names in {"missing": missing, "there twice": values.keys() & held}.items():
        if names:
            rule = f"must hold each tensor of this network once; {min(names)!r} is {said}"
            _check.fail("load", "file", rule, file)
    for name, value in values.items():
        state[name].copy_(value)
    return put(model, layers)
