"""The challenge of lab 05: a student of the small CNN, and the judge of its weights."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from efficientdl import _check, datasets, models
from efficientdl.course.exercise import Limit, Verdict
from efficientdl.models.layers.conv_norm_activation import conv_norm_activation

TEACHER, DATA = "small_cnn_fashion", "fashion_mnist"
_WIDEST = 16


def student(width: int, *, seed: int) -> nn.Sequential:
    """The small CNN drawn thin: the same four convolutions at the same resolutions, and a pooling.

    Args:
        width: Channels of its first layer, 1 to 16, where the small CNN has 16.
        seed: Decides its first weights.

    >>> sum(p.numel() for p in student(4, seed=0).parameters())
    3430
    """
    _check.whole("student", "width", width, 1, _WIDEST)
    channels = [1, width, 2 * width, 4 * width, 2 * width]

    def make() -> nn.Sequential:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for i, stride in enumerate((2, 2, 1, 1), start=1):
            conv = nn.Conv2d(channels[i - 1], channels[i], 3, stride, padding=1, bias=False)
            layers[f"conv{i}"] = conv_norm_activation(conv)
        layers["pool"] = nn.AvgPool2d(3, stride=2)  # 7 x 7 to 3 x 3
        layers["flatten"] = nn.Flatten()
        layers["classifier"] = nn.Linear(2 * width * 9, 10)
        return nn.Sequential(layers)

    return models.seeded(make, seed=seed)


def artefact_of(model: nn.Module) -> dict[str, Any]:
    """A student as it is handed in: its width, and its weights by name.

    Args:
        model: A network that `student` made, trained or not.
    """
    weights = {name: value.detach().numpy() for name, value in model.state_dict().items()}
    return {"width": len(weights["conv1.conv.weight"]), "weights": weights}


def read_student(artefact: Mapping[str, Any]) -> nn.Sequential:
    """The student that was handed in, in evaluation mode.

    Raises:
        BadValue: The artefact is no student's, or a weight is missing, of another shape, or no
            finite number.
    """
    weights = artefact.get("weights")
    if artefact.keys() != {"width", "weights"} or not isinstance(weights, Mapping):
        rule = "must be {'width': width, 'weights': {name: array}}"
        _check.fail("submit", "artefact", rule, sorted(map(str, artefact)))
    model = student(artefact["width"], seed=0)
    wanted = model.state_dict()
    for name in wanted.keys() ^ weights.keys():
        rule = f"must be those of a student of width {artefact['width']}"
        _check.fail("submit", "names of weights", rule, name)
    found = {name: _tensor(name, weights[name], like) for name, like in wanted.items()}
    model.load_state_dict(found)
    return model.eval()


def _tensor(name: str, value: object, like: torch.Tensor) -> torch.Tensor:
    array = np.asarray(value)
    if array.dtype.kind not in "iuf" or array.shape != tuple(like.shape):
        rule = f"must be numbers of shape {tuple(like.shape)}"
        _check.fail("submit", f"weight {name}", rule, f"{array.dtype} {array.shape}")
    if not np.isfinite(array).all():
        _check.fail("submit", f"weight {name}", "must be finite", name)
    return torch.from_numpy(np.array(array)).to(like.dtype)


def measure(model: nn.Module, part: str) -> dict[str, float]:
    """Parameters, accuracy, and how often a student says what its teacher says.

    Args:
        model: In evaluation mode.
        part: `val` to choose by, `test` to be judged by.
    """
    split = getattr(datasets.load(DATA), part)
    with torch.no_grad():
        says, taught = (net(split.x).argmax(1) for net in (model, models.trained(TEACHER)))
    return {
        "params": sum(p.numel() for p in model.parameters()),
        "accuracy": float((says == split.y).double().mean()),
        "agreement": float((says == taught).double().mean()),
    }


def judge(artefact: Mapping[str, Any], budget: tuple[Limit, ...]) -> Verdict:
    """Measure the student on the test part and hold each figure against its limit.

    Args:
        artefact: What `artefact_of` made.
        budget: Limits named by the figures of `measure`.
    """
    found = measure(read_student(artefact), "test")
    return Verdict(tuple(limit.measure(found[limit.name]) for limit in budget))
