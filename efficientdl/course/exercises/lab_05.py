"""The exercises of lab 05, distillation: what is drawn, how close is right, what is said."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from efficientdl.course.exercise import (
    Arguments,
    Challenge,
    Exercise,
    Task,
    Verdict,
    Written,
    at_least,
    at_most,
)

LAB = "05_distillation"
_OURS = ("efficientdl.fit.distillation", "efficientdl.compression.distillation")
_ROUNDING = "a divergence is a small difference of numbers near one, in float64"


def _shape(rng: np.random.Generator) -> tuple[int, int]:
    return int(rng.integers(2, 6)), int(rng.integers(3, 8))


def _temperature(rng: np.random.Generator) -> float:
    return float(rng.uniform(0.5, 9))


def _scores(rng: np.random.Generator) -> Arguments:
    # often so large that an exponential would overflow
    size = 50_000.0 if rng.random() < 0.5 else 4.0
    return size * rng.normal(size=_shape(rng)), _temperature(rng)


def _two(rng: np.random.Generator) -> Arguments:
    shape = _shape(rng)
    return 4 * rng.normal(size=shape), 4 * rng.normal(size=shape)


def _two_softened(rng: np.random.Generator) -> Arguments:
    return *_two(rng), _temperature(rng)


def _mixed(rng: np.random.Generator) -> Arguments:
    student, teacher, temperature = _two_softened(rng)
    n, classes = student.shape
    return student, teacher, rng.integers(classes, size=n), temperature, float(rng.uniform(0.1, 1))


def _thin_and_wide(rng: np.random.Generator) -> Arguments:
    n, rows, columns = (int(v) for v in rng.integers(3, 6, 3))
    thin, wide = int(rng.integers(2, 4)), int(rng.integers(4, 7))
    student = rng.normal(size=(n, thin, rows, columns)) + 1
    return student, rng.normal(size=(n, wide, rows, columns)) + 3


def _features(rng: np.random.Generator) -> Arguments:
    n, c, rows, columns = (int(v) for v in rng.integers(2, 5, 4))
    return rng.normal(size=(n, c, rows, columns + 1)), float(rng.choice([1.0, 2.0, 4.0]))


def _two_maps(rng: np.random.Generator) -> Arguments:
    n, rows, columns = (int(v) for v in rng.integers(2, 4, 3))
    c, wide = int(rng.integers(2, 4)), int(rng.integers(4, 7))
    return rng.normal(size=(n, c, rows, columns)), rng.normal(size=(n, wide, rows, columns))


# Less than a sixteenth of the teacher's parameters; the last line asks for its mistakes too.
BUDGET = (
    at_most("params", 3_500, "parameters"),
    at_least("accuracy", 0.84, "of the test part"),
    at_least("agreement", 0.865, "of the test part"),
)


def _judge(artefact: Mapping[str, Any]) -> Verdict:
    from efficientdl.course.students import judge  # with torch, which drawing does not need

    return judge(artefact, BUDGET)


TASKS: list[Task] = [
    Exercise(
        id="kd-soften",
        lab=LAB,
        title="A softened softmax",
        symbol="soften",
        points=10,
        minutes=6,
        difficulty=1,
        draw=_scores,
        forbids=_OURS,
        hints=(
            "The temperature divides the scores; the rest is a softmax.",
            "Take the largest of each row away before the exponential, so that none overflows.",
            "z = logits / temperature; e = np.exp(z - z.max(1, keepdims=True)); e over its sum.",
        ),
    ),
    Exercise(
        id="kd-soft-loss",
        lab=LAB,
        title="How far from the teacher",
        symbol="soft_loss",
        points=12,
        minutes=10,
        difficulty=2,
        draw=_two_softened,
        needs=("kd-soften",),
        rtol=1e-8,
        atol=1e-12,
        reason=_ROUNDING,
        forbids=_OURS,
        hints=(
            "Soften both. Which of the two weighs the logarithms?",
            "The sum over the classes of p_teacher * log(p_teacher / p_student), for each row.",
            "temperature**2 * np.mean(np.sum(p * np.log(p / q), axis=1)), p the teacher's.",
        ),
    ),
    Exercise(
        id="kd-gradient",
        lab=LAB,
        title="What the loss pulls on",
        symbol="soft_gradient",
        points=12,
        minutes=12,
        difficulty=3,
        draw=_two_softened,
        needs=("kd-soften",),
        rtol=1e-8,
        atol=1e-12,
        reason=_ROUNDING,
        forbids=_OURS,
        hints=(
            "The gradient of a cross entropy in its logits is a difference of probabilities.",
            "The inner derivative of z / T is 1 / T, and the factor T squared stands before it.",
            "temperature * (q - p) over the number of rows, q the student's.",
        ),
    ),
    Exercise(
        id="kd-logits",
        lab=LAB,
        title="Match the scores themselves",
        symbol="logit_loss",
        points=8,
        minutes=5,
        difficulty=1,
        draw=_two,
        forbids=_OURS,
        hints=(
            "No softmax: the distance of two rows of scores.",
            "Square, add up over the classes, average over the examples; then half of it.",
            "np.mean(np.sum((student - teacher) ** 2, axis=1)) / 2",
        ),
    ),
    Exercise(
        id="kd-mixture",
        lab=LAB,
        title="Labels and teacher together",
        symbol="mixture",
        points=10,
        minutes=8,
        difficulty=2,
        draw=_mixed,
        needs=("kd-soften", "kd-soft-loss"),
        rtol=1e-8,
        atol=1e-12,
        reason=_ROUNDING,
        forbids=_OURS,
        hints=(
            "Two losses, and weights that add up to one. At which temperature are labels asked?",
            "The labels' loss is the mean of -log of the true class's probability, at T = 1.",
            "soften(student, 1.0)[np.arange(n), labels] has those probabilities.",
        ),
    ),
    Exercise(
        id="kd-hint",
        lab=LAB,
        title="The best adapter there is",
        symbol="best_hint",
        points=14,
        minutes=15,
        difficulty=3,
        draw=_thin_and_wide,
        rtol=1e-7,
        atol=1e-10,
        reason="least squares round by a few units of float64 over the smallest singular value",
        forbids=_OURS,
        hints=(
            "A 1x1 convolution does the same to every position: each position is a row.",
            "Move the channels last and flatten the rest; a column of ones is the bias.",
            "np.linalg.lstsq(a, b) gives the map; half of the mean of (a @ map - b) ** 2.",
        ),
    ),
    Exercise(
        id="kd-attention",
        lab=LAB,
        title="Where a network looks",
        symbol="attention",
        points=10,
        minutes=8,
        difficulty=2,
        draw=_features,
        forbids=_OURS,
        hints=(
            "Which axis has to go, so that the number of channels no longer matters?",
            "Add up |features| ** power over the channels; then flatten each picture's map.",
            "maps / np.linalg.norm(maps, axis=1, keepdims=True) has length one in each row.",
        ),
    ),
    Exercise(
        id="kd-pairs",
        lab=LAB,
        title="Which places are alike",
        symbol="pair_loss",
        points=8,
        minutes=10,
        difficulty=2,
        draw=_two_maps,
        forbids=_OURS,
        hints=(
            "At each position stands a vector of channels. How alike are two of them?",
            "Flatten the positions, give every vector length one, multiply all pairs.",
            "np.einsum('nci,ncj->nij', f, f) for both; the mean of the squared difference.",
        ),
    ),
    Challenge(
        id="kd-student",
        lab=LAB,
        title="A student without labels",
        symbol="teach",
        points=16,
        minutes=20,
        budget=BUDGET,
        judge=_judge,
        time_limit_s=180,
        hints=(
            "Which width is the widest that the parameters allow? Count them.",
            "Use all pictures, a high learning rate, and soft targets alone, without a label.",
            "Width 4; soft_targets at T = 4 of the teacher's scores; four epochs with lr=3e-2.",
        ),
    ),
    Written(
        id="kd-written-dark",
        lab=LAB,
        title="What a label does not say",
        points=0,
        minutes=5,
        rubric=(
            "Says that the teacher's wrong classes have different probabilities.",
            "Says that these tell which classes resemble each other, for each picture.",
            "Says why a temperature is needed to hear it, or what a too high one does.",
        ),
    ),
    Written(
        id="kd-written-limits",
        lab=LAB,
        title="When a teacher does not help",
        points=0,
        minutes=5,
        rubric=(
            "Names a case: a poor teacher, other data, or a student too small to follow.",
            "Says that a student takes over the teacher's mistakes too.",
            "Proposes a check: the same student, the same training, with and without.",
        ),
    ),
]
