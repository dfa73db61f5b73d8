"""Promises of searchers: `ask` and `tell`, built from a space and a seed; lower is better."""

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

from efficientdl.catalogue import Technique
from efficientdl.search import Point, Space, minimize
from tests.promises.state import global_generators_untouched

SPACE = Space({"a": (0, 1, 2, 3, 4), "b": ("v", "w", "x", "y", "z")})
BEST = {"a": 3, "b": "w"}
ROOT = Path(__file__).parents[2]


def score(point: Point) -> float:
    """Distance from the best point, which is inside the space and nowhere near its corners."""
    return abs(point["a"] - BEST["a"]) + abs("vwxyz".index(point["b"]) - 1)


def proposals(technique: Technique, seed: int, n: int = 60) -> list[Point]:
    searcher = technique.call(SPACE, seed=seed, **technique.kind.options)
    points = []
    for _ in range(n):
        point = searcher.ask()
        points.append(dict(point))
        searcher.tell(point, score(point))
    return points


def stays_in_its_space(technique: Technique) -> None:
    narrow = Space({"only": (7,), "two": ("p", "q")})
    for space in (SPACE, narrow):
        searcher = technique.call(space, seed=0, **technique.kind.options)
        rng = Random(0)
        for _ in range(80):
            point = searcher.ask()
            assert point in space, f"proposed {point}, which is not in its space"
            searcher.tell(point, rng.choice([rng.random(), float("inf")]))


def replays_from_its_seed(technique: Technique) -> None:
    assert proposals(technique, 0) == proposals(technique, 0), "same seed, other proposals"
    assert proposals(technique, 0) != proposals(technique, 1), "another seed changes nothing"


def replays_in_another_process(technique: Technique) -> None:
    """Where strings hash differently. It is told the same scores, so it must ask the same."""
    here = proposals(technique, 0)
    module, _, name = technique.symbol.rpartition(".")
    code = f"""
import json, sys
from {module} import {name}
from efficientdl.search import Space
searcher = {name}(Space({dict(SPACE.choices)!r}), seed=0, **{dict(technique.kind.options)!r})
points = []
for score in {[score(point) for point in here]!r}:
    points.append(dict(searcher.ask()))
    searcher.tell(points[-1], score)
json.dump(points, sys.stdout)
"""
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == here, "proposes something else in another process"


def finds_the_best_of_25_points(technique: Technique) -> None:
    for seed in range(5):
        searcher = technique.call(SPACE, seed=seed, **technique.kind.options)
        found = minimize(searcher, score, budget=technique.kind.budget)
        assert found.point == BEST, f"seed {seed}: found {found.point} in its budget"


def leaves_global_generators_alone(technique: Technique) -> None:
    with global_generators_untouched():
        proposals(technique, 0)


def keeps_its_own_copy_of_a_point(technique: Technique) -> None:
    """A caller may do with a proposal what it likes."""
    searcher = technique.call(SPACE, seed=0, **technique.kind.options)
    for _ in range(60):
        point = searcher.ask()
        searcher.tell(point, score(point))
        point["a"] = 99
        assert searcher.ask() in SPACE, "was damaged through a point that it had handed out"


PROMISES = [
    stays_in_its_space,
    replays_from_its_seed,
    replays_in_another_process,
    finds_the_best_of_25_points,
    leaves_global_generators_alone,
    keeps_its_own_copy_of_a_point,
]
