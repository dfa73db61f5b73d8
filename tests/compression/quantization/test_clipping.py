"""Analytical clipping against integrals, the published constants and the data's own best cut."""

import numpy as np
import pytest
import torch
from scipy import integrate, optimize, stats

from efficientdl.compression.quantization.clipping import gauss, gauss_cut, laplace, laplace_cut
from efficientdl.tensors import LeastError, affine, affine_between
from efficientdl.tensors.ranges import squared_error

DENSITIES = {laplace: stats.laplace, gauss: stats.norm}
CUTS = {laplace: laplace_cut, gauss: gauss_cut}
RULES = pytest.mark.parametrize("rule", [laplace, gauss])


def drawn(rule, n=40_000, seed=0):
    values = DENSITIES[rule].rvs(size=n, random_state=np.random.default_rng(seed))
    return torch.from_numpy(values)[None]


@RULES
@pytest.mark.parametrize("bits", [1, 2, 3, 4, 6, 8])
def test_the_cut_is_where_the_integrated_error_is_least(rule, bits):
    def error(end):
        tail, _ = integrate.quad(lambda v: (v - end) ** 2 * DENSITIES[rule].pdf(v), end, end + 60)
        return 2 * tail + (2 * end / 2**bits) ** 2 / 12

    best = optimize.minimize_scalar(
        error, bounds=(0.1, 20), method="bounded", options={"xatol": 1e-8}
    )
    # 1e-3: the least is flat, and the search compares errors that differ in the last digits
    np.testing.assert_allclose(CUTS[rule](bits), best.x, rtol=1e-3)


def test_the_cuts_are_the_published_ones():
    """The paper's figures for 2, 3 and 4 bits, given there with two digits, partly cut off."""
    np.testing.assert_allclose([laplace_cut(b) for b in (2, 3, 4)], [2.83, 3.89, 5.03], atol=0.01)
    np.testing.assert_allclose([gauss_cut(b) for b in (2, 3, 4)], [1.71, 2.15, 2.55], atol=0.01)


@RULES
def test_at_sixteen_bits_nothing_is_cut(rule):
    x = drawn(rule, 500)
    ours, own = rule(x, bits=16), affine(x, bits=16)
    torch.testing.assert_close(ours.scale, own.scale)


@RULES
@pytest.mark.parametrize(("bits", "share"), [(3, 0.7), (4, 0.7), (6, 1.0)])
@pytest.mark.parametrize("one_sided", [False, True])
def test_on_such_values_no_cut_by_search_is_much_better(rule, bits, share, one_sided):
    x = 3 * drawn(rule)
    x = x.relu() if one_sided else x
    ours = float(squared_error(x, rule(x, bits=bits)))
    best = float(squared_error(x, LeastError(100, affine_between)(x, bits=bits)))
    own = float(squared_error(x, affine(x, bits=bits)))
    # 5 %: the formula takes the error inside as uniform, and the range moves to make zero a level
    assert ours < 1.05 * best
    assert ours < share * own


@RULES
def test_a_shifted_tensor_is_cut_around_its_mean(rule):
    x = drawn(rule) + 3
    qparams = rule(x, bits=4)
    low = float(-qparams.zero_point * qparams.scale)
    high = low + 15 * float(qparams.scale)
    reach = CUTS[rule](4)
    step = float(qparams.scale)  # the range moves by up to half of it, for zero to be a level
    assert low == pytest.approx(min(0, 3 - reach), abs=step)
    assert high == pytest.approx(3 + reach, abs=step)


@RULES
@pytest.mark.parametrize("value", [0.0, 2.5, -2.5])
def test_a_constant_is_exact(rule, value):
    x = torch.full((1, 6), value)
    assert float(squared_error(x, rule(x, bits=4))) == 0


@RULES
def test_each_group_has_its_own_range(rule):
    x = torch.cat([drawn(rule), 100 * drawn(rule, seed=2), drawn(rule, seed=3).relu()])
    apart = torch.cat([rule(row[None], bits=4).scale for row in x])
    torch.testing.assert_close(rule(x, bits=4).scale, apart)


@RULES
def test_bad_values_are_named(rule):
    with pytest.raises(ValueError, match=rf"{rule.__name__}: bits must be .* \[1, 16\], got 33"):
        rule(torch.ones(1, 4), bits=33)
    with pytest.raises(ValueError, match=rf"{rule.__name__}: x must hold finite .* got nan"):
        rule(torch.tensor([[float("nan"), 1.0]]), bits=4)
    with pytest.raises(ValueError, match=rf"{rule.__name__}_cut: bits must be .* got 0"):
        CUTS[rule](0)
