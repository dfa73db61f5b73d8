"""Products of bytes: exact sums beside the engines of torch and onnxruntime, and float to float."""

from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.kernel_bars import LIMIT, Bar, Case, Entry, peaks, peers
from efficientdl.kernels import cpu
from efficientdl.kernels.low_bit import int8_gemm, int8_linear, pack_int8

TITLE = "Products of bytes"
SHAPES = ((1, 4096, 4096), (8, 4096, 4096), (64, 4096, 4096), (128, 768, 3072), (784, 2304, 256))
MANY = 64  # rows from which the bars apply
ASKS = (cpu.AVX512, cpu.VNNI)
QUANTIZED = 3e-2  # rounded to bytes by rows or as a whole, as each peer does it
NOTE = (
    "The first table's products are exact, bytes in and 32 bits out; the second's take floats, "
    "quantize them as they come, and give floats. Rows have scales of their own with us, the whole "
    "matrix has one with the peers."
)
GRAPH = (
    ("DynamicQuantizeLinear", "x", "codes scale zero"),
    ("MatMulInteger", "codes w zero none", "sums"),
    ("Cast", "sums", "floats", {"to": 1}),
    ("Mul", "scale steps", "both"),
    ("Mul", "floats both", "y"),
)


def cases(n_threads: int) -> Iterator[Case]:
    """Exact sums, then floats to floats."""
    for shape in SHAPES:
        yield _exact(shape, n_threads)
    for shape in SHAPES:
        yield _floats(shape, n_threads)


def _named(shape: tuple[int, int, int], what: str) -> str:
    m, k, n = shape
    return f"{m} rows, {k} x {n}, {what}"


def _exact(shape: tuple[int, int, int], n_threads: int) -> Case:
    m, k, n = shape
    rng = np.random.default_rng(0)
    # of seven bits: some processors' products of two bytes saturate, and peers' with them
    x = rng.integers(0, 128, (m, k), dtype=np.uint8)
    weight = rng.integers(-127, 128, (k, n), dtype=np.int8)
    packed, zeros = pack_int8(weight), np.zeros(m, np.int32)
    x_torch, w_torch = torch.from_numpy(x.view(np.int8)), torch.from_numpy(weight)
    entries = {"int8_gemm": Entry(lambda: int8_gemm(x, packed, zeros), 0.0)}
    if m > 16:  # torch refuses fewer rows
        columns = w_torch.t().contiguous().t()
        entries["torch._int_mm"] = Entry(lambda: torch._int_mm(x_torch, w_torch), 0.0)
        entries["torch._int_mm, columns"] = Entry(lambda: torch._int_mm(x_torch, columns), 0.0)
    if peers.has_onnxruntime():
        graph = peers.nodes(("MatMulInteger", "x w zero none", "y"))
        constants = {"w": weight, "zero": np.array(0, np.uint8), "none": np.array(0, np.int8)}
        call = peers.session(graph, {"x": x}, np.int32, constants, n_threads=n_threads)
        entries["ORT MatMulInteger"] = Entry(call, 0.0)
    want = x.astype(np.float64) @ weight.astype(np.float64)
    bars = [Bar(0.88, LIMIT, ASKS)] if m >= MANY else []
    return Case(_named(shape, "exact"), "int8_gemm", entries, want, bars, m * k * n, peaks.VNNI)


def _floats(shape: tuple[int, int, int], n_threads: int) -> Case:
    m, k, n = shape
    rng = np.random.default_rng(0)
    x = rng.standard_normal((m, k), np.float32)
    scales = np.full(n, 0.01, np.float32)
    codes = rng.integers(-127, 128, (k, n), dtype=np.int8)
    packed, weight = pack_int8(codes), scales * codes
    x_torch, w_torch = torch.from_numpy(x), torch.from_numpy(np.ascontiguousarray(weight.T))
    entries = {"int8_linear": Entry(lambda: int8_linear(x, packed, scales), QUANTIZED)}
    for engine in peers.torch_engines():
        call = peers.dynamic_int8(w_torch, x_torch, engine)
        entries[f"torch dynamic, {engine}"] = Entry(call, QUANTIZED)
    if peers.has_onnxruntime():
        constants = {"w": codes, "none": np.array(0, np.int8), "steps": scales}
        call = peers.session(
            peers.nodes(*GRAPH), {"x": x}, np.float32, constants, n_threads=n_threads
        )
        entries["ORT dynamic"] = Entry(call, QUANTIZED)
    dense = peers.linears(w_torch, x_torch, seen=lambda y: y)
    entries |= {name: Entry(e.call, e.error, counts=False) for name, e in dense.items()}
    bars = [Bar(1.05)] if m >= MANY else []
    named = _named(shape, "floats to floats")
    return Case(named, "int8_linear", entries, x @ weight, bars, m * k * n, peaks.VNNI)
