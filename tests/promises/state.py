"""What must not change: the global generators, and a model that was only lent."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

# beartype draws the item of a list that it looks at from Python's generator.
GUARDS_PYTHON = not os.environ.get("CHECK_SHAPES")


def _generators() -> dict[str, object]:
    legacy = np.random.get_state(legacy=False)  # noqa: NPY002 (it is what we guard)
    numpy = (legacy["bit_generator"], legacy["state"]["key"].tolist(), legacy["state"]["pos"])
    python = random.getstate() if GUARDS_PYTHON else None
    return {"torch": torch.get_rng_state().tolist(), "numpy": numpy, "random": python}


@contextmanager
def global_generators_untouched() -> Iterator[None]:
    """Nothing is drawn from the generators of torch, NumPy and Python, nor are they seeded."""
    before = _generators()
    yield
    after = _generators()
    for name, then in before.items():
        assert then == after[name], f"drew from the global generator of {name}"


def snapshot(model: nn.Module) -> dict[str, object]:
    """All that a user can see of a model, tensors copied."""
    tensors = [*model.named_parameters(), *model.named_buffers()]
    return {
        "layers": [(name, id(module)) for name, module in model.named_modules()],
        "modes": [module.training for module in model.modules()],
        "tensors": [(name, id(t), t.detach().clone()) for name, t in tensors],
        "flags": [(name, t.requires_grad, t.dtype) for name, t in tensors],
        "gradients": [(n, None if p.grad is None else p.grad.clone()) for n, p in tensors],
        "hooks": [
            [len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks)]
            for m in model.modules()
        ],
    }


def same(before: object, after: object) -> bool:
    """Equality of snapshots, tensors by every value."""
    if isinstance(before, Tensor) and isinstance(after, Tensor):
        return before.dtype == after.dtype and torch.equal(before, after)
    if isinstance(before, list | tuple) and isinstance(after, list | tuple):
        return len(before) == len(after) and all(map(same, before, after))
    return type(before) is type(after) and before == after


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """A model that was lent comes back as it was."""
    before = snapshot(model)
    yield
    after = snapshot(model)
    for what, then in before.items():
        assert same(then, after[what]), f"changed the {what} of the model passed in"
