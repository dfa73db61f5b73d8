"""The depthwise convolution on planes equals torch's, with what follows it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.kernels.depthwise_planes import (
    depthwise_planes,
    depthwise_planes_cost,
    depthwise_planes_reference,
)
from efficientdl.kernels.planes import finish_of, floats_of, place_for, planes_of
from efficientdl.kernels.threads import threads
from efficientdl.kernels.window import Window
from tests.kernels import modes

CLOSE = {"rtol": 1e-5, "atol": 1e-5}  # nine terms of size one, in float32


def drawn(c, size, kernel, seed=0):
    rng = np.random.default_rng(seed)
    image, filters = rng.standard_normal((c, *size)), rng.standard_normal((c, *kernel))
    return image.astype(np.float32), filters.astype(np.float32)


def torchs(image, filters, window, bias=None, bounds=(-np.inf, np.inf)):
    x, w = torch.from_numpy(image).double()[None], torch.from_numpy(filters).double()[:, None]
    stride, padding, dilation = window
    y = torch.nn.functional.conv2d(x, w, None, stride, padding, dilation, len(filters))[0].numpy()
    return np.clip(y if bias is None else y + bias[:, None, None], *bounds)


def test_the_middle_tap_alone_gives_the_planes_back():
    image, _ = drawn(5, (9, 21), (3, 3))
    filters = np.zeros((5, 3, 3), np.float32)
    filters[:, 1, 1] = 1
    np.testing.assert_array_equal(depthwise_planes(planes_of(image), filters).image, image)


@settings(deadline=None, max_examples=80, database=None)
@given(
    c=st.integers(1, 5),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    kernel=st.sampled_from([(3, 3), (3, 3), (1, 1), (2, 5), (5, 5)]),
    n_threads=st.integers(1, 3),
)
def test_it_equals_conv2d(c, size, stride, padding, dilation, kernel, n_threads):
    image, filters = drawn(c, size, kernel)
    window = Window(stride, padding, dilation)
    fits = all(s + 2 * p > d * (k - 1) for s, p, d, k in zip(size, padding, dilation, kernel))  # noqa: B905
    if not fits:
        with pytest.raises(ValueError, match="must be at least as large as the kernel"):
            depthwise_planes(planes_of(image), filters, window)
        return
    with threads(n_threads):
        y = depthwise_planes(planes_of(image), filters, window)
    wanted = torchs(image, filters, window)
    np.testing.assert_allclose(y.image, wanted, **CLOSE)
    np.testing.assert_allclose(depthwise_planes_reference(image, filters, window), wanted, **CLOSE)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("bounds", [(0, np.inf), (0, 6), (-1, 1)])
def test_bias_and_bounds_are_in_the_last_store(stride, bounds):
    image, filters = drawn(7, (17, 18), (3, 3))
    bias = np.random.default_rng(1).standard_normal(7).astype(np.float32)
    window, finish = Window((stride, stride), (1, 1)), finish_of(bias, bounds)
    wanted = torchs(image, filters, window, bias, bounds)
    y = depthwise_planes(planes_of(image), filters, window, finish).image
    np.testing.assert_allclose(y, wanted, **CLOSE)
    y = depthwise_planes_reference(image, filters, window, finish)
    np.testing.assert_allclose(y, wanted, **CLOSE)


def test_what_is_no_number_stays_and_does_not_spread():
    image, filters = drawn(2, (8, 8), (3, 3))
    image[1, 4, 4] = np.nan
    y = depthwise_planes(
        planes_of(image), filters, finish=finish_of(np.zeros(2, np.float32), (0, 6))
    )
    assert np.isnan(y.image[1, 3:6, 3:6]).all()
    assert np.isnan(y.image).sum() == 9


def test_nothing_is_read_from_between_the_planes_or_written_behind_the_last():
    image, filters = drawn(3, (6, 5), (3, 3))
    x = planes_of(image)
    x.floats.reshape(3, x.step)[:, x.pixels :] = np.nan
    place = np.full(floats_of(3, 30) + 64, 7, np.float32)
    y = depthwise_planes(x, filters, into=place)
    np.testing.assert_allclose(y.image, torchs(image, filters, Window(padding=(1, 1))), **CLOSE)
    assert (place[floats_of(3, 30) :] == 7).all()


def test_the_cost_counts_what_torch_would_multiply():
    image, filters = drawn(4, (7, 6), (3, 3))
    window = Window((2, 2), (1, 1))
    y = torchs(image, filters, window)
    cost = depthwise_planes_cost(image.shape, filters.shape, window)
    assert cost.macs == 9 * y.size
    assert cost.traffic_bytes == 4 * (image.size + y.size + filters.size)


CODE = """
import numpy as np
from efficientdl.kernels.depthwise_planes import depthwise_planes, depthwise_planes_reference
from efficientdl.kernels.planes import finish_of, planes_of
from efficientdl.kernels.window import Window

rng = np.random.default_rng(0)
for size, stride in (((5, 6), 1), ((9, 21), 2), ((4, 35), 3), ((1, 1), 1)):
    image = rng.standard_normal((3, *size)).astype(np.float32)
    filters = rng.standard_normal((3, 3, 3)).astype(np.float32)
    window, finish = Window((stride, stride), (1, 1)), finish_of(np.ones(3, np.float32), (0, 6))
    y = depthwise_planes(planes_of(image), filters, window, finish).image
    wanted = depthwise_planes_reference(image, filters, window, finish)
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-5)
"""


@modes.EACH
@pytest.mark.slow
def test_without_the_compiler_and_on_another_machine(environment):
    modes.run(CODE, environment)


ONES = planes_of(np.ones((2, 3, 3), np.float32))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: depthwise_planes(3, np.ones((1, 3, 3), np.float32)), TypeError, "x must be a"),
        (lambda: depthwise_planes(ONES, np.ones((2, 3, 3))), TypeError, "filters must be an array"),
        (
            lambda: depthwise_planes(ONES, np.ones((2, 9), np.float32)),
            ValueError,
            "shape of filters must be c r s",
        ),
        (
            lambda: depthwise_planes(ONES, np.ones((2, 3, 0), np.float32)),
            ValueError,
            r"must be c r s, not empty, got \(2, 3, 0\)",
        ),
        (
            lambda: depthwise_planes(ONES, np.ones((2, 3, 3), np.float32), into=ONES.floats),
            ValueError,
            "depthwise_planes: into must not overlap x",
        ),
        (
            lambda: depthwise_planes(ONES, np.ones((3, 3, 3), np.float32)),
            ValueError,
            "depthwise_planes: x must be 3 planes",
        ),
        (
            lambda: depthwise_planes(
                ONES, np.ones((2, 3, 3), np.float32), into=place_for("", None, 9)
            ),
            ValueError,
            "depthwise_planes: into must be 96 floats",
        ),
    ],
)
def test_what_does_not_fit_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()
