"""Run-length coding loses nothing, takes the bits of its formula, and pays on real activations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from efficientdl.systems.hardware import Arch, Array, Dataflow, Gemm, analyse
from efficientdl.systems.hardware.presets import EYERISS_RELATIVE
from efficientdl.systems.hardware.rlc import Coded, gate, rlc_bits, rlc_decode, rlc_encode
from tests.systems.hardware.drawn import convs, operands

quick = settings(deadline=None, max_examples=100, database=None, derandomize=True)


def by_text(values):
    """The code again, bit by bit as text: the longest run, a value, and so on."""
    pairs, run = [], 0
    for place, value in enumerate(values):
        if value == 0 and run < 31 and place < len(values) - 1:
            run += 1
        else:
            pairs.append(f"{run:05b}{value % 2**16:016b}")
            run = 0
    pairs += ["0" * 21] * (-len(pairs) % 3)
    words = ["".join(pairs[at : at + 3]) for at in range(0, len(pairs), 3)]
    return [int(word + str(int(at == len(words) - 1)), 2) for at, word in enumerate(words)]


@st.composite
def activations(draw):
    """Arrays with any share of zeros, and runs longer than a pair can hold."""
    dtype = draw(st.sampled_from([np.int8, np.uint8, np.int16, np.int64]))
    low, high = max(np.iinfo(dtype).min, -(2**15)), min(np.iinfo(dtype).max, 2**15 - 1)
    shape = draw(npst.array_shapes(max_dims=3, max_side=40, min_side=0))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    x = rng.integers(low, high + 1, shape)
    return np.where(rng.random(shape) < draw(st.sampled_from([0, 0.5, 0.9, 0.99, 1])), 0, x).astype(
        dtype
    )


@quick
@given(x=activations())
def test_lossless_and_as_long_as_the_formula_says(x):
    coded = rlc_encode(x)
    decoded = rlc_decode(coded)
    np.testing.assert_array_equal(decoded, x)
    assert (decoded.dtype, decoded.shape) == (x.dtype, x.shape)
    assert coded.bits == rlc_bits(x)
    assert coded.words.tolist() == by_text(x.ravel().tolist())


def test_the_example_of_the_paper():
    """Its eleven words are three pairs, the first in the top bits, and the flag below."""
    coded = rlc_encode(np.array([0, 0, 12, 0, 0, 0, 0, 53, 0, 0, 22]))
    pairs = [(2, 12), (4, 53), (2, 22)]
    text = "".join(f"{run:05b}{value:016b}" for run, value in pairs) + "1"
    assert [f"{int(word):064b}" for word in coded.words] == [text]


def test_dense_words_take_a_third_more_and_zeros_next_to_nothing():
    assert rlc_bits(np.ones(3000)) / (16 * 3000) == pytest.approx(4 / 3)
    assert rlc_bits(np.zeros(9600)) == 64 * 100  # 32 zeros a pair, three pairs a word
    assert rlc_encode(np.zeros(0, int)).bits == 0


@pytest.mark.parametrize("share", [0.1, 0.24, 0.26, 0.5, 0.8])
def test_it_pays_from_a_quarter_of_zeros_on(share):
    x = (np.random.default_rng(0).random(100_000) >= share).astype(int)
    assert (rlc_encode(x).ratio > 1) == (share > 0.25)


def test_the_largest_and_the_smallest_value():
    x = np.array([-(2**15), 2**15 - 1, -1, 0, 1])
    np.testing.assert_array_equal(rlc_decode(rlc_encode(x)), x)


def test_arguments_are_left_alone():
    x = np.array([[3, 0, 0], [0, 0, 7]])[:, ::2]
    kept = x.copy()
    np.testing.assert_array_equal(rlc_decode(rlc_encode(x)), kept)
    np.testing.assert_array_equal(x, kept)


@quick
@given(conv=convs(), share=st.sampled_from([0, 0.5, 1]), seed=st.integers(0, 99))
def test_gating_rests_at_each_product_with_a_zero(conv, share, seed):
    x, weight = operands(conv, seed)
    x[np.random.default_rng(seed).random(x.shape) < share] = 0
    full = analyse(conv, Arch("drawn", Array(3, 4), Dataflow.OUTPUT_STATIONARY))
    rested = gate(full, conv, x)
    # Ones for weights, and for the inputs that are not zero: each output counts its products.
    assert rested.macs == conv.reference((x != 0).astype(int), np.ones_like(weight)).sum()
    assert rested.cycles == full.cycles
    assert rested.accesses["buffer"] == full.accesses["buffer"]
    registers = rested.accesses["register"]
    assert registers == {"x": full.macs, "weight": rested.macs, "psum": 2 * rested.macs}


def test_without_zeros_gating_changes_nothing_and_with_them_it_saves_energy():
    layer = Gemm(4, 5, 6)
    full = analyse(layer, Arch("small", Array(4, 4)))
    assert gate(full, layer, np.ones(layer.x_shape)) == full
    rested = gate(full, layer, np.zeros(layer.x_shape))
    saved = full.energy(EYERISS_RELATIVE)["mac"] - rested.energy(EYERISS_RELATIVE)["mac"]
    assert saved == full.macs
    assert rested.accesses["register"] == {"x": full.macs, "weight": 0, "psum": 0}


def test_what_cannot_be_coded():
    with pytest.raises(ValueError, match=r"rlc_encode: x must be in \[-32768, 32767\], got 40000"):
        rlc_encode(np.array([1, 40_000]))
    with pytest.raises(TypeError, match="rlc_encode: x must hold whole numbers, got float64"):
        rlc_encode(np.ones(3))
    with pytest.raises(TypeError, match=r"rlc_encode: x must be a ndarray, got \[1\]"):
        rlc_encode([1])
    words = rlc_encode(np.arange(9)).words
    with pytest.raises(ValueError, match=r"rlc_decode: coded.words must be flagged in the last on"):
        rlc_decode(Coded(words[:-1], (9,), np.dtype(int)))
    with pytest.raises(ValueError, match=r"must have the 99 values of shape \(99,\), got 1"):
        rlc_decode(Coded(words, (99,), np.dtype(int)))
    run = analyse(Gemm(2, 2, 2), Arch("small", Array(2, 2)))
    with pytest.raises(ValueError, match="gate: run must have the 27 MACs of the layer, got 8"):
        gate(run, Gemm(3, 3, 3), np.ones((3, 3)))
    trees = analyse(Gemm(2, 2, 2), Arch("trees", Array(2, 2), Dataflow.NO_LOCAL_REUSE))
    with pytest.raises(ValueError, match="gate: level must be one of link, buffer, dram, got 'reg"):
        gate(trees, Gemm(2, 2, 2), np.ones((2, 2)))


@pytest.mark.slow
def test_real_activations_behind_a_relu():
    """A trained network's inputs of its second convolution, quantized to 16 bits."""
    import torch
    from torch import nn

    from efficientdl import datasets
    from efficientdl.models.trained import trained

    model = trained("small_cnn_mnist")
    relu = next(layer for layer in model.modules() if isinstance(layer, nn.ReLU))
    seen = []
    relu.register_forward_hook(lambda layer, x, y: seen.append(y))
    images = datasets.load("mnist").test.x[:64]
    with torch.inference_mode():
        model(torch.as_tensor(images))
    y = seen[0].numpy()
    x = np.round(y * (32767 / y.max())).astype(np.int16)
    coded = rlc_encode(x)
    np.testing.assert_array_equal(rlc_decode(coded), x)
    share = np.mean(x == 0)
    assert share > 0.25
    # With the zeros spread evenly a value takes a pair; no code of pairs does better than that.
    assert 1 < coded.ratio <= 3 / 4 / (1 - share)
