"""Which submissions share what is rare: flags for a teacher to read, never a verdict.

Most answers to a short exercise look alike, so likeness itself says nothing. A mark that df of n
submissions have weighs log2(n / df) bits, as much as it would surprise in a submission that has
nothing to do with the others. Marks of a third of the class and more, and what was handed out,
weigh nothing. The code of one exercise gives at most CAP times the bits of a mark that only two
have: one rare idea settles all of the tokens that follow from it.

A pair is flagged where it shares much (LEAST_MARKS times those bits) and much of what the less
peculiar of the two has (LEAST_SHARE); a little less will do (WHOLE_SHARE) where as many bits lie in
exercises that agree as a whole, which is what a copy of some exercises looks like. The limits
were set on classes drawn from an invented grammar of answers, not on real ones. The test draws a
hundred such classes of 12 to 30 learners: at most one honest class may have a flag, and of whole
copies with other names and comments 95 must be found. A copy of half of the exercises is found in a
third to a half of the draws. What stays unseen: a copy of an answer that everybody gives, one that
a third of the class copied, and copies in a lab of one or two exercises.

Source: the marks as in `fingerprints`; the weights as in Karen Spärck Jones, "A statistical
interpretation of term specificity and its application in retrieval", 1972.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import log2

from efficientdl.grading.classroom.counted import Entry, best_of_each, by_lab
from efficientdl.grading.classroom.fingerprints import Lines, Mark, fingerprint
from efficientdl.grading.classroom.tokens import unified
from efficientdl.grading.release import Release

COMMON = 1 / 3  # of the class: a mark that as many have is nobody's
CAP = 4.0  # marks of two, at most, from one exercise
LEAST_MARKS = 11.0
LEAST_SHARE, WHOLE_SHARE = 0.55, 0.5
_WHOLE = 0.9  # of the less peculiar answer: the exercise agrees as a whole
_LINE = 160  # characters of a line that are shown
Feature = tuple[str, Mark]  # a task and a mark in its answer
Group = tuple[str, str]  # a task and a kind of mark
Pair = tuple[int, int]


@dataclass(frozen=True)
class Line:
    """One line of an answer: its number, its text, and whether the other answer shares it."""

    number: int
    text: str
    shared: bool


@dataclass(frozen=True)
class Passage:
    """What two answers to one exercise share, with the lines of both."""

    task: str
    title: str
    bits: float
    first: tuple[Line, ...]
    second: tuple[Line, ...]


@dataclass(frozen=True)
class Flag:
    """Two submissions that somebody should read side by side.

    Attributes:
        lab: The lab.
        first: The place of one.
        second: The place of the other.
        learners: Whose they are.
        share: Shared weight of code, as a share of all that the less peculiar one has, 0..1.
        bits: Shared weight of all marks.
        whole: Exercises in which the two agree as a whole.
        passages: By exercise, the most telling first.
    """

    lab: str
    first: str
    second: str
    learners: tuple[str, str]
    share: float
    bits: float
    whole: int
    passages: tuple[Passage, ...]


@dataclass(frozen=True)
class Similarity:
    """The flags of one lab.

    Attributes:
        flags: The most telling first.
        n: Submissions that were compared.
        steps: How often a mark was counted for a pair: what the comparison cost.
        limit: Bits from which a pair was flagged.
    """

    flags: tuple[Flag, ...]
    n: int
    steps: int
    limit: float


def rarest_bits(n: int) -> float:
    """Bits of a mark that two of n submissions have, and nobody else.

    >>> rarest_bits(64)
    5.0
    """
    return log2(max(4, n) / 2)


def handed_out(release: Release) -> dict[str, tuple[str, ...]]:
    """What everybody has of each task of a lab: the stub and the solution."""
    solved = {cell.id: cell.source for cell in release.solution.cells}
    return {id: (release.stub(id), solved.get(id, "")) for id in release.tasks}


def similar(
    entries: Sequence[Entry], known: Mapping[str, Iterable[str]] | None = None
) -> dict[str, Similarity]:
    """The flags of every lab; of each learner, the submission that counts is compared.

    Args:
        entries: Entries with a score.
        known: For a task, the texts that were handed out.
    """
    given = {id: tuple(texts) for id, texts in (known or {}).items()}
    labs = by_lab(entries).items()
    return {lab: _Lab(lab, best_of_each(found), given).similarity() for lab, found in labs}


class _Lab:
    """One lab's submissions as marks, and the marks' weights."""

    def __init__(
        self, lab: str, entries: Sequence[Entry], known: Mapping[str, tuple[str, ...]]
    ) -> None:
        self.lab, self.entries, self.n = lab, entries, len(entries)
        self.titles = {t["id"]: t["title"] for e in entries for t in _tasks(e)}
        prose = {task["id"] for entry in entries for task in entry["score"]["written"]}
        self.marks: list[dict[Feature, Lines]] = []
        self.holders: dict[Feature, list[int]] = defaultdict(list)
        for i, entry in enumerate(entries):
            own: dict[Feature, Lines] = {}
            for id, source in (entry.get("answers") or {}).items():
                found = fingerprint(source, known.get(id, ()), prose=id in prose)
                own |= {(id, mark): lines for mark, lines in found.items()}
            self.marks.append(own)
            for feature in own:
                self.holders[feature].append(i)
        most = max(2.0, self.n * COMMON)
        kept = {f: len(who) for f, who in self.holders.items() if len(who) <= most}
        self.weights = {feature: log2(self.n / df) for feature, df in kept.items()}
        self.own = [self._code_weights(marks) for marks in self.marks]
        self.cap = CAP * rarest_bits(self.n)

    def similarity(self) -> Similarity:
        """Every pair that shares enough."""
        shared, steps = self._shared()
        limit = LEAST_MARKS * rarest_bits(self.n)
        flags: list[Flag] = []
        for pair, bits in shared.items():
            by_task = self._capped(bits)
            if sum(by_task.values()) < limit:
                continue
            share, whole = self._share(pair, bits), self._whole(pair, bits)
            in_whole = sum(min(bits[task, "code"], self.cap) for task in whole)
            if share >= LEAST_SHARE or (share >= WHOLE_SHARE and in_whole >= limit):
                flags.append(self._flag(pair, by_task, share, len(whole)))
        flags.sort(key=lambda flag: (-flag.bits, flag.first, flag.second))
        return Similarity(tuple(flags), self.n, steps, limit)

    def _code_weights(self, marks: Iterable[Feature]) -> dict[str, float]:
        """The weight of one submission's code in each exercise."""
        weights: dict[str, float] = defaultdict(float)
        for task, mark in marks:
            if mark[0] == "code":
                weights[task] += self.weights.get((task, mark), 0.0)
        return weights

    def _shared(self) -> tuple[dict[Pair, dict[Group, float]], int]:
        """Bits that each pair shares in each exercise; only pairs that share any come up."""
        shared: dict[Pair, dict[Group, float]] = defaultdict(lambda: defaultdict(float))
        steps = 0
        for feature, weight in self.weights.items():
            group = feature[0], feature[1][0]
            for pair in combinations(self.holders[feature], 2):
                shared[pair][group] += weight
                steps += 1
        return shared, steps

    def _share(self, pair: Pair, bits: Mapping[Group, float]) -> float:
        code = sum(weight for (_, kind), weight in bits.items() if kind == "code")
        least = min(sum(self.own[i].values()) for i in pair)
        return min(1.0, code / least) if least else 0.0

    def _whole(self, pair: Pair, bits: Mapping[Group, float]) -> list[str]:
        """Exercises in which nearly all that is rare in one answer is in the other too."""
        return [
            task
            for (task, kind), weight in bits.items()
            if kind == "code" and weight >= _WHOLE * min(self.own[i][task] for i in pair)
        ]

    def _capped(self, bits: Mapping[Group, float]) -> dict[str, float]:
        """The bits of each exercise, those of its code capped."""
        by_task: dict[str, float] = defaultdict(float)
        for (task, kind), weight in bits.items():
            by_task[task] += min(weight, self.cap) if kind == "code" else weight
        return by_task

    def _flag(self, pair: Pair, by_task: Mapping[str, float], share: float, whole: int) -> Flag:
        first, second = (self.entries[i] for i in pair)
        telling = sorted(by_task, key=lambda task: (-by_task[task], task))
        return Flag(
            lab=self.lab,
            first=first["place"],
            second=second["place"],
            learners=(first["learner"], second["learner"]),
            share=share,
            bits=sum(by_task.values()),
            whole=whole,
            passages=tuple(self._passage(pair, task, by_task[task]) for task in telling),
        )

    def _passage(self, pair: Pair, task: str, bits: float) -> Passage:
        one, other = pair
        both = [
            feature
            for feature in self.marks[one]
            if feature[0] == task and feature in self.weights and feature in self.marks[other]
        ]
        sides = [
            _lines(self.entries[i]["answers"][task], [self.marks[i][f] for f in both]) for i in pair
        ]
        return Passage(task, self.titles.get(task, task), bits, sides[0], sides[1])


def _tasks(entry: Entry) -> Iterable[Mapping[str, str]]:
    yield from entry["score"]["exercises"]
    yield from entry["score"]["written"]


def _lines(source: str, spans: Iterable[Lines]) -> tuple[Line, ...]:
    """An answer's lines, those that a shared mark covers marked."""
    covered = {number for span in spans for number in span}
    texts = unified(source).rstrip("\n").split("\n")
    return tuple(Line(i, text[:_LINE], i in covered) for i, text in enumerate(texts, 1))
