"""Speed, tickets and barriers as pictures, against numbers worked out apart."""

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.compression.pruning import error_barrier, errors_between, prune
from efficientdl.course.panels.lab_02_results import barrier, lottery, speed

X = torch.zeros(4, 64)


def test_speed_shows_measured_time_beside_stored_bytes():
    dense = nn.Linear(64, 64, bias=False)
    pruned = prune(dense, X, sparsity=0.9).model
    view = speed({"dense": dense, "zeros": pruned}, X, repeats=3)
    rows = {row[0]: dict(zip(view.tables[0].head, row, strict=True)) for row in view.tables[0].rows}
    assert list(rows) == ["dense", "zeros"]
    assert rows["dense"]["stored KiB"] == 64 * 64 * 4 / 1024
    assert rows["zeros"]["weights kept"] == 410  # of 4,096, by rounding
    assert 0.1 * 16 < rows["zeros"]["stored KiB"] < 0.2 * 16  # values and their places
    assert all(row["quarter below"] <= row["ms"] <= row["quarter above"] for row in rows.values())
    time, kib = view.figures
    assert list(time.series[0].values) == [row["ms"] for row in rows.values()]
    assert list(kib.series[0].values) == [row["stored KiB"] for row in rows.values()]


def test_speed_leaves_the_networks_in_their_mode():
    model = nn.Sequential(nn.Linear(64, 8), nn.Dropout()).train()
    speed({"one": model}, X, repeats=1)
    assert all(module.training for module in model.modules())


def test_speed_needs_a_network():
    with pytest.raises(ValueError, match="models must name at least one network"):
        speed({}, X)


def test_lottery_is_the_paired_difference():
    rng = np.random.default_rng(0)
    ticket, other = rng.uniform(0.9, 0.99, 5), rng.uniform(0.9, 0.99, 5)
    view = lottery([(seed, *pair) for seed, pair in enumerate(zip(ticket, other, strict=True))])
    ahead = 100 * (ticket - other)
    assert f"with {(ahead > 0).sum()} of 5 seeds, by {ahead.mean():.2f} points" in view.text
    assert f"standard deviation {ahead.std(ddof=1):.2f}" in view.text
    np.testing.assert_allclose([row[3] for row in view.tables[0].rows], ahead)
    winning, again = view.figures[0].series
    np.testing.assert_allclose(winning.y, 100 * ticket)
    np.testing.assert_allclose(again.y, 100 * other)


def test_lottery_of_equals_is_won_by_nobody():
    assert "0 of 2 seeds, by 0.00 points" in lottery([(0, 0.5, 0.5), (1, 0.4, 0.4)]).text


def test_lottery_needs_a_seed():
    with pytest.raises(ValueError, match="lottery: rows must not be empty"):
        lottery([])


def test_barrier_is_the_error_barrier():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 5, generator=generator)
    a, b = nn.Linear(5, 3), nn.Linear(5, 3)
    for layer in (a, b):
        nn.init.normal_(layer.weight, generator=generator)
        nn.init.zeros_(layer.bias)
    split = (x, a(x).argmax(dim=1))
    errors = errors_between(a, b, split)
    view = barrier({"apart": errors, "the same": errors_between(a, a, split)})
    height = 100 * error_barrier(a, b, split)
    assert (
        view.text == f"The barrier is apart: {height:.1f} points high, the same: 0.0 points high."
    )
    line = view.figures[0].series[0]
    np.testing.assert_allclose(line.x, np.linspace(0, 100, 11))
    np.testing.assert_allclose(line.y, 100 * np.array(errors))
    way, apart, same = zip(*view.tables[0].rows, strict=True)
    np.testing.assert_allclose(way, line.x)
    np.testing.assert_allclose(apart, line.y)
    np.testing.assert_allclose(same, 0)  # the labels are those of `a`


def test_barriers_of_different_steps_have_a_row_for_each_point():
    view = barrier({"coarse": [0.1, 0.3], "fine": [0.1, 0.5, 0.3]})
    assert len(view.tables[0].rows) == 5
    assert "fine: 30.0 points high" in view.text


@pytest.mark.parametrize("errors", [[0.5], {}, {"one": [0.1, 0.2], "two": []}])
def test_barrier_needs_two_ends(errors):
    with pytest.raises(ValueError, match="barrier: errors must have two points or more"):
        barrier(errors)
