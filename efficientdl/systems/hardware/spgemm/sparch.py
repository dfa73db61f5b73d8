"""SpArch: partial products are merged where they are made, and few are left to wait."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, Num

from efficientdl import _check
from efficientdl.catalogue import Simulator, technique
from efficientdl.report import Cost
from efficientdl.systems.hardware.arch import FAST_DRAM, Dram
from efficientdl.systems.hardware.run import Run
from efficientdl.systems.hardware.spgemm.columns import Columns, condensed, plain, row_uses
from efficientdl.systems.hardware.spgemm.merge import Merged, Partial, merge
from efficientdl.systems.hardware.spgemm.merge_order import Order, Plan, huffman, in_turn
from efficientdl.systems.hardware.spgemm.row_buffer import RowBuffer
from efficientdl.systems.hardware.spgemm.rows import Matrix, Rows, check_product, compress

BUFFER = RowBuffer()


@dataclass(frozen=True)
class SpArch:
    """The machine, and which of its four ideas it has.

    Attributes:
        radix: Lists that the merge tree takes at a time; None for no tree: every partial product
            waits in DRAM, as in OuterSPACE.
        columns: What a partial product is made of: `condensed`, or `plain`.
        order: Which lists are merged first: `huffman`, or `in_turn`.
        buffer: Where rows of the right matrix are kept, or None.
        n_units: Multipliers.
        merge_words: Words that the root of the tree takes in a cycle.
        value_bits: Width of a value.
        index_bits: Width of a row or column number, and of a pointer.
        dram: The memory outside.
    """

    radix: int | None = 64  # assumed: the paper's, as recalled
    columns: Columns = condensed
    order: Order = huffman
    buffer: RowBuffer | None = BUFFER
    n_units: int = 16  # assumed
    merge_words: int = 16  # assumed
    value_bits: int = 64
    index_bits: int = 32  # assumed
    dram: Dram = FAST_DRAM

    def __post_init__(self) -> None:
        if self.radix is not None:
            _check.whole("SpArch", "radix", self.radix, 2)
        if self.buffer is not None:
            _check.kind("SpArch", "buffer", self.buffer, RowBuffer)
        for name in ("n_units", "merge_words"):
            _check.whole("SpArch", name, getattr(self, name), 1)
        for name in ("value_bits", "index_bits"):
            _check.whole("SpArch", name, getattr(self, name), 1, 64)
        _check.kind("SpArch", "dram", self.dram, Dram)


SPARCH = SpArch()


class Work(NamedTuple):
    """What was done, before it is counted.

    Attributes:
        y: The product.
        made: Partial products, and results of rounds, in the order of their numbers.
        n_leaves: How many of them are partial products.
        rounds: What came out of the tree, round by round.
        plan: What went into it.
    """

    y: Partial
    made: list[Partial]
    n_leaves: int
    rounds: list[Merged]
    plan: Plan


def _case(rng: np.random.Generator, size: int) -> tuple[Callable[[], object], object, int]:
    m, k, n = size, 2 * size + 1, size + 2
    x = rng.integers(-8, 8, (m, k)) * (rng.random((m, k)) < 0.4)
    weight = rng.integers(-8, 8, (k, n)) * (rng.random((k, n)) < 0.4)
    macs = int((x != 0).sum(axis=0) @ (weight != 0).sum(axis=1))

    def call() -> tuple[object, Cost]:
        run = sparch(x, weight, machine=SpArch(3, n_units=4, buffer=RowBuffer(2, 3)))
        return run.y, run.cost()

    return call, x @ weight, -(-macs // 4)


@technique(
    "hw-sparch",
    paper="Zhang, Wang, Han, Dally, SpArch: Efficient Architecture for Sparse Matrix "
    "Multiplication, 2020",
    survey="6.2",
    lab="14_accelerators",
    kind=Simulator(case=_case),
)
def sparch(
    x: Num[np.ndarray, "m k"], weight: Num[np.ndarray, "k n"], *, machine: SpArch = SPARCH
) -> Run:
    """SpArch: multiply sparse matrices by outer products that are merged while they are made.

    Four ideas, each of which can be left out:

    1. A tree merges up to `radix` partial products while they are made; only when there are more
       does a result wait in DRAM.
    2. Condensed columns make them few: as many as the longest row has entries.
    3. Huffman's order lets the short lists wait, not the long ones.
    4. A condensed column meets many rows of the right matrix, which would be read again and
       again. A buffer keeps them, and gives up the one whose next use is the furthest away.

    Without a buffer, each leaf of the tree holds the row that it is at work on. With none of the
    four, the words that move are those of `outerspace`. A round takes as long as its products take
    the multipliers, or as the root takes the words that arrive there, and as many cycles more as
    the tree has levels. All the while the DRAM moves words; whichever takes longer counts. What
    waits for the tree has the number of its row with it; without a tree it is in a row's list.

    Args:
        x: The left matrix, zeros included; they are not touched.
        weight: The right one.
        machine: The ideas, the units and the memory.

    Raises:
        BadValue: Shapes that do not fit, or an entry that is not finite.

    >>> run = sparch(np.array([[0, 2], [1, 3]]), np.array([[5, 0], [7, 0]]))
    >>> run.y.tolist(), run.accesses["dram"]["psum"]
    ([[14, 0], [26, 0]], 0)

    Source: Zhang, Wang, Han, Dally, "SpArch: Efficient Architecture for Sparse Matrix
        Multiplication", HPCA 2020; survey section 6.2; lab 14.
    """
    check_product("sparch", x, weight)
    _check.kind("sparch", "machine", machine, SpArch)
    a, b = compress(x), compress(weight)
    leaves = [leaf for leaf in machine.columns(a) if b.lengths[a.columns[leaf]].any()]
    work = _work(machine, a, b, leaves)
    y = np.zeros(a.n_rows * b.n_columns, np.result_type(a.values, b.values))
    y[work.y.places] = work.y.values
    return _counted(machine, (a, b), leaves, work, y.reshape(a.n_rows, b.n_columns))


def breakdown(
    x: Num[np.ndarray, "m k"], weight: Num[np.ndarray, "k n"], *, machine: SpArch = SPARCH
) -> dict[str, Run]:
    """The same product with no idea, and with one more each time, in the paper's order.

    Not every idea pays alone. The tree moves more words than it saves when columns are so many
    that results wait again and again; condensed columns read rows of the right matrix again and
    again. Huffman's order is the best for the lengths that it assumes, and may lose a little when
    lists share many places. The buffer never costs a word. If no row of x has more entries than
    the tree has leaves, nothing waits, and without any buffer less moves than in `outerspace`.

    Args:
        x: The left matrix.
        weight: The right one.
        machine: The machine with all that it should have in the end.

    >>> rng = np.random.default_rng(0)
    >>> x = rng.integers(1, 9, (64, 64)) * (rng.random((64, 64)) < 0.1)
    >>> runs = breakdown(x, x, machine=SpArch(radix=4, buffer=RowBuffer(32, 8)))
    >>> for name, run in runs.items():
    ...     print(f"{name:14} {run.words('dram'):6,}")
    outer product   9,418
    merge tree     13,592
    condensed      10,131
    Huffman         8,817
    row buffer      6,899
    """
    steps = {
        "outer product": {"columns": plain, "radix": None, "order": in_turn, "buffer": None},
        "merge tree": {"columns": plain, "order": in_turn, "buffer": None},
        "condensed": {"order": in_turn, "buffer": None},
        "Huffman": {"buffer": None},
        "row buffer": {},
    }
    machines = {name: replace(machine, **without) for name, without in steps.items()}
    return {name: sparch(x, weight, machine=each) for name, each in machines.items()}


def _work(machine: SpArch, a: Rows, b: Rows, leaves: list[Int64[np.ndarray, " n"]]) -> Work:
    """Make the partial products, and merge them round by round."""
    made = [_products(a, b, leaf) for leaf in leaves]
    if not made:
        nothing = Partial(np.zeros(0, np.int64), np.zeros(0, np.result_type(a.values, b.values)))
        return Work(nothing, [], 0, [], ())
    lengths = [len(partial.places) for partial in made]
    together = (tuple(range(len(made))),)
    plan = together if machine.radix is None else machine.order(lengths, machine.radix)
    rounds = list[Merged]()
    for taken in plan:
        rounds.append(merge([made[i] for i in taken]))
        made.append(rounds[-1].sum)
    return Work(made[-1], made, len(leaves), rounds, plan)


def _products(a: Rows, b: Rows, leaf: Int64[np.ndarray, " n"]) -> Partial:
    """One partial product: each entry of the column times the row that it meets."""
    first, n = b.starts[a.columns[leaf]], b.lengths[a.columns[leaf]]
    entry = np.repeat(np.arange(len(leaf)), n)
    at = np.arange(len(entry)) - np.repeat(np.cumsum(n) - n, n) + first[entry]
    places = a.rows[leaf][entry] * b.n_columns + b.columns[at]
    return Partial(places, a.values[leaf][entry] * b.values[at])


def _counted(
    machine: SpArch,
    operands: tuple[Rows, Rows],
    leaves: list[Int64[np.ndarray, " n"]],
    work: Work,
    y: Matrix,
) -> Run:
    """Words at each level, and the cycles of the rounds."""
    a, b = operands
    lengths = [len(partial.places) for partial in work.made]
    if machine.radix is None:
        groups, n_waiting = [[i] for i in range(len(leaves))], sum(lengths[: work.n_leaves])
    else:
        groups = [[i for i in taken if i < work.n_leaves] for taken in work.plan]
        n_waiting = sum(lengths[work.n_leaves : -1])
    uses = row_uses(a, leaves, [group for group in groups if group])
    n_used = int(b.lengths[uses].sum())
    n_read = n_used if machine.buffer is None else int(machine.buffer.read(uses, b.lengths).sum())
    n_pointers = 2 * (a.n_rows + 1) + b.n_rows + 1
    if machine.radix is None:  # a list for each entry of x, written and read
        n_pointers += 2 * int((b.lengths[a.columns] > 0).sum())
    dram = {"x": a.n_kept, "weight": n_read, "psum": 2 * n_waiting, "y": len(work.y.places)}
    accesses = {"dram": {**dram, "pointer": n_pointers}}
    if machine.buffer is not None:
        accesses["buffer"] = {"weight": n_read + n_used}
    accesses["link"] = {"psum": sum(merged.n_moved for merged in work.rounds)}
    entry = machine.value_bits + machine.index_bits
    waiting = entry if machine.radix is None else entry + machine.index_bits
    bits = dict.fromkeys(("x", "weight", "y"), entry)
    bits |= {"psum": waiting, "pointer": machine.index_bits}
    n_products = int(b.lengths[a.columns].sum())
    busy = _busy(machine, work, lengths, n_products)
    moving = sum(words * bits[name] for name, words in accesses["dram"].items())
    through = ceil(moving / machine.dram.bits_per_cycle)
    cycles = machine.dram.latency_cycles + max(busy, through)
    return Run(
        cycles=cycles,
        macs=n_products,
        n_units=machine.n_units,
        accesses=accesses,
        bits=bits,
        y=y,
        formula=(
            f"cycles = {cycles:,}: {busy:,} of the tree in {len(work.plan)} rounds, beside"
            f" {through:,} of the DRAM",
            f"psum = 2 x {n_waiting:,} words that wait; {work.n_leaves} partial products",
        ),
    )


def _busy(machine: SpArch, work: Work, lengths: list[int], n_products: int) -> int:
    """Cycles of the multipliers and the tree."""
    alone = machine.radix is None  # first all products, then all merging
    busy = -(-n_products // machine.n_units) if alone else 0
    for taken, merged in zip(work.plan, work.rounds, strict=True):
        made = 0 if alone else sum(lengths[i] for i in taken if i < work.n_leaves)
        levels = (len(taken) - 1).bit_length()
        arriving = -(-merged.n_in // machine.merge_words)
        busy += max(-(-made // machine.n_units), arriving) + levels
    return busy
