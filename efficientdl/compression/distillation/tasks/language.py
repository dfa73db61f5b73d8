"""A language model of characters: which one comes next."""

from functools import partial

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot, scaled_dot_product_attention

from efficientdl import _check
from efficientdl.compression.distillation.matches import Match
from efficientdl.fit.distillation import hidden_cosine, soft_targets
from efficientdl.models.initialise import seeded


class Block(nn.Module):
    """Attention to what came before, then two linear layers, each around a shortcut.

    Args:
        d: Width.
        n_heads: Heads, a divisor of the width.
    """

    def __init__(self, d: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x: Float[Tensor, "b t d"]) -> Float[Tensor, "b t d"]:
        q, k, v = (
            part.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            for part in self.qkv(self.norm1(x)).chunk(3, dim=-1)
        )
        seen = scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).flatten(2))
        return x + self.down(nn.functional.gelu(self.up(self.norm2(x))))


class CharacterModel(nn.Module):
    """A transformer that reads characters and scores the next one at every position.

    Args:
        n_characters: Size of the alphabet.
        context: The most characters that it reads at once.
        d: Width.
        n_layers: Blocks.
        n_heads: Heads of each.
    """

    def __init__(
        self, n_characters: int, *, context: int, d: int, n_layers: int, n_heads: int = 4
    ) -> None:
        super().__init__()
        self.n_characters, self.context = n_characters, context
        self.embed = nn.Linear(n_characters + context, d)  # of the character, and of its place
        self.blocks = nn.ModuleList(Block(d, n_heads) for _ in range(n_layers))
        self.hidden = nn.LayerNorm(d)
        self.head = nn.Linear(d, n_characters)

    def forward(self, x: Int64[Tensor, "b t"]) -> Float[Tensor, "b t characters"]:
        place = torch.arange(x.shape[1], device=x.device).expand_as(x)
        both = [one_hot(x, self.n_characters), one_hot(place, self.context)]
        h = self.embed(torch.cat(both, dim=-1).to(self.embed.weight.dtype))
        for block in self.blocks:
            h = block(h)
        return self.head(self.hidden(h))


def character_model(
    n_characters: int, *, context: int, d: int, n_layers: int, seed: int
) -> CharacterModel:
    """A character model whose first weights depend on the seed alone.

    Args:
        n_characters: Size of the alphabet.
        context: The most characters that it reads at once.
        d: Width, a multiple of its four heads.
        n_layers: Blocks.
        seed: Decides its first weights.

    >>> model = character_model(20, context=8, d=16, n_layers=2, seed=0)
    >>> model(torch.zeros(3, 8, dtype=torch.int64)).shape
    torch.Size([3, 8, 20])
    """
    _check.divides("character_model", "4 heads", 4, "d", d)
    make = partial(CharacterModel, n_characters, context=context, d=d, n_layers=n_layers)
    return seeded(make, seed=seed)


def every_second(teacher: CharacterModel) -> CharacterModel:
    """A student of half the depth that starts as the first, third, ... block of its teacher.

    Source: Sanh et al., "DistilBERT", 2019, section 2.
    """
    _check.whole("every_second", "number of blocks", len(teacher.blocks), 2)
    first = teacher.blocks[0]
    assert isinstance(first, Block)
    student = character_model(
        teacher.n_characters,
        context=teacher.context,
        d=teacher.hidden.normalized_shape[0],
        n_layers=(len(teacher.blocks) + 1) // 2,
        seed=0,
    )
    for name in ("embed", "hidden", "head"):
        student.get_submodule(name).load_state_dict(teacher.get_submodule(name).state_dict())
    for mine, theirs in zip(student.blocks, list(teacher.blocks)[::2], strict=True):
        mine.load_state_dict(theirs.state_dict())
    return student


def alphabet(text: str) -> str:
    """The characters of a text, each once, in order."""
    return "".join(sorted(set(text)))


def windows(
    text: str, characters: str, *, n: int, context: int, generator: torch.Generator
) -> tuple[Int64[Tensor, "n t"], Int64[Tensor, "n t"]]:
    """Random stretches of a text, and each character's successor.

    Args:
        text: Where to cut from.
        characters: The alphabet; others of the text are left out before cutting.
        n: Stretches.
        context: Characters in each.
        generator: Decides where they begin.

    Raises:
        BadValue: The text is shorter than a stretch.
    """
    _check.whole("windows", "n", n, 1)
    _check.whole("windows", "context", context, 1)
    index = {character: i for i, character in enumerate(characters)}
    codes = torch.tensor([index[c] for c in text if c in index])
    if len(codes) <= context:
        _check.fail("windows", "text", f"must have more than {context} characters", len(codes))
    starts = torch.randint(len(codes) - context, (n, 1), generator=generator)
    rows = codes[starts + torch.arange(context + 1)]
    return rows[:, :-1], rows[:, 1:]


def next_character_loss(
    output: Float[Tensor, "n t characters"], y: Int64[Tensor, "n t"]
) -> Float[Tensor, ""]:
    """Cross entropy at every position, in nats."""
    return cross_entropy(output.flatten(0, 1), y.flatten())


@torch.no_grad()
def perplexity(
    model: nn.Module, x: Int64[Tensor, "n t"], y: Int64[Tensor, "n t"], *, batch: int = 100
) -> float:
    """Among how many equally likely characters it seems to choose: `exp(cross entropy)`.

    Args:
        model: A trained model, in evaluation mode.
        x: Stretches of a text.
        y: Each character's successor.
        batch: Stretches at once.
    """
    parts = zip(x.split(batch), y.split(batch), strict=True)
    total = sum((next_character_loss(model(a), b).double() * len(a) for a, b in parts))
    return float(torch.as_tensor(total / len(x)).exp())


def language_matches(
    *, soft_weight: float = 5.0, hidden_weight: float = 1.0, temperature: float = 2.0
) -> list[Match]:
    """What a language model takes over from another: its odds, and where its last state points.

    Args:
        soft_weight: Of the soft targets.
        hidden_weight: Of the hidden states.
        temperature: Of the soft targets.

    Source: Sanh et al., "DistilBERT", 2019, section 2.
    """
    soft = partial(soft_targets, temperature=temperature)
    return [
        Match(loss=soft, weight=soft_weight),
        Match(loss=hidden_cosine, student="hidden", teacher="hidden", weight=hidden_weight),
    ]
