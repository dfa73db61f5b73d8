"""The panels of lab 02 that draw accuracy against sparsity: by layer, granularity, criterion.

Nothing is trained again. A curve takes a second or more, so each is computed once.
"""

from collections.abc import Mapping, Sequence
from functools import cache

from torch import Tensor

from efficientdl.compression.pruning import optimal_brain_surgeon
from efficientdl.compression.pruning.criteria import (
    l2_norm,
    magnitude,
    obd,
    sensitivity,
    taylor,
)
from efficientdl.course.panels import lab_02_subject as subject
from efficientdl.course.panels.lab_02_subject import ALONE, LAYERS, SCOPES, percent
from efficientdl.progress import progress
from efficientdl.protocols import Criterion
from efficientdl.tensors import Granularity, PerChannel, PerGroup, PerKernel, PerVector
from efficientdl.viz import Axis, Choice, Figure, HLine, Line, Panel, Slider, Table, View

BY_LAYER = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95)
BY_GRANULARITY = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9)
BY_CRITERION = (0.0, 0.6, 0.8, 0.9)
GRANULARITIES: dict[str, Granularity] = {
    "single weights": PerGroup(1),
    "rows of kernels": PerVector(),
    "kernels": PerKernel(),
    "filters": PerChannel(),
}
CRITERIA: dict[str, Criterion] = {
    "magnitude": magnitude,
    "Taylor": taylor,
    "brain damage": obd,
    "sensitivity": sensitivity,
}
SURGEON, ALL = "brain surgeon", "all of them"
_SURGEON_BLOCK = 32  # inputs that make up for each other: more of them take longer
_LOST = Slider("Accuracy one may lose", 0.5, 10, value=2, step=0.5, unit="points")
Curve = tuple[float, ...]

# Where all layers lose alike, the first, with 144 weights, would spoil the rest: it stays dense.
# So does the classifier, a matrix, which has no kernels.
_CONVOLUTIONS: tuple[str, ...] = LAYERS[1:4]


def _points(
    worth: Mapping[str, Tensor], shares: Sequence[float], granularity: Granularity, scope: str
) -> Curve:
    """Accuracy at each of these sparsities, the first of which is none."""
    found = [subject.dense()]
    for share in shares[1:]:
        masks = subject.masks(worth, share, granularity=granularity, scope=scope)
        found.append(subject.accuracy(masks))
    return tuple(found)


def _most(curve: Curve, shares: Sequence[float], floor: float) -> float:
    """The largest sparsity up to which no point of the curve lies below the floor."""
    below = [i for i, accuracy in enumerate(curve) if accuracy < floor - 1e-9]
    return shares[min(below, default=len(shares)) - 1]


def _view(title: str, curves: Mapping[str, Curve], shares: Sequence[float], lost: float) -> View:
    """Curves over sparsity, the accuracy that is asked for, and how far each stays above it."""
    floor = subject.dense() - lost / 100
    most = {name: _most(curve, shares, floor) for name, curve in curves.items()}
    said = ", ".join(f"{name} {100 * share:.0f} %" for name, share in most.items())
    text = (
        f"Dense, the network gets {percent(subject.dense())} right. Of the sparsities tried, the "
        f"largest that stays within {lost:g} points: {said}."
    )
    x = [100 * share for share in shares]
    lines = [
        Line(name, x, [100 * accuracy for accuracy in curve], markers=True)
        for name, curve in curves.items()
    ]
    figure = Figure(
        title,
        Axis("Share of zeros", "%", low=0, high=100),
        Axis("Accuracy", "%", low=0, high=100),
        (*lines, HLine(f"{lost:g} points lost", 100 * floor)),
        alt=text,
    )
    head = ("pruned", *(f"{100 * share:.0f} %" for share in shares), "may lose")
    rows = tuple(
        (name, *(percent(accuracy) for accuracy in curve), f"{100 * most[name]:.0f} %")
        for name, curve in curves.items()
    )
    return View(figure, Table(f"{title}: accuracy at each share of zeros", head, rows), text)


@cache
def scan() -> dict[str, Curve]:
    """Accuracy by layer at each of `BY_LAYER`, every other layer dense."""
    found: dict[str, Curve] = {}
    for name in progress(LAYERS, "pruning one layer at a time"):
        worth = {name: magnitude(subject.weights()[name])}
        found[name] = _points(worth, BY_LAYER, PerGroup(1), ALONE)
    return found


def _sensitivity(lost: float) -> View:
    return _view("Each layer pruned by itself, by magnitude", scan(), BY_LAYER, lost)


def scan_panel() -> Panel:
    """Which layer can lose how much: one line a layer, every other layer dense.

    `lab_02` calls it `sensitivity`, a name that a criterion has here. It takes no argument; the
    numbers are those of `scan()`, `{layer: accuracy at each of BY_LAYER}`.
    """
    controls = {"lost": _LOST}
    title = "How much can each layer lose?"
    return Panel(_sensitivity, controls, title=title, stops={"lost": (1, 5)})


@cache
def by_granularity(scope: str) -> dict[str, Curve]:
    """Accuracy by granularity at each of `BY_GRANULARITY`; conv2, conv3 and conv4 are pruned.

    Args:
        scope: A name of `SCOPES`.
    """
    worth = {name: l2_norm(subject.weights()[name]) for name in _CONVOLUTIONS}
    return {
        name: _points(worth, BY_GRANULARITY, granularity, scope)
        for name, granularity in progress(GRANULARITIES.items(), "pruning at four granularities")
    }


def _curve(scope: str, lost: float) -> View:
    title = "conv2, conv3 and conv4 pruned, by what goes together"
    return _view(title, by_granularity(scope), BY_GRANULARITY, lost)


def curve() -> Panel:
    """What coarser zeros cost: single weights, rows, kernels and filters, as masks.

    It takes no argument; the numbers are those of `by_granularity(scope)`.
    """
    controls = {
        "scope": Choice("Weights are ranked", tuple(SCOPES), value=ALONE),
        "lost": _LOST,
    }
    return Panel(_curve, controls, title="What coarser zeros cost")


@cache
def by_criterion(criterion: str, scope: str) -> Curve:
    """Accuracy at each of `BY_CRITERION`; conv2, conv3 and conv4 are pruned.

    Args:
        criterion: A name of `CRITERIA`, or `SURGEON`: that one prunes layer by layer, whatever
            the scope.
        scope: A name of `SCOPES`.
    """
    if criterion == SURGEON:
        return (subject.dense(), *map(_operated, BY_CRITERION[1:]))
    worth = subject.scores(CRITERIA[criterion])
    chosen = {name: worth[name] for name in _CONVOLUTIONS}
    return _points(chosen, BY_CRITERION, PerGroup(1), scope)


@cache
def _operated(share: float) -> float:
    """Accuracy after Optimal Brain Surgeon, which moves the weights that stay."""
    x = subject.examples()[0]
    shares = dict.fromkeys(_CONVOLUTIONS, share)
    pruned = optimal_brain_surgeon(
        subject.network(), x[:1], sparsity=shares, inputs=x, block=_SURGEON_BLOCK
    )
    return subject.accuracy_of(pruned.model)


def _criteria(criterion: str, scope: str, lost: float) -> View:
    names = [*CRITERIA, SURGEON] if criterion == ALL else ["magnitude", criterion]
    many = progress(names, "pruning by each criterion") if criterion == ALL else names
    curves = {name: by_criterion(name, scope) for name in many}
    return _view("conv2, conv3 and conv4 pruned, by criterion", curves, BY_CRITERION, lost)


def criteria() -> Panel:
    """Which weights matter least: magnitude beside a criterion that looks at data, or all.

    Where a criterion asks for data, it gets the first 128 training images. The brain surgeon
    needs some seconds and prunes every layer by itself in either scope. It takes no argument; the
    numbers are those of `by_criterion(criterion, scope)`.
    """
    controls = {
        "criterion": Choice("Beside magnitude", (*[*CRITERIA][1:], SURGEON, ALL), value="Taylor"),
        "scope": Choice("Weights are ranked", tuple(SCOPES), value=ALONE),
        "lost": _LOST,
    }
    return Panel(
        _criteria, controls, title="Which weights matter least?", stops={"criterion": (ALL,)}
    )
