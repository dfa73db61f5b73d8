"""Image synthesis: a generator that makes small pictures out of noise, and its critic."""

import copy
from collections import OrderedDict
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import softplus

from efficientdl import _check
from efficientdl.compression.distillation.adapters import regressor
from efficientdl.compression.distillation.matches import Match
from efficientdl.fit.distillation import hint, reconstruction
from efficientdl.models.initialise import seeded

NOISE = 16
SIDE = 8


def generator_network(width: int, *, seed: int) -> nn.Sequential:
    """Pictures of 8 x 8 pixels, 0..1, out of 16 numbers.

    Args:
        width: Units of its two hidden layers.
        seed: Decides its first weights.

    >>> generator_network(12, seed=0)(torch.zeros(5, 16)).shape
    torch.Size([5, 1, 8, 8])
    """
    _check.whole("generator_network", "width", width, 1)
    layers = [
        ("fc1", partial(nn.Linear, NOISE, width)),
        ("relu1", nn.ReLU),
        ("fc2", partial(nn.Linear, width, width)),
        ("relu2", nn.ReLU),
        ("head", partial(nn.Linear, width, SIDE**2)),
        ("bounded", nn.Sigmoid),
        ("picture", partial(nn.Unflatten, 1, (1, SIDE, SIDE))),
    ]
    return seeded(lambda: nn.Sequential(OrderedDict((n, make()) for n, make in layers)), seed=seed)


def critic_network(width: int, *, seed: int) -> nn.Sequential:
    """One number for each picture: above zero where it looks real.

    Args:
        width: Units of its hidden layers.
        seed: Decides its first weights.
    """
    _check.whole("critic_network", "width", width, 1)
    return seeded(
        lambda: nn.Sequential(
            nn.Flatten(),
            nn.Linear(SIDE**2, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, 1),
        ),
        seed=seed,
    )


class Adversary:
    """The loss of a generator in a game: how clearly a critic sees through it.

    Each call first gives the critic a step of its own, on the batch's real and made pictures, and
    then asks it about the made ones: `-log sigmoid(critic(made))`. So it is a loss with a memory:
    take a new one for each training.

    Args:
        critic: Where the critic starts; a copy is trained, which `critic` holds.
        lr: Of the critic.
        gamma: How strongly it must not be steep at real pictures, `gamma / 2 |slope|**2`: without
            that the two may circle each other for ever.

    Source: Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014, section 3, algorithm 1;
    Mescheder, Geiger and Nowozin, "Which Training Methods for GANs do actually Converge?", ICML
    2018, equation 9.
    """

    def __init__(self, critic: nn.Module, *, lr: float, gamma: float = 0.0) -> None:
        _check.at_least("Adversary", "lr", lr, 0)
        _check.at_least("Adversary", "gamma", gamma, 0)
        self.critic, self.gamma = copy.deepcopy(critic), gamma
        self.optimizer = torch.optim.Adam(self.critic.parameters(), lr=lr, betas=(0.5, 0.999))

    def __call__(
        self, made: Float[Tensor, "n 1 h w"], real: Float[Tensor, "n 1 h w"]
    ) -> Float[Tensor, ""]:
        """The generator's loss, after a step of the critic."""
        real = real.detach().requires_grad_(self.gamma > 0)
        says = self.critic(real)
        seen = (softplus(-says) + softplus(self.critic(made.detach()))).mean()
        if self.gamma > 0:
            (slope,) = torch.autograd.grad(says.sum(), real, create_graph=True)
            seen = seen + self.gamma / 2 * slope.flatten(1).square().sum(1).mean()  # eq. 9
        self.optimizer.zero_grad()
        seen.backward()
        self.optimizer.step()
        return softplus(-self.critic(made)).mean()


def frechet_distance(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> float:
    """How far apart two clouds of features are, each taken for a normal distribution.

    `|mean_a - mean_b|**2 + tr(C_a + C_b - 2 (C_a C_b)**(1/2))`, zero for equal means and
    covariances.

    Args:
        a: Features of pictures, two rows or more.
        b: Features of other pictures.

    Raises:
        BadValue: There are fewer than two rows.

    >>> cloud = torch.tensor([[0.0], [2.0]])
    >>> frechet_distance(cloud, cloud + 3)
    9.0

    Source: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
    Equilibrium", NeurIPS 2017, section 3.
    """
    for name, rows in {"a": a, "b": b}.items():
        _check.whole("frechet_distance", f"rows of {name}", len(rows), 2)
    a, b = a.double(), b.double()
    shift = (a.mean(0) - b.mean(0)).square().sum()
    one, two = (torch.atleast_2d(torch.cov(rows.T)) for rows in (a, b))
    # The product has the eigenvalues of a symmetric matrix: root(one) two root(one).
    values, vectors = torch.linalg.eigh(one)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    both = torch.linalg.eigvalsh(root @ two @ root).clamp(min=0).sqrt().sum()
    return float((shift + one.trace() + two.trace() - 2 * both).clamp(min=0))


def synthesis_matches(
    *, picture_weight: float = 0.5, feature_weight: float = 0.1, seed: int
) -> list[Match]:
    """What a generator takes over from another: its pictures, and features on the way to them.

    Args:
        picture_weight: Of the pictures.
        feature_weight: Of the features after each hidden layer.
        seed: Decides the first weights of the regressors.

    Source: Li et al., "GAN Compression", CVPR 2020, section 3.1, equations 1, 2 and 4.
    """
    adapter = partial(regressor, seed=seed)
    features = [
        Match(loss=hint, student=name, teacher=name, weight=feature_weight, adapter=adapter)
        for name in ("relu1", "relu2")
    ]
    return [Match(loss=reconstruction, weight=picture_weight), *features]
