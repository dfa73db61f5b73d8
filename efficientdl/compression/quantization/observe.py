"""Calibration: look at what goes into each layer while the model runs on real examples."""

from collections import Counter
from collections.abc import Callable, Collection
from typing import Generic, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.compression.quantization.quantizable import demand_examples, fitting
from efficientdl.costs.trace import MODEL, Call, Watcher, run

V = TypeVar("V")
Measured = Callable[[Float[Tensor, "1 size"]], V]


def observe_inputs(
    caller: str,
    model: nn.Module,
    x: Float[Tensor, "n ..."],
    *,
    layers: Collection[str],
    measure: Measured[V],
) -> dict[str, V]:
    """What a measure says of all that goes into each of these layers, one tensor at a time.

    A layer that is called several times is measured once, on all of its inputs together; nothing
    else is kept, so that the memory is that of one run.

    Args:
        caller: Who asks, for the error.
        model: The model; it runs as in inference and is not changed.
        x: Real examples.
        layers: Names of layers.
        measure: `f(values) -> anything`, the values in one row: a rule for a range, say.

    Raises:
        BadValue: The batch is empty; a layer is never called; what goes into one is no finite
            number.

    >>> model = nn.Sequential(nn.ReLU(), nn.Linear(2, 1))
    >>> x = torch.tensor([[-1.0, 3.0]])
    >>> observe_inputs("example", model, x, layers=["1"], measure=lambda values: values.tolist())
    {'1': [[0.0, 3.0]]}
    """
    demand_examples(caller, model, x)
    inside = {MODEL if name == "" else name for name in layers}
    calls = _Calls(inside)
    with fitting(caller, x):
        run(model, x[:1], calls)
    for name in sorted(inside):
        if not calls.n[name]:
            rule = f"must call layer {name!r}, or its inputs are not seen"
            _check.fail(caller, "model", rule, "no call")
    inputs = _Inputs(caller, calls.n, measure)
    run(model, x, inputs)
    return {name: inputs.measured[MODEL if name == "" else name] for name in layers}


class _Calls(Watcher):
    """How often each layer is called."""

    def __init__(self, names: Collection[str]) -> None:
        self.n = Counter(dict.fromkeys(names, 0))

    def enter(self, call: Call) -> None:
        if call.name in self.n:
            self.n[call.name] += 1


class _Inputs(Watcher, Generic[V]):
    """Measure each layer's inputs at its last call."""

    def __init__(self, caller: str, n_calls: Counter[str], measure: Measured[V]) -> None:
        self.caller, self.measure = caller, measure
        self.left = dict(n_calls)
        self.seen: dict[str, list[Tensor]] = {name: [] for name in n_calls}
        self.measured: dict[str, V] = {}

    def enter(self, call: Call) -> None:
        if call.name not in self.left:
            return
        values = next(call.inputs()).detach().reshape(1, -1)
        self._demand_finite(call.name, values)
        self.left[call.name] -= 1
        if self.left[call.name] == 0:
            together = torch.cat([*self.seen.pop(call.name), values], dim=1)
            self.measured[call.name] = self.measure(together)
        else:
            self.seen[call.name].append(values.clone())

    def _demand_finite(self, name: str, values: Tensor) -> None:
        if not bool(values.isfinite().all()):
            bad = float(values[~values.isfinite()][0])
            rule = f"must lead to finite activations, and layer {name!r} takes others"
            _check.fail(self.caller, "x", rule, bad)
