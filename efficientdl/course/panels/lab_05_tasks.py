"""Students of lab 05's four tasks, each trained with a teacher and without, beside each other."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from torch import Tensor, nn

from efficientdl.compression.distillation import Match, distil
from efficientdl.compression.distillation.tasks import detection, language, segmentation, synthesis
from efficientdl.compression.distillation.tasks.boxes import average_precision
from efficientdl.datasets.shapes import Shapes
from efficientdl.fit import Training
from efficientdl.viz import Axis, Bars, Figure, Table, View

Game = Callable[[], Callable[[Tensor, Tensor], Tensor]]


class Measure(NamedTuple):
    """What a task is judged by.

    Attributes:
        name: `mIoU`.
        of: The figure of a network in evaluation mode.
        more_is_better: Whether a higher figure is a better one.
    """

    name: str
    of: Callable[[nn.Module], float]
    more_is_better: bool


def precision(shapes: Shapes) -> Measure:
    """Average precision of a detector's boxes."""

    def of(model: nn.Module) -> float:
        found = detection.detect(model, shapes.x)
        n_classes = detection.N_SCORES - 1
        return average_precision(found, shapes.objects, n_classes=n_classes)

    return Measure("AP", of, more_is_better=True)


def overlap(shapes: Shapes) -> Measure:
    """Mean intersection over union of a segmenter's maps."""
    return Measure(
        "mIoU", lambda model: segmentation.mean_iou(model(shapes.x), shapes.labels), True
    )


def perplexity(text: tuple[Tensor, Tensor]) -> Measure:
    """Perplexity of a language model on stretches of a text."""
    return Measure("perplexity", lambda model: language.perplexity(model, *text), False)


def distance(noise: Tensor, real: Tensor) -> Measure:
    """Frechet distance of the pictures that a generator makes from real ones."""

    def of(model: nn.Module) -> float:
        return synthesis.frechet_distance(model(noise).detach().flatten(1), real.flatten(1))

    return Measure("Frechet distance", of, more_is_better=False)


def with_and_without(
    student: nn.Module,
    teacher: nn.Module,
    x: Tensor,
    *,
    matches: Sequence[Match],
    training: Training,
    measure: Measure,
    game: Game | None = None,
    unlabelled: Tensor | None = None,
) -> View:
    """The same student, trained alone and under its teacher, and the teacher itself.

    Args:
        student: Where both start.
        teacher: In evaluation mode.
        x: An example of the input.
        matches: What is taught.
        training: The same for both, unless there are inputs without labels.
        measure: What the three are judged by.
        game: Makes a new loss for each training, where it has a memory.
        unlabelled: Inputs of the taught student: it learns from its teacher alone, in about as
            many steps.
    """
    figures = {"teacher": (teacher, measure.of(teacher))}
    for name, used in {"alone": (), "taught": matches}.items():
        plan = training if game is None else replace(training, loss=game())
        weight = 1.0
        if used and unlabelled is not None:
            plan, weight = _without_labels(plan, unlabelled), 0.0
        model = distil(
            student, teacher, x, matches=list(used), training=plan, task_weight=weight
        ).model.eval()
        figures[name] = model, measure.of(model)
    rows = tuple(
        (name, sum(p.numel() for p in model.parameters()), round(figure, 3))
        for name, (model, figure) in figures.items()
    )
    return _beside(rows, measure)


def _without_labels(training: Training, x: Tensor) -> Training:
    """A training on other inputs, of about as many steps, whose labels say nothing."""
    label = training.train[1][:1]
    nothing = label.new_zeros(len(x), *label.shape[1:])
    there = replace(training, train=(x, nothing), epochs=1)
    return replace(there, epochs=max(1, round(training.steps / there.steps)))


def _beside(rows: tuple[tuple[str, int, float], ...], measure: Measure) -> View:
    shown = {name: figure for name, _, figure in rows}
    gain = shown["taught"] - shown["alone"]
    better = gain != 0 and (gain > 0) == measure.more_is_better
    wanted = "more" if measure.more_is_better else "less"
    text = (
        f"{measure.name}, {wanted} is better: alone {shown['alone']:.3f}, taught "
        f"{shown['taught']:.3f}, teacher {shown['teacher']:.3f}. "
        f"The teacher {'helped' if better else 'did not help'} this time."
    )
    figure = Figure(
        "The same student, with a teacher and without",
        Axis(measure.name, low=0),
        Axis("", categories=tuple(shown)),
        (Bars(measure.name, list(shown.values())),),
        alt=text,
        height=220,
    )
    table = Table("One training of each", ("network", "parameters", measure.name), rows)
    return View(figure, table, text)
