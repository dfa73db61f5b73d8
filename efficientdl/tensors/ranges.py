"""Ranges narrower than a tensor's own: cut the tails, and spend the levels where the values are.

Each is a rule, as `symmetric` and `affine` are: it takes groups and bits and gives a `QParams`.
What it decides is how far from zero a group's range goes; `between` turns that range into levels.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from efficientdl import _check
from efficientdl.catalogue import Measure, technique
from efficientdl.tensors.affine import Between, QParams, ends_of, symmetric_between


@dataclass(frozen=True)
class Percentile:
    """Cut so that a share of the values lies inside, equally many outside at either end.

    Attributes:
        share: Of the values, in (0, 1]; 1 keeps the tensor's own range.
        between: `symmetric_between` or `affine_between`.

    >>> x = torch.cat([torch.linspace(-1, 1, 999), torch.tensor([100.0])])[None]
    >>> round(float(Percentile(0.99)(x, bits=8).scale * 127), 2)
    0.99
    """

    share: float
    between: Between = symmetric_between

    def __post_init__(self) -> None:
        if not 0 < _check.number("Percentile", "share", self.share) <= 1:
            _check.fail("Percentile", "share", "must be in (0, 1]", self.share)

    def __call__(self, groups: Float[Tensor, "groups size"], *, bits: int) -> QParams:
        ends_of("Percentile", groups)
        outside = (1 - self.share) / 2
        ordered = groups.detach().sort(dim=1).values
        n = groups.shape[1]
        drop = min(int(outside * n), (n - 1) // 2)
        return self.between(ordered[:, drop, None], ordered[:, n - 1 - drop, None], bits=bits)


@dataclass(frozen=True)
class LeastError:
    """Cut where the mean squared error of rounding and clipping together is least.

    The range is tried at `n_steps` shares of its own width, `1/n_steps .. 1`.

    Attributes:
        n_steps: How finely to look, 1 or more.
        between: `symmetric_between` or `affine_between`.

    Source: Choukroun, Kravchik, Yang and Kisilev, "Low-bit Quantization of Neural Networks for
    Efficient Inference", ICCV workshops 2019, section 3; the survey's section 2.3.
    """

    n_steps: int = 100
    between: Between = symmetric_between

    def __post_init__(self) -> None:
        _check.whole("LeastError", "n_steps", self.n_steps, 1)

    def __call__(self, groups: Float[Tensor, "groups size"], *, bits: int) -> QParams:
        low, high = ends_of("LeastError", groups.detach())
        best = self.between(low, high, bits=bits)
        least, share = squared_error(groups.detach(), best), torch.ones_like(low)
        for step in range(1, self.n_steps):
            tried = self.between(low * step / self.n_steps, high * step / self.n_steps, bits=bits)
            error = squared_error(groups.detach(), tried)
            share = torch.where(error < least, step / self.n_steps, share)
            least = torch.minimum(error, least)
        return self.between(low * share, high * share, bits=bits)


def squared_error(
    groups: Float[Tensor, "groups size"], qparams: QParams
) -> Float[Tensor, "groups 1"]:
    """The mean squared error of each group when it is coded so."""
    places = (groups / qparams.scale + qparams.zero_point).round()
    codes = places.clamp(qparams.lowest, qparams.lowest + qparams.n_levels - 1)
    values = (codes - qparams.zero_point) * qparams.scale
    return (values - groups).square().mean(dim=1, keepdim=True)


@technique(
    "quant-range-kl",
    paper="Migacz, 8-bit Inference with TensorRT, 2017",
    survey="2.3",
    lab="04_quantization",
    kind=Measure(),
)
@dataclass(frozen=True)
class LeastDivergence:
    """KL calibration: cut where the codes' distribution is nearest to that of the values.

    A histogram of the magnitudes is cut after every bin in turn. What is cut off is added to the
    last bin that stays; the rest is merged into as many bins as there are levels of one sign and
    spread out again over the bins that were not empty. Of all cuts the one of least divergence
    between the two is taken. Zeros are left out: a level holds them exactly, and behind a ReLU
    they would be a spike that no cut may blur.

    Attributes:
        n_bins: Bins of the histogram; more than there are levels.
        between: `symmetric_between` or `affine_between`.

    Source: Migacz, "8-bit Inference with TensorRT", GTC 2017; the survey's section 2.3; lab 04.
    """

    n_bins: int = 2048
    between: Between = symmetric_between

    def __post_init__(self) -> None:
        _check.whole("LeastDivergence", "n_bins", self.n_bins, 2)

    def __call__(self, groups: Float[Tensor, "groups size"], *, bits: int) -> QParams:
        low, high = ends_of("LeastDivergence", groups.detach())
        n_levels = _levels_of_one_sign(low, high, self.between(low, high, bits=bits))
        sizes = groups.detach().abs().double().cpu().numpy()
        ends = [_least_divergent_end(row, self.n_bins, n_levels) for row in sizes]
        end = torch.tensor(ends, dtype=groups.dtype, device=groups.device)[:, None]
        return self.between(torch.maximum(low, -end), torch.minimum(high, end), bits=bits)


def _levels_of_one_sign(low: Tensor, high: Tensor, qparams: QParams) -> int:
    """Levels from zero to an end, zero's own among them: where both signs occur, half of all."""
    if bool((low < 0).any() and (high > 0).any()):
        return max(2, (qparams.n_levels + 1) // 2)
    below = float((qparams.zero_point - qparams.lowest).max())
    above = qparams.n_levels - 1 - float((qparams.zero_point - qparams.lowest).min())
    return max(2, 1 + round(max(below, above)))


def _least_divergent_end(sizes: np.ndarray, n_bins: int, n_levels: int) -> float:
    """The magnitude after which to cut."""
    sizes = sizes[sizes > 0]
    largest = float(sizes.max(initial=0.0))
    if largest == 0 or n_bins <= n_levels:
        return largest
    counts = np.histogram(sizes, bins=n_bins, range=(0, largest))[0].astype(float)
    cuts = range(n_levels, n_bins + 1)
    best = min(cuts, key=lambda cut: divergence_after(counts, cut, n_levels))
    return largest * best / n_bins


def divergence_after(counts: np.ndarray, cut: int, n_levels: int) -> float:
    """KL divergence of a histogram cut after a bin from the same in `n_levels` steps.

    Args:
        counts: The histogram.
        cut: How many bins stay, `n_levels` or more.
        n_levels: Into how many they are merged.

    >>> divergence_after(np.array([4.0, 4.0, 2.0, 2.0]), 4, 2)
    0.0
    """
    kept = counts[:cut]
    reference = kept.copy()
    reference[-1] += counts[cut:].sum()  # what is clipped takes the last level
    level = np.arange(cut) * n_levels // cut
    full = kept > 0
    sums = np.bincount(level, kept, n_levels)
    n_full = np.bincount(level, full, n_levels)
    spread = np.where(full, (sums / np.maximum(n_full, 1))[level], 0.0)
    seen = reference > 0
    if not spread[seen].all() or not spread.any():
        return np.inf  # the last bin was empty, and now holds what was cut off
    p, q = reference / reference.sum(), spread / spread.sum()
    return float((p[seen] * np.log(p[seen] / q[seen])).sum())
