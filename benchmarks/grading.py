"""Grading: one submission, a class and five attacks, beside other graders.

`EFFICIENTDL_BENCH_CLASS` gives another size of the class than 40, for trying.
"""

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks import graders, submissions
from benchmarks.graders import Grader, Result
from benchmarks.peers import PEERS, Finished, call, python_of, version_of
from efficientdl import costs
from efficientdl.progress import progress

REPEATS = 3  # a turn takes minutes
CLASS = 40
MOST_OVER_S, LEAST_SPEEDUP = 5.0, 1.8  # what the project asks of itself
ATTACK_S = 180.0  # how long a grader may take over an attack
Json = dict[str, Any]


def measure(repeats: int) -> list[Json]:
    """Run the three parts."""
    with tempfile.TemporaryDirectory(prefix="efficientdl-bench-") as made:
        folder = Path(made)
        papermill = graders.Papermill(folder / "papermill")
        graders.done(papermill.grade(submissions.solved()).finished)
        artefacts = papermill.artefacts  # they belong to every submission
        checking = graders.with_checks(folder, artefacts)
        one = one_submission(papermill, checking, repeats)
        whole = whole_class(
            folder, artefacts, int(os.environ.get("EFFICIENTDL_BENCH_CLASS", CLASS))
        )
        fought = attacks([*checking, *graders.with_asserts(folder)])
    versions = {name: metadata.version(name) for name in ("efficientdl", "papermill")}
    versions |= {peer: version_of(peer) for peer in PEERS}
    return [{**one, "versions": versions}, whole, fought]


def one_submission(papermill: graders.Papermill, found: Sequence[Grader], repeats: int) -> Json:
    """The same right submission by each grader, in turns; each has to give full points."""
    entries = {grader.name: partial(_honest, grader) for grader in [*found, papermill]}
    taken = costs.compare(entries, warmup=1, repeats=repeats).latencies
    lines = [
        {"entry": n, "median_s": t.median_s, "low_s": t.low_s, "high_s": t.high_s}
        for n, t in taken.items()
    ]
    over = taken["efficientdl"].median_s - taken[papermill.name].median_s
    return {
        "part": "one submission",
        "repeats": repeats,
        "lines": lines,
        "cells_s": papermill.cells_s,
        "over_s": over,
        "holds": over <= MOST_OVER_S,
    }


def _honest(grader: Grader) -> None:
    result = grader.grade(submissions.solved())
    if isinstance(grader, graders.Papermill):  # it grades nothing
        graders.done(result.finished)
        return
    most = sum(task.points for task in submissions.release().graded.values())
    if result.earned != most:
        said = result.finished.said[-3000:]
        raise RuntimeError(f"a right submission earned {result.earned} of {most}:\n{said}")


def whole_class(folder: Path, artefacts: Path, n: int) -> Json:
    """A class one by one and with two jobs; both have to give the same points."""
    submissions.write_class(folder / "class", n, artefacts)
    seconds, points = {}, {}
    for jobs in (1, 2):
        out = folder / f"out_{jobs}"
        words = [sys.executable, "-m", "efficientdl", "class", "grade", str(folder / "class")]
        start = perf_counter()
        run = call([*words, "-o", str(out), "--jobs", str(jobs)], folder=folder, limit_s=7200)
        seconds[jobs] = perf_counter() - start
        points[jobs] = _points(out / "results.jsonl", run)
    if points[1] != points[2] or len(points[1]) != n:
        raise RuntimeError(f"one by one and two jobs differ: {points}")
    ratio = seconds[1] / seconds[2]
    return {
        "part": "a class",
        "submissions": n,
        "one_by_one_s": seconds[1],
        "two_jobs_s": seconds[2],
        "ratio": ratio,
        "mean_points": sum(points[1].values()) / n,
        "holds": ratio >= LEAST_SPEEDUP,
    }


def _points(results: Path, run: Finished) -> dict[str, float]:
    if not results.is_file():
        graders.done(run)
        raise RuntimeError(f"no {results.name}:\n{run.said[-3000:]}")
    lines = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    return {line["place"]: line["score"]["total"]["earned"] for line in lines}


def attacks(found: Sequence[Grader]) -> Json:
    """What each attack earns with each grader, and what is left to the right answers."""
    pairs = [(attack, grader) for attack in submissions.ATTACKS for grader in found]
    lines = []
    for attack, grader in progress(pairs, "attacks"):
        result = grader.grade({**submissions.solved(), attack.task: attack.source}, ATTACK_S)
        lines.append({"attack": attack.name, "grader": grader.name, **_fared(attack, result)})
    return {"part": "attacks", "lines": lines}


def _fared(attack: submissions.Attack, result: Result) -> Json:
    tasks = submissions.release().graded
    others = [id for id in tasks if id != attack.task]
    return {
        "result": bool(result.points),
        "earned": result.points.get(attack.task, (0.0, 0.0))[0],
        "possible": tasks[attack.task].points,
        "kept": sum(result.points.get(id, (0.0, 0.0))[0] for id in others),
        "others": sum(tasks[id].points for id in others),
        "said": "" if result.points else result.finished.reason()[:200],
    }


def page(results: Sequence[Json], machine: Mapping[str, object]) -> str:
    """The three parts as a page."""
    one, whole, fought = results
    versions = ", ".join(f"{name} {version}" for name, version in one["versions"].items())
    lines = [
        f"# {(__doc__ or '').splitlines()[0].rstrip('.')}",
        "",
        ", ".join(f"{k}: {v}" for k, v in machine.items()) + f". {versions}.",
        *_absent(),
        *_one_lines(one),
        *_class_lines(whole),
        *_attack_lines(fought["lines"]),
    ]
    return "\n".join(lines) + "\n"


def _absent() -> list[str]:
    missing = [peer for peer in PEERS if python_of(peer) is None]
    return [f"\nLeft out, since it is not here: {peer}." for peer in missing]


def _one_lines(one: Json) -> list[str]:
    turns = f"median of {one['repeats']} turns" if one["repeats"] > 1 else "one turn"
    holds = "holds" if one["holds"] else "does not hold"
    rows = [
        f"| {x['entry']} | {x['median_s']:.1f} | {x['low_s']:.1f} to {x['high_s']:.1f} |"
        for x in one["lines"]
    ]
    return [
        "",
        "## One honest submission of lab 01",
        "",
        f"Each called as its users call it, with `FAST = True`; {turns}. Papermill only runs the "
        "notebook. The peers run all of it too, and test with the lab's own checks, in the kernel "
        "of the answers. `efficientdl grade` runs of the given cells only what the answers use, "
        "asks the public and the fresh cases, and measures the artefact that was handed in.",
        "",
        "| | seconds | half between |",
        "|---|--:|--:|",
        *rows,
        "",
        f"`efficientdl grade` takes {one['over_s']:+.1f} s beside papermill; at most "
        f"+{MOST_OVER_S:g} s is asked: {holds}. Papermill counts {one['cells_s']:.1f} s in the "
        "notebook itself.",
    ]


def _class_lines(whole: Json) -> list[str]:
    holds = "holds" if whole["holds"] else "does not hold"
    return [
        "",
        f"## A class of {whole['submissions']}",
        "",
        "Right, wrong and half empty submissions, each its own. Both runs give the same points, "
        f"{whole['mean_points']:.1f} on average.",
        "",
        "| one by one, s | two jobs, s | times as fast |",
        "|--:|--:|--:|",
        f"| {whole['one_by_one_s']:.0f} | {whole['two_jobs_s']:.0f} | {whole['ratio']:.2f} |",
        "",
        f"At least {LEAST_SPEEDUP:g} times is asked: {holds}. One run each.",
    ]


def _attack_lines(lines: Sequence[Json]) -> list[str]:
    names = list(dict.fromkeys(line["grader"] for line in lines))
    cells = {(line["attack"], line["grader"]): _fared_text(line) for line in lines}
    rows = [
        " | ".join([f"| {attack}", *(cells[attack, name] for name in names)]) + " |"
        for attack in dict.fromkeys(line["attack"] for line in lines)
    ]
    return [
        "",
        "## Five attacks",
        "",
        "One answer attacks, all others are right. Fair is: nothing for the attack, everything "
        "for the others. Peers test with the lab's own checks, or with asserts on the public "
        f"cases. A grader that took more than {ATTACK_S:.0f} s was ended.",
        "",
        " | ".join(["| the answer", *names]) + " |",
        "|---" * (len(names) + 1) + "|",
        *rows,
    ]


def _fared_text(line: Json) -> str:
    if not line["result"]:
        said = line["said"].replace("|", "/")
        return f"no points at all ({said})"
    attack = f"{line['earned']:g} of {line['possible']}"
    return f"{attack}; others {line['kept']:g} of {line['others']}"
