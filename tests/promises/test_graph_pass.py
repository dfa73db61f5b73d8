"""The promises of graph passes, tried on a chain of additions."""

from dataclasses import dataclass, field

import pytest

from efficientdl.catalogue import Pass
from efficientdl.report import Cost
from tests.promises.toys import broken_promises, toy


@dataclass
class Chain:
    """Adds a list of numbers to its input, one after the other."""

    terms: list[float] = field(default_factory=list)

    def example(self, rng):
        return [rng.standard_normal(3)]

    def run(self, x):
        for term in self.terms:
            x = x + term
        return [x]

    def cost(self):
        return Cost(macs=len(self.terms))


KIND = Pass(graphs=lambda: (Chain([1.0, 0.0, 2.0, 0.0, 0.0]), Chain([3.0])))


def drop_zeros(graph):
    return Chain([term for term in graph.terms if term])


def drops_too_much(graph):
    return Chain([term for term in graph.terms if abs(term) > 1])


def in_place(graph):
    graph.terms[:] = [term for term in graph.terms if term]
    return graph


def one_zero_at_a_time(graph):
    terms = list(graph.terms)
    if 0.0 in terms:
        terms.remove(0.0)
    return Chain(terms)


def splits(graph):
    whole = [term for term in graph.terms if term > 1.5]
    return Chain(sorted(graph.terms + [0.0] * (5 - len(graph.terms)) * bool(whole)))


def idle(graph):
    return Chain(list(graph.terms))


def busy(graph):
    return Chain([sum(graph.terms) / 2] * 2)


def test_a_sound_pass_keeps_all():
    assert broken_promises(toy(drop_zeros, KIND)) == set()


@pytest.mark.parametrize(
    ("call", "promise"),
    [
        (drops_too_much, "gives_the_same_outputs"),
        (in_place, "leaves_its_graph_alone"),
        (one_zero_at_a_time, "has_nothing_to_do_the_second_time"),
        (splits, "is_never_dearer"),
        (idle, "rewrites_some_graph_and_leaves_one"),
        (busy, "rewrites_some_graph_and_leaves_one"),
    ],
)
def test_each_fault_is_caught_by_the_promise_meant_for_it(call, promise):
    assert promise in broken_promises(toy(call, KIND))
