"""torch-pruning on our networks: `python -m benchmarks.peers.torch_pruning`, in its own Python.

`EFFICIENTDL_TORCH_PRUNING` names a Python that has the peer and what `efficientdl` needs. There
this module is a program: `zoo SPARSITY` cuts every network of the zoo, `cut NETWORK SPARSITY FILE
...` cuts trained ones, whose weights stand in the files, and writes what is left beside them. Both
print JSON. The peer is called as its manual shows: group norms, the last layer left alone.
"""

import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.peers.pythons import call, python_of
from efficientdl import costs, models
from efficientdl._check import fail

PEER = "torch_pruning"
ROOT = Path(__file__).parents[2]
# A linear layer behind the last map fixes the side of the pictures.
SIDES = {"alexnet": 227, "vgg16": 224}


def is_here() -> bool:
    """Whether there is a Python with the peer."""
    return python_of(PEER) is not None


def asked(*words: str, limit_s: float) -> Any:
    """What the program prints, when it is run in the peer's Python.

    Raises:
        BadValue: There is no Python with the peer, or the program failed.
    """
    python = python_of(PEER)
    if python is None:
        fail("torch_pruning", "EFFICIENTDL_TORCH_PRUNING", "must name a Python with the peer", None)
    command = [str(python), "-W", "ignore", "-m", "benchmarks.peers.torch_pruning", *words]
    finished = call(command, folder=ROOT, limit_s=limit_s)
    if finished.code != 0:
        fail("torch_pruning", "the peer's program", "must end well", finished.reason())
    return json.loads(finished.last_line())


def picture(name: str) -> Tensor:
    """One random picture for a network, small where the network takes any size."""
    side = models.resolution(name)
    if side != 28:
        side = SIDES.get(name, 64)
    n_channels = models.example(name, device="meta").shape[1]
    return torch.randn(1, n_channels, side, side, generator=torch.Generator().manual_seed(0))


def _prune(model: nn.Module, x: Tensor, sparsity: float) -> None:
    import torch_pruning as peer  # pyright: ignore[reportMissingImports]

    peer.pruner.BasePruner(
        model,
        x,
        importance=peer.importance.GroupMagnitudeImportance(p=2),
        pruning_ratio=sparsity,
        ignored_layers=[_last(model)],
    ).step()


def _last(model: nn.Module) -> nn.Module:
    return [m for m in model.modules() if isinstance(m, (nn.Linear, nn.Conv2d))][-1]


def _n_groups(model: nn.Module, x: Tensor) -> int:
    import torch_pruning as peer  # pyright: ignore[reportMissingImports]

    graph = peer.DependencyGraph().build_dependency(model, example_inputs=x)
    kinds = [nn.Conv2d, nn.Linear]
    groups = graph.get_all_groups(ignored_layers=[_last(model)], root_module_types=kinds)
    return sum(1 for _ in groups)


def _zoo(sparsity: float) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in models.names():
        model, x = models.build(name, seed=0).eval(), picture(name)
        found: dict[str, Any] = {"before": costs.count(model, x).total.macs}
        try:
            found["groups"] = _n_groups(model, x)
            _prune(model, x, sparsity)
            with torch.no_grad():
                model(x)
            found["after"] = costs.count(model, x).total.macs
        except Exception as error:
            found["error"] = f"{type(error).__name__}: {error}".splitlines()[0][:120]
        yield name, found


def _cut(name: str, sparsity: float, files: list[str]) -> int:
    for file in files:
        model = models.build(name, seed=0).eval()
        model.load_state_dict(torch.load(file, weights_only=True))
        _prune(model, picture(name), sparsity)
        torch.save(model.state_dict(), f"{file}.cut")
    return len(files)


def main(words: list[str]) -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    if words[0] == "zoo":
        said: object = dict(_zoo(float(words[1])))
    else:
        said = _cut(words[1], float(words[2]), words[3:])
    print(json.dumps(said))


if __name__ == "__main__":
    main(sys.argv[1:])
