"""One array for a whole transformer block: big matrices are cut until each piece fits it.

The weights of attention are cut by heads, those of the feed-forward part into as many columns as
the array has. Each piece is then one *pass*: all tokens are its rows, and it takes as many cycles
as the sum is long. A pass may follow the last at once; one that needs a result must wait until that
has drained, and while the softmax of a head is computed, the array makes the head's values.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from jaxtyping import Float64, Num

from efficientdl import _check
from efficientdl.catalogue import Simulator, technique
from efficientdl.report import Cost
from efficientdl.systems.hardware.arch import Array
from efficientdl.systems.hardware.gemm import check_finite
from efficientdl.systems.hardware.pass_array import Matrix, Pass, Results, run_passes, same
from efficientdl.systems.hardware.run import Run

LEVELS = 127  # a probability is a word of 8 bits: 127 is 1


@dataclass(frozen=True, eq=False)
class Block:
    """Weights of a transformer block, whole numbers.

    Attributes:
        query: Features by features; so are key, value and output.
        up: Features by inner features, before the ReLU.
        down: Inner features by features.
        n_heads: Into how many heads the features are cut.
        scale: What a product of a query and a key is worth in the softmax.
    """

    query: Num[np.ndarray, "d d"]
    key: Num[np.ndarray, "d d"]
    value: Num[np.ndarray, "d d"]
    output: Num[np.ndarray, "d d"]
    up: Num[np.ndarray, "d f"]
    down: Num[np.ndarray, "f d"]
    n_heads: int
    scale: float

    def __post_init__(self) -> None:
        _check.kind("Block", "up", self.up, np.ndarray)
        if self.up.ndim != 2 or 0 in self.up.shape:
            _check.fail("Block", "up", "must be features by inner features", self.up.shape)
        d, f = self.up.shape
        square = dict.fromkeys(("query", "key", "value", "output"), (d, d))
        for name, shape in (square | {"up": (d, f), "down": (f, d)}).items():
            _check_whole("Block", name, getattr(self, name), shape)
        _check.divides("Block", "n_heads", self.n_heads, "features", d)
        if not isfinite(_check.number("Block", "scale", self.scale)):
            _check.fail("Block", "scale", "must be finite", self.scale)


def softmax_words(score: Matrix, scale: float) -> Matrix:
    """Probabilities of each row as whole numbers, of which 127 is 1.

    >>> softmax_words(np.array([[0, 0]]), 1.0).tolist()
    [[64, 64]]
    """
    exponent: Float64[np.ndarray, "m n"] = scale * (score - score.max(axis=1, keepdims=True))
    weight = np.exp(exponent)
    return np.rint(LEVELS * weight / weight.sum(axis=1, keepdims=True)).astype(np.int64)


def passes(x: Matrix, block: Block, *, array: Array, softmax_cycles: int) -> list[Pass]:
    """The work of a block: attention head by head, its output, the feed-forward part.

    Args:
        x: Tokens by features.
        block: The weights.
        array: Its columns are the width of a piece.
        softmax_cycles: From the last score of a head to its first probability.
    """
    before, work = tuple(f"head {i}" for i in range(block.n_heads)), []
    for i, name in enumerate(before):
        work += _head(x, block, i, name, softmax_cycles)
    for stage, weight, finish in (
        ("attention", block.output, same),
        ("inner", block.up, _relu),
        ("y", block.down, same),
    ):
        pieces = _pieces(stage, before, weight, array.cols, finish)
        before, work = tuple(piece.name for piece in pieces), work + pieces
    return work


def _relu(y: Matrix) -> Matrix:
    return np.maximum(y, 0)


def _head(x: Matrix, block: Block, i: int, name: str, softmax_cycles: int) -> list[Pass]:
    """Queries, keys, scores; the values while the softmax is computed; what it weighs."""
    s, d, width = *x.shape, x.shape[1] // block.n_heads
    own = slice(i * width, (i + 1) * width)
    q, k, v, p = (f"{name} {part}" for part in ("queries", "keys", "values", "probabilities"))
    return [
        Pass(q, d, width, lambda _: (x, block.query[:, own])),
        Pass(k, d, width, lambda _: (x, block.key[:, own])),
        Pass(
            p,
            width,
            s,
            lambda results: (results[q], results[k].T),
            needs=(q, k),
            finish=lambda score: softmax_words(score, block.scale),
            finish_cycles=softmax_cycles,
        ),
        Pass(v, d, width, lambda _: (x, block.value[:, own])),
        Pass(name, s, width, lambda results: (results[p], results[v]), needs=(p, v)),
    ]


def _pieces(
    stage: str,
    needs: tuple[str, ...],
    weight: Matrix,
    width: int,
    finish: Callable[[Matrix], Matrix],
) -> list[Pass]:
    """A product with a matrix that is cut into as many columns as the array has."""
    found = []
    for at in range(0, weight.shape[1], width):
        piece = weight[:, at : at + width]
        found.append(
            Pass(
                f"{stage} {at}",
                len(weight),
                piece.shape[1],
                lambda results, piece=piece: (_beside(results, needs), piece),
                needs=needs,
                finish=finish,
            )
        )
    return found


def _beside(results: Results, names: Sequence[str]) -> Matrix:
    return np.concatenate([results[name] for name in names], axis=1)


def partition_cycles(
    tokens: int, features: int, inner: int, *, n_heads: int, array: Array, softmax_cycles: int
) -> int:
    """Cycles of a block in closed form, where there are no more tokens than features of any kind.

    With s tokens, d features, f inner ones, e = d / heads and c columns, a result that is e columns
    wide has drained 2 s + e - 2 cycles after its last word went in. So

    head = 2 d + (2 s + e - 2) + e + max(d + 2 s + e - 2, 3 s - 2 + softmax) + s

    for queries and keys, their drain, scores, values beside the softmax, and weighed values; and

    cycles = heads * head + (2 s + e - 2) + ceil(d / c) d + drain
           + ceil(f / c) d + drain + ceil(d / c) f + drain,

    where a drain is 2 s - 2 and the columns of its last piece.

    Args:
        tokens: Rows of the input.
        features: Of a token.
        inner: Features between the two feed-forward matrices.
        n_heads: Heads.
        array: Its columns.
        softmax_cycles: From the last score to the first probability.

    >>> partition_cycles(64, 512, 2048, n_heads=8, array=Array(64, 64), softmax_cycles=128)
    53976
    """
    s, d, f, e, c = tokens, features, inner, features // n_heads, array.cols
    for name, size in {"features": d, "inner": f}.items():
        _check.whole("partition_cycles", name, size, s)
    _check.divides("partition_cycles", "n_heads", n_heads, "features", d)
    _check.kind("partition_cycles", "array", array, Array)
    _check.whole("partition_cycles", "softmax_cycles", softmax_cycles, 0)
    head = 2 * d + 2 * s + e - 2 + e + max(d + 2 * s + e - 2, 3 * s - 2 + softmax_cycles) + s
    cycles = n_heads * head + 2 * s + e - 2
    for steps, cols in ((d, d), (d, f), (f, d)):
        cycles += -(-cols // c) * steps + 2 * s - 2 + _drained(steps, cols, c)
    return cycles


def _drained(steps: int, cols: int, width: int) -> int:
    """Columns of the last piece, or of the full one before, if that is out later."""
    last = (cols - 1) % width + 1
    return last if cols <= width else max(last, width - steps)


def _case(rng: np.random.Generator, size: int) -> tuple[Callable[[], object], object, int]:
    h, d = 2, 2 * (size + 1)
    shapes = [(d, d)] * 4 + [(d, 3 * size), (3 * size, d)]
    block = Block(*(rng.integers(-4, 4, shape) for shape in shapes), n_heads=h, scale=0.05)
    x, array = rng.integers(-8, 8, (size, d)), Array(size, max(size, d // h))

    def call() -> tuple[object, Cost]:
        run = partitioned_block(x, block, array=array, softmax_cycles=2 * size)
        return run.y, run.cost()

    macs = 4 * size * d * d + 2 * size * size * d + 6 * size * size * d
    return call, _reference(x, block), -(-macs // array.n_units)


def _reference(x: Matrix, block: Block) -> Matrix:
    """What NumPy computes: whole matrices, then heads."""
    q, k, v = (np.split(x @ w, block.n_heads, 1) for w in (block.query, block.key, block.value))
    heads = zip(q, k, v, strict=True)
    mixed = [softmax_words(a @ b.T, block.scale) @ c for a, b, c in heads]
    return np.maximum(np.concatenate(mixed, axis=1) @ block.output @ block.up, 0) @ block.down


@technique(
    "hw-nlp-accel",
    paper="Lu et al., Hardware Accelerator for Multi-Head Attention and Position-Wise Feed-Forward "
    "in the Transformer, 2020",
    survey="6.2",
    lab="14_accelerators",
    kind=Simulator(case=_case),
)
def partitioned_block(
    x: Num[np.ndarray, "s d"], block: Block, *, array: Array, softmax_cycles: int
) -> Run:
    """Run a transformer block on one array, pass by pass, cycle by cycle.

    Sums stay in the units and drain down the columns while the next pass is computed. A pass starts
    as soon as the last word of the one before is in, its results can drain, and what it needs is
    there. Attention, its output and the feed-forward part share the array. Residual and
    normalization are not modelled, and only probabilities are made words of 8 bits again.

    Args:
        x: Tokens by features, whole numbers.
        block: The weights.
        array: Rows for all tokens; columns for all tokens, and for the features of a head.
        softmax_cycles: From the last score of a head to its first probability.

    >>> one = np.ones((4, 4), int)
    >>> block = Block(one, one, one, one, one, one, n_heads=2, scale=0.1)
    >>> run = partitioned_block(one, block, array=Array(4, 4), softmax_cycles=0)
    >>> run.cycles == partition_cycles(4, 4, 4, n_heads=2, array=Array(4, 4), softmax_cycles=0)
    True

    Source: Lu et al., "Hardware Accelerator for Multi-Head Attention and Position-Wise Feed-Forward
        in the Transformer", SOCC 2020, for the partition and the shared array; the order of the
        passes is ours; survey section 6.2; lab 14.
    """
    _check_fits(x, block, array)
    _check.whole("partitioned_block", "softmax_cycles", softmax_cycles, 0)
    (s, d), f = x.shape, block.up.shape[1]
    work = passes(x.astype(np.int64), block, array=array, softmax_cycles=softmax_cycles)
    ran = run_passes(work, s, array.cols)
    assert not ran.clashes, "two sums in one register"
    last = len(range(0, d, array.cols))
    y = _beside(ran.results, [piece.name for piece in work[-last:]])
    buffer = {
        "x": s * sum(piece.steps for piece in work),
        "weight": sum(piece.steps * piece.cols for piece in work),
        "y": s * sum(piece.cols for piece in work),
    }
    return Run(
        cycles=ran.cycles,
        macs=ran.macs,
        n_units=array.n_units,
        accesses={
            "buffer": buffer,
            "dram": {"x": x.size, "weight": 4 * d * d + 2 * d * f, "y": y.size},
        },
        bits={"x": 8, "weight": 8, "y": 32},
        y=y,
        formula=(
            f"cycles = {ran.cycles:,}: {len(work)} passes on {array.rows} x {array.cols} units",
        ),
    )


def _check_fits(x: Num[np.ndarray, "s d"], block: Block, array: Array) -> None:
    _check.kind("partitioned_block", "block", block, Block)
    _check.kind("partitioned_block", "array", array, Array)
    d = len(block.query)
    _check.kind("partitioned_block", "x", x, np.ndarray)
    if x.ndim != 2:
        _check.fail("partitioned_block", "x", f"must be tokens by {d} features", x.shape)
    _check_whole("partitioned_block", "x", x, (max(len(x), 1), d))
    _check.whole("partitioned_block", "tokens", len(x), 1, min(array.rows, array.cols))
    _check.whole("partitioned_block", "features of a head", d // block.n_heads, 1, array.cols)


def _check_whole(
    caller: str, name: str, array: Num[np.ndarray, "a b"], shape: tuple[int, ...]
) -> None:
    _check.kind(caller, name, array, np.ndarray)
    if array.shape != shape:
        _check.fail(caller, name, f"must have the shape {shape}", array.shape)
    check_finite(caller, name, array)
    if array.dtype.kind not in "iu":
        raise _check.BadKind(f"{caller}: {name} must hold whole numbers, got {array.dtype}")
