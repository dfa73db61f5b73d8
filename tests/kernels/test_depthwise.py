"""The depthwise convolution on padded maps equals torch's, of the same images."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.kernels.depthwise import (
    DepthwiseWeight,
    depthwise_conv,
    depthwise_conv_cost,
    depthwise_conv_reference,
    frame,
    pack_depthwise,
    unframe,
)
from efficientdl.kernels.threads import threads
from tests.kernels import modes


def drawn(n, c, height, width, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, c, height, width)).astype(np.float32)
    return x, rng.standard_normal((c, 3, 3)).astype(np.float32)


def torchs(x, weight, stride=1):
    filters = torch.from_numpy(weight).double()[:, None]
    images = torch.from_numpy(x).double()
    return torch.nn.functional.conv2d(
        images, filters, padding=1, stride=stride, groups=len(weight)
    ).numpy()


def close(y, expected):
    """Nine terms of size one, in float32."""
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_the_middle_tap_alone_gives_the_maps_back():
    x, _ = drawn(2, 5, 4, 3, 0)
    weight = np.zeros((5, 3, 3), np.float32)
    weight[:, 1, 1] = 1
    np.testing.assert_array_equal(depthwise_conv(frame(x), pack_depthwise(weight)), frame(x))


@settings(deadline=None, max_examples=60, database=None)
@given(
    sizes=st.tuples(st.integers(1, 3), st.integers(1, 40), st.integers(1, 13), st.integers(1, 13)),
    stride=st.integers(1, 4),
    n_threads=st.integers(1, 3),
    seed=st.integers(0, 2**16),
)
def test_it_equals_conv2d(sizes, stride, n_threads, seed):
    x, weight = drawn(*sizes, seed)
    packed = pack_depthwise(weight)
    with threads(n_threads):
        y = depthwise_conv(frame(x), packed, stride)
    close(unframe(y, len(weight)), torchs(x, weight, stride))
    close(depthwise_conv_reference(frame(x), packed, stride), y)


@settings(deadline=None, max_examples=20, database=None)
@given(
    sizes=st.tuples(st.integers(1, 2), st.integers(1, 33), st.integers(1, 6), st.integers(1, 6)),
    seed=st.integers(0, 2**16),
)
def test_a_frame_is_torchs_padding_and_comes_off_again(sizes, seed):
    x, _ = drawn(*sizes, seed)
    maps = frame(x)
    padded = torch.nn.functional.pad(torch.from_numpy(x), (1, 1, 1, 1)).permute(0, 2, 3, 1)
    np.testing.assert_array_equal(maps[..., : sizes[1]], padded.numpy())
    assert not maps[..., sizes[1] :].any()
    np.testing.assert_array_equal(unframe(maps, sizes[1]), x)


def test_layers_follow_each_other_without_a_copy_to_pad():
    x, first = drawn(1, 20, 9, 8, 1)
    _, second = drawn(1, 20, 1, 1, 2)
    packed = pack_depthwise(first), pack_depthwise(second)
    y = depthwise_conv(depthwise_conv(frame(x), packed[0], 2), packed[1])
    wanted = torchs(torchs(x, first, 2).astype(np.float32), second)
    np.testing.assert_allclose(unframe(y, 20), wanted, rtol=1e-4, atol=1e-4)  # two layers deep


def test_views_that_lie_otherwise_give_the_same():
    x, weight = drawn(2, 16, 6, 5, 3)
    maps, packed = frame(x), pack_depthwise(weight)
    expected = depthwise_conv(maps, packed)
    np.testing.assert_array_equal(depthwise_conv(maps[:, ::-1][:, ::-1], packed), expected)
    turned = np.asfortranarray(maps)
    np.testing.assert_array_equal(depthwise_conv(turned, packed), expected)
    maps.flags.writeable = False
    np.testing.assert_array_equal(depthwise_conv(maps, packed), expected)


def test_no_images_give_none():
    assert depthwise_conv(
        np.zeros((0, 4, 5, 16), np.float32), pack_depthwise(np.ones((3, 3, 3), np.float32))
    ).shape == (0, 4, 5, 16)


def test_what_is_packed_is_a_copy_that_nobody_writes_into():
    weight = np.ones((1, 3, 3), np.float32)
    packed = pack_depthwise(weight)
    weight[:] = 7
    assert packed.taps.max() == 1
    with pytest.raises(ValueError, match="read-only"):
        packed.taps[0] = 0


def test_cost_counts_what_torch_would_multiply():
    x, weight = drawn(2, 16, 7, 6, 0)
    y = torchs(x, weight, 2)
    cost = depthwise_conv_cost(frame(x).shape, weight.shape, 2)
    assert cost.macs == 9 * y.size
    out = depthwise_conv(frame(x), pack_depthwise(weight), 2)
    assert cost.traffic_bytes == frame(x).nbytes + out.nbytes + weight.nbytes


MAPS = np.zeros((1, 5, 5, 16), np.float32)
PACKED = pack_depthwise(np.ones((4, 3, 3), np.float32))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: frame(MAPS.astype(float)), TypeError, "frame: x must be float32, got float64"),
        (lambda: frame(MAPS[0]), ValueError, "frame: shape of x must be n c h w, not empty"),
        (lambda: frame(MAPS[:0]), ValueError, "frame: shape of x must be n c h w, not empty"),
        (lambda: unframe(MAPS, 17), ValueError, r"shape of maps must be n h\+2 w\+2 32"),
        (lambda: unframe(MAPS, 0), ValueError, "unframe: c must be"),
        (lambda: pack_depthwise(MAPS), ValueError, "shape of weight must be c 3 3"),
        (
            lambda: DepthwiseWeight(np.zeros((9, 16), np.float32), 17),
            ValueError,
            r"shape of taps must be \(9, 32\)",
        ),
        (lambda: depthwise_conv(MAPS, MAPS), TypeError, "weight must be"),
        (
            lambda: depthwise_conv(MAPS.astype(">f4"), PACKED),
            TypeError,
            "maps must be float32, got >f4",
        ),
        (lambda: depthwise_conv(MAPS[..., :8], PACKED), ValueError, r"n h\+2 w\+2 16"),
        (lambda: depthwise_conv(MAPS[:, :2], PACKED), ValueError, r"n h\+2 w\+2 16"),
        (lambda: depthwise_conv(MAPS, PACKED, 0), ValueError, "stride must be"),
    ],
)
def test_what_does_not_fit_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()


PROGRAM = """
import numpy as np
from efficientdl.kernels import depthwise as module
x = np.random.default_rng(0).standard_normal((2, 19, 5, 6)).astype(np.float32)
w = np.random.default_rng(1).standard_normal((19, 3, 3)).astype(np.float32)
maps, packed = module.frame(x), module.pack_depthwise(w)
for stride in (1, 2):
    np.testing.assert_allclose(
        module.depthwise_conv(maps, packed, stride),
        module.depthwise_conv_reference(maps, packed, stride), rtol=1e-5, atol=1e-5)
"""


@pytest.mark.slow
@modes.EACH
def test_it_runs_without_the_jit_and_on_a_lesser_processor(environment):
    modes.run(PROGRAM, environment)
