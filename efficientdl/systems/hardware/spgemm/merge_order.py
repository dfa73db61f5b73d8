"""In which order to merge more lists than the tree has leaves.

A round merges up to `radix` lists into one. If lists are left over, that one waits in DRAM: it
is written there, and read again when its turn comes. So a plan costs twice the length of every
list that is not the last. Huffman's code has the same cost: many bits for what is rare. His
tree, with `radix` branches at a node, sends the short lists through many rounds and the long
ones through few.
"""

import heapq
from collections import deque
from collections.abc import Callable, Sequence

from efficientdl import _check

# Lists of a round, by number: the first are those that were given, then the results in turn.
Plan = tuple[tuple[int, ...], ...]
Order = Callable[[Sequence[int], int], Plan]


def in_turn(lengths: Sequence[int], radix: int) -> Plan:
    """Merge the lists that have waited longest; each result goes to the end of the queue.

    >>> in_turn([5, 1, 1, 1], radix=3)
    ((0, 1, 2), (3, 4))
    """
    _demand("in_turn", lengths, radix)
    waiting, rounds, n = deque(range(len(lengths))), list[tuple[int, ...]](), len(lengths)
    while len(waiting) > 1 or not rounds:
        rounds.append(tuple(waiting.popleft() for _ in range(min(radix, len(waiting)))))
        waiting.append(n)
        n += 1
    return tuple(rounds)


def huffman(lengths: Sequence[int], radix: int) -> Plan:
    """Merge the shortest lists first, as Huffman's tree with `radix` branches does.

    The first round takes `(n - 2) mod (radix - 1) + 2` of the n lists, so that every later one
    is full. A result counts as long as all that went into it: how many places its lists share is
    not known before they are merged. For these lengths no plan costs less.

    Args:
        lengths: Entries of each list.
        radix: Lists that a round merges at most, 2 or more.

    >>> huffman([5, 1, 1, 1], radix=3)
    ((1, 2), (3, 4, 0))

    Source: Huffman, "A Method for the Construction of Minimum-Redundancy Codes", 1952; Zhang,
        Wang, Han, Dally, "SpArch: Efficient Architecture for Sparse Matrix Multiplication", HPCA
        2020; survey section 6.2; lab 14.
    """
    _demand("huffman", lengths, radix)
    n = len(lengths)
    if n <= radix:
        return (tuple(sorted(range(n), key=lambda i: lengths[i])),)
    waiting = [(length, i) for i, length in enumerate(lengths)]
    heapq.heapify(waiting)
    rounds, takes = list[tuple[int, ...]](), (n - 2) % (radix - 1) + 2
    while len(waiting) > 1:
        taken = [heapq.heappop(waiting) for _ in range(takes)]
        rounds.append(tuple(i for _, i in taken))
        heapq.heappush(waiting, (sum(length for length, _ in taken), n))
        n, takes = n + 1, radix
    return tuple(rounds)


def waiting_words(lengths: Sequence[int], plan: Plan) -> int:
    """What a plan costs if no two entries share a place: words written to wait, and read again.

    >>> waiting_words([5, 1, 1, 1], in_turn([5, 1, 1, 1], 3))
    14
    >>> waiting_words([5, 1, 1, 1], huffman([5, 1, 1, 1], 3))
    4
    """
    known = list(lengths)
    for taken in plan:
        known.append(sum(known[i] for i in taken))
    return 2 * sum(known[len(lengths) : -1])


def _demand(caller: str, lengths: Sequence[int], radix: int) -> None:
    _check.whole(caller, "radix", radix, 2)
    _check.whole(caller, "number of lists", len(lengths), 1)
