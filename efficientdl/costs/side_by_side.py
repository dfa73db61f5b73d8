"""Networks side by side: what each holds, computes, stores, and how long it really takes.

A compressed network has four sizes that are easily taken for one another: its weights, those that
are not zero, the bits that they are stored in, and the time of a run. One table holds them all.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.costs.count import count
from efficientdl.costs.latency import Comparison, Latency, compare
from efficientdl.costs.trace import Inputs, arguments, check_inputs
from efficientdl.report import table_html, table_text

_HEAD = ["network", "params", "kept", "MACs", "dense KiB", "stored KiB", "latency ms"]
_HEAD += ["quartiles", "times faster"]


@dataclass(frozen=True)
class Measured:
    """One network's row.

    Attributes:
        params: Weights, zeros included.
        kept_params: Those that are not zeros of a weight; biases and norms all count as kept.
        macs: MACs as `count` gives them: dense where a dense kernel runs, zeros and all.
        dense_bits: The parameters as 32-bit floats.
        stored_bits: As they are stored, index bits of sparse forms included.
        latency: Measured, for the input given.
    """

    params: int
    kept_params: int
    macs: int
    dense_bits: int
    stored_bits: int
    latency: Latency


@dataclass(frozen=True)
class SideBySide:
    """Rows by the networks' names; the first is the one that the others are held against.

    Attributes:
        rows: What was counted and measured.
    """

    rows: Mapping[str, Measured]

    def __getitem__(self, name: str) -> Measured:
        """The row of a network.

        Raises:
            BadValue: There is no network of this name.
        """
        _check.one_of("SideBySide", "name", name, self.rows)
        return self.rows[name]

    def times_faster(self, name: str) -> float:
        """How many times less the network takes than the first, as the median over the turns.

        >>> row = {"params": 1, "kept_params": 1, "macs": 1, "dense_bits": 32, "stored_bits": 32}
        >>> both = {"dense": (4.0, 6.0), "pruned": (2.0, 2.0)}
        >>> rows = {name: Measured(**row, latency=Latency(times)) for name, times in both.items()}
        >>> SideBySide(rows).times_faster("pruned")
        2.5
        """
        base = next(iter(self.rows.values())).latency
        return Comparison({"base": base, "it": self[name].latency}).ratio("base", "it").median

    def table(self) -> list[list[str]]:
        """Heading, and one line for each network: each a list of printed cells."""
        return [_HEAD, *(self._line(name, row) for name, row in self.rows.items())]

    def _line(self, name: str, row: Measured) -> list[str]:
        counts = [f"{n:,}" for n in (row.params, row.kept_params, row.macs)]
        sizes = [f"{bits / 8 / 1024:,.1f}" for bits in (row.dense_bits, row.stored_bits)]
        taken = row.latency
        low, middle, high = (f"{s * 1e3:.3g}" for s in (taken.low_s, taken.median_s, taken.high_s))
        faster = f"{self.times_faster(name):.2f}"
        return [name, *counts, *sizes, middle, f"{low} to {high}", faster]

    def __str__(self) -> str:
        return table_text(self.table())

    def _repr_html_(self) -> str:
        return table_html(self.table(), caption="Networks side by side")


def side_by_side(
    models: Mapping[str, nn.Module], x: Inputs, *, repeats: int = 30, threads: int = 1
) -> SideBySide:
    """Count and time several networks on the same input.

    They are timed in evaluation mode, without gradients, and take turns, so that what disturbs
    one disturbs them all; each gets its mode back. Quartiles say how steady the times were.

    Args:
        models: The networks by name, the one to compare with first.
        x: One input, or a tuple of the models' arguments; MACs and latency are for this batch.
        repeats: Turns.
        threads: Threads that torch may use; the sparse kernel uses one.

    Raises:
        BadValue: There is no network, or one of them is on the meta device, which has no values.

    >>> narrow, wide = nn.Linear(8, 8), nn.Linear(8, 64)
    >>> both = side_by_side({"wide": wide, "narrow": narrow}, torch.zeros(1, 8), repeats=3)
    >>> both["wide"].macs / both["narrow"].macs
    8.0

    Source: Gale, Elsen and Hooker, "The State of Sparsity in Deep Neural Networks", 2019, section
    2, on why zeros are not yet speed; the survey's section 2.1; lab 02.
    """
    _check.kind("side_by_side", "models", models, Mapping)
    if not models:
        _check.fail("side_by_side", "models", "must name at least one network", models)
    for name, model in models.items():
        check_inputs("side_by_side", model, x)
        if any(t.is_meta for t in [*model.parameters(), *model.buffers()]):
            rule = "must hold values to be timed, not shapes alone"
            _check.fail("side_by_side", f"network {name!r}", rule, "meta device")
    with _evaluating(models):
        calls = {name: _inference(model, x) for name, model in models.items()}
        taken = compare(calls, repeats=repeats, threads=threads).latencies
    return SideBySide({name: _row(model, x, taken[name]) for name, model in models.items()})


def _row(model: nn.Module, x: Inputs, taken: Latency) -> Measured:
    total = count(model, x).total
    params, macs, bits = total.params or 0, total.macs or 0, total.weight_bits or 0
    return Measured(params, params - _n_zeros(model), macs, 32 * params, bits, taken)


def _n_zeros(model: nn.Module) -> int:
    """Zeros of the weights; a tied one counts once, and what a mask drops is zero."""
    weights: dict[int, Tensor] = {}
    for module in model.modules():
        own = [(name, p) for name, p in module.named_parameters() if p.ndim > 1]
        for name, weight in own:
            mask = _mask_of(module, name)
            used = weight if mask is None else weight * mask
            if mask is not None or id(weight) not in weights:
                weights[id(weight)] = used
        if not own and isinstance(getattr(type(module), "weight", None), property):
            made: Any = module.weight  # of codes, or of compressed rows
            weights[id(module)] = made
    return sum(w.numel() - int(w.count_nonzero()) for w in weights.values())


def _mask_of(module: nn.Module, name: str) -> Tensor | None:
    """The mask that a module holds for a weight: `mask` for `weight`, else `<name>_mask`."""
    buffer = "mask" if name == "weight" else f"{name.replace('.', '_')}_mask"
    return module._buffers.get(buffer)


@contextmanager
def _evaluating(models: Mapping[str, nn.Module]) -> Generator[None]:
    before = [(m, m.training) for model in models.values() for m in model.modules()]
    try:
        for model in models.values():
            model.eval()
        yield
    finally:
        for module, training in before:
            module.training = training


def _inference(model: nn.Module, x: Inputs) -> Callable[[], object]:
    def call() -> object:
        with torch.no_grad():
            return model(*arguments(x))

    return call
