"""How an answer came out: a closed set of words, and the record that carries one of them."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Every way in which an answer can come out; a grader gives no other."""

    CORRECT = "correct"
    PARTIAL = "partial"
    WRONG_VALUE = "wrong_value"
    WRONG_SHAPE = "wrong_shape"
    NOT_ATTEMPTED = "not_attempted"
    RAISED = "raised"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    KERNEL_DIED = "kernel_died"
    FORBIDDEN = "forbidden"
    INTERNAL_ERROR = "internal_error"


@dataclass(frozen=True)
class Case:
    """One case as it is shown: what went in, what was wanted, what came back.

    Attributes:
        inputs: Name and text of each argument.
        target: The value wanted, as text of one or more lines.
        yours: What the function gave instead; empty where it gave nothing.
    """

    inputs: tuple[tuple[str, str], ...]
    target: str
    yours: str

    def rows(self) -> list[list[str]]:
        """The case as a table, target and yours side by side; the first row is its head.

        >>> Case((("x", "3"), ("bits", "8")), "24", "").rows()[1]
        ['x = 3\\nbits = 8', '24', '(no value)']
        """
        inputs = "\n".join(_assigned(name, text) for name, text in self.inputs)
        return [["inputs", "target", "yours"], [inputs, self.target, self.yours or "(no value)"]]


def _assigned(name: str, text: str) -> str:
    head, *rest = text.splitlines() or [""]
    return "\n".join([f"{name} = {head}", *(" " * (len(name) + 3) + line for line in rest)])


@dataclass(frozen=True)
class Outcome:
    """The judgement of one exercise.

    Attributes:
        kind: The word.
        message: A sentence for the learner; empty when all is right.
        right: Cases that came out right.
        cases: Cases tried.
        shown: A case that did not, if there is one.

    >>> Outcome(Kind.PARTIAL, "yours is twice the target", right=3, cases=4).share
    0.75
    """

    kind: Kind
    message: str
    right: int
    cases: int
    shown: Case | None = None

    @property
    def share(self) -> float:
        """Share of the cases that came out right, 0..1."""
        return self.right / self.cases if self.cases else 0.0
