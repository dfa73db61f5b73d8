"""Each operation on registers gives what its line of NumPy gives."""

import operator
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numba import njit

from efficientdl.kernels import cpu, simd
from efficientdl.kernels.simd.register import TWINS

RNG = np.random.default_rng(0)
FLOATS = RNG.standard_normal((3, 16)).astype(np.float32)
BITS = RNG.integers(0, 2**32, (3, 16), dtype=np.uint32)
WHOLE = BITS.view(np.int32)
LONG = RNG.integers(0, 2**63, (3, 8), dtype=np.uint64)
LANES = {"float32": FLOATS, "uint32": BITS, "int32": WHOLE, "uint64": LONG}


def ran(function: Callable[..., Any], *inputs: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """What an operation on registers gives, for arrays of one register each."""
    names = [f"a{i}" for i in range(len(inputs))]
    loads = ", ".join(f"simd.load({name}, 0)" for name in names)
    text = f"def run(y, {', '.join(names)}):\n    simd.store(y, 0, function({loads}))\n"
    scope: dict[str, Any] = {"simd": simd, "function": function}
    exec(text, scope)  # our own text; Numba wants the operation as a name
    y = np.zeros(64 // np.dtype(dtype).itemsize, dtype)
    njit(scope["run"])(y, *inputs)
    return y


@pytest.mark.parametrize(
    ("name", "kind", "n"),
    [
        ("minimum", "float32", 2),
        ("maximum", "float32", 2),
        ("magnitude", "float32", 1),
        ("bit_count", "uint32", 1),
        ("bit_count", "uint64", 1),
        ("floats", "uint32", 1),
        ("floats", "int32", 1),
        ("nearest", "float32", 1),
        ("as_uint32", "float32", 1),
        ("as_int32", "uint64", 1),
        ("as_int8", "uint32", 1),
        ("as_uint8", "int32", 1),
        ("as_float32", "uint32", 1),
    ],
)
def test_equals_its_line_of_numpy(name: str, kind: str, n: int):
    made, twin = TWINS[name]
    inputs = LANES[kind][:n]
    wanted = twin(*inputs)
    given = ran(made, *inputs, dtype=wanted.dtype)
    assert given.dtype == wanted.dtype
    assert given.tobytes() == wanted.tobytes()


def test_within_is_a_clip_that_keeps_what_is_no_number():
    made, twin = TWINS["within"]
    a = np.linspace(-3, 8, 16, dtype=np.float32)
    a[3] = np.nan
    low, high = np.zeros(16, np.float32), np.full(16, 6, np.float32)
    wanted = np.clip(a, 0, 6)
    np.testing.assert_array_equal(ran(made, a, low, high, dtype=np.dtype(np.float32)), wanted)
    np.testing.assert_array_equal(twin(a, low, high), wanted)


def test_fma_rounds_once():
    made, twin = TWINS["fma"]
    tiny = np.full(16, 1 + 2**-12, np.float32)
    product = ran(made, tiny, tiny, np.full(16, -1, np.float32), dtype=np.dtype(np.float32))
    assert product[0] == np.float32((1 + 2**-12) ** 2 - 1)  # rounded before, it were 2**-11
    assert (product == twin(tiny, tiny, np.full(16, -1, np.float32))).all()


@pytest.mark.parametrize("sign", [operator.add, operator.sub, operator.mul])
@pytest.mark.parametrize("kind", LANES)
def test_signs_between_registers(sign: Callable[..., Any], kind: str):
    a, b = LANES[kind][:2]
    name = {operator.add: "+", operator.sub: "-", operator.mul: "*"}[sign]
    assert (ran(_infix(name), a, b, dtype=a.dtype) == sign(a, b)).all()


@pytest.mark.parametrize("name", ["&", "|", "^"])
@pytest.mark.parametrize("kind", ["uint32", "int32", "uint64"])
def test_bits_of_registers(name: str, kind: str):
    a, b = LANES[kind][:2]
    wanted = {"&": a & b, "|": a | b, "^": a ^ b}[name]
    assert (ran(_infix(name), a, b, dtype=a.dtype) == wanted).all()


def _infix(name: str) -> Callable[..., Any]:
    scope: dict[str, Any] = {}
    exec(f"def function(a, b):\n    return a {name} b", scope)  # our own text
    return njit(scope["function"])


@pytest.mark.parametrize("kind", ["uint32", "int32", "uint64"])
def test_a_shift_of_unsigned_lanes_brings_in_zeros(kind: str):
    shift = njit(lambda a: a >> 5)
    a = LANES[kind][0]
    assert (ran(shift, a, dtype=a.dtype) == a >> a.dtype.type(5)).all()


@pytest.mark.parametrize("kind", LANES)
def test_total_is_the_sum_of_the_lanes(kind: str):
    a = LANES[kind][0]
    total = njit(lambda y, x: simd.store(y, 0, simd.splat(simd.total(simd.load(x, 0)))))
    y = np.zeros_like(a)
    total(y, a)
    np.testing.assert_allclose(y, a.sum(dtype=a.dtype), rtol=1e-6)


@pytest.mark.parametrize("name", ["dot4", "dot4_portable"])
def test_dot4_adds_products_of_bytes_of_the_largest_sizes_too(name: str):
    made, twin = TWINS[name]
    sums = RNG.integers(-(2**20), 2**20, 16).astype(np.int32)
    for a, b in [
        (RNG.integers(0, 256, 64).astype(np.uint8), RNG.integers(-128, 128, 64).astype(np.int8)),
        (np.full(64, 255, np.uint8), np.full(64, -128, np.int8)),
    ]:
        exact = sums + (a.astype(int) * b.astype(int)).reshape(16, 4).sum(axis=1)
        assert (ran(made, sums, a, b, dtype=np.dtype(np.int32)) == exact).all()
        assert (twin(sums, a, b) == exact).all()


@pytest.mark.parametrize("name", ["look_up", "look_up_portable"])
def test_a_table_is_asked_by_the_lowest_four_bits(name: str):
    made, twin = TWINS[name]
    table = FLOATS[0]
    wanted = np.array([table[int(bits) % 16] for bits in BITS[0]])
    assert (ran(made, table, BITS[0], dtype=np.dtype(np.float32)) == wanted).all()
    assert (twin(table, BITS[0]) == wanted).all()


@pytest.mark.parametrize("name", ["expand", "expand_portable"])
def test_expand_puts_packed_floats_where_bits_are_set(name: str):
    made, twin = TWINS[name]
    packed = simd.aligned(40, np.float32)
    packed[:] = RNG.standard_normal(40)
    run = njit(lambda y, x, mask: simd.store(y, 0, made(x, 3, mask)))
    for mask in (0, 1, 0x8000, 0xFFFF, 0b1010011):
        y = np.ones(16, np.float32)
        run(y, packed, np.uint16(mask))
        rest = iter(packed[3:])
        wanted = [next(rest) if mask >> lane & 1 else 0 for lane in range(16)]
        assert y.tolist() == wanted
        assert twin(packed, 3, mask).tolist() == wanted


def test_halves_and_single_places():
    x = simd.aligned(40, np.float32)
    x[:] = np.arange(40)

    @njit
    def run(y):
        simd.prefetch(x, 10**6)
        simd.store(y, 1, simd.load_half(x, 5))
        simd.store(y, 20, simd.splat_half(simd.at(x, 7)))

    y = np.zeros(40, np.float32)
    run(y)
    assert y.tolist() == [0, *range(5, 13), *[0] * 11, *[7] * 8, *[0] * 12]


@pytest.mark.parametrize("shape", [0, 7, (3, 5)])
def test_aligned_begins_at_a_line_and_leaves_room_for_a_register(shape: int | tuple[int, ...]):
    made = simd.aligned(shape, np.float32)
    assert made.ctypes.data % 64 == 0
    assert not made.any()
    room = made.base
    assert isinstance(room, np.ndarray)
    assert room.ctypes.data + room.nbytes >= made.ctypes.data + made.nbytes + 64


@pytest.mark.slow
@pytest.mark.parametrize("features", ["+avx2,+fma", ""])
def test_with_fewer_instructions(features: str):
    """The same tests where the compiler may use no more than an older processor has."""
    if not cpu.has(cpu.AVX2):
        pytest.skip("the processor has no AVX2 to leave")
    environment = {**os.environ, "NUMBA_CPU_FEATURES": features, "NUMBA_CPU_NAME": "generic"}
    tests = [__file__, "-q", "-k", "not fewer_instructions", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *tests],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
