"""Operators and what each waits for: a directed acyclic graph, as sets of bits.

A set of operators is a whole number whose bit i says whether operator i is in it. So a set is a
key, its members are counted in one instruction, and nothing here knows of networks.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from efficientdl import _check


def members(ops: int) -> Iterator[int]:
    """The operators of a set, in order.

    >>> list(members(0b1101))
    [0, 2, 3]
    """
    while ops:
        lowest = ops & -ops
        yield lowest.bit_length() - 1
        ops ^= lowest


@dataclass(frozen=True)
class Dag:
    """Operators in an order in which they could run.

    Attributes:
        names: The operators; each comes after all that it waits for.
        before: For each, the set of operators whose outputs it reads.
        after: For each, the set of operators that read its output.
    """

    names: tuple[str, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def all(self) -> int:
        """The set of all operators."""
        return (1 << len(self.names)) - 1

    def named(self, ops: int) -> tuple[str, ...]:
        """The names of a set, in order."""
        return tuple(self.names[i] for i in members(ops))

    def groups(self, ops: int) -> list[int]:
        """The parts of a set that no edge connects: each has to run one by one, all at once.

        >>> dag = dag_of({"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]})
        >>> [dag.named(group) for group in dag.groups(0b0110)]
        [('b',), ('c',)]
        >>> [dag.named(group) for group in dag.groups(0b0011)]
        [('a', 'b')]
        """
        found = []
        while ops:
            group, front = 0, ops & -ops
            while front:
                group |= front
                near = 0
                for i in members(front):
                    near |= self.before[i] | self.after[i]
                front = near & ops & ~group
            found.append(group)
            ops &= ~group
        return found


def dag_of(waits: Mapping[str, Sequence[str]]) -> Dag:
    """A graph from its adjacency: for each operator, those that it waits for.

    Args:
        waits: By name, in an order in which they could run.

    Raises:
        BadValue: An operator waits for one that does not come before it.

    >>> dag_of({"a": [], "b": ["a"]}).before
    (0, 1)
    """
    _check.kind("dag_of", "waits", waits, Mapping)
    numbers: dict[str, int] = {}
    before, after = [], [0] * len(waits)
    for i, (name, needed) in enumerate(waits.items()):
        ops = 0
        for other in needed:
            if other not in numbers:
                rule = f"must come before {name!r}, which waits for it"
                _check.fail("dag_of", "operator", rule, other)
            ops |= 1 << numbers[other]
            after[numbers[other]] |= 1 << i
        numbers[name] = i
        before.append(ops)
    return Dag(tuple(waits), tuple(before), tuple(after))
