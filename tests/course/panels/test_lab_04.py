"""The panels of lab 04, every control at both ends, and their figures against other ways."""

from itertools import pairwise
from math import log2

import numpy as np
import pytest
import torch

from efficientdl import models
from efficientdl.compression.quantization import huffman, quantize_weights, share_weights
from efficientdl.course.panels import lab_04, lab_04_integers, lab_04_shared, lab_04_tails
from efficientdl.course.panels import lab_04_subject as subject
from efficientdl.course.panels import lab_04_tiles as tiles
from efficientdl.kernels.huffman import code_lengths
from efficientdl.tensors import PerTensor, fake_quantize, fixed_point, scalar_codebook
from tests.course.panels.ends import demand_live

FAST = [lab_04.number_line, lab_04.centroids, lab_04.huffman_tree]
SLOW = [lab_04.integer_layer, lab_04.filters, lab_04.accuracy_bits, lab_04.clipping]


@pytest.mark.slow
@pytest.mark.parametrize("make", [*FAST, *SLOW], ids=lambda make: make.__name__)
def test_every_control_changes_the_view_and_all_stays_finite(make):
    demand_live(make())


@pytest.mark.parametrize(("bits", "reach"), [(1, 100), (3, 60), (8, 10)])
def test_the_number_line_rounds_as_equation_2(bits, reach):
    view = lab_04.number_line().set(layer="conv2.conv", bits=bits, reach=reach)
    rows = dict(view.table.rows)
    weight = torch.from_numpy(subject.weights("conv2.conv"))
    end = float(weight.abs().max()) * reach / 100
    near = fake_quantize(weight, low=-end, high=end, n_levels=2**bits)
    assert rows["levels used"] == near.unique().numel()
    wanted = 100 * float((near - weight).norm() / weight.norm())
    np.testing.assert_allclose(rows["error (% of the norm)"], wanted)
    line, counted = view.figures
    levels = torch.linspace(-end, end, 2**bits, dtype=torch.float64)
    np.testing.assert_allclose(line.series[1].x, levels)
    times = torch.cdist(near[:, None], levels[:, None]).argmin(dim=1).bincount(minlength=2**bits)
    np.testing.assert_array_equal(counted.series[0].counts, times)


@pytest.mark.slow
def test_the_curve_is_that_of_the_quantized_network():
    network, x = models.trained("small_cnn_fashion"), models.example("small_cnn")
    at = lab_04.BITS.index(4)
    found = lab_04.curves()
    plain = quantize_weights(network, x, bits=4, granularity=PerTensor()).model
    assert found["a scale per tensor"][at] == subject.accuracy(plain)
    shared = share_weights(network, x, bits=4).model
    assert found["shared values"][at] == subject.accuracy(shared)


@pytest.mark.parametrize(("percent", "bits"), [(100, 4), (50, 3), (20, 2)])
def test_rounding_and_clipping_add_up_to_the_error(percent, bits):
    sizes = lab_04_tails.values_of(lab_04_tails.WEIGHTS)
    end = sizes.max() * percent / 100
    near = fake_quantize(
        torch.from_numpy(sizes), low=0.0, high=float(end), n_levels=2 ** (bits - 1)
    ).numpy()
    wanted = ((near - sizes) ** 2).sum() / (sizes**2).sum()
    rounding, clipped, _ = lab_04_tails.errors(lab_04_tails.WEIGHTS, bits, percent)
    np.testing.assert_allclose(rounding + clipped, wanted)
    if percent == 100:
        assert clipped == 0


@pytest.mark.parametrize("start", lab_04_shared.STARTS)
def test_rounds_never_make_it_worse_and_end_where_k_means_ends(start):
    squares = [s for _, s in lab_04_shared.path(start, 2)]
    assert all(a >= b - 1e-9 for a, b in pairwise(squares))
    values = subject.weights("conv3.conv")
    settled = scalar_codebook(
        torch.from_numpy(values), size=4, start=lab_04_shared.STARTS[start]
    ).numpy()
    least = ((values[:, None] - settled) ** 2).min(axis=1).sum()
    assert least <= squares[-1] <= 1.02 * least  # twenty rounds of however many it takes


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_the_tree_is_a_prefix_code_as_short_as_the_kernel_s(bits):
    found = lab_04_shared.codes_of("conv2.conv", bits)
    codes = [code for *_, code in found]
    assert not any(a != b and b.startswith(a) for a in codes for b in codes)
    counts = np.array([count for _, count, _ in found])
    lengths = code_lengths(counts)[: len(counts)]
    ours = sum(count * len(code) for _, count, code in found)
    assert ours == int((counts * lengths).sum())
    entropy = -sum(c * log2(c / counts.sum()) for c in counts)
    assert entropy <= ours < entropy + counts.sum()


def test_the_stroke_visits_every_leaf_and_comes_back():
    xs, depths = lab_04_shared._tree(["0", "10", "11"])
    assert depths == [0, 1, 0, 1, 2, 1, 2, 1, 0]
    assert xs[1] == 0
    assert (xs[4], xs[6]) == (1, 2)


@pytest.mark.parametrize("bits", [1, 3, 4])
def test_the_sums_at_the_joins_are_the_bits_of_the_stream(bits):
    _, leaves, joins = lab_04.huffman_tree().set(layer="conv2.conv", bits=bits).figure.series
    sums = [int(label.replace(",", "")) for label in joins.labels]
    counts = [int(label.replace(",", "")) for label in leaves.labels]
    assert sum(sums) == sum(c * depth for c, depth in zip(counts, leaves.y, strict=True))
    assert len(joins.x) == len(leaves.x) - 1
    assert max(sums) == sum(counts)  # the root is over all


@pytest.mark.parametrize("bits", [2, 4])
def test_the_marked_cuts_are_the_least_of_those_drawn(bits):
    view = lab_04.clipping().set(bits=bits)
    _, costs, divergences = view.figures
    both, least = costs.series[2], costs.series[3]
    assert least.y[0] == min(both.y)
    rows = dict(view.table.rows)
    assert divergences.series[1].x[0] == pytest.approx(rows["KL cuts at (%)"])
    assert abs(least.x[0] - rows["least error cuts at (%)"]) <= 5  # a step of what is drawn


def test_the_layer_s_factor_is_the_library_s():
    real = lab_04_integers.W_SCALE * lab_04_integers.X_SCALE / lab_04_integers.Y_SCALE
    ours = fixed_point(torch.tensor(real, dtype=torch.float64))
    assert lab_04_integers.factor(31) == (int(ours.multiplier), int(ours.shift))


@pytest.mark.parametrize("bits", [31, 8, 3])
@pytest.mark.parametrize("first", [-0.5, -0.3, 0.0, 0.5, 1.5])
def test_the_trace_is_a_layer_in_whole_numbers(first, bits):
    real = np.array([first, *lab_04_integers.OTHERS])
    x = (np.round(real / lab_04_integers.X_SCALE) - 64).clip(-128, 127)
    weight = np.round(np.array(lab_04_integers.WEIGHTS) / lab_04_integers.W_SCALE)
    unit = lab_04_integers.W_SCALE * lab_04_integers.X_SCALE
    total = weight @ (x + 64) + round(lab_04_integers.BIAS / unit)
    multiplier, shift = lab_04_integers.factor(bits)
    y = np.floor(total * multiplier / 2**shift + 0.5) - 128
    rows = lab_04_integers.trace(first, bits)
    whole = [value for _, _, value, _ in rows]
    assert whole[:3] == x.tolist()
    assert whole[3:6] == weight.tolist()
    assert whole[7:10] == (weight * (x + 64)).tolist()
    assert whole[10] == total
    assert whole[-1] == y.clip(-128, 127)
    if bits == 31:  # half a step of each input and weight, and one of the output
        assert rows[-1][-1] == pytest.approx(lab_04_integers.exact(first), abs=0.03)


def test_one_bit_filters_are_the_signs_and_their_best_factor():
    weight, near = tiles.rounded("conv2.conv", "signs, a size per filter")
    sizes = weight.abs().flatten(1).mean(dim=1)
    torch.testing.assert_close(near.abs().flatten(1), sizes[:, None].expand(-1, near[0].numel()))
    torch.testing.assert_close(near.sign(), torch.where(weight >= 0, 1.0, -1.0))
    assert tiles.rounded("conv2.conv", "ternary, one size")[1].unique().numel() == 3


def test_huffman_of_a_layer_counts_the_panel_s_bits():
    shared = share_weights(models.trained("small_cnn_fashion"), models.example("small_cnn"), bits=3)
    coded = huffman(shared.model, models.example("small_cnn")).model.get_submodule("conv3.conv")
    panel = lab_04_shared.codes_of("conv3.conv", 3)
    assert len(coded.coded_weight().codes.data) == -(-sum(c * len(k) for _, c, k in panel) // 8)
