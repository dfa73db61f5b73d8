"""Distillation of classifiers: the same student trained with a teacher and alone.

Both start from the same weights and see the same examples in the same order, seed by seed.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial

from torch import nn

from benchmarks.headlines import Headline
from benchmarks.headlines.taught import Pair, compared, epochs_of
from efficientdl.compression.distillation import Match, distil, regressor
from efficientdl.datasets import Dataset, load
from efficientdl.fit import Recipe, evaluate
from efficientdl.fit.distillation import attention_transfer, hint, match_logits, soft_targets
from efficientdl.fit.plan import Training
from efficientdl.models import build, trained

TEACHER, STUDENT = "dense_w16_d1_late", "dense_w8_d1_late"
BLOCKS = ("stage1_block1", "stage2_block1", "stage3_block1")
N_CLOTHES, EPOCHS = 300, 40  # for the student; the teacher has seen all 9,000


@cache
def _clothes() -> Dataset:
    return load("fashion_mnist")


def _plan(seed: int, epochs: int) -> Training:
    x, y = _clothes().train
    train = (x[:N_CLOTHES], y[:N_CLOTHES])
    return Training(train=train, epochs=epochs, lr=1e-2, seed=seed, recipe=Recipe(batch=32))


def _right(model: nn.Module) -> float:
    return 100 * evaluate(model, _clothes().test)


@cache
def _student_alone(seed: int, epochs: int) -> float:
    return _right(_plan(seed, epochs).run(build(STUDENT, seed=seed)))


def _classified(
    matches: Callable[[int], Sequence[Match]], *, claim: str, paper: str, task_weight: float
) -> Headline:
    """A claim about clothes: the same start and epochs with these matches and without."""
    epochs, x, taught_by = epochs_of(EPOCHS), _clothes().train.x[:1], trained(TEACHER)

    def run(seed: int) -> Pair:
        start = build(STUDENT, seed=seed)
        student, _ = distil(
            start,
            taught_by,
            x,
            matches=matches(seed),
            training=_plan(seed, epochs),
            task_weight=task_weight,
        )
        return _student_alone(seed, epochs), _right(student)

    task = (
        f"{N_CLOTHES} of Fashion-MNIST, {TEACHER} teaches {STUDENT} for {epochs} epochs, test "
        "accuracy in %"
    )
    return compared(run, claim=claim, paper=paper, task=task, teacher=_right(taught_by))


SOFT = partial(soft_targets, temperature=4.0)


def matched_logits() -> Headline:
    return _classified(
        lambda _: [Match(loss=match_logits, weight=0.05)],
        claim="A student that regresses on its teacher's logits, without labels, beats itself "
        "alone",
        paper="TIMIT and CIFAR-10: shallow nets reach by the logits of deep ones what they do not "
        "reach by the labels (Ba and Caruana 2014, tables 1 and 2)",
        task_weight=0.0,
    )


def soft_labels() -> Headline:
    return _classified(
        lambda _: [Match(loss=SOFT, weight=0.9)],
        claim="A student of soft targets at temperature 4 beats itself alone",
        paper="MNIST: 146 errors alone, 74 with soft targets, the teacher 67 (Hinton et al. 2015, "
        "section 3)",
        task_weight=0.1,
    )


def hints() -> Headline:
    """Two stages: the guided layer first, then soft targets."""
    first, second = epochs_of(EPOCHS // 3), epochs_of(EPOCHS - EPOCHS // 3)
    x, taught_by = _clothes().train.x[:1], trained(TEACHER)

    def run(seed: int) -> Pair:
        guided = Match(
            loss=hint, student=BLOCKS[1], teacher=BLOCKS[1], adapter=partial(regressor, seed=seed)
        )
        start = build(STUDENT, seed=seed)
        half, _ = distil(
            start, taught_by, x, matches=[guided], training=_plan(seed, first), task_weight=0.0
        )
        student, _ = distil(
            half,
            taught_by,
            x,
            matches=[Match(loss=SOFT, weight=0.9)],
            training=_plan(seed, second),
            task_weight=0.1,
        )
        return _student_alone(seed, first + second), _right(student)

    return compared(
        run,
        claim="A student that is given hints first and soft targets then beats itself alone",
        paper="CIFAR-10: a deep, thin student with 10.4 times fewer parameters is ahead of its "
        "teacher (Romero et al. 2015, abstract)",
        task=f"{N_CLOTHES} of Fashion-MNIST, {TEACHER} teaches {STUDENT}, {first} epochs of hints "
        f"after {BLOCKS[1]} and {second} of soft targets against {first + second} of labels, test "
        "accuracy in %",
        teacher=_right(taught_by),
    )


def attention() -> Headline:
    return _classified(
        lambda _: [Match(loss=attention_transfer, student=b, teacher=b) for b in BLOCKS],
        claim="A student that is to look where its teacher looks beats itself alone",
        paper="CIFAR-10: WRN-16-1 8.77 % errors alone, 7.93 % with attention of WRN-16-2, whose "
        "own are 6.31 % (Zagoruyko and Komodakis 2017, table 1)",
        task_weight=1.0,
    )


CLAIMS = (matched_logits, soft_labels, hints, attention)
