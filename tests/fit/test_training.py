"""The training loop: what it promises about the model, the seed, and what goes wrong."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss

from efficientdl.fit import Diverged, Recipe, fit, one_cycle
from efficientdl.fit.history import Stop
from tests.quiet import one_silent_thread as one_silent_thread


def clouds(n=96, seed=0):
    """Two clouds of points, easy to part."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % 2
    return torch.randn(n, 4, generator=generator) + 3.0 * y[:, None], y


def network(dropout=0.0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return nn.Sequential(
            nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, 2)
        )


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=0, atol=0, msg=name)


def test_learns_what_can_be_learnt():
    fitted = fit(network(), clouds(), clouds(seed=1), epochs=10, lr=0.05, seed=0)
    assert fitted.history.val_accuracy[fitted.history.best] > 0.95
    assert fitted.history.loss[-1] < fitted.history.loss[0]
    assert fitted.history.stop is Stop.DONE
    assert len(fitted.history.epochs) == 10


def test_one_step_equals_torchs_adamw_by_hand():
    # One batch of everything: the order of the rows moves no more than the last digits.
    x, y = clouds(40)
    model = nn.Linear(4, 2)
    by_hand = copy.deepcopy(model)
    lr, momentum = one_cycle(0, 1, 0.1)
    optimizer = torch.optim.AdamW(
        by_hand.parameters(), lr=lr, betas=(momentum, 0.999), weight_decay=0.5
    )
    cross_entropy(by_hand(x), y).backward()
    optimizer.step()
    recipe = Recipe(batch=40, weight_decay=0.5)
    fitted = fit(model, (x, y), None, epochs=1, lr=0.1, seed=0, recipe=recipe)
    torch.testing.assert_close(fitted.model.state_dict(), by_hand.state_dict())
    assert not torch.equal(fitted.model.weight, model.weight)


def test_the_model_passed_in_is_unchanged():
    model = network(dropout=0.5)
    model[1].eval()
    before = weights(model)
    fitted = fit(model, clouds(), clouds(), epochs=2, lr=0.05, seed=0)
    assert_same(weights(model), before)
    assert all(p.grad is None for p in model.parameters())
    for one in (model, fitted.model):
        assert [m.training for m in one] == [True, False, True, True, True]


def test_a_frozen_layer_stays_and_a_frozen_norm_keeps_its_statistics():
    model = network()
    model[0].requires_grad_(False)
    model[1].eval()
    fitted = fit(model, clouds(), None, epochs=2, lr=0.05, seed=0)
    torch.testing.assert_close(fitted.model[0].weight, model[0].weight, rtol=0, atol=0)
    torch.testing.assert_close(fitted.model[1].running_mean, torch.zeros(8), rtol=0, atol=0)
    assert [p.requires_grad for p in fitted.model.parameters()] == [False] * 2 + [True] * 4
    assert not torch.equal(fitted.model[4].weight, model[4].weight)


def test_a_model_in_evaluation_mode_is_trained_and_stays_in_it():
    model = network().eval()
    fitted = fit(model, clouds(), None, epochs=1, lr=0.05, seed=0)
    assert not any(m.training for m in fitted.model.modules())
    assert fitted.model[1].num_batches_tracked == 1  # its batch norm did see the batch


def test_same_seed_same_weights_and_another_seed_others():
    def run(seed):
        return fit(network(0.3), clouds(), clouds(seed=1), epochs=3, lr=0.05, seed=seed)

    first, again, other = run(0), run(0), run(1)
    assert_same(weights(first.model), weights(again.model))
    assert first.history == again.history
    assert not torch.equal(first.model[0].weight, other.model[0].weight)


def test_torchs_global_generator_is_neither_read_nor_moved():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one = fit(network(0.5), clouds(), None, epochs=1, lr=0.05, seed=0)
    torch.testing.assert_close(torch.get_rng_state(), before, rtol=0, atol=0)
    torch.manual_seed(6)
    other = fit(network(0.5), clouds(), None, epochs=1, lr=0.05, seed=0)
    assert_same(weights(one.model), weights(other.model))


class Scripted(nn.Module):
    """Answers class 1 in a share of the validation rows that a script gives, epoch by epoch."""

    def __init__(self, shares):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.register_buffer("epoch", torch.zeros((), dtype=torch.long))
        self.shares = shares

    def forward(self, x):
        if self.training:
            self.epoch += 1
            return torch.stack([-self.weight.expand(len(x)), self.weight.expand(len(x))], 1)
        right = torch.arange(len(x)) < round(self.shares[int(self.epoch) - 1] * len(x))
        return torch.stack([1.0 - right.float(), right.float()], 1)


def scripted(shares, patience=None):
    # One batch an epoch, so that the epoch counter that is kept tells which epoch was kept.
    data = torch.zeros(10, 1), torch.ones(10, dtype=torch.long)
    recipe = Recipe(batch=10, patience=patience)
    return fit(Scripted(shares), data, data, epochs=len(shares), lr=0.1, seed=0, recipe=recipe)


def test_keeps_the_best_epoch_the_first_of_equals():
    fitted = scripted([0.2, 0.9, 0.5, 0.9, 0.1])
    assert fitted.history.best == 1
    assert fitted.model.epoch == 2  # the weights are those of the second epoch
    assert fitted.history.val_accuracy == [0.2, 0.9, 0.5, 0.9, 0.1]


def test_patience_ends_it():
    fitted = scripted([0.2, 0.9, 0.5, 0.8, 1.0], patience=2)
    assert len(fitted.history.epochs) == 4
    assert fitted.history.stop is Stop.PATIENCE
    assert fitted.model.epoch == 2
    assert len(scripted([0.2, 0.9, 0.5, 1.0, 0.1], patience=2).history.epochs) == 5


def test_without_validation_the_last_epoch_stays():
    data = torch.zeros(10, 1), torch.ones(10, dtype=torch.long)
    fitted = fit(Scripted([]), data, None, epochs=3, lr=0.1, seed=0, recipe=Recipe(batch=10))
    assert (fitted.history.best, int(fitted.model.epoch)) == (2, 3)
    assert fitted.history.val_accuracy == []


def interrupted_at(step):
    """A hook that presses ctrl-C after so many steps."""
    steps = iter(range(1, 1000))

    def after_step(model):
        if next(steps) == step:
            raise KeyboardInterrupt

    return after_step


def test_an_interruption_gives_back_the_best_so_far():
    recipe = Recipe(batch=32, after_step=interrupted_at(8))  # in the third epoch of 3 steps each
    fitted = fit(network(), clouds(), clouds(), epochs=9, lr=0.05, seed=0, recipe=recipe)
    assert fitted.history.stop is Stop.INTERRUPTED
    assert len(fitted.history.epochs) == 2
    uncut = fit(network(), clouds(), clouds(), epochs=9, lr=0.05, seed=0, recipe=Recipe(batch=32))
    assert fitted.history.epochs == uncut.history.epochs[:2]


def test_an_interruption_in_the_first_epoch_gives_back_the_start():
    model = network()
    recipe = Recipe(batch=32, after_step=interrupted_at(2))
    fitted = fit(model, clouds(), clouds(), epochs=2, lr=0.05, seed=0, recipe=recipe)
    assert_same(weights(fitted.model), weights(model))
    assert fitted.history.best is None


def test_divergence_is_said_and_the_best_is_kept():
    steps = iter(range(1000))

    def loss(output, y):
        return cross_entropy(output, y) * (math.nan if next(steps) >= 4 else 1.0)

    with pytest.raises(Diverged, match=r"fit: lr must be low enough .* in epoch 2 it was not") as e:
        fit(network(), clouds(), clouds(), epochs=3, lr=0.05, seed=0, loss=loss, recipe=Recipe(32))
    kept = e.value.fitted
    assert kept.history.best == 0
    assert all(bool(p.isfinite().all()) for p in kept.model.parameters())


def test_a_teachers_outputs_can_be_the_targets():
    x, y = clouds()
    teacher = nn.functional.one_hot(y, 2).float()
    fitted = fit(network(), (x, teacher), (x, y), epochs=20, lr=0.05, seed=0, loss=mse_loss)
    assert fitted.history.val_accuracy[-1] > 0.95
    assert fitted.history.train_accuracy[-1] > 0.9


def test_a_penalty_pulls_the_weights_down():
    def l1(model):
        return 0.5 * sum(p.abs().sum() for p in model.parameters())

    def size(recipe):
        fitted = fit(network(), clouds(), None, epochs=20, lr=0.1, seed=0, recipe=recipe)
        return sum(float(p.detach().abs().sum()) for p in fitted.model.parameters())

    assert size(Recipe(penalty=l1)) < 0.5 * size(Recipe())


def test_a_hook_after_each_step_holds_a_mask():
    def prune(model):
        with torch.no_grad():
            model[0].weight[:, 0] = 0

    recipe = Recipe(after_step=prune)
    fitted = fit(network(), clouds(), clouds(), epochs=3, lr=0.05, seed=0, recipe=recipe)
    torch.testing.assert_close(fitted.model[0].weight[:, 0], torch.zeros(8), rtol=0, atol=0)


def test_every_example_is_seen_once_an_epoch_and_no_batch_is_small():
    seen = []
    x = torch.arange(70.0)[:, None]

    class Watching(nn.Linear):
        def forward(self, x):
            seen.append(x.flatten())
            return super().forward(x)

    fit(
        Watching(1, 2),
        (x, torch.zeros(70).long()),
        None,
        epochs=2,
        lr=0.01,
        seed=0,
        recipe=Recipe(32),
    )
    assert [len(batch) for batch in seen] == [35, 35, 35, 35]
    for epoch in (seen[:2], seen[2:]):
        torch.testing.assert_close(torch.cat(epoch).sort().values, x.flatten(), rtol=0, atol=0)
    assert not torch.equal(seen[0], seen[2])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"epochs": 0}, "fit: epochs must be a whole number, 1 or more, got 0"),
        ({"lr": 0.0}, "fit: lr must be a positive number, got 0.0"),
        ({"lr": math.inf}, "fit: lr must be a positive number, got inf"),
        ({"seed": -1}, "fit: seed must be a whole number"),
        ({"recipe": Recipe(batch=0)}, "fit: batch must be a whole number, 1 or more, got 0"),
        ({"recipe": Recipe(patience=1), "val": None}, "fit: patience needs a validation set"),
        ({"train": (torch.zeros(3, 4), torch.zeros(2).long())}, "must be equally long"),
        ({"val": (torch.zeros(0, 4), torch.zeros(0).long())}, "number of val examples"),
        ({"model": nn.ReLU()}, "fit: model must have a parameter that requires a gradient"),
    ],
)
def test_bad_settings_are_said(change, said):
    settings = {
        "model": network(),
        "train": clouds(),
        "val": clouds(),
        "epochs": 1,
        "lr": 0.1,
        "seed": 0,
    }
    settings |= change
    data = [settings.pop(name) for name in ("model", "train", "val")]
    with pytest.raises(ValueError, match=said):
        fit(*data, **settings)
