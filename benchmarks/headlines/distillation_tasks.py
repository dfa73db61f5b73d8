"""Distillation beyond classes: boxes, labels of pixels, text and pictures out of noise.

Both students start from the same weights and see the same examples, seed by seed.
"""

from dataclasses import replace
from functools import cache, partial

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.headlines import Headline
from benchmarks.headlines.taught import Pair, compared, epochs_of, examples_of, fitted
from efficientdl.compression.distillation import distil
from efficientdl.compression.distillation.tasks import (
    detection,
    language,
    segmentation,
    synthesis,
)
from efficientdl.compression.distillation.tasks.boxes import average_precision
from efficientdl.datasets import Text, load
from efficientdl.datasets.shapes import CLASSES, ShapesSet, draw_shapes
from efficientdl.fit import Recipe
from efficientdl.fit.plan import Training
from efficientdl.fit.training import Loss
from efficientdl.models import seeded

# --- boxes and labels of pixels: shapes on photographs


N_SHAPES, N_TESTED = 600, 250  # the teacher has seen more of them than its students


@cache
def _shapes() -> ShapesSet:
    return draw_shapes(n_train=N_SHAPES, n_test=N_TESTED, seed=0)


def _shapes_plan(target: Tensor, n: int, epochs: int, seed: int, loss: Loss) -> Training:
    """A training on the first pictures."""
    train = (_shapes().train.x[:n], target[:n])
    recipe = Recipe(batch=32)
    return Training(train=train, epochs=epochs, lr=1e-2, seed=seed, loss=loss, recipe=recipe)


def boxes() -> Headline:
    target = detection.cells(_shapes().train.objects, side=48)
    n, epochs = 300, epochs_of(30)
    plan = partial(_shapes_plan, target, loss=detection.detection_loss)
    taught_by = fitted(plan(N_SHAPES, epochs_of(25), 0), detection.detector(16, seed=100))

    def run(seed: int) -> Pair:
        own, start = plan(n, epochs, seed), detection.detector(8, seed=seed)
        matches = detection.detection_matches(seed=seed)
        student, _ = distil(start, taught_by, own.train[0][:1], matches=matches, training=own)
        return _precision(fitted(own, start)), _precision(student)

    return compared(
        run,
        claim="A small detector finds more with a large one as its teacher",
        paper="PASCAL VOC: a compressed AlexNet 54.7 % mAP alone, 59.4 % with VGG-16 as its "
        "teacher (Chen et al. 2017, table 1)",
        task=f"shapes on photographs, 16 channels teach 8, {n} pictures, {epochs} epochs, mean "
        "average precision at an overlap of 0.5 in %",
        teacher=_precision(taught_by),
        note=f"One stage. The teacher has seen {N_SHAPES} pictures; the photographs behind the "
        "test pictures are none of theirs.",
    )


def _precision(model: nn.Module) -> float:
    found = detection.detect(model.eval(), _shapes().test.x)
    return 100 * average_precision(found, _shapes().test.objects, n_classes=len(CLASSES) - 1)


N_LABELLED = 80
_labelled = partial(_shapes_plan, loss=cross_entropy)


@cache
def _segmenter(epochs: int) -> nn.Module:
    """The teacher."""
    start = segmentation.segmenter(12, seed=100)
    return fitted(_labelled(_shapes().train.labels, N_SHAPES, epochs, 0), start)


@cache
def _segmenter_alone(seed: int, epochs: int) -> float:
    own = _labelled(_shapes().train.labels, N_LABELLED, epochs, seed)
    return _iou(fitted(own, segmentation.segmenter(6, seed=seed)))


def _segmented(*, n: int, most: int, task_weight: int, claim: str, note: str) -> Headline:
    """A claim about maps of labels: a student of `n` pictures against one of 80 with labels."""
    taught_by, epochs = _segmenter(epochs_of(10)), epochs_of(60)
    labels, x = _shapes().train.labels, _shapes().train.x[:1]

    def run(seed: int) -> Pair:
        own, start = (
            _labelled(task_weight * labels, n, epochs_of(most), seed),
            segmentation.segmenter(6, seed=seed),
        )
        student, _ = distil(
            start,
            taught_by,
            x,
            matches=segmentation.segmentation_matches(),
            training=own,
            task_weight=task_weight,
        )
        return _segmenter_alone(seed, epochs), _iou(student)

    return compared(
        run,
        claim=claim,
        paper="Cityscapes: small ResNet18 students gain by each of pixel-wise, pair-wise and "
        "holistic distillation (Liu et al. 2019, table 1)",
        task=f"shapes on photographs, 12 channels teach 6, {N_LABELLED} labelled pictures, "
        f"{epochs} epochs, mean IoU in %",
        teacher=_iou(taught_by),
        note=f"Without the holistic part. The teacher has seen {N_SHAPES} pictures. {note}",
    )


def pixels() -> Headline:
    return _segmented(
        n=N_LABELLED,
        most=60,
        task_weight=1,
        claim="A small segmenter labels better with pixels and pairs of a large one",
        note="Both students see the same pictures. A map of labels already says of every pixel "
        "what it is, so a teacher has little to add on a picture that has one.",
    )


def pixels_without_labels() -> Headline:
    return _segmented(
        n=N_SHAPES,
        most=7,
        task_weight=0,
        claim="A small segmenter that a large one teaches on pictures without labels beats itself "
        "alone on the few that have them",
        note=f"The taught student sees {N_SHAPES} pictures and no label, in about as many steps.",
    )


@torch.no_grad()
def _iou(model: nn.Module) -> float:
    return 100 * segmentation.mean_iou(model.eval()(_shapes().test.x), _shapes().test.labels)


# --- text


CONTEXT = 32


@cache
def _book() -> tuple[Text, str]:
    text = load("moby_dick")
    return text, language.alphabet(text.train)


def _text_plan(n: int, epochs: int, seed: int) -> Training:
    text, characters = _book()
    generator = torch.Generator().manual_seed(seed)
    return Training(
        train=language.windows(text.train, characters, n=n, context=CONTEXT, generator=generator),
        epochs=epochs,
        lr=4e-3,
        seed=seed,
        loss=language.next_character_loss,
        recipe=Recipe(batch=32),
    )


def next_characters() -> Headline:
    n, n_teacher, epochs = 300, examples_of(18_000), epochs_of(10)
    text, characters = _book()
    generator = torch.Generator().manual_seed(0)
    test = language.windows(text.test, characters, n=500, context=CONTEXT, generator=generator)
    large = language.character_model(len(characters), context=CONTEXT, d=48, n_layers=4, seed=0)
    taught_by = fitted(_text_plan(n_teacher, 1, 100), large)
    assert isinstance(taught_by, language.CharacterModel)
    matches = language.language_matches()

    def run(seed: int) -> Pair:
        plan, start = _text_plan(n, epochs, seed), language.every_second(taught_by)
        student, _ = distil(start, taught_by, test[0][:1], matches=matches, training=plan)
        alone, taught = (
            language.perplexity(net.eval(), *test) for net in (fitted(plan, start), student)
        )
        return alone, taught

    return compared(
        run,
        claim="A language model of half the depth is less perplexed with its teacher",
        paper="DistilBERT: 40 % smaller than BERT, with 97 % of its score on GLUE; it loses most "
        "without the soft targets, then without the hidden states (Sanh et al. 2019, tables 1, 4)",
        task=f"Moby-Dick by characters, 2 blocks of 4, {n} stretches of {CONTEXT}, {epochs} "
        "epochs, other stretches for each seed, perplexity per character on the end of the book",
        better=-1,
        teacher=language.perplexity(taught_by.eval(), *test),
        note="Both students start as every second block of the teacher, which has read "
        f"{n_teacher} stretches. Alone the student learns its few stretches by heart.",
    )


# --- pictures


@cache
def _judge(epochs: int) -> nn.Sequential:
    """A classifier of digits, whose hidden layer sees what makes one."""
    start = seeded(
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)),
        seed=0,
    )
    judge = Training(train=load("digits").train, epochs=epochs, lr=1e-2, seed=0).run(start)
    assert isinstance(judge, nn.Sequential)
    return judge


def _game(critic: nn.Module) -> synthesis.Adversary:
    return synthesis.Adversary(critic, lr=1e-3, gamma=1.0)


def pictures() -> Headline:
    epochs, n_teacher, n, data = epochs_of(20), epochs_of(60), 1400, load("digits")
    judge = _judge(epochs_of(20))

    def run(seed: int) -> list[float]:
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(n, synthesis.NOISE, generator=generator)
        shown = data.train.x[torch.randint(len(data.train.x), (n,), generator=generator)]
        plan = Training(train=(noise, shown), epochs=epochs, lr=5e-3, seed=seed)
        game = _game(synthesis.critic_network(64, seed=seed))
        large = synthesis.generator_network(64, seed=seed + 100)
        taught_by = fitted(replace(plan, epochs=n_teacher, lr=2e-3, loss=game), large)
        start = synthesis.generator_network(12, seed=seed)
        student, _ = distil(
            start,
            taught_by,
            noise[:1],
            matches=synthesis.synthesis_matches(picture_weight=10.0, seed=seed),
            training=replace(plan, loss=_game(game.critic)),
        )
        own = _game(synthesis.critic_network(64, seed=seed))
        alone = fitted(replace(plan, loss=own), start)
        new = torch.randn(2000, synthesis.NOISE, generator=generator)
        return [_distance(judge, net(new), data.test.x) for net in (alone, student, taught_by)]

    return compared(
        run,
        claim="A small generator comes nearer to real pictures with a large one as its teacher",
        paper="CycleGAN with 21.2 times fewer MACs, pix2pix with 11.8, and the pictures as good as "
        "before (Li et al. 2020, abstract and figure 1)",
        task=f"8 x 8 digits, 64 units teach 12, {epochs} epochs after the teacher's {n_teacher}, "
        "Frechet distance of a classifier's hidden layer from the test digits",
        better=-1,
        note="Out of noise where the paper's generators change pictures, and without a search for "
        "the architecture. With its teacher the student starts with the teacher's critic as well.",
    )


@torch.no_grad()
def _distance(judge: nn.Sequential, made: Tensor, real: Tensor) -> float:
    return synthesis.frechet_distance(judge[:3](made), judge[:3](real))


CLAIMS = (boxes, pixels, pixels_without_labels, next_characters, pictures)
