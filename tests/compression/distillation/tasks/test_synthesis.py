"""A generator and its critic, and the distance between clouds of pictures."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from efficientdl.compression.distillation import distil
from efficientdl.compression.distillation.tasks.synthesis import (
    NOISE,
    Adversary,
    critic_network,
    frechet_distance,
    generator_network,
    synthesis_matches,
)
from efficientdl.fit.plan import Training


def drawn(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_distance_is_the_formula_with_scipys_root():
    a, b = drawn(0, 50, 4) @ drawn(2, 4, 4), drawn(1, 60, 4) + 1
    one, two = (np.cov(x.double().numpy().T) for x in (a, b))
    shift = (a.double().mean(0) - b.double().mean(0)).square().sum()
    wanted = float(shift) + np.trace(one + two - 2 * sqrtm(one @ two).real)
    # Two algorithms for the root of a matrix in float64.
    np.testing.assert_allclose(frechet_distance(a, b), wanted, rtol=1e-8)


def test_distance_of_normals_of_one_axis_is_known():
    """(m1 - m2)**2 + (s1 - s2)**2, and symmetric; the same cloud is at zero."""
    a, b = drawn(0, 200, 1), 3 * drawn(1, 200, 1) + 2
    wanted = (a.mean() - b.mean()).double() ** 2 + (a.std() - b.std()).double() ** 2
    np.testing.assert_allclose(frechet_distance(a, b), float(wanted), rtol=1e-5)  # float32 moments
    np.testing.assert_allclose(frechet_distance(b, a), float(wanted), rtol=1e-5)
    assert frechet_distance(b, b) < 1e-9


def test_distance_needs_two_rows():
    with pytest.raises(ValueError, match=r"frechet_distance: rows of b must be a whole.*got 1"):
        frechet_distance(drawn(0, 2, 3), drawn(0, 1, 3))


def test_a_call_of_the_critic_is_a_step_and_then_its_opinion():
    start = critic_network(6, seed=0)
    made, real = (drawn(i, 10, 1, 8, 8) for i in (0, 1))
    adversary = Adversary(start, lr=0.01)
    got = adversary(made, real)
    mine = critic_network(6, seed=0)
    optimizer = torch.optim.Adam(mine.parameters(), lr=0.01, betas=(0.5, 0.999))
    both = torch.cat([mine(real), mine(made)])
    labels = torch.cat([torch.ones(10, 1), torch.zeros(10, 1)])
    (2 * binary_cross_entropy_with_logits(both, labels)).backward()
    optimizer.step()
    torch.testing.assert_close(adversary.critic.state_dict(), mine.state_dict())
    torch.testing.assert_close(got, binary_cross_entropy_with_logits(mine(made), torch.ones(10, 1)))
    untouched = critic_network(6, seed=0).state_dict()
    torch.testing.assert_close(start.state_dict(), untouched, rtol=0, atol=0)


def test_a_steep_critic_pays_for_its_slope_at_real_pictures():
    """One linear layer: the slope is its weight, so the penalty is `gamma / 2 |w|**2`."""
    critic = nn.Sequential(nn.Flatten(), nn.Linear(64, 1)).requires_grad_()
    weight = drawn(2, 1, 64)
    critic[1].weight.data.copy_(weight)
    critic[1].bias.data.zero_()
    made, real = (drawn(i, 10, 1, 8, 8) for i in (0, 1))
    slopes = []
    for gamma in (0.0, 3.0):
        adversary = Adversary(critic, lr=0.0, gamma=gamma)
        adversary(made, real)
        slopes.append(adversary.critic[1].weight.grad.clone())
    torch.testing.assert_close(slopes[1] - slopes[0], 3.0 * weight, rtol=1e-5, atol=1e-5)


def test_settings_of_the_adversary():
    with pytest.raises(ValueError, match=r"Adversary: gamma must be at least 0, got -1"):
        Adversary(critic_network(2, seed=0), lr=0.1, gamma=-1)


def test_the_generator_gets_the_gradient_and_the_critic_keeps_its_own():
    made = drawn(0, 10, 1, 8, 8).requires_grad_()
    adversary = Adversary(critic_network(6, seed=0), lr=0.01)
    adversary(made, drawn(1, 10, 1, 8, 8)).backward()
    assert float(made.grad.abs().sum()) > 0
    before = {name: p.clone() for name, p in adversary.critic.state_dict().items()}
    still = Adversary(adversary.critic, lr=0.0)
    still(made.detach(), drawn(1, 10, 1, 8, 8))
    torch.testing.assert_close(still.critic.state_dict(), before, rtol=0, atol=0)


def test_a_generator_comes_nearer_to_its_teacher():
    noise, real = drawn(0, 128, NOISE), drawn(1, 128, 1, 8, 8).sigmoid()
    start, taught = generator_network(8, seed=0), generator_network(16, seed=1)
    loss = Adversary(critic_network(16, seed=0), lr=1e-3)
    plan = Training(train=(noise, real), epochs=6, lr=1e-2, seed=0, loss=loss)
    matches = synthesis_matches(seed=0)
    got, report = distil(start, taught, noise[:1], matches=matches, training=plan)
    with torch.no_grad():
        before, after = (float((net(noise) - taught(noise)).abs().mean()) for net in (start, got))
    assert after < before
    assert report.total.params == sum(p.numel() for p in start.parameters())
