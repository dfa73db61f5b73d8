"""A transformer block on one array: what NumPy computes, in the cycles of the formula."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from efficientdl.systems.hardware.arch import Array
from efficientdl.systems.hardware.partition import (
    Block,
    partition_cycles,
    partitioned_block,
    passes,
    softmax_words,
)
from efficientdl.systems.hardware.presets import HOROWITZ_45NM

quick = settings(deadline=None, max_examples=30, database=None, derandomize=True)


def draw_block(d, f, n_heads, seed=0):
    rng = np.random.default_rng(seed)
    shapes = [(d, d)] * 4 + [(d, f), (f, d)]
    return Block(*(rng.integers(-4, 4, shape) for shape in shapes), n_heads=n_heads, scale=0.02)


def whole(x, block):
    """The block with whole matrices, by einsum over heads."""
    h = block.n_heads
    q, k, v = ((x @ w).reshape(len(x), h, -1) for w in (block.query, block.key, block.value))
    p = softmax(block.scale * np.einsum("she,the->hst", q, k), axis=2)
    y = np.einsum("hst,the->she", np.rint(127 * p).astype(int), v).reshape(len(x), -1)
    return np.maximum(y @ block.output @ block.up, 0) @ block.down


@st.composite
def shapes(draw):
    s, h = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    e = draw(st.integers(-(-s // h), 7))
    f = draw(st.integers(s, 15))
    rows, cols = s + draw(st.integers(0, 3)), max(s, e) + draw(st.integers(0, 4))
    return s, h * e, f, h, Array(rows, cols)


@quick
@given(shape=shapes(), wait=st.integers(0, 40), seed=st.integers(0, 99))
def test_the_block_is_numpys_and_its_cycles_are_the_formulas(shape, wait, seed):
    s, d, f, h, array = shape
    x, block = np.random.default_rng(seed).integers(-8, 8, (s, d)), draw_block(d, f, h, seed)
    run = partitioned_block(x, block, array=array, softmax_cycles=wait)
    np.testing.assert_array_equal(run.y, whole(x, block))
    assert run.cycles == partition_cycles(s, d, f, n_heads=h, array=array, softmax_cycles=wait)
    assert run.macs == 4 * s * d * d + 2 * s * s * d + 2 * s * d * f
    assert 0 < run.utilisation <= 1


def test_an_array_as_wide_as_all_matrices_does_not_cut_them():
    """The identity: one head, one piece of each matrix."""
    work = passes(np.ones((3, 4), int), draw_block(4, 5, 1), array=Array(3, 5), softmax_cycles=0)
    assert [piece.cols for piece in work] == [4, 4, 3, 4, 4, 4, 5, 4]
    cut = passes(np.ones((2, 4), int), draw_block(4, 5, 2), array=Array(2, 2), softmax_cycles=0)
    assert len(cut) == 2 * 5 + 2 + 3 + 2


def test_the_softmax_is_hidden_behind_the_values():
    x, block, array = np.ones((4, 16), int), draw_block(16, 16, 2), Array(4, 8)
    cycles = [
        partitioned_block(x, block, array=array, softmax_cycles=wait).cycles for wait in range(24)
    ]
    # Values take 16 cycles and drain in 14; the scores drain in 10.
    assert cycles[: 16 + 14 - 10 + 1] == [cycles[0]] * 21
    assert cycles[21:] == [cycles[0] + 2, cycles[0] + 4, cycles[0] + 6]  # two heads


def test_both_parts_share_the_array():
    """Every pass of attention and of the feed-forward part is on the same 64 units."""
    x, block = np.ones((8, 32), int), draw_block(32, 64, 4)
    run = partitioned_block(x, block, array=Array(8, 8), softmax_cycles=8)
    assert run.n_units == 64
    assert run.utilisation > 0.6
    assert run.energy(HOROWITZ_45NM)["dram"] > 0
    assert f"{4 * 5 + 4 + 8 + 4} passes on 8 x 8 units" in run.explain()


@pytest.mark.slow
def test_at_the_size_of_the_base_transformer():
    x = np.random.default_rng(0).integers(-8, 8, (64, 512))
    block, array = draw_block(512, 2048, 8), Array(64, 64)
    run = partitioned_block(x, block, array=array, softmax_cycles=128)
    np.testing.assert_array_equal(run.y, whole(x, block))
    assert run.cycles == partition_cycles(64, 512, 2048, n_heads=8, array=array, softmax_cycles=128)
    assert run.utilisation > 0.9


@quick
@given(seed=st.integers(0, 99), n=st.integers(1, 9))
def test_probabilities_are_words_of_seven_bits(seed, n):
    score = np.random.default_rng(seed).integers(-300, 300, (3, n))
    words = softmax_words(score, 0.01)
    np.testing.assert_array_equal(words, np.rint(127 * softmax(0.01 * score, axis=1)))
    assert abs(words.sum(axis=1) - 127).max() <= n / 2


def test_what_is_refused():
    block, x = draw_block(8, 8, 2), np.ones((4, 8), int)

    def run(x=x, block=block, array=None, wait=0):
        return partitioned_block(x, block, array=array or Array(4, 4), softmax_cycles=wait)

    with pytest.raises(ValueError, match=r"partitioned_block: tokens must be .* \[1, 3\], got 4"):
        run(array=Array(3, 8))
    with pytest.raises(ValueError, match=r"partitioned_block: tokens must be .* \[1, 3\], got 4"):
        run(array=Array(8, 3))
    with pytest.raises(ValueError, match=r"features of a head must be .* \[1, 4\], got 8"):
        run(block=draw_block(8, 8, 1))
    with pytest.raises(ValueError, match=r"partitioned_block: x must have the shape \(4, 8\)"):
        run(x=x[:, :7])
    with pytest.raises(TypeError, match="partitioned_block: x must hold whole numbers, got float"):
        run(x=x * 1.0)
    with pytest.raises(ValueError, match=r"partitioned_block: x\[0, 0\] must be finite, got nan"):
        run(x=x * np.nan)
    with pytest.raises(
        ValueError, match="partitioned_block: softmax_cycles must be a whole number"
    ):
        run(wait=-1)
    with pytest.raises(TypeError, match="partitioned_block: block must be a Block, got 1"):
        run(block=1)
    with pytest.raises(ValueError, match="Block: n_heads must divide features = 8, got 3"):
        draw_block(8, 8, 3)
    square = np.ones((4, 4), int)
    with pytest.raises(ValueError, match=r"Block: down must have the shape \(4, 4\), got \(4, 3\)"):
        Block(square, square, square, square, square, square[:, :3], 2, 1.0)
    with pytest.raises(ValueError, match="Block: scale must be finite, got inf"):
        Block(square, square, square, square, square, square, 2, np.inf)
    with pytest.raises(ValueError, match=r"partition_cycles: inner must be .* 4 or more, got 3"):
        partition_cycles(4, 8, 3, n_heads=2, array=Array(4, 4), softmax_cycles=0)
