"""Huffman's codes beside zlib, Zstandard and constriction: bytes of symbols a second."""

import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.kernel_bars import RATE, Bar, Case, Entry, peers
from efficientdl.kernels.entropy import (
    decode_streams,
    encode_streams,
    pack_huffman,
    unpack_huffman,
)
from efficientdl.kernels.huffman import code_lengths, huffman_decode, huffman_encode

TITLE = "Huffman's codes"
N = 2**22
LONGEST = 12  # bits of a code that the streams take
ZLIB, ZSTD, ANS = "zlib, Huffman only", "zstd, level 1", "constriction, ANS"
SIMPLE = "one stream, simple"
BARS = tuple(Bar(1.0, (peer,)) for peer in (ZLIB, ZSTD, ANS))
WRITE, READ = Bar(1.5e9, RATE), Bar(1.2e9, RATE)
NOTE = (
    "4 Mi symbols, a byte each. With a given code: the streams alone; else counting, finding the "
    "code and writing it are included, as they are with the peers. zstd looks for repetitions too; "
    "its faster levels, below zero, leave most symbols as they are."
)


def cases(_n_threads: int) -> Iterator[Case]:
    """Writing and reading three kinds of weights."""
    for name, symbols in kinds().items():
        counts = np.bincount(symbols)
        shares = counts[counts > 0] / len(symbols)
        entropy = float(-(shares * np.log2(shares)).sum())
        yield from _streams(name, symbols, code_lengths(counts, longest=LONGEST))
        yield _written(f"{name}, writing", symbols, entropy)
        yield _read(f"{name}, reading", symbols)


def _streams(name: str, symbols: np.ndarray, lengths: np.ndarray) -> Iterator[Case]:
    """The streams alone, beside the simple form that writes bit after bit."""
    data, simple = encode_streams(symbols, lengths), huffman_encode(symbols, lengths)
    writing = {
        "encode_streams": Entry(
            lambda: encode_streams(symbols, lengths), 0.0, lambda d: decode_streams(d, lengths, N)
        ),
        SIMPLE: Entry(
            lambda: huffman_encode(symbols, lengths), 0.0, lambda d: huffman_decode(d, lengths, N)
        ),
    }
    reading = {
        "decode_streams": Entry(lambda: decode_streams(data, lengths, N), 0.0),
        SIMPLE: Entry(lambda: huffman_decode(simple, lengths, N), 0.0),
    }
    named = f"{name}, a given code"
    yield Case(f"{named}, writing", "encode_streams", writing, symbols, [WRITE], N)
    yield Case(f"{named}, reading", "decode_streams", reading, symbols, [READ], N)


def kinds() -> dict[str, np.ndarray]:
    """Weights as codes: even steps of a normal distribution, of 4 and 8 bits, and pruned."""
    rng = np.random.default_rng(0)
    normal = rng.standard_normal(N).astype(np.float32)
    four = np.clip(np.rint(2 * normal) + 8, 0, 15).astype(np.uint8)
    eight = np.clip(np.rint(27 * normal) + 128, 0, 255).astype(np.uint8)
    pruned = np.where(rng.random(N) < 0.9, np.uint8(8), four)
    return {"4 bits": four, "8 bits": eight, "4 bits, 90 % pruned": pruned}


def _bytes(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


def _written(name: str, symbols: np.ndarray, entropy: float) -> Case:
    entries = {"pack_huffman": Entry(lambda: pack_huffman(symbols), 0.0, unpack_huffman)}
    bits = [f"ours {8 * len(pack_huffman(symbols)) / N:.3f}"]
    for peer, (write, read) in _coders(symbols).items():
        entries[peer] = Entry(write, 0.0, read)
        bits.append(f"{peer} {8 * memoryview(write()).nbytes / N:.3f}")
    note = f"entropy {entropy:.3f} bits a symbol, {', '.join(bits)}"
    return Case(name, "pack_huffman", entries, symbols, BARS, N, "", note)


def _read(name: str, symbols: np.ndarray) -> Case:
    packed = pack_huffman(symbols)
    entries = {"unpack_huffman": Entry(lambda: unpack_huffman(packed), 0.0)}
    for peer, (write, read) in _coders(symbols).items():
        data = write()
        entries[peer] = Entry(lambda data=data, read=read: read(data), 0.0)
    return Case(name, "unpack_huffman", entries, symbols, BARS, N)


def _deflated(symbols: np.ndarray) -> bytes:
    coder = zlib.compressobj(1, zlib.DEFLATED, -15, 9, zlib.Z_HUFFMAN_ONLY)
    return coder.compress(symbols) + coder.flush()


def _coders(symbols: np.ndarray) -> dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]]:
    """How each peer that is here writes these symbols, and reads them again."""
    found: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
        ZLIB: (lambda: _deflated(symbols), lambda data: _bytes(zlib.decompress(data, -15)))
    }
    if peers.here("zstandard"):
        zstd: Any = import_module("zstandard")
        pack, unpack = zstd.ZstdCompressor(level=1), zstd.ZstdDecompressor()
        found[ZSTD] = (
            lambda: pack.compress(symbols),
            lambda data: _bytes(unpack.decompress(data)),
        )
    if peers.here("constriction"):
        found[ANS] = _ans(symbols)
    return found


def _ans(symbols: np.ndarray) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    stream: Any = import_module("constriction").stream
    counts = np.maximum(np.bincount(symbols, minlength=256), 1e-9)
    model = stream.model.Categorical((counts / counts.sum()).astype(np.float64), perfect=False)
    wide = symbols.astype(np.int32)

    def write() -> Any:
        coder = stream.stack.AnsCoder()
        coder.encode_reverse(wide, model)
        return coder.get_compressed()

    return write, lambda data: stream.stack.AnsCoder(data).decode(model, len(wide))
