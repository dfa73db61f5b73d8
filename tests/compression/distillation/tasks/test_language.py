"""The character model: it cannot see the future, and starts as half of its teacher."""

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.compression.distillation import distil
from efficientdl.compression.distillation.tasks.language import (
    alphabet,
    character_model,
    every_second,
    language_matches,
    next_character_loss,
    perplexity,
    windows,
)
from efficientdl.fit.plan import Training

TEXT = "the whale, the whale! a sail, a sail! there she blows! " * 20


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def model(n_layers=2, seed=0):
    return character_model(len(alphabet(TEXT)), context=12, d=16, n_layers=n_layers, seed=seed)


def test_a_later_character_changes_no_earlier_score():
    net = model().eval()
    x, _ = windows(TEXT, alphabet(TEXT), n=4, context=12, generator=generator())
    changed = x.clone()
    changed[:, 7] = (changed[:, 7] + 1) % len(alphabet(TEXT))
    before, after = net(x), net(changed)
    torch.testing.assert_close(before[:, :7], after[:, :7])
    assert float((before[:, 7:] - after[:, 7:]).abs().amax().detach()) > 1e-3


def test_windows_are_stretches_of_the_text_and_their_successors():
    x, y = windows(TEXT, alphabet(TEXT), n=9, context=12, generator=generator())
    for now, after in zip(x.tolist(), y.tolist(), strict=True):
        stretch = "".join(alphabet(TEXT)[i] for i in [*now, after[-1]])
        assert stretch in TEXT
        assert now[1:] == after[:-1]


def test_characters_out_of_the_alphabet_are_left_out():
    x, _ = windows("a#b#a#b#a", "ab", n=3, context=2, generator=generator())
    assert {tuple(row) for row in x.tolist()} <= {(0, 1), (1, 0)}


def test_a_text_that_is_too_short():
    with pytest.raises(ValueError, match=r"windows: text must have more than 12 characters, got 5"):
        windows("whale", "aehlw", n=1, context=12, generator=generator())


class Uniform(nn.Module):
    def forward(self, x):
        return torch.zeros(*x.shape, 9)


def test_who_knows_nothing_chooses_among_all_characters():
    x, y = torch.zeros(7, 5, dtype=torch.int64), torch.ones(7, 5, dtype=torch.int64)
    np.testing.assert_allclose(perplexity(Uniform(), x, y, batch=3), 9, rtol=1e-6)


def test_half_of_the_teacher_with_the_other_blocks_left_out():
    taught = model(n_layers=4, seed=1).eval()
    student = every_second(taught).eval()
    x, _ = windows(TEXT, alphabet(TEXT), n=2, context=12, generator=generator())
    taught.blocks[1], taught.blocks[3] = nn.Identity(), nn.Identity()
    torch.testing.assert_close(student(x), taught(x), rtol=0, atol=0)
    assert len(student.blocks) == 2


def test_one_block_has_no_half():
    with pytest.raises(ValueError, match=r"every_second: number of blocks must be .*got 1"):
        every_second(model(n_layers=1))


def test_heads_share_the_width():
    with pytest.raises(ValueError, match=r"character_model: 4 heads must divide d = 18, got 4"):
        character_model(9, context=4, d=18, n_layers=1, seed=0)


def test_a_model_learns_under_another():
    data = windows(TEXT, alphabet(TEXT), n=64, context=12, generator=generator())
    plan = Training(train=data, epochs=4, lr=5e-3, seed=0, loss=next_character_loss)
    start, taught = model(seed=0), model(n_layers=3, seed=1)
    got, _ = distil(start, taught, data[0][:1], matches=language_matches(), training=plan)
    assert perplexity(got, *data) < perplexity(start, *data)
