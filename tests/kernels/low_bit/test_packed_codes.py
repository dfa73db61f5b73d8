"""Packed weights hold every code where a register looks for it, and only what fits them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.kernels.low_bit import CodedWeights, PackedCodes, pack_codes, unpack_codes

BITS = {16: 4, 8: 3, 4: 2}


def weights(rng, n, k, levels, group=128, *, offsets=True):
    shape = n, -(-k // group)
    return CodedWeights(
        rng.integers(0, levels, (n, k), dtype=np.uint8),
        rng.standard_normal(levels).astype(np.float32),
        rng.random(shape, dtype=np.float32),
        group,
        rng.standard_normal(shape).astype(np.float32) if offsets else None,
    )


@settings(deadline=None, max_examples=30)
@given(
    n=st.integers(1, 5),
    k=st.sampled_from([1, 63, 64, 65, 128, 300, 513, 4096, 4097, 5000]),
    levels=st.sampled_from([4, 8, 16]),
    group=st.sampled_from([64, 128, 192, 256, 4096]),
    seed=st.integers(0, 99),
)
def test_what_was_packed_comes_back(n, k, levels, group, seed):
    given_ = weights(np.random.default_rng(seed), n, k, levels, group, offsets=seed % 2 == 0)
    packed = pack_codes(given_)
    back = unpack_codes(packed)
    np.testing.assert_array_equal(back.codes, given_.codes)
    np.testing.assert_array_equal(back.table, given_.table)
    np.testing.assert_array_equal(back.dense, given_.dense)
    assert packed.bits == BITS[levels]
    assert packed.unit == (128 if group % 128 == 0 else 64)


@pytest.mark.parametrize(("levels", "chunk"), [(16, 128), (8, 512), (4, 256)])
def test_a_code_takes_its_bits_and_no_more(levels, chunk):
    rng = np.random.default_rng(0)
    packed = pack_codes(weights(rng, 3, 2 * chunk, levels))
    assert packed.words[:-16].nbytes * 8 == 3 * 2 * chunk * BITS[levels]
    assert not packed.words[-16:].any()


@pytest.mark.parametrize("levels", [16, 8, 4])
def test_each_code_has_its_place_by_the_definition(levels):
    """Byte `b` of word `l` of a run is weight `16 b + l`; runs lie side by side in a byte."""
    given_ = weights(np.random.default_rng(1), 1, 512, levels)
    words = pack_codes(given_).words
    for i, code in enumerate(given_.codes[0].tolist()):
        run, byte, lane = i // 64, i % 64 // 16, i % 16
        if levels == 8:
            low = int(words[run // 4 * 16 + lane]) >> (8 * byte + 2 * (run % 4)) & 3
            found = low + 4 * (int(words[32 + lane]) >> (8 * byte + run) & 1)
        else:
            bits, runs = BITS[levels], 8 // BITS[levels]
            word = int(words[run // runs * 16 + lane])
            found = word >> (8 * byte + bits * (run % runs)) & (levels - 1)
        assert found == code


def test_dense_is_scale_times_table_plus_offset():
    codes = np.uint8([[0, 1] * 64 + [2, 3]])
    table, scales = np.float32([-1, 0, 1, 5]), np.float32([[2, 10]])
    plain = CodedWeights(codes, table, scales, 128)
    np.testing.assert_array_equal(plain.dense[0, [0, 1, 127, 128, 129]], [-2, 0, 0, 10, 50])
    moved = plain._replace(offsets=np.float32([[1, -1]]))
    np.testing.assert_array_equal(moved.dense[0, [0, 1, 127, 128, 129]], [-1, 1, 1, 9, 49])


GOOD = weights(np.random.default_rng(0), 2, 130, 16)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"codes": GOOD.codes.astype(np.int8)}, "codes must be an array of uint8, got int8"),
        ({"codes": GOOD.codes[0]}, r"shape of codes must be n k, not empty, got \(130,\)"),
        ({"codes": GOOD.codes + np.uint8(9)}, "codes must be below 16, got 24"),
        (
            {"table": GOOD.table[:5]},
            r"shape of table must be \(4,\), \(8,\) or \(16,\), got \(5,\)",
        ),
        ({"table": GOOD.table * np.float32(np.inf)}, "table must be finite, got -?inf"),
        ({"scales": GOOD.scales.astype(float)}, "scales must be an array of float32, got float64"),
        ({"scales": GOOD.scales[:, :1]}, r"shape of scales must be \(2, 2\), got \(2, 1\)"),
        ({"offsets": GOOD.scales[:1]}, r"shape of offsets must be \(2, 2\), got \(1, 2\)"),
        ({"offsets": GOOD.scales * np.float32(np.nan)}, "offsets must be finite, got nan"),
        ({"group": 100}, "group must be a multiple of 64, got 100"),
        ({"group": 0}, "group must be a whole number, 1 or more, got 0"),
    ],
)
def test_bad_weights_are_named(change, error):
    with pytest.raises((ValueError, TypeError), match=f"pack_codes: {error}"):
        pack_codes(GOOD._replace(**change))
    with pytest.raises(TypeError, match="pack_codes: weights must be a CodedWeights, got array"):
        pack_codes(GOOD.codes)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"bits": 5}, "bits must be one of 4, 3, 2, got 5"),
        ({"unit": 32}, "unit must be one of 64, 128, got 32"),
        ({"n": 3}, r"words must be uint32 of shape \(112,\), in one piece"),
        ({"k": 300}, r"words must be uint32 of shape \(112,\), in one piece"),
        ({"words": np.zeros(79, np.uint32)}, r"words must be uint32 of shape \(80,\)"),
        ({"scales": np.zeros(31, np.float32)}, r"scales must be float32 of shape \(32,\)"),
        ({"offsets": np.zeros(31, np.float32)}, r"offsets must be float32 of shape \(32,\)"),
        ({"table": np.zeros(4, np.float32)}, r"table must be float32 of shape \(16,\)"),
    ],
)
def test_packed_weights_of_another_shape_are_refused(change, error):
    packed = pack_codes(GOOD)
    fields = {name: getattr(packed, name) for name in packed.__dataclass_fields__}
    with pytest.raises(ValueError, match=f"PackedCodes: {error}"):
        PackedCodes(**{**fields, **change})
