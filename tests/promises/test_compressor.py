"""The promises of compressors, tried on one that keeps them and on others that break them."""

import copy
import random

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl import _check
from efficientdl.catalogue import Compressor
from efficientdl.costs.count import count
from efficientdl.models.layers.masked import MaskedLinear
from efficientdl.protocols import Result
from efficientdl.report import Report
from tests.promises.state import GUARDS_PYTHON
from tests.promises.toys import broken_promises, toy

KIND = Compressor(identity={"share": 0.0}, stronger=({"share": 0.5}, {"share": 0.75}))


def dropped(model, x, share):
    """Mask the first columns of the last layer, which is honest, if crude."""
    _check.in_range("sound", "share", share, 0, 1)
    model = copy.deepcopy(model)
    mask = torch.ones_like(model[-1].weight, dtype=torch.bool)
    mask[:, : round(share * mask.shape[1])] = False
    model[-1] = MaskedLinear(model[-1], mask)
    return Result(model, count(model, x))


def sound(model, x, *, share):
    return dropped(model, x, share)


def in_place(model, x, *, share):
    with torch.no_grad():
        model[-1].weight[:, : round(share * 32)] = 0
    return dropped(model, x, share)


def shares_its_tensors(model, x, *, share):
    result = dropped(model, x, share)
    result.model[0] = model[0]
    return result


def unhooked(model, x, *, share):
    model.register_forward_hook(lambda *_: None)
    return dropped(model, x, share)


def draws_from_torch(model, x, *, share):
    nn.Linear(2, 2)
    return dropped(model, x, share)


def draws_from_numpy(model, x, *, share):
    np.random.rand()  # noqa: NPY002 (the fault itself)
    return dropped(model, x, share)


def draws_from_python(model, x, *, share):
    random.random()
    return dropped(model, x, share)


def random_result(model, x, *, share):
    result = dropped(model, x, share)
    with torch.no_grad():
        result.model[-1].bias.add_(share * torch.rand(8))
    return result


def never_idle(model, x, *, share):
    return dropped(model, x, max(share, 0.1))


def does_nothing(model, x, *, share):
    _check.in_range("sound", "share", share, 0, 1)
    return Result(copy.deepcopy(model), count(model, x))


def dearer_when_stronger(model, x, *, share):
    _check.in_range("sound", "share", share, 0, 1)
    return dropped(model, x, share and 1 - share / 2)


def reports_the_old_cost(model, x, *, share):
    result = dropped(model, x, share)
    free = result.report.with_row("9", weight_bits=round(32 * 264 * (1 - share)))
    return Result(result.model, free)


def forgets_a_layer(model, x, *, share):
    result = dropped(model, x, share)
    rows = {name: cost for name, cost in result.report.rows.items() if name != "7"}
    return Result(result.model, Report(rows))


def stays_in_eval(model, x, *, share):
    result = dropped(model, x, share)
    return Result(result.model.eval(), result.report)


def turns_to_float(model, x, *, share):
    result = dropped(model, x, share)
    linear = result.model[-1].float()
    linear.register_forward_pre_hook(lambda _, args: (args[0].float(),))
    return result


def thaws(model, x, *, share):
    result = dropped(model, x, share)
    return Result(result.model.requires_grad_(True), result.report)


def takes_anything(model, x, *, share):
    return dropped(model, x, min(max(share, 0), 1))


def complains_vaguely(model, x, *, share):
    if not 0 <= share <= 1:
        raise ValueError("bad value")
    return dropped(model, x, share)


def test_a_sound_compressor_keeps_all():
    assert broken_promises(toy(sound, KIND)) == set()


@pytest.mark.parametrize(
    ("call", "promises"),
    [
        (in_place, {"leaves_input_alone"}),
        (shares_its_tensors, {"leaves_input_alone"}),
        (unhooked, {"leaves_input_alone"}),
        (draws_from_torch, {"leaves_global_generators_alone"}),
        (draws_from_numpy, {"leaves_global_generators_alone"}),
        *[(draws_from_python, {"leaves_global_generators_alone"})] * GUARDS_PYTHON,
        (random_result, {"leaves_global_generators_alone", "is_deterministic"}),
        (never_idle, {"does_nothing_at_its_identity"}),
        (does_nothing, {"does_something_when_asked", "is_not_dearer_when_stronger"}),
        (dearer_when_stronger, {"is_not_dearer_when_stronger"}),
        (reports_the_old_cost, {"reports_what_a_recount_finds"}),
        (forgets_a_layer, {"reports_what_a_recount_finds"}),
        (stays_in_eval, {"keeps_mode_dtype_and_flags"}),
        (turns_to_float, {"keeps_mode_dtype_and_flags"}),
        (thaws, {"keeps_mode_dtype_and_flags"}),
        (takes_anything, {"names_a_bad_option"}),
        (complains_vaguely, {"names_a_bad_option"}),
    ],
)
def test_each_fault_is_caught_by_the_promise_meant_for_it(call, promises):
    assert promises <= broken_promises(toy(call, KIND))


def larger(model, x, *, share):
    """Share 0 is the model itself, anything more hides it behind another layer."""
    _check.in_range("larger", "share", share, 0, 1)
    model = copy.deepcopy(model)
    if share:
        extra = nn.utils.skip_init(nn.Linear, 8, round(32 * (1 - share)) + 8)
        nn.init.constant_(extra.weight, 1)
        nn.init.zeros_(extra.bias)
        model.append(extra.to(x.dtype).train(model.training))
    return Result(model, count(model, x))


def test_a_model_that_grows_is_caught():
    assert "is_not_dearer_than_the_original" in broken_promises(toy(larger, KIND))


def test_a_tolerance_wants_a_reason():
    kind = Compressor(identity=KIND.identity, stronger=KIND.stronger, tolerance=0.1)
    assert broken_promises(toy(sound, kind)) == {"does_nothing_at_its_identity"}
    kind = Compressor(
        identity=KIND.identity, stronger=KIND.stronger, tolerance=0.1, reason="it rounds"
    )
    assert broken_promises(toy(sound, kind)) == set()
