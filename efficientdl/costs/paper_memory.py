"""The figures of the survey's Figures 9 and 10: one step beyond the saved activations.

The tool behind those figures does not report what is kept at the end, but the fullest moment of
the forward pass: everything kept so far, and what the running layer needs to work.
"""

from torch import nn

from efficientdl.costs.saving import paper_rule
from efficientdl.costs.trace import Inputs, Op, Watcher, check_inputs, n_bytes, run, run_training

_IN_PLACE = ("aten.native_batch_norm", "aten.relu", "aten.hardtanh")


def working_bytes(op: Op) -> int:
    """What the layer needs to work: its input and its output.

    Norms and ReLUs write over their input, and a grouped convolution goes group by group, so that
    only one group of its output is beside the input.
    """
    name = op.name.removesuffix("_")
    if name == "aten.convolution":
        return n_bytes(op.args[0]) + n_bytes(op.out) // op.args[8]
    if name in ("aten.addmm", "aten.mm"):
        return n_bytes(op.args[1 if name == "aten.addmm" else 0]) + n_bytes(op.out)
    return n_bytes(op.args[0]) if name in _IN_PLACE else 0


class _Fullest(Watcher):
    def __init__(self) -> None:
        self.saved = self.peak = 0

    def op(self, op: Op) -> None:
        self.peak = max(self.peak, self.saved + working_bytes(op))
        self.saved += sum(kept.bytes for kept in paper_rule.kept(op))


class _Largest(Watcher):
    def __init__(self) -> None:
        self.peak = 0

    def op(self, op: Op) -> None:
        added = op.name == "aten.add" and not op.only_views()
        both = sum(n_bytes(t) for t in op.inputs()) if added else 0
        self.peak = max(self.peak, both, working_bytes(op))


def paper_training_bytes(model: nn.Module, x: Inputs) -> int:
    """Activation memory of training as Figures 9 and 10 report it: saved so far, and at work.

    >>> import torch
    >>> model = nn.Sequential(nn.Linear(8, 16), nn.ReLU())
    >>> paper_training_bytes(model, torch.zeros(1, 8))  # 8 floats kept, 16 in the ReLU's hands
    96

    Source: Cai, Gan, Zhu, Han, "TinyTL", 2020, and its memory profiler; survey section 4, Figures 9
        and 10; lab 01.
    """
    check_inputs("paper_training_bytes", model, x)
    fullest = _Fullest()
    run_training(model, x, fullest)
    return fullest.peak


def paper_running_bytes(model: nn.Module, x: Inputs) -> int:
    """Activation memory of inference as Figure 9 reports it: the layer that needs most to work.

    An addition needs both its inputs, and writes over one of them. What a shortcut holds while the
    other branch works is not counted, as the figure does not count it either.

    >>> import torch
    >>> paper_running_bytes(nn.Linear(8, 16), torch.zeros(1, 8))
    96

    Source: survey section 4, Figure 9, "running activation"; lab 01.
    """
    check_inputs("paper_running_bytes", model, x)
    largest = _Largest()
    run(model, x, largest)
    return largest.peak
