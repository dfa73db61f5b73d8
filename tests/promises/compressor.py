"""Promises of compressors: `f(model, x, *, options) -> Result`."""

import torch
from torch import Tensor, nn

from efficientdl.catalogue import Options, Technique
from efficientdl.costs.count import count
from efficientdl.protocols import Result
from tests.promises.state import global_generators_untouched, untouched


def small_network() -> tuple[nn.Module, Tensor]:
    """Two convolutions, one of them 1x1, batch norm and a head; a batch of four images."""
    rng = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(4, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 16, 1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(64, 32),
            nn.ReLU(),
            nn.Linear(32, 8),
        )
    return model.eval(), torch.randn(4, 4, 8, 8, generator=rng)


def compressed(technique: Technique, *, stronger: int = 1) -> tuple[Result, Tensor]:
    model, x = small_network()
    return technique.call(model, x, **technique.kind.stronger[stronger]), x


def leaves_input_alone(technique: Technique) -> None:
    model, x = small_network()
    model.train()  # where batch norm would write its statistics
    given = x.clone()
    with untouched(model):
        result = technique.call(model, x, **technique.kind.stronger[1])
        with torch.no_grad():  # training the new model must not train the old one
            for tensor in [*result.model.parameters(), *result.model.buffers()]:
                tensor.zero_()
    assert torch.equal(x, given), "changed its example input"


def leaves_global_generators_alone(technique: Technique) -> None:
    model, x = small_network()
    with global_generators_untouched():
        technique.call(model, x, **technique.kind.stronger[0])


def is_deterministic(technique: Technique) -> None:
    (first, report), x = compressed(technique)
    torch.rand(3)  # moves the global generator, on which nothing may depend
    (second, again), _ = compressed(technique)
    assert torch.equal(first(x), second(x)), "gave two different models"
    assert report == again, "gave two different reports"


def does_nothing_at_its_identity(technique: Technique) -> None:
    kind = technique.kind
    assert kind.tolerance == 0 or kind.reason, "has a tolerance without a reason"
    model, x = small_network()
    same = technique.call(model, x, **kind.identity).model
    error = float((same(x) - model(x)).abs().max().detach())
    assert error <= kind.tolerance, f"moved the output by {error} at its identity"


def does_something_when_asked(technique: Technique) -> None:
    result, x = compressed(technique)
    model, _ = small_network()
    assert not torch.equal(result.model(x), model(x)), "changed nothing"


def is_not_dearer_when_stronger(technique: Technique) -> None:
    mild, strong = (compressed(technique, stronger=i)[0].report.total.known() for i in (0, 1))
    assert mild.keys() == strong.keys(), "knows other figures when stronger"
    dearer = [name for name in mild if strong[name] > mild[name]]
    assert not dearer, f"is dearer in {dearer} when stronger"
    assert any(strong[name] < mild[name] for name in mild), "is no cheaper when stronger"


def is_not_dearer_than_the_original(technique: Technique) -> None:
    result, x = compressed(technique)
    before, after = count(small_network()[0], x).total.known(), result.report.total.known()
    dearer = [name for name in after if after[name] > before.get(name, after[name])]
    assert not dearer, f"costs more {dearer} than the model passed in"


def reports_what_a_recount_finds(technique: Technique) -> None:
    result, x = compressed(technique)
    recount = count(result.model, x)
    for name, figure in recount.total.known().items():
        reported = getattr(result.report.total, name)
        assert reported == figure, f"reports {name} = {reported}, a recount finds {figure}"


def keeps_mode_dtype_and_flags(technique: Technique) -> None:
    for training in (False, True):
        model, x = small_network()
        model.double().train(training)
        model[0].weight.requires_grad_(False)
        model[9].bias.requires_grad_(False)
        result = technique.call(model, x.double(), **technique.kind.stronger[0])
        modes = {module.training for module in result.model.modules()}
        assert modes == {training}, f"changed the mode from training={training}"
        assert result.model(x.double()).dtype == torch.float64, "changed the dtype"
        before = {name: p.requires_grad for name, p in model.named_parameters()}
        for name, parameter in result.model.named_parameters():
            kept = before.get(name, parameter.requires_grad)
            assert parameter.requires_grad == kept, f"changed requires_grad of {name}"


def names_a_bad_option(technique: Technique) -> None:
    for option in technique.kind.identity:
        said = complaint(technique, {**technique.kind.identity, option: -1})
        assert said is not None, f"took {option}=-1"
        assert option in said, f"does not name {option} in {said!r}"
        assert "-1" in said, f"does not show the bad value in {said!r}"


def complaint(technique: Technique, options: Options) -> str | None:
    model, x = small_network()
    try:
        technique.call(model, x, **options)
    except ValueError as error:
        return str(error)
    return None


PROMISES = [
    leaves_input_alone,
    leaves_global_generators_alone,
    is_deterministic,
    does_nothing_at_its_identity,
    does_something_when_asked,
    is_not_dearer_when_stronger,
    is_not_dearer_than_the_original,
    reports_what_a_recount_finds,
    keeps_mode_dtype_and_flags,
    names_a_bad_option,
]
