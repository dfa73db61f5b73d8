"""Regularized evolution: the algorithm's steps, and that it beats random search."""

import pytest
from scipy.stats import wilcoxon

from efficientdl.search import RandomSearch, RegularizedEvolution, Space, minimize

SPACE = Space({f"layer{i}": tuple(range(8)) for i in range(8)})


def distance(point):
    """From the middle of the space: smooth, as architectures' accuracy nearly is."""
    return float(sum((value - 5) ** 2 for value in point.values()))


def test_it_beats_random_search_at_equal_evaluations():
    ours, random = [], []
    for seed in range(20):
        evolution = RegularizedEvolution(SPACE, population=20, tournament=5, seed=seed)
        ours.append(minimize(evolution, distance, budget=200).score)
        random.append(minimize(RandomSearch(SPACE, seed=seed), distance, budget=200).score)
    assert wilcoxon(ours, random, alternative="less").pvalue < 0.001


def test_the_population_is_random_until_it_is_full():
    evolution = RegularizedEvolution(SPACE, population=10, tournament=3, seed=0)
    random = RandomSearch(SPACE, seed=0)
    for _ in range(10):
        point = evolution.ask()
        evolution.tell(point, 0.0)
        assert point == random.ask()


def test_a_child_is_a_neighbour_of_the_winner():
    evolution = RegularizedEvolution(SPACE, population=4, tournament=200, seed=0)
    scores = [3.0, 1.0, 2.0, 4.0]
    parents = [evolution.ask() for _ in scores]
    for parent, score in zip(parents, scores, strict=True):
        evolution.tell(parent, score)
    # 200 rivals among four: the best of all is one of them, but for a chance of 1e-25
    assert evolution.ask() in list(SPACE.neighbours(parents[1]))


def test_the_oldest_dies_however_good_it_is():
    evolution = RegularizedEvolution(SPACE, population=3, tournament=200, seed=0)
    best = evolution.ask()
    evolution.tell(best, -100.0)
    later = []
    for score in (5.0, 4.0, 3.0):
        later.append(evolution.ask())
        evolution.tell(later[-1], score)
    assert evolution.ask() in list(SPACE.neighbours(later[-1]))


def test_a_tournament_of_one_draws_a_parent_at_random():
    evolution = RegularizedEvolution(SPACE, population=2, tournament=1, seed=0)
    parents = [evolution.ask(), evolution.ask()]
    for parent, score in zip(parents, (0.0, 100.0), strict=True):
        evolution.tell(parent, score)
    of_each = [0, 0]
    for _ in range(100):
        child = evolution.ask()
        for i, parent in enumerate(parents):
            of_each[i] += child in list(SPACE.neighbours(parent))
    assert min(of_each) > 25


def test_bad_sizes_are_named():
    with pytest.raises(
        ValueError, match=r"RegularizedEvolution: population must be a whole number"
    ):
        RegularizedEvolution(SPACE, population=0, tournament=3, seed=0)
    with pytest.raises(
        ValueError, match=r"RegularizedEvolution: tournament must be a whole number"
    ):
        RegularizedEvolution(SPACE, population=5, tournament=0, seed=0)
