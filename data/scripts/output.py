"""Write a file of data/ so that the same content gives the same bytes, and say what came of it.

Every script calls this with what it built. A file that is already there is compared with it, bit
for bit and then by content: a different zlib packs the same content into other bytes.
`--write` puts the new file in its place and its checksum into data/SHA256SUMS.
"""

import gzip
import hashlib
import io
import sys
from pathlib import Path

import numpy as np

DATA = Path(__file__).parents[1]


def npz(name: str, **arrays: np.ndarray) -> None:
    """A compressed npz file. NumPy dates its members 1980, so that its bytes tell no time."""
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    _place(name, packed.getvalue())


def text(name: str, content: str) -> None:
    """A gzip file of UTF-8 text, with neither a time nor a name in its header."""
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=9, mtime=0) as file:
        file.write(content.encode("utf-8"))
    _place(name, packed.getvalue())


def record(*names: str) -> None:
    """Put the checksums of these files into data/SHA256SUMS, which stays sorted by name."""
    sums = DATA / "SHA256SUMS"
    lines = dict(reversed(line.split(maxsplit=1)) for line in sums.read_text().splitlines())
    for name in names:
        lines[name] = hashlib.sha256((DATA / name).read_bytes()).hexdigest()
    there = {name: digest for name, digest in sorted(lines.items()) if (DATA / name).is_file()}
    sums.write_text("".join(f"{digest}  {name}\n" for name, digest in there.items()))


def _content(packed: bytes) -> object:
    if packed[:2] == b"\x1f\x8b":
        return gzip.decompress(packed)
    with np.load(io.BytesIO(packed), allow_pickle=False) as stored:
        return [(name, a.dtype.str, a.shape, a.tobytes()) for name, a in stored.items()]


def _place(name: str, packed: bytes) -> None:
    path = DATA / name
    shipped = path.read_bytes() if path.is_file() else b""
    if shipped == packed:
        print(f"{name}: built anew, and the shipped file is equal bit for bit")
    elif "--write" in sys.argv:
        path.write_bytes(packed)
        record(name)
        print(f"{name}: written, {len(packed)} bytes; say so in data/README.md")
    elif shipped and _content(shipped) == _content(packed):
        print(f"{name}: built anew; the shipped file holds the same, compressed otherwise")
    else:
        sys.exit(f"{name}: what was built differs from the shipped file; --write replaces it")
