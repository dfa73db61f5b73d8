"""The challenge of lab 02: masks handed in as text, put on the trained network, and measured."""

import base64
import binascii
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor, nn

from efficientdl import _check, costs, datasets, fit, models
from efficientdl.compression.layers import weight_layers
from efficientdl.compression.pruning import with_masks
from efficientdl.course.exercise import Limit, Verdict

NETWORK, SHAPE, DATA = "small_cnn_fashion", "small_cnn", "fashion_mnist"


def packed(masks: Mapping[str, Bool[Tensor, "..."]]) -> dict[str, str]:
    """Masks as text that `submit` takes: eight weights a byte, the bytes in base64.

    Args:
        masks: True for each weight that stays, by the name of the layer.

    Raises:
        BadValue: A mask does not hold truth values.

    >>> packed({"fc": torch.tensor([True, False, True])})
    {'fc': 'oA=='}
    """
    texts: dict[str, str] = {}
    for name, mask in masks.items():
        bits = torch.as_tensor(mask).cpu().numpy()
        if bits.dtype != np.bool_:
            rule = f"must hold True or False for each weight of {name!r}"
            _check.fail("packed", "masks", rule, str(bits.dtype))
        texts[name] = base64.b64encode(np.packbits(bits).tobytes()).decode()
    return texts


def unpacked(texts: Mapping[str, Any], model: nn.Module) -> dict[str, Bool[Tensor, "..."]]:
    """The masks that `packed` packed, in the shapes of the layers' weights.

    Args:
        texts: Text by the name of the layer, from somebody who is not trusted.
        model: The network that the masks are for.

    Raises:
        BadValue: There is no such layer, or a text has not one bit for each of its weights.

    >>> unpacked({"0": "oA=="}, nn.Sequential(nn.Linear(3, 1)))
    {'0': tensor([[ True, False,  True]])}
    """
    layers = weight_layers("submit", model)
    masks: dict[str, Tensor] = {}
    for name, text in texts.items():
        _check.one_of("submit", "layer named in masks", name, layers)
        shape = tuple(layers[name].weight.shape)  # pyright: ignore[reportArgumentType]
        masks[name] = torch.from_numpy(_bits(name, text, int(np.prod(shape)))).reshape(shape)
    return masks


def _bits(name: str, text: object, n: int) -> np.ndarray:
    """The first n bits of a text in base64, which must have as many and no more bytes."""
    try:
        raw = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != -(-n // 8):
        rule = (
            f"must have one bit for each of the {n:,} weights of {name!r}, as `packed` packs them"
        )
        _check.fail("submit", "masks", rule, text)
    return np.unpackbits(np.frombuffer(raw, np.uint8), count=n).astype(np.bool_)


@cache
def _network() -> nn.Module:
    return models.trained(NETWORK)


def measure(masks: Mapping[str, Bool[Tensor, "..."]], part: str) -> dict[str, float]:
    """What the trained network is like under masks; its weights are not moved.

    Args:
        masks: True for each weight that stays, by the name of the layer; other layers stay whole.
        part: Of the data: `val` to choose by, `test` to be judged by.

    Returns:
        `stored_bytes`, each layer in its smallest form with the bits of its indices, all other
        parameters dense; and `accuracy`, 0..1.
    """
    _check.one_of("measure", "part", part, ("train", "val", "test"))
    model = with_masks(_network(), masks)
    bits = costs.count(model, models.example(SHAPE)).total.weight_bits or 0
    accuracy = fit.evaluate(model, getattr(datasets.load(DATA), part))
    return {"stored_bytes": -(-bits // 8), "accuracy": accuracy}


def judge(artefact: Mapping[str, Any], budget: tuple[Limit, ...]) -> Verdict:
    """Put the masks on the network and hold each figure against its limit, on the test part.

    Args:
        artefact: `{"masks": packed(masks)}`.
        budget: Limits named by the figures of `measure`.

    Raises:
        BadValue: The artefact holds no masks, or one that does not fit its layer.
    """
    masks = artefact.get("masks")
    if artefact.keys() != {"masks"} or not isinstance(masks, Mapping):
        _check.fail("submit", "artefact", "must be {'masks': packed(masks)}", sorted(artefact))
    found = measure(unpacked(masks, _network()), "test")
    return Verdict(tuple(limit.measure(found[limit.name]) for limit in budget))
