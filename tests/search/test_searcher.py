"""What fits the protocol of a searcher."""

import pytest

from efficientdl.search import GridSearch, RandomSearch, RegularizedEvolution, Searcher, Space

SPACE = Space({"a": (0, 1)})


@pytest.mark.parametrize(
    "searcher",
    [
        GridSearch(SPACE),
        RandomSearch(SPACE, seed=0),
        RegularizedEvolution(SPACE, population=2, tournament=1, seed=0),
    ],
    ids=lambda searcher: type(searcher).__name__,
)
def test_each_searcher_asks_and_tells(searcher):
    assert isinstance(searcher, Searcher)
    assert searcher.ask() in SPACE


def test_a_space_is_no_searcher():
    assert not isinstance(SPACE, Searcher)
