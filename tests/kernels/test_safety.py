"""Every kernel, given what it should not be: computed right, or refused in the one sentence.

A table of the kernels, each with arrays of odd sizes and an answer in plain NumPy. Every array is
then given in other layouts, of other kinds, cut short, with places that are not there and numbers
that are none. Nothing may be read or written beside an array: what kernels allocate lies between
bytes of a pattern, and so does what they are given.
"""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread

import numpy as np
import pytest
import torch

from efficientdl._check import BadKind, BadValue
from efficientdl.kernels import csr_matmul, int8_matmul, pack_signs, popcount_matmul
from efficientdl.kernels.depthwise_planes import depthwise_planes, depthwise_planes_reference
from efficientdl.kernels.entropy import decode_streams, encode_streams
from efficientdl.kernels.huffman import code_lengths, huffman_decode, huffman_encode
from efficientdl.kernels.low_bit import (
    CodedWeights,
    int4_gemv,
    int8_gemm,
    pack_codes,
    pack_int8,
    pack_sign_panels,
    xnor_gemm,
)
from efficientdl.kernels.pattern_conv import SAME, pattern_conv, pattern_planes
from efficientdl.kernels.pattern_weight import pack_pattern
from efficientdl.kernels.planes import planes_of
from efficientdl.kernels.points import (
    KernelMap,
    ball_query,
    cube,
    farthest_points,
    kernel_map,
    kernel_map_by_hash,
    kernel_map_by_sorting,
    knn,
    neighbour_sum,
    sparse_conv,
)
from efficientdl.kernels.points.kernel_map import kernel_map_reference
from efficientdl.kernels.points.neighbours import _by_grid, knn_reference
from efficientdl.kernels.points.sparse_conv import sparse_conv_reference
from efficientdl.kernels.sparse import (
    block_matmul,
    matvec,
    n_of_m_matmul,
    pack_blocks,
    pack_matvec,
    pack_n_of_m,
    pack_vectors,
    vector_matmul,
)
from efficientdl.kernels.sparse.planes import pack_for_planes, plane_matmul
from efficientdl.kernels.threads import threads
from tests.kernels import modes

REFUSED = (BadValue, BadKind)
GUARD, PATTERN = 256, 0xA5
K, ROWS = 37, 13  # odd, and no multiple of any register


@dataclass(frozen=True)
class Case:
    """A kernel with arrays for it, what NumPy says of them, and which of them hold places."""

    name: str
    run: Callable
    arrays: tuple
    answer: Callable
    places: tuple = ()
    rtol: float = 0.0  # of sums of float32 in another order


RNG = np.random.default_rng(5)
DENSE = np.where(RNG.random((ROWS, K)) < 0.3, RNG.standard_normal((ROWS, K)), 0).astype(np.float32)
X = RNG.standard_normal((K, 7)).astype(np.float32)
CLOUD = RNG.integers(-4, 5, (45, 3)).astype(np.float32)
SITES = np.unique(RNG.integers(-3, 4, (60, 3)), axis=0).astype(np.int32)
SYMBOLS = np.minimum(RNG.geometric(0.1, 1001) - 1, 255).astype(np.uint8)
LENGTHS = code_lengths(np.bincount(SYMBOLS, minlength=256), longest=12)
MAP = kernel_map_reference(SITES, SITES, cube(3, 3))
FOUR_OF_NINE = np.zeros((5, 3, 3, 3), np.float32)
FOUR_OF_NINE[:, :, 1, :] = RNG.standard_normal((5, 3, 3))


def compressed(dense):
    rows, columns = np.nonzero(dense)
    starts = np.searchsorted(rows, np.arange(len(dense) + 1)).astype(np.int32)
    return dense[rows, columns], columns.astype(np.int32), starts


def signs(words):
    bits = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")[:, :K]
    return 2 * bits.astype(np.int64) - 1


def by_rows(values, columns, starts, x):
    """Only what is kept is multiplied: a number that is none spoils no row without it."""
    rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    y = np.zeros((len(starts) - 1, *x.shape[1:]))
    factors = values.reshape(-1, *(1,) * (x.ndim - 1)).astype(np.float64)
    np.add.at(y, rows, factors * x[columns])
    return y


def by_groups(values, columns, starts, x):
    """The same for four rows that share columns."""
    rows = [by_rows(values[:, i], columns, starts, x) for i in range(4)]
    return np.stack(rows, axis=1).reshape(4 * len(rows[0]), x.shape[1])


def by_pairs(weight, x):
    return by_rows(*compressed(weight), x)


def by_taps(x, weight):
    """A convolution tap by tap, those left out that no filter has."""
    height, width = weight.shape[2:]
    p, q = x.shape[2] + 3 - height, x.shape[3] + 3 - width
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))).astype(np.float64)
    y = np.zeros((len(x), len(weight), p, q))
    for r, s in np.ndindex(height, width):
        tap = weight[:, :, r, s]
        if tap.any():
            y += np.einsum("oc,ncpq->nopq", tap, padded[:, :, r : r + p, s : s + q])
    return y


def of_codes(x, codes, table, scales):
    return (table[codes] * np.repeat(scales, 64, axis=1)[:, : codes.shape[1]]) @ x


def in_ball(points, queries):
    squared = ((queries[:, None].astype(np.float64) - points[None]) ** 2).sum(axis=2)
    return (squared < 4).sum(axis=1).clip(max=5).astype(np.int32)


def summed(x, indices):
    padded = np.concatenate([x, np.zeros((1, x.shape[1]), np.float32)])
    return padded[indices].sum(axis=1)


def farthest(points):
    chosen, least = [0], np.full(len(points), np.inf)
    for _ in range(4):
        least = np.minimum(least, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(least.argmax()))
    return np.array(chosen, np.int32)


ROWS_OF = compressed(DENSE)
SOME = RNG.random((3, K)) < 0.4
GROUPED = compressed(SOME.astype(np.float32))
PAIR_OF_FOUR = np.where(np.arange(36) % 4 < 2, RNG.standard_normal((ROWS, 36)), 0)
WORDS = pack_signs(RNG.standard_normal((6, K))), pack_signs(RNG.standard_normal((5, K)))
BYTES = RNG.integers(-128, 128, (5, K)).astype(np.int8)
NIBBLES = RNG.integers(0, 16, (9, 130)).astype(np.uint8)

CASES = [
    Case("csr_matmul", csr_matmul, (*ROWS_OF, X), by_rows, (1, 2), 1e-4),
    Case(
        "block_matmul",
        lambda v, c, s, x: block_matmul(pack_blocks(v, c, s, K), x),
        (*ROWS_OF, X),
        by_rows,
        (1, 2),
        1e-4,
    ),
    Case(
        "vector_matmul",
        lambda v, c, s, x: vector_matmul(pack_vectors(v, c, s, K), x),
        (RNG.standard_normal((int(SOME.sum()), 4)).astype(np.float32), *GROUPED[1:], X),
        by_groups,
        (1, 2),
        1e-4,
    ),
    Case(
        "n_of_m_matmul",
        lambda w, x: n_of_m_matmul(pack_n_of_m(w, 2, 4), x),
        (PAIR_OF_FOUR.astype(np.float32), X[:36]),
        by_pairs,
        (),
        1e-4,
    ),
    Case(
        "matvec",
        lambda v, c, s, x: matvec(pack_matvec(v, c, s, K), x),
        (*ROWS_OF, X[:, 0].copy()),
        by_rows,
        (1, 2),
        1e-4,
    ),
    Case(
        "pattern_conv",
        lambda x, w: pattern_conv(x, pack_pattern(w)),
        (RNG.standard_normal((2, 3, 5, 7)).astype(np.float32), FOUR_OF_NINE),
        by_taps,
        (),
        1e-4,
    ),
    Case(
        "plane_matmul",
        lambda v, c, s, x: plane_matmul(pack_for_planes(v, c, s, K), planes_of(x)).image,
        (*ROWS_OF, RNG.standard_normal((K, 3, 7)).astype(np.float32)),
        by_rows,
        (1, 2),
        1e-4,
    ),
    Case(
        "pattern_planes",
        lambda x, w: pattern_planes(planes_of(x), pack_pattern(w), SAME).image,
        (RNG.standard_normal((3, 5, 7)).astype(np.float32), FOUR_OF_NINE),
        lambda x, w: by_taps(x[None], w)[0],
        (),
        1e-4,
    ),
    Case(
        "depthwise_planes",
        lambda x, w: depthwise_planes(planes_of(x), w).image,
        (
            RNG.standard_normal((3, 5, 7)).astype(np.float32),
            RNG.standard_normal((3, 3, 3)).astype(np.float32),
        ),
        depthwise_planes_reference,
        (),
        1e-5,
    ),
    Case(
        "int8_matmul",
        int8_matmul,
        (BYTES[None], RNG.integers(-128, 128, (1, K, 7)).astype(np.int8)),
        lambda a, b: a.astype(np.int32) @ b.astype(np.int32),
    ),
    Case(
        "int8_gemm",
        lambda x, w, zero: int8_gemm(x, pack_int8(w), zero),
        (
            RNG.integers(0, 256, (7, K)).astype(np.uint8),
            np.ascontiguousarray(BYTES.T),
            RNG.integers(0, 256, 7).astype(np.int32),
        ),
        lambda x, w, zero: (x.astype(np.int32) - zero[:, None]) @ w.astype(np.int32),
    ),
    Case(
        "int4_gemv",
        lambda x, codes, table, scales: int4_gemv(
            x, pack_codes(CodedWeights(codes, table, scales, 64))
        ),
        (
            RNG.standard_normal(130).astype(np.float32),
            NIBBLES,
            RNG.standard_normal(16).astype(np.float32),
            RNG.standard_normal((9, 3)).astype(np.float32),
        ),
        of_codes,
        (),
        1e-4,
    ),
    Case(
        "popcount_matmul",
        lambda a, b: popcount_matmul(a, b, K),
        WORDS,
        lambda a, b: (signs(a) @ signs(b).T).astype(np.int32),
    ),
    Case(
        "xnor_gemm",
        lambda a, b: xnor_gemm(a, pack_sign_panels(b, K)),
        WORDS,
        lambda a, b: (signs(a) @ signs(b).T).astype(np.int32),
    ),
    Case(
        "huffman_encode",
        lambda s, lengths: huffman_decode(huffman_encode(s, lengths), lengths, len(s)),
        (SYMBOLS, LENGTHS),
        lambda s, lengths: s,
    ),
    Case(
        "encode_streams",
        lambda s, lengths: decode_streams(encode_streams(s, lengths), lengths, len(s)),
        (SYMBOLS, LENGTHS),
        lambda s, lengths: s,
    ),
    *[
        Case(way.__name__, way, (SITES, SITES[::2] + np.int32(1), cube(3, 3)), kernel_map_reference)
        for way in (kernel_map, kernel_map_by_hash, kernel_map_by_sorting)
    ],
    Case(
        "sparse_conv",
        lambda x, w, i, o, s: sparse_conv(x, w, KernelMap(i, o, s, len(SITES))),
        (
            RNG.standard_normal((len(SITES), 5)).astype(np.float32),
            RNG.standard_normal((27, 5, 19)).astype(np.float32),
            *MAP[:3],
        ),
        lambda x, w, i, o, s: sparse_conv_reference(x, w, KernelMap(i, o, s, len(SITES))),
        (2, 3, 4),
        1e-4,
    ),
    Case(
        "knn",
        lambda p, q: knn(p, q, 3),
        (CLOUD, CLOUD[:11] + 1),
        lambda p, q: knn_reference(p, q, 3),
    ),
    Case(
        "knn, by a grid",
        lambda p, q: _by_grid(p, q, 3) if knn(p, q, 3) else None,
        (CLOUD, CLOUD[:11] + 1),
        lambda p, q: knn_reference(p, q, 3),
    ),
    Case(
        "ball_query",
        lambda p, q: ball_query(p, q, 5, radius=2.0).counts,
        (CLOUD, CLOUD[:11] + 1),
        in_ball,
    ),
    Case("farthest_points", lambda p: farthest_points(p, 5), (CLOUD,), farthest),
    Case(
        "neighbour_sum",
        neighbour_sum,
        (CLOUD, RNG.integers(-1, 45, (11, 4)).astype(np.int32)),
        summed,
        (1,),
        1e-5,
    ),
]
by_kernel = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def assert_right(case, found, arrays):
    expected = case.answer(*arrays)
    pairs = [(found, expected)]
    if isinstance(expected, tuple):
        pairs = zip(found, expected, strict=True)
    for mine, other in pairs:
        np.testing.assert_allclose(mine, other, rtol=case.rtol, atol=10 * case.rtol)


def assert_right_or_refused(case, arrays):
    try:
        found = case.run(*arrays)
    except REFUSED as error:
        text = str(error)
        assert ": " in text, text
        return
    assert_right(case, found, arrays)


def changed(case, change, chosen=lambda array: True):
    """The case's arrays with one of them changed, for each that can be."""
    for index, array in enumerate(case.arrays):
        if chosen(array):
            arrays = list(case.arrays)
            arrays[index] = change(array)
            yield tuple(arrays)


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def strided(array):
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


def backwards(array):
    return np.ascontiguousarray(array[::-1])[::-1]


@by_kernel
@pytest.mark.parametrize("layout", [np.asfortranarray, strided, backwards, read_only])
def test_any_layout_is_computed_right(case, layout):
    for arrays in changed(case, layout):
        assert_right(case, case.run(*arrays), case.arrays)


def swapped(array):
    return array.astype(array.dtype.newbyteorder(">"))


@by_kernel
@pytest.mark.parametrize("kind", [swapped, np.float64, np.int64, np.complex64, bool, object])
def test_another_kind_is_computed_right_or_refused(case, kind):
    change = kind if kind is swapped else lambda array: array.astype(kind)
    for arrays in changed(case, change):
        assert_right_or_refused(case, arrays)


@by_kernel
@pytest.mark.parametrize("kept", [0, 1, -1])
@pytest.mark.parametrize("axis", [0, -1])
def test_arrays_cut_short_are_computed_right_or_refused(case, kept, axis):
    for arrays in changed(
        case, lambda array: np.take(array, range(array.shape[axis])[:kept], axis)
    ):
        assert_right_or_refused(case, arrays)


@by_kernel
@pytest.mark.parametrize(
    "shape", [lambda a: a[None], lambda a: a.reshape(-1), lambda a: a[..., :0]]
)
def test_other_numbers_of_axes_are_computed_right_or_refused(case, shape):
    for arrays in changed(case, shape):
        assert_right_or_refused(case, arrays)


@by_kernel
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_passed_on_or_refused(case, number):
    def spoilt(array):
        array = array.copy()
        array.reshape(-1)[array.size // 2] = number
        return array

    for arrays in changed(case, spoilt, lambda array: array.dtype.kind == "f"):
        with np.errstate(invalid="ignore"):
            assert_right_or_refused(case, arrays)


@pytest.mark.parametrize("case", [c for c in CASES if c.places], ids=lambda case: case.name)
@pytest.mark.parametrize("number", [-2, 10**6, np.iinfo(np.int32).min, np.iinfo(np.int32).max])
@pytest.mark.parametrize("at", [0, 0.5, 1])
def test_places_that_are_not_there_are_refused(case, number, at):
    for index in case.places:
        arrays = list(case.arrays)
        arrays[index] = arrays[index].copy()
        arrays[index].reshape(-1)[int(at * (arrays[index].size - 1))] = number
        with pytest.raises(REFUSED, match=r": .* must "):
            case.run(*arrays)


@by_kernel
def test_two_threads_give_what_one_gives(case):
    with threads(1):
        one = case.run(*case.arrays)
    with threads(2):
        two = case.run(*case.arrays)
    for mine, other in zip(
        *(each if isinstance(each, tuple) else (each,) for each in (one, two)), strict=True
    ):
        np.testing.assert_array_equal(mine, other)


def test_all_run_beside_torchs_threads():
    """Several Python threads at once, each with threads of its own, while torch multiplies."""
    stop, said = Event(), []
    matrix = torch.ones(64, 64)

    def multiply():
        while not stop.is_set():
            said.extend(["torch"] * (float((matrix @ matrix)[0, 0]) != 64))

    def run(cases):
        with threads(2):
            for case in cases:
                assert_right(case, case.run(*case.arrays), case.arrays)
        said.append("right")

    workers = [Thread(target=run, args=(CASES[i::2],)) for i in (0, 1)]
    beside = Thread(target=multiply)
    for worker in (beside, *workers):
        worker.start()
    for worker in workers:
        worker.join()
    stop.set()
    beside.join()
    assert said == ["right", "right"]


def guarded(shape, dtype, fill=None):
    """An array in the middle of a larger one of a pattern, and the larger one."""
    dtype = np.dtype(dtype)
    n_bytes = int(np.prod(shape)) * dtype.itemsize
    whole = np.full(n_bytes + 2 * GUARD, PATTERN, np.uint8)
    inside = np.ndarray(shape, dtype, buffer=whole, offset=GUARD)
    if fill is not None:
        inside[...] = fill
    return inside, whole


@contextmanager
def guarded_allocations(monkeypatch):
    """NumPy's new arrays lie between bytes of a pattern, which at the end still stand."""
    given = []

    def allocate(fill):
        def made(shape, dtype=float, **_):
            inside, whole = guarded(shape, dtype, fill)
            given.append(whole)
            return inside

        return made

    with monkeypatch.context() as patch:
        patch.setattr(np, "empty", allocate(None))
        patch.setattr(np, "zeros", allocate(0))
        yield given
    for whole in given:
        np.testing.assert_array_equal(whole[:GUARD], PATTERN)
        np.testing.assert_array_equal(whole[-GUARD:], PATTERN)


@by_kernel
def test_nothing_is_written_beside_an_array(case, monkeypatch):
    """Neither beside what a kernel allocates, nor beside or into what it is given."""
    case.run(*case.arrays)  # compiled before NumPy is another one
    pairs = [guarded(array.shape, array.dtype, array) for array in case.arrays]
    before = [whole.copy() for _, whole in pairs]
    with guarded_allocations(monkeypatch) as given:
        found = case.run(*(inside for inside, _ in pairs))
    assert given
    for (_, whole), then in zip(pairs, before, strict=True):
        np.testing.assert_array_equal(whole, then)
    assert_right(case, found, case.arrays)


def test_the_guards_see_a_byte_too_many(monkeypatch):
    """The check itself: a write one byte behind an array is found."""

    def write_too_far():
        with guarded_allocations(monkeypatch) as given:
            np.empty(3, np.uint8)
            given[0][GUARD + 3] = 0

    with pytest.raises(AssertionError):
        write_too_far()


WITHOUT = """
from tests.kernels.test_safety import CASES, assert_right, changed, read_only, strided
for case in CASES:
    assert_right(case, case.run(*case.arrays), case.arrays)
    for arrays in changed(case, strided):
        assert_right(case, case.run(*arrays), case.arrays)
"""


@pytest.mark.slow
def test_all_are_right_without_the_compiler():
    modes.run(WITHOUT, modes.NO_COMPILER)
