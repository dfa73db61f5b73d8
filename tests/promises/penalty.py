"""Promises of penalties: `f(model, *, options) -> scalar`, to be added to a loss.

The options that `off` names are strengths: none of them is no penalty at all, twice all of them
is twice the penalty.
"""

import numpy as np
import torch
from torch import Tensor, nn

from efficientdl.catalogue import Technique
from tests.promises.compressor import small_network
from tests.promises.state import global_generators_untouched, untouched


def prepared(technique: Technique) -> nn.Module:
    return technique.kind.prepare(small_network()[0])


def penalty_of(technique: Technique, model: nn.Module, **options: float) -> Tensor:
    penalty = technique.call(model, **{**technique.kind.options, **options})
    assert penalty.shape == (), f"gave shape {tuple(penalty.shape)}, not a scalar"
    dtypes = {p.dtype for p in model.parameters()}
    assert penalty.dtype in dtypes, f"gave {penalty.dtype} for a model of {dtypes}"
    return penalty


def slopes_of(penalty: Tensor, model: nn.Module) -> dict[str, Tensor]:
    """Its gradient, by the names of the parameters that it depends on."""
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not penalty.requires_grad:
        return {}
    slopes = torch.autograd.grad(penalty, list(trained.values()), allow_unused=True)
    return {n: s for n, s in zip(trained, slopes, strict=True) if s is not None}


def is_zero_at_strength_zero(technique: Technique) -> None:
    model = prepared(technique)
    off = penalty_of(technique, model, **technique.kind.off)
    assert float(off.detach()) == 0, f"is {float(off.detach())} at strength zero"
    pulled = [name for name, slope in slopes_of(off, model).items() if slope.any()]
    assert not pulled, f"pulls at strength zero, at {pulled}"
    on = float(penalty_of(technique, model).detach())
    assert on > 0, f"is {on} at its usual strength"


def grows_with_its_strength(technique: Technique) -> None:
    model = prepared(technique)
    once = float(penalty_of(technique, model).detach())
    doubled = {name: 2 * technique.kind.options[name] for name in technique.kind.off}
    twice = float(penalty_of(technique, model, **doubled).detach())
    # 1e-5: float32 sums
    message = "is not twice as large at twice the strength"
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-5, err_msg=message)


def leads_downwards(technique: Technique) -> None:
    model = prepared(technique)
    penalty = penalty_of(technique, model)
    slopes = slopes_of(penalty, model)
    size = sum(float(slope.square().sum()) for slope in slopes.values()) ** 0.5
    assert size > 0, "has no gradient"
    with torch.no_grad():
        for name, slope in slopes.items():
            model.get_parameter(name).sub_(1e-3 * slope / size)
    after = float(penalty_of(technique, model).detach())
    assert after < float(penalty.detach()), "grows along its own gradient step"


def is_finite_where_weights_are_zero(technique: Technique) -> None:
    """What a penalty is for is zeros: a root has no slope there, and one NaN ends the training."""
    model = prepared(technique)
    for parameter in model.parameters():
        parameter.data.zero_()
    penalty = penalty_of(technique, model)
    assert bool(penalty.isfinite()), f"is {float(penalty.detach())} where all weights are zero"
    wild = [n for n, slope in slopes_of(penalty, model).items() if not slope.isfinite().all()]
    assert not wild, f"has no finite gradient where weights are zero, at {wild}"


def changes_nothing(technique: Technique) -> None:
    model = prepared(technique)
    with untouched(model), global_generators_untouched():
        first, second = (float(penalty_of(technique, model).detach()) for _ in range(2))
    assert first == second, f"gave {first}, and then {second} for the same weights"


PROMISES = [
    is_zero_at_strength_zero,
    grows_with_its_strength,
    leads_downwards,
    is_finite_where_weights_are_zero,
    changes_nothing,
]
