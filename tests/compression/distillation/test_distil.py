"""The driver: what it is without a teacher, and one step of it by hand."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.functional import cross_entropy

from efficientdl.compression.distillation import Match, distil, regressor
from efficientdl.fit import Diverged, evaluate, one_cycle
from efficientdl.fit.distillation import (
    attention_transfer,
    bounded_regression,
    hint,
    match_logits,
    soft_targets,
)
from efficientdl.fit.plan import Training
from efficientdl.models import seeded
from tests.compression.distillation.small_pair import DIGITS, X, network, teacher, training
from tests.promises.state import global_generators_untouched, untouched

SOFT = Match(loss=partial(soft_targets, temperature=4.0))
GUIDED = Match(loss=hint, student="3", teacher="3", adapter=partial(regressor, seed=0))


def same(a, b):
    torch.testing.assert_close(a.state_dict(), b.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize("matches", [[], [replace(SOFT, weight=0.0)]])
@pytest.mark.parametrize("mode", [True, False])
def test_without_a_teachers_say_it_is_the_training(matches, mode):
    start = network(dropout=0.3).train(mode)
    plan = replace(training(), val=DIGITS.val)
    got, report = distil(start, teacher(), X, matches=matches, training=plan)
    same(got, plan.run(start))
    assert got.training is mode
    assert report.total.params == sum(p.numel() for p in start.parameters())


def test_a_step_by_hand():
    """One step of AdamW on the mixture of losses, with the teacher in evaluation mode."""
    start, taught = network().train(), teacher().train()
    plan = training(epochs=1, batch=256, weight_decay=0.0)
    match = replace(SOFT, weight=0.9)
    got, _ = distil(start, taught, X, matches=[match], training=plan, task_weight=0.1)

    mine = network().train()
    order = torch.randperm(256, generator=torch.Generator().manual_seed(3))
    rows, says = plan.train[0][order], plan.train[1][order]
    with torch.no_grad():
        target = teacher().eval()(rows)
    output = mine(rows)
    hard = cross_entropy(output, says)
    soft = functional.kl_div(
        (output / 4).log_softmax(1), (target / 4).softmax(1), reduction="batchmean"
    )
    (0.1 * hard + 0.9 * 16 * soft).backward()
    lr, momentum = one_cycle(0, 1, plan.lr)
    torch.optim.AdamW(mine.parameters(), lr=lr, betas=(momentum, 0.999), weight_decay=0.0).step()
    # The first step of Adam is lr times the gradient's sign, smoothed where it is near its
    # epsilon; gradients agree to float32's rounding.
    torch.testing.assert_close(got.state_dict(), mine.state_dict(), rtol=1e-4, atol=1e-6)
    assert not torch.equal(got[3].weight, network()[3].weight)


def test_neither_network_is_changed_and_nothing_is_drawn():
    start, taught = network().train(), teacher().train()
    start[1].bias.requires_grad_(False)
    with untouched(start), untouched(taught), global_generators_untouched():
        got, _ = distil(start, taught, X, matches=[SOFT, GUIDED], training=training())
    assert not any(m._forward_hooks for m in got.modules())
    assert [p.requires_grad for p in got.parameters()] == [
        p.requires_grad for p in start.parameters()
    ]
    torch.testing.assert_close(got[1].bias, start[1].bias, rtol=0, atol=0)


def test_it_replays():
    first, second = (
        distil(network(), teacher(), X, matches=[SOFT, GUIDED], training=training()).model
        for _ in range(2)
    )
    same(first, second)


def test_a_student_that_is_its_teacher_stays_so():
    """All of its gradients are zero; without batch norm both say the same."""
    start = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    plan = training(weight_decay=0.0)
    logits = Match(loss=match_logits)
    got, _ = distil(start, start, X, matches=[logits], training=plan, task_weight=0.0)
    same(got, start)


def test_hints_alone_train_up_to_the_guided_layer_and_no_further():
    start = network()
    plan = training(epochs=4, n=512)
    got, _ = distil(start, teacher(), X, matches=[GUIDED], training=plan, task_weight=0.0)
    for name, before in start.named_parameters():
        moved = not torch.equal(before, got.get_parameter(name))
        assert moved == (int(name.split(".")[0]) <= 3), name


@pytest.mark.parametrize(
    "match", [GUIDED, Match(loss=attention_transfer, student="3", teacher="3")]
)
def test_the_distance_from_the_teacher_falls(match):
    start, taught = network(), teacher().eval()
    plan = training(epochs=6, n=512)
    got, _ = distil(start, taught, X, matches=[match], training=plan, task_weight=0.0)

    def distance(student):
        with torch.no_grad():
            mine, theirs = student.eval()[:4](plan.train[0]), taught[:4](plan.train[0])
        if match.adapter is None:
            return float(match.loss(mine, theirs))
        # The best regressor there is, in closed form: channels with a one onto channels.
        a = mine.movedim(1, -1).reshape(-1, mine.shape[1])
        a = torch.cat([a, torch.ones(len(a), 1)], dim=1).double()
        b = theirs.movedim(1, -1).reshape(len(a), -1).double()
        return float((a @ torch.linalg.lstsq(a, b).solution - b).square().mean() / 2)

    assert distance(got) < 0.8 * distance(start)


def test_an_activation_in_place_does_not_write_into_what_is_compared():
    seen = []

    def kept(student, theirs):
        seen.append(student.detach())
        return hint(student, student.detach() * 0)

    match = Match(loss=kept, student="3", teacher="3")
    distil(network(), teacher(), X, matches=[match], training=training(epochs=1))
    assert all(float(x.min()) < 0 for x in seen)


def test_penalty_and_hook_see_the_student():
    seen = []
    start = network()

    def penalty(model):
        seen.append(type(model))
        return 0 * model[0].weight.sum()

    plan = training(penalty=penalty, after_step=lambda model: seen.append(type(model)))
    distil(start, teacher(), X, matches=[SOFT], training=plan)
    assert set(seen) == {type(start)}
    assert len(seen) == 2 * plan.steps


def test_maps_of_labels_and_a_loss_that_asks_for_them():
    """A dense task: outputs `n c h w`, targets of the same shape, another for each example."""
    x = torch.randn(64, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    y = torch.cat([x, -x], dim=1)
    start, taught = (seeded(lambda: nn.Conv2d(1, 2, 1), seed=seed) for seed in (0, 1))
    heard = []

    def loss(student, teacher, *, target):
        heard.append((student.shape, target.clone()))
        flat = [t.movedim(1, -1) for t in (student, teacher, target)]
        return bounded_regression(flat[0], flat[1], target=flat[2], margin=0.1)

    plan = Training(train=(x, y), epochs=100, lr=0.2, seed=0, loss=nn.functional.mse_loss)
    got, _ = distil(start, taught, x[:1], matches=[Match(loss=loss)], training=plan)
    _, batch = heard[-1]
    assert {tuple(row.flatten().tolist()) for row in batch} <= {
        tuple(row.flatten().tolist()) for row in y
    }
    # A 1x1 convolution can say it exactly; 100 steps of AdamW come this near.
    torch.testing.assert_close(got(x), y, rtol=0, atol=0.2)


@pytest.mark.slow
def test_a_student_of_a_teacher_learns_from_inputs_without_labels():
    """With the labels left out, what it knows is what the teacher knows."""
    taught = training(epochs=12, n=1200).run(teacher())
    plan = training(epochs=8, n=1200)
    plan = replace(plan, train=(plan.train[0], torch.zeros_like(plan.train[1])))
    got, _ = distil(network(), taught, X, matches=[SOFT], training=plan, task_weight=0.0)
    known = evaluate(taught, DIGITS.test)
    assert known > 0.9
    assert evaluate(got, DIGITS.test) > known - 0.1


def test_divergence_hands_back_the_student():
    match = Match(loss=lambda s, t: s.sum() * float("inf"))
    with pytest.raises(Diverged, match=r"fit: lr must be low enough") as caught:
        distil(network(), teacher(), X, matches=[match], training=training())
    assert isinstance(caught.value.fitted.model, nn.Sequential)


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.idle = nn.Linear(64, 64), nn.Linear(2, 2)

    def forward(self, x):
        return self.layer(self.layer(x.flatten(1)))[:, :10]


def test_bad_matches():
    def run(match, student=None, **options):
        plan = options.pop("training", training())
        distil(student or network(), teacher(), X, matches=[match], training=plan, **options)

    with pytest.raises(ValueError, match=r"distil: student layer must be one of .*got '33'"):
        run(replace(GUIDED, student="33"))
    with pytest.raises(ValueError, match=r"distil: teacher layer must be one of .*got 'x'"):
        run(replace(GUIDED, teacher="x"))
    with pytest.raises(ValueError, match=r"hint: student must have its teacher's shape \(2, 12, 3"):
        run(replace(GUIDED, adapter=None))
    with pytest.raises(ValueError, match=r"distil: student must call layer 'layer' .*got '2 calls"):
        run(Match(loss=hint, student="layer", teacher="3"), Twice())
    with pytest.raises(ValueError, match=r"distil: student must call layer 'idle' .*got '0 calls"):
        run(Match(loss=hint, student="idle", teacher="3"), Twice())
    with pytest.raises(ValueError, match=r"distil: weight must be at least 0, got -1"):
        run(replace(SOFT, weight=-1))
    with pytest.raises(ValueError, match=r"distil: weight must be finite, got inf"):
        run(replace(SOFT, weight=float("inf")))
    with pytest.raises(ValueError, match=r"distil: task_weight must be above 0 where no match"):
        run(replace(SOFT, weight=0.0), task_weight=0.0)
    with pytest.raises(TypeError, match=r"match must be a Match, got <function|'matches'"):
        run(soft_targets)
    with pytest.raises(TypeError, match=r"loss must be a function, got 'kd'|'loss'|loss="):
        run(Match(loss="kd"))
    empty = replace(training(), train=(X[:0], DIGITS.train.y[:0]))
    with pytest.raises(ValueError, match=r"distil: number of training examples must be"):
        run(SOFT, training=empty)


def test_layers_that_do_not_give_one_tensor():
    lstm = nn.LSTM(8, 8, batch_first=True)
    match = Match(loss=hint)
    with pytest.raises(ValueError, match=r"distil: model must give one tensor in layer '', got"):
        distil(lstm, lstm, X[:, 0], matches=[match], training=training())


def test_a_validation_set_needs_labels():
    x = torch.ones(4, 1, 3, 3)
    boxes = torch.ones(4, 5, 3, 3)
    plan = Training(train=(x, boxes), val=(x, boxes), epochs=1, lr=0.1, seed=0)
    conv = nn.Conv2d(1, 1, 1)
    with pytest.raises(ValueError, match=r"distil: training.val must be None where targets are"):
        distil(conv, conv, x, matches=[Match(loss=hint)], training=plan)


def test_a_validation_set_may_have_labels_of_pixels():
    """It chooses the same epoch as the training alone, and its weights are those of that epoch."""
    gen = torch.Generator().manual_seed(0)
    x = torch.randn(32, 1, 3, 3, generator=gen)
    y = (x[:, 0] > 0).long()
    start = seeded(lambda: nn.Conv2d(1, 2, 1), seed=0)
    plan = Training(train=(x, y), val=(x[:8], y[:8]), epochs=6, lr=0.3, seed=0)
    same(distil(start, start, x, matches=[], training=plan).model, plan.run(start))
    assert plan.fit(start).history.best < 5
