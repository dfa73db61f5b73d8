"""The small networks as they come trained: safetensors in `data/weights`, 16 bits a weight.

A file says in its header which network its weights are for and what they were trained on; it
holds numbers only, so that opening one that comes from elsewhere runs no code.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from efficientdl import _check, _files
from efficientdl.models.registry import names, skeleton

_FOLDER, _ENDING = "weights/", ".safetensors"


def trained_names() -> list[str]:
    """The trained networks that ship.

    >>> "small_cnn_mnist" in trained_names()
    True
    """
    files = (name for name in _files.names() if name.startswith(_FOLDER))
    return sorted(name.removeprefix(_FOLDER).removesuffix(_ENDING) for name in files)


def trained(name: str) -> nn.Module:
    """A small network with its trained weights, in evaluation mode.

    The weights are stored in 16 bits and come back as float32; `data/README.md` has the accuracy
    of each, measured after that.

    Args:
        name: One of `trained_names()`.

    >>> trained("small_cnn_mnist").classifier
    Linear(in_features=1568, out_features=10, bias=True)

    Raises:
        BadValue: There is no such network, or its file is missing, damaged, or not one of ours.
    """
    _check.one_of("trained", "network", name, trained_names())
    return read_network(_files.data_file("trained", f"{_FOLDER}{name}{_ENDING}"))


def read_network(path: Path) -> nn.Module:
    """The network that a file of weights holds, in evaluation mode.

    Raises:
        BadValue: The file is none that `write_network` wrote, or its weights are of another shape.
    """
    about = read_about(path)
    with safe_open(path, framework="pt") as file:
        weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    if about.get("network") not in names():
        rule = "must name one of the project's networks in its header, which this one does not"
        _check.fail("read_network", "file", rule, path.name)
    model = skeleton(about["network"], classes=about["classes"]).to_empty(device="cpu")
    wanted = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in weights.items()}
    if wanted != found:
        odd = sorted(wanted.items() ^ found.items())[0][0]
        rule = f"must hold the weights of {about['network']}; {odd} is missing or of another shape"
        _check.fail("read_network", "file", rule, path.name)
    model.load_state_dict({key: _wide(value) for key, value in weights.items()})
    return model.eval()


def read_about(path: Path) -> dict[str, Any]:
    """What a file of weights says of itself: network, classes, data, accuracy.

    Raises:
        BadValue: The file is no safetensors file, or is cut off.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return json.loads((file.metadata() or {}).get("efficientdl", "{}"))
    except (SafetensorError, json.JSONDecodeError):
        _check.fail("read_about", "file", "must be a safetensors file, whole", path.name)


def write_network(
    model: nn.Module, path: Path, *, network: str, classes: int, about: dict[str, str | float]
) -> None:
    """Store a network's weights in 16 bits, with what they are.

    Args:
        model: Its weights are stored; it is not changed.
        path: The file to write.
        network: Which of `names()` it is.
        classes: How many it tells apart.
        about: What else the file should say: the data, the accuracy.

    Raises:
        BadValue: The network is unknown, or a weight does not fit into 16 bits.
    """
    _check.one_of("write_network", "network", network, names())
    weights = {key: _narrow(key, value) for key, value in model.state_dict().items()}
    said = {"network": network, "classes": classes, **about}
    save_file(weights, path, metadata={"efficientdl": json.dumps(said, sort_keys=True)})


def _narrow(key: str, value: Tensor) -> Tensor:
    if not value.is_floating_point():
        return value.contiguous()
    half = value.detach().to(torch.float16)
    if not bool(half.isfinite().all()):
        _check.fail("write_network", key, "must fit into 16 bits", float(value.abs().max()))
    return half.contiguous()


def _wide(value: Tensor) -> Tensor:
    return value.to(torch.float32) if value.is_floating_point() else value
