"""A run tells every operation, and leaves nothing behind."""

import pytest
import torch
from torch import nn

from efficientdl.costs.trace import Call, Op, StorageNumbers, Watcher, run, run_training, tensors


class Names(Watcher):
    def __init__(self):
        self.ops, self.calls = [], []

    def op(self, op: Op):
        self.ops.append((op.layer, op.name))

    def enter(self, call: Call):
        self.calls.append(call.name)


class Fails(nn.Module):
    def forward(self, x):
        raise RuntimeError("on purpose")


def state(model):
    return {name: t.clone() for name, t in model.state_dict().items()}


def hooks(model):
    kinds = ("_forward_hooks", "_forward_pre_hooks")
    return sum(len(getattr(m, kind)) for m in model.modules() for kind in kinds)


def test_operations_are_told_with_their_layer():
    model = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.ReLU()))
    names = Names()
    run(model, torch.zeros(2, 4), names)
    assert names.calls == ["(model)", "0", "1", "1.0"]
    assert ("0", "aten.addmm") in names.ops
    assert names.ops[-1] == ("1.0", "aten.relu")


def test_inference_mode_inside_the_model_hides_nothing():
    class Hidden(nn.Module):
        @torch.inference_mode()
        def forward(self, x):
            return torch.nn.functional.linear(x, torch.ones(3, 4))

    names = Names()
    run(Hidden(), torch.zeros(2, 4), names)
    assert ("(model)", "aten.mm") in names.ops


@pytest.mark.parametrize("run_it", [run, run_training])
def test_nothing_is_left_behind(run_it):
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(), nn.ReLU())
    model[2].eval()
    before, modes = state(model), [m.training for m in model.modules()]
    random = torch.get_rng_state()
    run_it(model, torch.ones(2, 1, 8, 8), Watcher())
    torch.testing.assert_close(state(model), before, rtol=0, atol=0)
    torch.testing.assert_close(torch.get_rng_state(), random, rtol=0, atol=0)
    assert [m.training for m in model.modules()] == modes
    assert hooks(model) == 0
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("run_it", [run, run_training])
def test_nothing_is_left_behind_by_a_model_that_fails(run_it):
    model = nn.Sequential(nn.BatchNorm1d(3), Fails())
    model[0].eval()
    before, fast = state(model), torch.backends.mha.get_fastpath_enabled()
    with pytest.raises(RuntimeError, match="on purpose"):
        run_it(model, torch.ones(2, 3), Watcher())
    torch.testing.assert_close(state(model), before, rtol=0, atol=0)
    assert hooks(model) == 0
    assert [m.training for m in model.modules()] == [True, False, True]
    assert torch.backends.mha.get_fastpath_enabled() == fast
    assert torch.is_grad_enabled()


def test_training_keeps_its_graph():
    model = nn.Linear(3, 2)
    run_training(model, torch.ones(1, 3), Watcher()).sum().backward()
    torch.testing.assert_close(model.weight.grad, torch.ones(2, 3))


def test_a_number_is_never_given_twice():
    numbers = StorageNumbers()
    given = [numbers.of(torch.zeros(1000)) for _ in range(50)]  # memory is surely used again
    assert len(set(given)) == 50
    kept = torch.zeros(4)
    assert numbers.of(kept) == numbers.of(kept.view(2, 2)) == numbers.of(kept[2:])


def test_a_sparse_tensor_comes_in_its_parts():
    eye = torch.eye(3)
    assert [len(t) for t in tensors(eye.to_sparse_coo())] == [2, 3]
    assert [t.numel() for t in tensors((eye, {"a": [eye[0]]}, None))] == [9, 3]
