"""A compressed network as a file: sections of numbers, each with its checksum, and no code.

The numbers are little-endian. The file begins with a directory:

    bytes 0..3       `EDLC`
    bytes 4..5       version, 1
    bytes 6..9       n, the number of sections
    n times 8 bytes  length of a section in bytes, CRC-32 of the section
    4 bytes          CRC-32 of everything before

The sections follow without a gap, in the directory's order, and nothing comes after them. A
section begins with its kind, the length of its name (one byte each) and the name in UTF-8.

Kind 0 is a tensor as it is, a bias or a statistic, named as in `state_dict`, by the first name
where it has several: its type (one byte, a place in `DTYPES`), the number of axes (one byte), each
axis (four bytes), the values.

Kind 1 is a weight that is codebooks and codes, named as its layer. After the number of axes and
the axes of the weight, as above, come these:

    4 bytes  number of codebooks            1 byte   bits of a gap; 0: no weight is dropped
    2 bytes  entries of a codebook          4 bytes  number of codes
    4 bytes  numbers in an entry            4 bytes  number of gaps
    4 bytes  bytes of the codes' stream     1 byte   bytes of its table
    4 bytes  bytes of the gaps' stream      1 byte   bytes of its table

then the codebooks in the type of the weight, the table and the stream of the codes, the table and
the stream of the gaps. Tables and streams are those of `efficientdl.tensors.coded_weight`.
Where an entry is one number, weights that are dropped have no code.

A reader is given the network that the weights are for. It has the shapes, so a file cannot ask
for more memory than that network and the file itself take.
"""

import struct
from os import PathLike
from pathlib import Path
from zlib import crc32

import torch
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.costs.count import costed
from efficientdl.models.layers.shared_weight import Shared

MAGIC, VERSION = b"EDLC", 1
RAW, SHARED = 0, 1
DTYPES = (
    torch.float32,
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
    torch.bool,
)
HEAD = struct.Struct("<4sHI")  # magic, version, number of sections
ENTRY = struct.Struct("<II")  # length, checksum
CRC = struct.Struct("<I")
FIELDS = struct.Struct("<IHIBIIIBIB")  # of a shared weight, in the order of the text above


def save(model: nn.Module, path: str | PathLike[str]) -> None:
    """Write a network with shared weights to a file.

    What is shared is written as codebooks and Huffman streams, everything else as it is. The
    form is documented at the top of `efficientdl.automl.recipes.file_format`; nothing in it is
    code, and `load` runs none.

    Args:
        model: What `deep_compression` gave, or any network of which some layers are shared.
        path: The file to write.

    Raises:
        BadValue: A layer stores its weight in a form of its own, masked or quantized, say, and not
            shared.

    >>> import tempfile
    >>> from efficientdl.automl.recipes.deep_compression import deep_compression
    >>> from efficientdl.automl.recipes.file_reading import load
    >>> model, x = nn.Linear(64, 32), torch.ones(1, 64)
    >>> small, _ = deep_compression(model, x, sparsity=0.9, bits=4)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "small.edlc"
    ...     save(small, path)
    ...     path.stat().st_size == file_bytes(small), bool((load(path, model)(x) == small(x)).all())
    (True, True)

    Source: Han, Mao and Dally, "Deep Compression", ICLR 2016; lab 04.
    """
    Path(path).write_bytes(_encoded("save", model))


def file_bytes(model: nn.Module) -> int:
    """The size that `save` will write, in bytes: directory, names and checksums included.

    Raises:
        BadValue: A layer stores its weight in a form of its own and not shared, as for `save`.

    >>> file_bytes(nn.Linear(2, 3))  # 36 bytes of numbers
    96
    """
    return len(_encoded("file_bytes", model))


def _encoded(caller: str, model: nn.Module) -> bytes:
    _check.kind(caller, "model", model, nn.Module)
    for name, module in model.named_modules():
        if costed(module) and not isinstance(module, Shared):
            rule = f"must have shared weights where it is pruned or quantized: layer {name!r}"
            _check.fail(caller, "model", rule, type(module).__name__)
    shared = {n: m for n, m in model.named_modules() if isinstance(m, Shared)}
    sections = [_shared_section(caller, name, layer) for name, layer in shared.items()]
    held = {id(value) for layer in shared.values() for value in layer.held()}
    for name, value in model.state_dict(keep_vars=True).items():
        if id(value) not in held:  # once, whatever the names that it has
            sections.append(_raw_section(caller, name, value))
            held.add(id(value))
    head = HEAD.pack(MAGIC, VERSION, len(sections))
    head += b"".join(ENTRY.pack(len(section), crc32(section)) for section in sections)
    return head + CRC.pack(crc32(head)) + b"".join(sections)


def _raw_section(caller: str, name: str, value: Tensor) -> bytes:
    _check.kind(caller, name, value, Tensor)
    if value.dtype not in DTYPES:
        types = ", ".join(str(dtype).removeprefix("torch.") for dtype in DTYPES)
        _check.fail(caller, name, f"must be of one of the types {types}", value.dtype)
    kind = struct.pack("<B", DTYPES.index(value.dtype))
    return _title(caller, RAW, name) + kind + _axes(tuple(value.shape)) + _raw(value)


def _shared_section(caller: str, name: str, layer: Shared) -> bytes:
    codes, gaps, index_bits = layer.coded_weight()
    fields = FIELDS.pack(
        *layer.codebooks.shape,
        index_bits,
        len(codes.symbols),
        0 if gaps is None else len(gaps.symbols),
        len(codes.data),
        len(codes.table),
        0 if gaps is None else len(gaps.data),
        0 if gaps is None else len(gaps.table),
    )
    streams = [codes.table, codes.data]
    if gaps is not None:
        streams += [gaps.table, gaps.data]
    title = _title(caller, SHARED, name) + _axes(layer.shape)
    body = b"".join(stream.tobytes() for stream in streams)
    return title + fields + _raw(layer.codebooks.detach()) + body


def _title(caller: str, kind: int, name: str) -> bytes:
    text = name.encode()
    _check.whole(caller, f"length of the name {name!r}", len(text), 0, 255)
    return struct.pack("<BB", kind, len(text)) + text


def _axes(shape: tuple[int, ...]) -> bytes:
    return struct.pack(f"<B{len(shape)}I", len(shape), *shape)


def _raw(value: Tensor) -> bytes:
    return value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
