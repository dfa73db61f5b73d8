"""Every technique of the catalogue against every promise of its kind."""

import pytest

from efficientdl import catalogue
from efficientdl.catalogue import Measure, Network
from tests.promises import PROMISES, measure, promises_of
from tests.promises.toys import toy

TECHNIQUES = catalogue.load()
LARGE = 4_000_000  # parameters, from which building a network takes a while


def cases():
    for id, technique in sorted(TECHNIQUES.items()):
        kind = technique.kind
        slow = isinstance(kind, Network) and kind.params > LARGE
        for promise in promises_of(kind):
            marks = [pytest.mark.slow] if slow else []
            yield pytest.param(technique, promise, id=f"{id}-{promise.__name__}", marks=marks)


def keep_or_explain(technique, promise):
    """Test a promise; one that is declared not to hold must not hold."""
    reason = technique.kind.exempt.get(promise.__name__)
    if reason is None:
        promise(technique)
        return
    try:
        promise(technique)
    except AssertionError:
        return
    pytest.fail(f"{technique.id} keeps {promise.__name__}: its exemption ({reason!r}) is stale")


@pytest.mark.parametrize(("technique", "promise"), list(cases()))
def test_promise(technique, promise):
    keep_or_explain(technique, promise)


@pytest.mark.parametrize("technique", list(TECHNIQUES.values()), ids=list(TECHNIQUES))
def test_exemptions_name_a_promise_and_a_reason(technique):
    known = {promise.__name__ for promise in promises_of(technique.kind)}
    assert technique.kind.exempt.keys() <= known
    assert all(len(reason.split()) > 2 for reason in technique.kind.exempt.values())


def nothing(model, x):
    """Count nothing, and keep every promise."""


def forgetful(model, x):
    """Count nothing, and leave the model in evaluation mode."""
    model.eval()


def exempt(call, promise):
    return toy(call, Measure(exempt={promise: "it is only a toy"}))


def test_a_promise_that_is_declared_not_to_hold_may_fail():
    leaves_alone = measure.leaves_its_model_alone
    with pytest.raises(AssertionError):
        keep_or_explain(toy(forgetful, Measure()), leaves_alone)
    keep_or_explain(exempt(forgetful, "leaves_its_model_alone"), leaves_alone)


def test_a_stale_exemption_is_caught():
    with pytest.raises(pytest.fail.Exception, match=r"exemption \('it is only a toy'\) is stale"):
        keep_or_explain(exempt(nothing, "leaves_its_model_alone"), measure.leaves_its_model_alone)


def test_every_kind_has_promises_and_every_promise_a_name_of_its_own():
    assert set(PROMISES) == set(catalogue.Kind.__subclasses__())
    for kind, promises in PROMISES.items():
        names = [promise.__name__ for promise in promises]
        assert len(names) == len(set(names)), kind
        assert names, kind
