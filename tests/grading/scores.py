"""Scores of lab 01 made by hand, one outcome after the other, and a page taken apart."""

import html.parser
from functools import cache

from efficientdl.course.outcome import Case, Kind
from efficientdl.grading.release import default_root, find_release
from efficientdl.grading.score import Figure, Graded, Score, WrittenAnswer

SEED = "5eed" * 8
INPUTS = (("c_in", "8"), ("w", "[[0.5  1.25]\n [2.   3.  ]]\nfloat64, shape (2, 2)"))


@cache
def lab():
    return find_release(default_root(), "01")


def graded(number, task, kind, text):
    """One task as a grader would give it; `text` is what comes from the learner."""
    share = {Kind.CORRECT: 1.0, Kind.PARTIAL: 0.625}.get(kind, 0.0)
    shown = Case(INPUTS, "216", text) if number % 2 or kind is Kind.PARTIAL else None
    right = kind is Kind.CORRECT
    return Graded(
        id=task.id, title=task.title, task=type(task).__name__.lower(), points=task.points,
        earned=None if kind is Kind.INTERNAL_ERROR else task.points * share, outcome=kind,
        message="" if right else text, right=int(8 * share), cases=8, seconds=0.25, peak_mb=128.4,
        shown=None if right else shown,
        hint="" if right else "A filter sees `c_in // groups` channels: kernel**2 * c_in.",
        figures=budget(met=right) if type(task).__name__ == "Challenge" else (),
    )  # fmt: skip


def budget(*, met):
    size = Figure(name="weight_bytes", value=112_000, limit=112_640, words="at most",
                  unit="bytes", met=True)  # fmt: skip
    share = Figure(name="accuracy", value=0.912 if met else 0.87, limit=0.9, words="at least",
                   unit="of the test part", met=met)  # fmt: skip
    return (size, share)


def score(kinds, text="the target is 216, yours is 432"):
    """A score of lab 01 in which the tasks came out like this."""
    tasks = lab().graded.values()
    assert len(kinds) == len(tasks)
    pairs = zip(tasks, kinds, strict=True)
    written = [lab().tasks[i] for i in ("costs-written-size", "costs-written-latency")]
    return Score(
        submission={"name": text, "sha256": "ab" * 32, "size_bytes": 51_234},
        release={"lab": "01_costs", "digest": lab().digest, "version": "0.1.0", "submitted": text},
        seed=SEED,
        environment={
            "python": "3.11.9", "system": "Linux", "packages": {"torch": "2.6", "numpy": "2.1"},
            "protections": ["own process", "no network"], "limits": {"memory_mb": 2048},
        },
        exercises=tuple(graded(i, t, k, text) for i, (t, k) in enumerate(pairs)),
        written=tuple(
            WrittenAnswer(id=t.id, title=t.title, points=t.points, answer=text) for t in written
        ),
        notes=(text,),
        seconds=41.5,
    )  # fmt: skip


def mixed(shift=0, text="the target is 216, yours is 432"):
    """A score with one outcome after the other, beginning at a place of one's own."""
    kinds = list(Kind)
    return score([kinds[(i + shift) % len(kinds)] for i in range(len(lab().graded))], text)


def all_right():
    return score([Kind.CORRECT] * len(lab().graded))


class Page(html.parser.HTMLParser):
    """Tags with their attributes in order, and the text between them."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.text, self.open, self.other = [], "", [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, tuple(attrs)))
        if tag not in {"meta", "br", "hr"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, "tags close in the order in which they were opened"

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        self.other.append(data)

    def unknown_decl(self, data):
        self.other.append(data)

    def handle_pi(self, data):
        self.other.append(data)


def names(page):
    return [tag for tag, _ in page.tags]
