"""A space of candidates: named choices, every combination of which is a point."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from random import Random
from typing import Any

from efficientdl import _check

Point = dict[str, Any]


@dataclass(frozen=True)
class Space:
    """The product of named choices.

    Attributes:
        choices: What each name may be, in order.

    >>> space = Space({"kernel": (3, 5), "width": (16, 24, 32)})
    >>> len(space)
    6
    >>> space.encode({"kernel": 5, "width": 16})
    (1, 0)
    >>> space.decode((1, 0))
    {'kernel': 5, 'width': 16}
    """

    choices: Mapping[str, Sequence[Any]]

    def __post_init__(self) -> None:
        if not self.choices:
            _check.fail("Space", "choices", "must name at least one choice", self.choices)
        for name, values in self.choices.items():
            if not values:
                _check.fail("Space", f"choices[{name!r}]", "must not be empty", values)
            if any(values[i] in values[:i] for i in range(len(values))):
                _check.fail("Space", f"choices[{name!r}]", "must not repeat a value", values)

    def __len__(self) -> int:
        return prod(len(values) for values in self.choices.values())

    def __iter__(self) -> Iterator[Point]:
        """Every point, the last name changing fastest."""
        for values in product(*self.choices.values()):
            yield dict(zip(self.choices, values, strict=True))

    def __contains__(self, point: object) -> bool:
        return (
            isinstance(point, Mapping)
            and point.keys() == self.choices.keys()
            and all(point[name] in values for name, values in self.choices.items())
        )

    def sample(self, rng: Random) -> Point:
        """A point, every one as likely as another."""
        return {name: rng.choice(values) for name, values in self.choices.items()}

    def encode(self, point: Point) -> tuple[int, ...]:
        """Where each value stands among its choices."""
        self._demand("Space.encode", point)
        return tuple(list(values).index(point[name]) for name, values in self.choices.items())

    def decode(self, code: Sequence[int]) -> Point:
        """The point that `encode` gave this code for."""
        if len(code) != len(self.choices):
            _check.fail("Space.decode", "code", f"must have {len(self.choices)} places", code)
        for place, values in zip(code, self.choices.values(), strict=True):
            _check.whole("Space.decode", "code", place, 0, len(values) - 1)
        return {n: v[i] for i, (n, v) in zip(code, self.choices.items(), strict=True)}

    def neighbours(self, point: Point) -> Iterator[Point]:
        """Every point that differs in exactly one choice."""
        self._demand("Space.neighbours", point)
        for name, values in self.choices.items():
            for value in values:
                if value != point[name]:
                    yield {**point, name: value}

    def mutate(self, point: Point, rng: Random) -> Point:
        """A neighbour: one name that has an alternative, given another value at random."""
        self._demand("Space.mutate", point)
        open_names = [name for name, values in self.choices.items() if len(values) > 1]
        if not open_names:
            return dict(point)
        name = rng.choice(open_names)
        return {**point, name: rng.choice([v for v in self.choices[name] if v != point[name]])}

    def crossover(self, a: Point, b: Point, rng: Random) -> Point:
        """A child that takes each value from one parent or the other."""
        self._demand("Space.crossover", a)
        self._demand("Space.crossover", b)
        return {name: rng.choice((a[name], b[name])) for name in self.choices}

    def _demand(self, caller: str, point: Point) -> None:
        if point not in self:
            _check.fail(caller, "point", f"must be a point of {dict(self.choices)}", point)
