"""Memory of inference: which activations live at the same time.

An activation is born when an operation writes it and may die when the last one has read it. The
peak is the largest sum of the living; with the order of operations fixed it is a fact, and no
implementation in that order can do with less, unless it writes over its inputs.
"""

from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

from efficientdl.costs.trace import (
    MODEL,
    Call,
    Inputs,
    Op,
    StorageNumbers,
    Watcher,
    check_inputs,
    run,
    tensors,
)


class _Lives(Watcher):
    """First and last operation of each piece of memory that holds activations."""

    def __init__(self, model: nn.Module) -> None:
        self.numbers = StorageNumbers()
        held = tensors(*model.parameters(), *model.buffers())
        self.held = set(map(self.numbers.of, held))
        self.first: dict[int, int] = {}
        self.last: dict[int, int] = {}
        self.bytes: dict[int, int] = {}
        self.now = 0

    def use(self, tensor: Tensor) -> None:
        number = self.numbers.of(tensor)
        if number not in self.held:
            self.first.setdefault(number, self.now)
            self.last[number] = self.now
            self.bytes[number] = tensor.untyped_storage().nbytes()

    def op(self, op: Op) -> None:
        if op.only_views():
            return
        for tensor in (*op.inputs(), *op.outputs()):
            self.use(tensor)
        self.now += 1

    def enter(self, call: Call) -> None:
        if call.name == MODEL:
            for tensor in call.inputs():
                self.use(tensor)

    def leave(self, call: Call, out: object) -> None:
        if call.name == MODEL:  # the caller reads the output
            self.now = max(0, self.now - 1)
            for tensor in tensors(out):
                self.use(tensor)

    def peak(self) -> int:
        change = dict.fromkeys(range(self.now + 2), 0)
        for number, n in self.bytes.items():
            change[self.first[number]] += n
            change[self.last[number] + 1] -= n
        alive = peak = 0
        for moment in sorted(change):
            alive += change[moment]
            peak = max(peak, alive)
        return peak


def peak_activation_bytes(model: nn.Module, x: Inputs) -> int:
    """Most bytes of activations alive at once in inference, by liveness.

    An activation lives from the operation that writes it to the last one that reads it, the input
    from the start, the output to the end. While an operation runs, its inputs and outputs live
    both. Weights and buffers are not activations; scratch memory inside a kernel is not seen.

    Args:
        x: A batch.

    >>> import torch
    >>> model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
    >>> peak_activation_bytes(model, torch.zeros(1, 8))  # 16 floats before the ReLU, 16 after
    128

    Source: survey section 4, Figure 9; Lin, Chen, Lin, Cohn, Gan, Han, "MCUNet: Tiny Deep Learning
        on IoT Devices", 2020, section 3; lab 01.
    """
    check_inputs("peak_activation_bytes", model, x)
    lives = _Lives(model)
    run(model, x, lives)
    return lives.peak()


class _Tracked(Watcher):
    """Memory of activations that is really alive after each operation."""

    def __init__(self, model: nn.Module) -> None:
        self.numbers = StorageNumbers()
        held = tensors(*model.parameters(), *model.buffers())
        self.held = set(map(self.numbers.of, held))
        self.alive: dict[int, tuple[StorageWeakRef, int]] = {}
        self.peak = 0

    def op(self, op: Op) -> None:
        for tensor in (*op.inputs(), *op.outputs()):
            number = self.numbers.of(tensor)
            if number not in self.held and number not in self.alive:
                storage = tensor.untyped_storage()
                self.alive[number] = (StorageWeakRef(storage), storage.nbytes())
        self.alive = {n: (ref, b) for n, (ref, b) in self.alive.items() if not ref.expired()}
        self.peak = max(self.peak, sum(b for _, b in self.alive.values()))


def measured_peak_bytes(model: nn.Module, x: Inputs) -> int:
    """Most bytes of activations that were alive at once while torch ran the model.

    Memory counts until it is really freed. That is later than liveness allows, and the difference
    has one cause: variables. A block holds its input until the block returns, whether or not
    anything still reads it.

    Args:
        x: A batch.

    >>> import torch
    >>> model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
    >>> measured_peak_bytes(model, torch.zeros(1, 8))  # the 8 floats of the input are held too
    160

    Source: survey section 4, Figure 9; lab 01.
    """
    check_inputs("measured_peak_bytes", model, x)
    tracked = _Tracked(model)
    run(model, x, tracked)
    return tracked.peak
