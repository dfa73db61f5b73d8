"""What the figures of an item say, in words.

The bounds of discrimination are those of Ebel and Frisbie for the upper-lower index: 0.40 and
more very good, 0.30 to 0.39 reasonably good, 0.20 to 0.29 marginal, less poor. They are a habit of
the field, read here on a scale of the same range, and in a class of forty a figure moves by 0.3
from chance alone: the words ask for a look, they settle nothing.

Source: Robert L. Ebel and David A. Frisbie, "Essentials of Educational Measurement", 5th edition,
1991, the chapter on item analysis.
"""

from math import atanh, sqrt, tanh

EASY = 0.9  # this share or more of all points: everybody has it
HARD = 0.3  # this share or less
VERY_GOOD, GOOD, MARGINAL = 0.4, 0.3, 0.2
BACKWARDS = -0.1  # below: those who do well elsewhere fail it, beyond the smallest noise
SKIPPED = 0.5  # fewer than this share tried
FEWEST = 5  # learners without whom there is no discrimination


def read_item(
    *, n: int, attempted: float, mean_share: float, discrimination: float | None, failed: int
) -> str:
    """A sentence or two on one item.

    Args:
        n: Learners who could be graded.
        attempted: Share of them who tried.
        mean_share: Mean share of the points.
        discrimination: With the rest of the lab; None where it cannot be told.
        failed: Learners whom the grader could not grade.

    >>> read_item(n=40, attempted=1.0, mean_share=0.6, discrimination=0.45, failed=0)
    'Of middling difficulty. Tells apart very well.'
    >>> read_item(n=40, attempted=1.0, mean_share=0.7, discrimination=-0.3, failed=0)
    'Of middling difficulty. Look at this item: those who do well elsewhere fail it.'
    """
    if not n:
        return "Nobody's answer could be graded: grade again."
    said = [_difficulty(mean_share), _apart(n, mean_share, discrimination)]
    if attempted < SKIPPED:
        said.append("Most did not try it: look at its place in the lab and at its time.")
    if failed:
        said.append(f"The grader failed on {failed}: grade again.")
    return " ".join(said)


def goes_backwards(mean_share: float, discrimination: float | None) -> bool:
    """Do those who do well elsewhere fail it? Of an easy item, too few fail to say so.

    >>> goes_backwards(0.5, -0.2), goes_backwards(0.95, -0.2), goes_backwards(0.5, None)
    (True, False, False)
    """
    return discrimination is not None and discrimination < BACKWARDS and mean_share < EASY


def _difficulty(mean_share: float) -> str:
    if mean_share >= EASY:
        return "Easy."
    return "Hard." if mean_share <= HARD else "Of middling difficulty."


def _apart(n: int, mean_share: float, discrimination: float | None) -> str:
    if discrimination is None:
        if n < FEWEST:
            return f"Fewer than {FEWEST} learners: too few to say more."
        return "All the same here or elsewhere, so it cannot tell apart."
    if discrimination >= MARGINAL:
        words = {VERY_GOOD: "very well", GOOD: "reasonably well", MARGINAL: "a little"}
        return f"Tells apart {next(w for bound, w in words.items() if discrimination >= bound)}."
    if mean_share >= EASY:
        return "It can hardly tell apart, which is fine for a first step."
    if goes_backwards(mean_share, discrimination):
        return "Look at this item: those who do well elsewhere fail it."
    return "Hardly tells apart: look at its wording and at its commonest failure."


def uncertainty(discrimination: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a correlation of n pairs, after Fisher: `tanh(atanh r ± 1.96/√(n-3))`.

    >>> [round(bound, 2) for bound in uncertainty(0.4, 40)]
    [0.1, 0.63]
    """
    if n <= 3 or abs(discrimination) >= 1:
        return (-1.0, 1.0) if n <= 3 else (discrimination, discrimination)
    half = 1.96 / sqrt(n - 3)
    return tanh(atanh(discrimination) - half), tanh(atanh(discrimination) + half)
