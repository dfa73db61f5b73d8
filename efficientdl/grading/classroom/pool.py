"""Grading a class: many submissions side by side, each in a child process, none twice.

Threads wait for child processes, as many as there are cores, or a Dask cluster does the same jobs.
A result is in the journal before the next submission is begun, so a run that is stopped or killed
is taken up where it was by the same command.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from efficientdl import _check
from efficientdl.grading.classroom.children import (
    Children,
    Stopped,
    grade_in_child,
    internal_error,
)
from efficientdl.grading.classroom.cluster import on_cluster
from efficientdl.grading.classroom.journal import SCHEMA, Entry, Journal, fingerprint
from efficientdl.grading.classroom.lock import only_one
from efficientdl.grading.classroom.submissions import Refused, Submission, collect
from efficientdl.grading.classroom.worker import make_job
from efficientdl.grading.release import find_release, labs
from efficientdl.progress import progress

Json = dict[str, Any]


@dataclass(frozen=True)
class Summary:
    """What a run over a class did.

    Attributes:
        out: The folder of results.
        entries: The journal's lines, in the order of the places.
        kept: How many of them an earlier run had graded.
    """

    out: Path
    entries: tuple[Entry, ...]
    kept: int

    def count(self, status: str) -> int:
        """How many are `graded`, `refused` or an `internal_error`."""
        return sum(entry["status"] == status for entry in self.entries)

    def __str__(self) -> str:
        failed = self.count("internal_error")
        again = "; run the same command again to grade those" if failed else ""
        return (
            f"{len(self.entries)} submissions: {self.count('graded')} graded ({self.kept} of them "
            f"before), {self.count('refused')} refused, {failed} where the grader failed{again}"
        )


def grade_class(
    folder: Path,
    out: Path,
    *,
    root: Path,
    lab: str | None = None,
    key: bytes,
    jobs: int | None = None,
    scheduler: str | None = None,
    grade_one: Callable[[Json], Json] | None = None,
) -> Summary:
    """Grade every submission in a folder that is not graded yet.

    Args:
        folder: Submissions in any layout.
        out: Where `results.jsonl` is written.
        root: The checkout with the released labs; on a cluster, there too.
        lab: The lab; where it is left out, what each submission says.
        key: The course key, from which the fresh inputs are drawn.
        jobs: How many at once; as many as there are cores where it is left out.
        scheduler: Address of a Dask scheduler, which then does the jobs.
        grade_one: Does one job; a child process where it is left out.

    Raises:
        BadValue: The folder, the checkout or the lab is none, or another run writes to `out`.
        KeyboardInterrupt: The run was interrupted; what was graded is kept.
    """
    if jobs is not None:
        _check.whole("class", "jobs", jobs, 1)
    releases = _releases(root)
    asked = find_release(root, lab).lab if lab is not None else ""
    found = collect(folder)
    out.mkdir(parents=True, exist_ok=True)
    with only_one(out):
        journal = Journal(out)
        run = _Run(journal, root, asked, key, releases, (folder.resolve(), out.resolve()))
        kept = [entry for item in found.submissions if (entry := run.done(item))]
        places = {entry["place"] for entry in kept}
        todo = [item for item in found.submissions if item.place not in places]
        try:
            if scheduler is not None:
                run.on_cluster(todo, scheduler, grade_one or grade_in_child)
            else:
                run.in_threads(todo, jobs or _cores(), grade_one)
        except KeyboardInterrupt:
            sys.stderr.write(f"\n{len(kept) + len(run.made)} submissions are graded and kept; ")
            sys.stderr.write("run the same command again to go on.\n")
            raise
        entries = [*kept, *run.made, *map(run.refused, found.refused)]
        journal.close(entries)
    in_order = sorted(entries, key=lambda entry: entry["place"])
    return Summary(out, tuple(in_order), len(kept))


class _Run:
    """One run over a class: it knows what makes a job, and writes down what came out."""

    def __init__(
        self,
        journal: Journal,
        root: Path,
        asked: str,
        key: bytes,
        releases: Mapping[str, str],
        hidden: Sequence[Path],
    ) -> None:
        self.journal, self.root, self.asked, self.key = journal, root.resolve(), asked, key
        self.releases, self.hidden, self.made = releases, hidden, list[Entry]()

    def _like(self, item: Submission) -> Json:
        return {
            "place": item.place,
            "sha256": item.sha256,
            "artefacts": dict(item.artefacts),
            "key": fingerprint(self.key),
            "asked": self.asked,
        }

    def done(self, item: Submission) -> Entry | None:
        return self.journal.done(self._like(item), self.releases)

    def job(self, item: Submission) -> Json:
        return make_job(
            item.handed_in(),
            root=self.root,
            lab=self.asked or None,
            key=self.key,
            hidden=self.hidden,
        )

    def in_threads(
        self, todo: Sequence[Submission], jobs: int, grade_one: Callable[[Json], Json] | None
    ) -> None:
        children = Children()
        do = grade_one or children.grade

        def one(item: Submission) -> None:
            try:
                result = do(self.job(item))
            except Stopped:
                return
            except _check.BadValue as error:
                result = internal_error(str(error))
            except Exception as error:  # one submission never stops the others
                result = internal_error(f"the grader failed ({type(error).__name__})")
            self.write(item, result)

        with ThreadPoolExecutor(jobs) as pool:
            futures = [pool.submit(one, item) for item in todo]
            try:
                for future in progress(as_completed(futures), "grading", total=len(futures)):
                    future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                children.stop()
                raise

    def on_cluster(
        self, todo: Sequence[Submission], scheduler: str, do: Callable[[Json], Json]
    ) -> None:
        results = on_cluster(scheduler, todo, self.job, do)
        for item, result in progress(results, "grading", total=len(todo)):
            self.write(item, result)

    def write(self, item: Submission, result: Json) -> None:
        score = result.get("score")
        if score and score["release"]["digest"] != self.releases.get(score["release"]["lab"]):
            result = internal_error("it was graded with another release than this checkout has")
            score = None
        status = "graded" if score else "internal_error"
        if result.get("kind") == "refused":
            status = "refused"
        more = {"detail": result["detail"]} if "detail" in result else {}
        entry = {
            "schema": SCHEMA,
            "learner": item.learner,
            "ids": dict(item.ids),
            **self._like(item),
            "release": score["release"]["digest"] if score else self.releases[""],
            "status": status,
            "reason": result.get("error", item.note),
            "score": score,
            "answers": result.get("answers", {}),
            **more,
        }
        self.journal.add(entry)
        self.made.append(entry)

    def refused(self, item: Refused) -> Entry:
        return {
            "schema": SCHEMA,
            "learner": item.learner,
            "ids": dict(item.ids),
            "place": item.place,
            "sha256": "",
            "artefacts": {},
            "key": fingerprint(self.key),
            "asked": self.asked,
            "release": self.releases[""],
            "status": "refused",
            "reason": item.reason,
            "score": None,
            "answers": {},
        }


def _releases(root: Path) -> dict[str, str]:
    """The digest of each lab that a checkout releases, and of all together under ""."""
    digests = {lab: find_release(root, lab).digest for lab in labs(root)}
    every = "\n".join(f"{lab} {digest}" for lab, digest in sorted(digests.items()))
    return {**digests, "": sha256(every.encode()).hexdigest()}


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
