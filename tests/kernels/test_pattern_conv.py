"""The pattern-pruned convolution equals torch's dense one of the same weights."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.kernels.pattern_conv import (
    pattern_conv,
    pattern_conv_cost,
    pattern_conv_reference,
    pattern_planes,
)
from efficientdl.kernels.pattern_weight import pack_pattern
from efficientdl.kernels.planes import finish_of, floats_of, place_for, planes_of
from efficientdl.kernels.threads import threads
from efficientdl.kernels.window import Window
from tests.kernels import modes

PATTERNS = [[4, 1, 3, 0], [4, 1, 5, 2], [4, 3, 7, 6], [4, 5, 7, 8], [4, 1, 3, 5], [4, 3, 5, 7]]


def patterned(c_out, c_in, seed, *, alike=1, kernels=1.0):
    """Filters of four taps each; so many in a row keep the same, and some kernels are dropped."""
    rng = np.random.default_rng(seed)
    n = -(-c_out // alike)
    which = np.repeat(rng.integers(0, len(PATTERNS), (n, c_in)), alike, axis=0)[:c_out]
    there = np.repeat(rng.random((n, c_in)) < kernels, alike, axis=0)[:c_out]
    mask = np.zeros((c_out, c_in, 9), bool)
    np.put_along_axis(mask, np.array(PATTERNS)[which], there[..., None], axis=2)
    weight = rng.standard_normal(mask.shape).astype(np.float32) * mask
    return weight.reshape(c_out, c_in, 3, 3)


def dense(x, weight, window=Window(padding=(1, 1))):  # noqa: B008
    x, weight = torch.from_numpy(x).double(), torch.from_numpy(weight).double()
    return torch.nn.functional.conv2d(x, weight, None, *window).numpy()


def close(y, expected):
    """A few hundred terms of size one at most, in float32."""
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


def test_filters_that_are_not_pruned_are_a_dense_convolution():
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((8, 5, 3, 3)).astype(np.float32)
    x = rng.standard_normal((2, 5, 9, 9)).astype(np.float32)
    close(pattern_conv(x, pack_pattern(weight)), dense(x, weight))


def test_the_middle_tap_of_a_channel_alone_gives_it_back():
    weight = np.zeros((1, 3, 3, 3), np.float32)
    weight[0, 1, 1, 1] = 1
    x = np.random.default_rng(0).standard_normal((2, 3, 7, 5)).astype(np.float32)
    np.testing.assert_array_equal(pattern_conv(x, pack_pattern(weight))[:, 0], x[:, 1])


@settings(deadline=None, max_examples=60, database=None)
@given(
    channels=st.tuples(st.integers(1, 21), st.integers(1, 21)),
    pixels=st.tuples(st.integers(1, 2), st.integers(1, 20), st.integers(1, 70)),
    alike=st.sampled_from([1, 4, 100]),
    kernels=st.sampled_from([0.0, 0.3, 1.0]),
    n_threads=st.integers(1, 3),
    seed=st.integers(0, 2**16),
)
def test_it_equals_conv2d(channels, pixels, alike, kernels, n_threads, seed):
    weight = patterned(*channels, seed, alike=alike, kernels=kernels)
    n, height, width = pixels
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, channels[1], height, width)).astype(np.float32)
    packed = pack_pattern(weight)
    with threads(n_threads):
        close(pattern_conv(x, packed), dense(x, weight))
    close(pattern_conv_reference(x, packed), dense(x, weight))


sides = st.tuples(st.integers(1, 3), st.integers(1, 3))


@settings(deadline=None, max_examples=80, database=None)
@given(
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    window=st.builds(Window, sides, st.tuples(st.integers(0, 4), st.integers(0, 4)), sides),
    more=st.tuples(st.integers(0, 8), st.integers(0, 20)),
    images=st.integers(1, 4),
    alike=st.sampled_from([1, 4]),
    n_threads=st.integers(1, 2),
    seed=st.integers(0, 2**16),
)
def test_kernels_and_windows_of_any_form(kernel, window, more, images, alike, n_threads, seed):
    rng = np.random.default_rng(seed)
    kept = np.repeat(rng.random((2, 3, *kernel)) < 0.4, alike, axis=0)
    weight = (rng.standard_normal(kept.shape) * kept).astype(np.float32)
    # the smallest image that the kernel fits into, and some more
    reach = [d * (r - 1) + 1 - 2 * b for d, r, b in zip(window[2], kernel, window[1], strict=True)]
    size = [max(least, 1) + extra for least, extra in zip(reach, more, strict=True)]
    x = rng.standard_normal((images, 3, *size)).astype(np.float32)
    packed, expected = pack_pattern(weight), dense(x, weight, window)
    with threads(n_threads):
        close(pattern_conv(x, packed, window), expected)
    close(pattern_conv_reference(x, packed, window), expected)


def test_a_kernel_too_wide_for_copies():
    weight = np.ones((1, 2, 1, 30), np.float32)
    x = np.random.default_rng(0).standard_normal((1, 2, 3, 70)).astype(np.float32)
    close(pattern_conv(x, pack_pattern(weight), Window()), dense(x, weight, Window()))


def test_more_images_than_share_a_frame(monkeypatch):
    weight = patterned(5, 4, 0)
    x = np.random.default_rng(0).standard_normal((7, 4, 6, 5)).astype(np.float32)
    expected = dense(x, weight)
    for near in (1, 1200, 10**6):
        monkeypatch.setattr("efficientdl.kernels.pattern_window.NEAR", near)
        close(pattern_conv(x, pack_pattern(weight)), expected)


@pytest.mark.parametrize("alike", [1, 4])
def test_more_filters_than_a_tile_has(alike):
    weight = patterned(131, 3, 0, alike=alike)
    x = np.random.default_rng(0).standard_normal((1, 3, 12, 13)).astype(np.float32)
    close(pattern_conv(x, pack_pattern(weight)), dense(x, weight))


@pytest.mark.parametrize("has_all", [True, False], ids=["with AVX-512", "without"])
@pytest.mark.parametrize("alike", [1, 4])
def test_both_tiles_whatever_the_processor(has_all, alike, monkeypatch):
    monkeypatch.setattr("efficientdl.kernels.cpu.has", lambda *_: has_all)
    weight = patterned(10, 9, 3, alike=alike)
    packed = pack_pattern(weight)
    assert packed.group == (4 if has_all and alike == 4 else 1)
    x = np.random.default_rng(0).standard_normal((1, 9, 8, 17)).astype(np.float32)
    close(pattern_conv(x, packed), dense(x, weight))


def test_images_of_any_layout():
    packed = pack_pattern(patterned(4, 6, 0))
    x = np.random.default_rng(0).standard_normal((2, 6, 8, 9)).astype(np.float32)
    expected = pattern_conv(x, packed)
    for same in (np.asfortranarray(x), np.flip(np.flip(x, 3).copy(), 3)):
        np.testing.assert_array_equal(pattern_conv(same, packed), expected)


def test_no_images_at_all():
    packed = pack_pattern(np.ones((2, 3, 3, 3), np.float32))
    assert pattern_conv(np.zeros((0, 3, 5, 6), np.float32), packed).shape == (0, 2, 5, 6)


@pytest.mark.parametrize("shape", [(2, 3, 0, 5), (2, 3, 5, 0), (0, 3, 0, 5)])
def test_an_image_smaller_than_the_kernel_is_refused(shape):
    packed = pack_pattern(np.ones((2, 3, 3, 3), np.float32))
    with pytest.raises(ValueError, match=r"pattern_conv: .* at least as large as the kernel"):
        pattern_conv(np.zeros(shape, np.float32), packed)


def test_what_is_dropped_hides_an_infinity():
    weight = np.zeros((1, 2, 3, 3), np.float32)
    weight[0, 0, 1, 1] = 1
    x = np.full((1, 2, 4, 4), np.inf, np.float32)
    x[0, 0] = 2
    np.testing.assert_array_equal(pattern_conv(x, pack_pattern(weight)), np.full((1, 1, 4, 4), 2.0))


def test_the_cost_counts_by_hand():
    packed = pack_pattern(patterned(4, 2, 0, alike=4))
    cost = pattern_conv_cost((3, 2, 5, 6), packed)
    assert cost.macs == 3 * 4 * 2 * 4 * 5 * 6
    moved = 3 * (2 + 4) * 5 * 6 + packed.values.size + 2 * len(packed.taps)
    assert cost.traffic_bytes == 4 * moved
    halved = pattern_conv_cost((3, 2, 5, 6), packed, Window((2, 2), (1, 1)))
    assert halved.macs == 3 * 4 * 2 * 4 * 3 * 3


@pytest.mark.parametrize("shape", [(3, 5, 5), (2, 4, 5, 5), (1, 2, 3, 5, 5)])
def test_images_of_another_shape_are_refused(shape):
    packed = pack_pattern(np.ones((2, 3, 3, 3), np.float32))
    with pytest.raises(ValueError, match="pattern_conv: shape of x must be n 3 h w"):
        pattern_conv(np.zeros(shape, np.float32), packed)


def test_another_kind_is_named():
    packed = pack_pattern(np.ones((2, 3, 3, 3), np.float32))
    with pytest.raises(TypeError, match="pattern_conv: x must be float32, got float64"):
        pattern_conv(np.zeros((1, 3, 5, 5)), packed)
    with pytest.raises(TypeError, match="pattern_conv: window must be a Window"):
        pattern_conv(np.zeros((1, 3, 5, 5), np.float32), packed, 2)  # pyright: ignore
    with pytest.raises(ValueError, match="pattern_conv: stride must be a whole number"):
        pattern_conv(np.zeros((1, 3, 5, 5), np.float32), packed, Window((0, 1)))
    with pytest.raises(TypeError, match="pattern_conv: weight must be a PatternWeight"):
        pattern_conv(np.zeros((1, 3, 5, 5), np.float32), np.ones((2, 3, 3, 3), np.float32))


def test_it_runs_without_the_compiler():
    code = """
import numpy as np
from efficientdl.kernels.pattern_conv import _inputs, pattern_conv, pattern_conv_reference
for size in range(1, 5):
    made = _inputs(np.random.default_rng(size), size)
    np.testing.assert_allclose(
        pattern_conv(*made), pattern_conv_reference(*made), rtol=1e-4, atol=1e-4
    )
"""
    modes.run(code, modes.NO_COMPILER)


@pytest.mark.parametrize("alike", [1, 4])
@pytest.mark.parametrize("size", [(3, 3), (7, 7), (9, 33)])
@pytest.mark.parametrize(
    "window", [Window(padding=(1, 1)), Window((2, 2), (1, 1)), Window((1, 3), (2, 0), (1, 1))]
)
def test_from_planes_to_planes_with_a_bias_and_within_bounds(alike, size, window):
    weight = patterned(9, 10, 0, alike=alike)
    rng = np.random.default_rng(1)
    image = rng.standard_normal((10, *size)).astype(np.float32)
    bias = rng.standard_normal(9).astype(np.float32)
    wanted = np.clip(dense(image[None], weight, window)[0] + bias[:, None, None], -1, 2)
    x, packed, finish = planes_of(image), pack_pattern(weight), finish_of(bias, (-1, 2))
    x.floats.reshape(10, x.step)[:, x.pixels :] = np.nan  # what is between them changes nothing
    n_floats = floats_of(9, wanted[0].size)
    place = np.full(n_floats + 64, 7, np.float32)
    dirty = np.full(2**16, 7, np.float32)
    y = pattern_planes(x, packed, window, finish, place, dirty)
    close(y.image, wanted)
    assert (place[n_floats:] == 7).all()
    close(pattern_planes(x, packed, window).image, dense(image[None], weight, window)[0])


def test_planes_that_do_not_fit_are_named():
    packed, x = pack_pattern(patterned(4, 2, 0)), planes_of(np.ones((2, 5, 5), np.float32))
    same = Window(padding=(1, 1))
    with pytest.raises(ValueError, match="pattern_planes: x must be 3 planes"):
        pattern_planes(x, pack_pattern(patterned(4, 3, 0)), same)
    with pytest.raises(ValueError, match=r"pattern_planes: into must be .* floats side by side"):
        pattern_planes(x, packed, same, into=place_for("", None, 9))
    with pytest.raises(ValueError, match=r"pattern_planes: scratch must be .* floats side by side"):
        pattern_planes(x, packed, same, scratch=place_for("", None, 9))
    place = place_for("", None, 2**16)
    with pytest.raises(ValueError, match="pattern_planes: scratch must not overlap into"):
        pattern_planes(x, packed, same, into=place, scratch=place)
