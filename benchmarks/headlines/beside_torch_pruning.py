"""Beside torch-pruning, in one run: the networks of the zoo, and accuracy at equal MACs."""

from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

from benchmarks.headlines import Headline, differences, spread
from benchmarks.headlines.halved import NETWORK, PASSES, SHARE, cut_and_retrained
from benchmarks.headlines.trainings import example, seeds, test_accuracy, trained, training
from benchmarks.peers import torch_pruning, version_of
from efficientdl import _check, models
from efficientdl.compression.pruning import channel_groups, prune_channels
from efficientdl.compression.pruning.structure import load_smaller
from efficientdl.costs import count

SPARSITY = 0.5
LIMIT_S = 900
EQUAL = "At equal MACs the accuracy is that of torch-pruning"
LEFT_OUT = "torch-pruning is left out: EFFICIENTDL_TORCH_PRUNING names no Python that has it"
WHOSE = {True: "ours, then torch-pruning's", False: "ours"}
PAPER = (
    "Fang, Ma, Song, Mi and Wang 2023: any structure, shown on ResNet, DenseNet, ViT, and others"
)


def _ours(name: str) -> dict[str, Any]:
    """Groups found in a network and MACs left, or the error."""
    model, x = models.build(name, seed=0).eval(), torch_pruning.picture(name)
    before = count(model, x).total.macs or 0
    try:
        groups = [group for group in channel_groups(model, x) if len(group) > 1]
        cut, report = prune_channels(model, x, sparsity=SPARSITY)
    except _check.BadValue as error:
        return {"before": before, "error": str(error)}
    with torch.no_grad():
        cut(x)
    return {"before": before, "groups": len(groups), "after": report.total.macs or 0}


def _figures(row: dict[str, float]) -> list[float]:
    """Groups, and the share of MACs that is left."""
    return [row.get("groups", 0), 100 * row.get("after", row["before"]) / row["before"]]


def zoo_beside_torch_pruning() -> Headline:
    """Every network of the zoo, half of its channels: which are cut, and which are not and why."""
    peer = torch_pruning.is_here()
    theirs = torch_pruning.asked("zoo", str(SPARSITY), limit_s=LIMIT_S) if peer else {}
    ours = {name: _ours(name) for name in models.names()}
    figures: dict[str, list[float]] = {f"columns: groups, MACs left in %; {WHOSE[peer]}": []}
    for name in models.names():
        rows = [row[name] for row in (ours, theirs) if name in row]
        figures[name] = [value for row in rows for value in _figures(row)]
    failed = [f"{n} ({row['error']})" for n, row in theirs.items() if "error" in row]
    ours_failed = [f"{n} ({row['error']})" for n, row in ours.items() if "error" in row]
    cut = len(ours) - len(ours_failed)
    return Headline(
        claim="Every network of the zoo can be cut",
        paper=PAPER,
        ours=f"{cut} of {len(ours)} cut here, each equal to its masked form; "
        + (f"{len(theirs) - len(failed)} by torch-pruning {_version()}" if peer else LEFT_OUT),
        holds=not ours_failed,
        seeds=1,
        figures=figures,
        note=f"Fails there: {'; '.join(failed) or 'none'}. Fails here: "
        f"{'; '.join(ours_failed) or 'none'}. 100 % of the MACs left is nothing cut.",
    )


def accuracy_beside_torch_pruning() -> Headline:
    """The same trained networks, cut by both to the same widths, and trained again alike."""
    if not torch_pruning.is_here():
        return Headline(EQUAL, PAPER, LEFT_OUT, holds=None, seeds=1, figures={})
    x, dense = example(NETWORK), {seed: trained(NETWORK, seed) for seed in seeds()}
    theirs = _cut_by_peer(dense)
    figures: dict[str, list[float]] = {}
    for seed, other in theirs.items():
        pairs = {
            "ours": cut_and_retrained(seed),
            "torch-pruning": (other, training(NETWORK, seed, PASSES).run(other)),
        }
        for name, (cut, again) in pairs.items():
            got = {
                f"{name}, MACs": float(count(cut, x).total.macs or 0),
                f"{name}, %": test_accuracy(NETWORK, cut),
                f"{name}, retrained, %": test_accuracy(NETWORK, again),
            }
            for key, value in got.items():
                figures.setdefault(key, []).append(value)
    ahead = differences(figures["ours, retrained, %"], figures["torch-pruning, retrained, %"])
    return Headline(
        claim=EQUAL,
        paper=PAPER,
        ours=f"{NETWORK}, {mean(figures['ours, MACs']):,.0f} MACs against "
        f"{mean(figures['torch-pruning, MACs']):,.0f}: "
        f"{spread(figures['ours, %'], '%')} against {spread(figures['torch-pruning, %'], '%')} "
        f"as cut; retrained, {spread(ahead)} points ahead",
        holds=None,
        seeds=len(ahead),
        figures=figures,
        note="Both rank by group norms: there the mean over a group's layers, here the sum.",
    )


def _version() -> str:
    return version_of(torch_pruning.PEER)


def _cut_by_peer(dense: dict[int, nn.Module]) -> dict[int, nn.Module]:
    with TemporaryDirectory() as folder:
        files = {seed: str(Path(folder) / f"{seed}.pt") for seed in dense}
        for seed, model in dense.items():
            torch.save(model.state_dict(), files[seed])
        words = ("cut", NETWORK, str(SHARE), *files.values())
        torch_pruning.asked(*words, limit_s=LIMIT_S)
        weights = {s: torch.load(f"{f}.cut", weights_only=True) for s, f in files.items()}
    return {s: load_smaller(models.build(NETWORK, seed=0), w).eval() for s, w in weights.items()}
