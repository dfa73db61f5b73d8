"""The promises of every technique, tried on toys."""

import pytest

from efficientdl.catalogue import Measure
from tests.promises import every
from tests.promises.toys import toy


def sound(model, x, *, rule=None):
    """Count nothing at all.

    Args:
        x: Ignored,
            at length: twice.
        rule: Ignored too.

    Source: nobody, 2020.
    """


def undocumented(model, x):
    pass


def misnamed(model, x):
    """Count nothing.

    Args:
        xs: It takes no such thing.

    Source: nobody, 2020.
    """


def disordered(model, x):
    """Count nothing.

    Args:
        x: The second.
        model: The first.

    Source: nobody, 2020.
    """


def test_a_sound_technique_keeps_all():
    for promise in every.PROMISES:
        promise(toy(sound, Measure()))


@pytest.mark.parametrize(
    ("call", "promise", "said"),
    [
        (lambda model, x: None, every.can_be_imported_where_it_says, "is not what the catalogue"),
        (undocumented, every.names_its_paper_and_source, "no docstring"),
        (misnamed, every.documents_arguments_that_it_takes, r"documents \['xs'\]"),
        (disordered, every.documents_arguments_that_it_takes, "another order"),
    ],
)
def test_each_fault_is_caught(call, promise, said):
    with pytest.raises(AssertionError, match=said):
        promise(toy(call, Measure()))


def test_documented_arguments_are_read_from_a_google_docstring():
    doc = """Do.

Args:
    a: One
        thing: more.
    *b: Two.
    c (int): Three.

Returns:
    d: No.
"""
    assert every.documented_arguments(doc) == ["a", "b", "c"]
    assert every.documented_arguments("Do.\n") == []
