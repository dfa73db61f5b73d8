"""A student with its teacher and alone: what the claims of distillation have in common."""

from collections.abc import Callable, Sequence
from statistics import mean

from torch import nn

from benchmarks.headlines import Headline, above_zero, differences, spread
from benchmarks.headlines.trainings import SIZES, seeds
from efficientdl.compression.distillation import distil
from efficientdl.fit.plan import Training

Pair = tuple[float, float]  # alone, with the teacher


def epochs_of(most: int) -> int:
    """A quick version trains for a share of the epochs."""
    return max(1, round(most * SIZES["passes"]))


def examples_of(most: int) -> int:
    return max(128, round(most * SIZES["passes"]))


def compared(
    run: Callable[[int], Sequence[float]],
    *,
    claim: str,
    paper: str,
    task: str,
    better: int = 1,
    teacher: float | None = None,
    note: str = "",
) -> Headline:
    """Run all seeds of a claim.

    Args:
        run: From a seed to what the student reaches alone, with its teacher, and, where each
            seed has a teacher of its own, what that reaches.
        claim: In a sentence.
        paper: What the paper measured.
        task: The task, the two networks and the measure.
        better: 1 where more is better, -1 where less is.
        teacher: What the one teacher of all seeds reaches.
        note: What is different from the paper.
    """
    rows = [run(seed) for seed in seeds()]
    alone, taught = [row[0] for row in rows], [row[1] for row in rows]
    own = [row[2] for row in rows if len(row) > 2] or [teacher]
    gain = [better * d for d in differences(taught, alone)]
    return Headline(
        claim=claim,
        paper=paper,
        ours=f"{task}: alone {spread(alone)}, with its teacher {spread(taught)}, the teacher "
        f"{mean(own):.2f}; better by {spread(gain)}.",
        holds=above_zero(gain),
        seeds=len(rows),
        figures={"alone": alone, "with its teacher": taught, "teacher": own, "better by": gain},
        note=note,
    )


def fitted(plan: Training, start: nn.Module) -> nn.Module:
    """Without a teacher; `distil` trains on targets of any shape."""
    return distil(start, start, plan.train[0][:1], matches=[], training=plan).model
