"""The one-cycle schedule beside torch's own."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.fit import one_cycle


@pytest.mark.parametrize("steps", [10, 97, 423])
def test_equals_torchs_one_cycle(steps):
    optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr=1.0)
    torchs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=6e-3, total_steps=steps, pct_start=0.25
    )
    for step in range(steps):
        group = optimizer.param_groups[0]
        np.testing.assert_allclose(
            one_cycle(step, steps, 6e-3), (group["lr"], group["betas"][0]), rtol=1e-9, atol=1e-15
        )
        optimizer.step()
        if step < steps - 1:
            torchs.step()


@given(st.integers(1, 60), st.floats(1e-5, 10))
@settings(deadline=None)
def test_stays_between_nothing_and_the_highest_rate(steps, lr):
    rates = [one_cycle(step, steps, lr)[0] for step in range(steps)]
    assert all(0 < rate <= lr * (1 + 1e-9) for rate in rates)
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_step_beyond_the_end():
    with pytest.raises(ValueError, match=r"one_cycle: step must be a whole number in \[0, 9\]"):
        one_cycle(10, 10, 0.1)
