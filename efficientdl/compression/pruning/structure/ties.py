"""Numbers for channels, and which of them go together: a union-find over whole vectors.

Every channel that a layer makes gets a number of its own. Two channels that are added, or that a
group convolution holds to the same place, are tied: from then on they are one. The number 0 is for
all that must stay, so what is tied to it stays too.
"""

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
STAYS = 0


class Ties:
    """Which numbers are one. The least of them stands for all.

    >>> ties = Ties()
    >>> a, b = ties.fresh(2), ties.fresh(2)
    >>> ties.tie(a, b)
    >>> ties.of(b).tolist()
    [1, 2]
    """

    def __init__(self) -> None:
        self._parent = np.zeros(1, dtype=np.int64)

    def fresh(self, n: int) -> Ids:
        """`n` numbers that nothing has yet."""
        first = len(self._parent)
        new = np.arange(first, first + n)
        self._parent = np.concatenate([self._parent, new])
        return new

    def of(self, ids: Ids) -> Ids:
        """The number that stands for each."""
        found = self._parent[ids]
        while True:
            above = self._parent[found]
            if np.array_equal(above, found):
                return found
            found = above

    def tie(self, a: Ids, b: Ids) -> None:
        """Make each number of `a` one with that of `b` in the same place."""
        for one, other in zip(a.tolist(), b.tolist(), strict=True):
            x, y = self._root(one), self._root(other)
            self._parent[max(x, y)] = min(x, y)

    def keep(self, ids: Ids) -> None:
        """Say that these stay."""
        self.tie(ids, np.full_like(ids, STAYS))

    def _root(self, i: int) -> int:
        parent = self._parent
        while parent[i] != i:
            parent[i] = parent[parent[i]]  # halve the way for the next one
            i = int(parent[i])
        return i
