"""The promises of searchers, tried on random search and on its broken relatives."""

import random

import pytest

from efficientdl.catalogue import Searcher
from efficientdl.search import RandomSearch
from tests.promises import searcher
from tests.promises.state import GUARDS_PYTHON
from tests.promises.toys import broken_promises, toy

KIND = Searcher()


class Sound(RandomSearch):
    """Random search, unchanged."""


class Outside(RandomSearch):
    def ask(self):
        return {**super().ask(), "a": 9}


class Narrow(RandomSearch):
    """Never proposes a third of the space."""

    def ask(self):
        point = super().ask()
        return {**point, "a": min(point["a"], 2)} if "a" in point else point


class Unseeded(RandomSearch):
    def __init__(self, space, *, seed):
        super().__init__(space, seed=random.SystemRandom().random())


class SameSeed(RandomSearch):
    def __init__(self, space, *, seed):
        super().__init__(space, seed=1)


class ByHash(RandomSearch):
    """Strings hash differently in each process."""

    def __init__(self, space, *, seed):
        super().__init__(space, seed=seed ^ (hash("seed") & 0xFFFF))


class Draws(RandomSearch):
    def ask(self):
        random.random()
        return super().ask()


class HandsOutItsOwn(RandomSearch):
    """Proposes one and the same dictionary, changed a little each time."""

    def __init__(self, space, *, seed):
        super().__init__(space, seed=seed)
        self._point = None

    def ask(self):
        new = super().ask()
        if self._point is None:
            self._point = new
        name = self._rng.choice(sorted(new))
        self._point[name] = new[name]
        return self._point


@pytest.mark.slow
def test_a_sound_searcher_keeps_all():
    assert broken_promises(toy(Sound, KIND)) == set()


@pytest.mark.parametrize(
    ("call", "promise"),
    [
        (Outside, searcher.stays_in_its_space),
        (Narrow, searcher.finds_the_best_of_25_points),
        (Unseeded, searcher.replays_from_its_seed),
        (SameSeed, searcher.replays_from_its_seed),
        *[(Draws, searcher.leaves_global_generators_alone)] * GUARDS_PYTHON,
        (HandsOutItsOwn, searcher.keeps_its_own_copy_of_a_point),
        pytest.param(ByHash, searcher.replays_in_another_process, marks=pytest.mark.slow),
    ],
)
def test_each_fault_is_caught_by_the_promise_meant_for_it(call, promise):
    with pytest.raises(AssertionError):
        promise(toy(call, KIND))
