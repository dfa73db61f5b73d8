"""Sets of operators as bits, and the groups that edges make of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from efficientdl._check import BadValue
from efficientdl.systems.compiler.ios.dag import dag_of, members
from tests.systems.compiler.ios.dags import connected, waits


@given(st.sets(st.integers(0, 80)))
def test_members_of_a_set_of_bits(numbers):
    assert list(members(sum(1 << i for i in numbers))) == sorted(numbers)


@given(adjacency=waits(max_ops=9), ops=st.integers(0, 2**9 - 1))
def test_groups_are_what_a_plain_search_finds(adjacency, ops):
    dag = dag_of(adjacency)
    ops &= dag.all
    ours = [dag.named(group) for group in dag.groups(ops)]
    assert ours == connected(list(dag.named(ops)), adjacency)


@given(adjacency=waits(max_ops=9))
def test_before_and_after_are_each_other_turned_round(adjacency):
    dag = dag_of(adjacency)
    for i, name in enumerate(dag.names):
        assert set(dag.named(dag.before[i])) == set(adjacency[name])
        assert set(dag.named(dag.after[i])) == {n for n in adjacency if name in adjacency[n]}


def test_an_operator_that_waits_for_a_later_one_is_named():
    message = "dag_of: operator must come before 'a', which waits for it, got 'b'"
    with pytest.raises(BadValue, match=message):
        dag_of({"a": ["b"], "b": []})
