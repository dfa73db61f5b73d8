"""Weights of 4 and 2 bits times one vector: floats exact, or written in bytes first."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from benchmarks.kernel_bars import Bar, Case, Entry, peaks, peers
from efficientdl.kernels.low_bit import CodedWeights, int4_gemv, int4_gemv_bytes, pack_codes

TITLE = "Weights of four bits times one vector"
SHAPES = ((4096, 4096), (11008, 4096), (4096, 11008), (11008, 12288))
LARGE = 2**26  # bytes of packed weights: more than the last cache of this decade's processors
SMALL = 2**24  # bytes that the last cache holds
GROUP = 128
ORT_EXACT, ORT_BYTES, INT4PACK = "ORT MatMulNBits, fp32", "ORT MatMulNBits, int8", "torch int4pack"
BYTES_ERROR = 3e-2  # of a vector that is rounded to seven bits and a sign
FLOAT_BARS = (Bar(5.0, (peers.LINEAR,)), Bar(2.5, (ORT_EXACT,)))
DENSE_BAR = Bar(12.0, (peers.LINEAR,))
NOTE = (
    "Groups of 128 weights have a scale. The share is of the rate at which the packed codes could "
    "be read from memory: above 100 %, part of them stayed in a cache. torch's own kernel takes "
    "activations in bfloat16. The bar beside onnxruntime's integer path is 1.2 from 64 MB on, and "
    "0.95 where the codes fit the last cache."
)


def cases(n_threads: int) -> Iterator[Case]:
    """Four bits with floats and with bytes; two bits once."""
    for n, k in SHAPES:
        drawn = Drawn(*_coded(n, k, 16))
        yield _floats(drawn, n_threads)
        yield _in_bytes(drawn, n_threads)
    yield _two_bits(Drawn(*_coded(*SHAPES[0], 4)))


def _coded(n: int, k: int, levels: int) -> tuple[CodedWeights, np.ndarray, np.ndarray]:
    """Even codes around zero, their floats, and a vector."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, levels, (n, k), dtype=np.uint8)
    table = (np.arange(levels) - levels // 2).astype(np.float32)
    scales = 0.01 * rng.random((n, k // GROUP), np.float32)
    weights = CodedWeights(codes, table, scales, GROUP)
    dense = np.empty((n, k), np.float32)
    for row in range(0, n, 1024):  # a part at a time: all at once it would take three times as much
        part = slice(row, row + 1024)
        dense[part] = CodedWeights(codes[part], table, scales[part], GROUP).dense
    return weights, dense, rng.standard_normal(k).astype(np.float32)


def _dense(dense: np.ndarray, x: np.ndarray) -> dict[str, Entry]:
    weight, x_torch = torch.from_numpy(dense), torch.from_numpy(x)[None]
    w16, x16 = weight.bfloat16(), x_torch.bfloat16()
    linear = torch.nn.functional.linear
    return {
        peers.LINEAR: Entry(lambda: linear(x_torch, weight), seen=lambda y: y[0]),
        peers.BF16: Entry(
            lambda: linear(x16, w16), peers.BF16_ERROR, seen=lambda y: y[0], counts=False
        ),
    }


def _onnx(weights: CodedWeights, x: np.ndarray, level: int, n_threads: int) -> Entry:
    """onnxruntime's kernel; level 1 multiplies floats, level 4 bytes."""
    n, k = weights.codes.shape
    pairs = weights.codes[:, ::2] | weights.codes[:, 1::2] << 4
    constants = {"w": pairs.reshape(n, k // GROUP, GROUP // 2), "s": weights.scales.reshape(-1)}
    options = {"domain": "com.microsoft", "K": k, "N": n, "bits": 4, "block_size": GROUP}
    graph = peers.nodes(("MatMulNBits", "x w s", "y", options | {"accuracy_level": level}))
    call = peers.session(graph, {"x": x[None]}, np.float32, constants, n_threads=n_threads)
    return Entry(call, 1e-4 if level == 1 else BYTES_ERROR, seen=lambda y: y[0][0])


def _int4pack(weights: CodedWeights, x: np.ndarray) -> Entry:
    """torch's own, which keeps scales and activations in bfloat16."""
    codes = torch.from_numpy(weights.codes.astype(np.int32))
    packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(codes, 2)
    scales = torch.from_numpy(np.ascontiguousarray(weights.scales.T))
    both = torch.stack([scales, torch.zeros_like(scales)], -1).bfloat16()
    x16, multiply = torch.from_numpy(x)[None].bfloat16(), torch.ops.aten._weight_int4pack_mm_for_cpu
    return Entry(lambda: multiply(x16, packed, GROUP, both), peers.BF16_ERROR, seen=lambda y: y[0])


class Drawn:
    """A matrix in all its forms, and a vector."""

    def __init__(self, weights: CodedWeights, dense: np.ndarray, x: np.ndarray) -> None:
        self.weights, self.x, self.packed = weights, x, pack_codes(weights)
        self.peers, self.want = _dense(dense, x), dense @ x
        self.n_bytes = self.packed.words.nbytes

    def case(self, name: str, what: str, entries: dict[str, Entry], bars: Sequence[Bar]) -> Case:
        """Our kernel `name`, which comes first, beside the dense layers and others."""
        n, k = self.weights.codes.shape
        full = f"{n} x {k}, {self.packed.bits} bits, {self.n_bytes / 1e6:.0f} MB, {what}"
        all_ = entries | self.peers
        return Case(full, name, all_, self.want, bars, self.n_bytes, peaks.DRAM)


def _floats(drawn: Drawn, n_threads: int) -> Case:
    packed, x = drawn.packed, drawn.x
    entries = {"int4_gemv": Entry(lambda: int4_gemv(x, packed))}
    if peers.has_onnxruntime():
        entries[ORT_EXACT] = _onnx(drawn.weights, x, 1, n_threads)
    entries[INT4PACK] = _int4pack(drawn.weights, x)
    return drawn.case("int4_gemv", "floats", entries, FLOAT_BARS)


def _in_bytes(drawn: Drawn, n_threads: int) -> Case:
    packed, x = drawn.packed, drawn.x
    entries = {"int4_gemv_bytes": Entry(lambda: int4_gemv_bytes(x, packed), BYTES_ERROR)}
    if peers.has_onnxruntime():
        entries[ORT_BYTES] = _onnx(drawn.weights, x, 4, n_threads)
    bars = [DENSE_BAR]
    if drawn.n_bytes >= LARGE:
        bars.append(Bar(1.2, (ORT_BYTES,)))
    elif drawn.n_bytes <= SMALL:
        bars.append(Bar(0.95, (ORT_BYTES,)))
    return drawn.case("int4_gemv_bytes", "bytes", entries, bars)


def _two_bits(drawn: Drawn) -> Case:
    packed, x = drawn.packed, drawn.x
    entries = {"int4_gemv_bytes": Entry(lambda: int4_gemv_bytes(x, packed), BYTES_ERROR)}
    return drawn.case("int4_gemv_bytes", "bytes", entries, ())
