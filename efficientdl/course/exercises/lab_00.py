"""The exercise of lab 00, start here: one small function, to meet hints, checks and grading."""

import numpy as np

from efficientdl.course.exercise import Arguments, Exercise

LAB = "00_start_here"


def _weights(rng: np.random.Generator) -> Arguments:
    return int(rng.integers(1, 100_000)), int(rng.integers(1, 17))


TASKS = [
    Exercise(
        id="start-stored-bytes",
        lab=LAB,
        title="How many bytes is that?",
        symbol="stored_bytes",
        points=100,
        minutes=4,
        difficulty=1,
        draw=_weights,
        hints=(
            "Each weight takes `bits` bits. How many bits is that together?",
            "A byte has 8 bits, and a file has no half bytes: round up.",
            "-(-total_bits // 8) divides and rounds up.",
        ),
    ),
]
