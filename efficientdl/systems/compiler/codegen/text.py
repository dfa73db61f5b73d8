"""C text: constant tables, loops and blocks, written line by line."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from jaxtyping import Integer
from torch import Tensor

from efficientdl.models.layers.activation_codes import ActivationCodes

INDENT = "    "
_BYTES = {"int8_t": 1, "uint8_t": 1, "int32_t": 4}
_IN_A_LINE = {"int8_t": 16, "uint8_t": 16, "int32_t": 8}

Lines = list[str]


@dataclass(frozen=True)
class Table:
    """A constant array: it stays in flash.

    Attributes:
        name: Its name in C.
        type: What it holds: `int8_t`, `uint8_t` or `int32_t`.
        numbers: What is in it.

    >>> print(*Table("bias_1", "int32_t", (7, -2)).lines(), sep="\\n")
    static const int32_t bias_1[2] = {
        7, -2,
    };
    """

    name: str
    type: str
    numbers: tuple[int, ...]

    @classmethod
    def of(cls, name: str, type: str, numbers: Integer[Tensor, "..."]) -> "Table":
        """The table of a tensor's numbers, in the order in which they lie in memory."""
        return cls(name, type, tuple(numbers.flatten().tolist()))

    @property
    def n_bytes(self) -> int:
        """What it takes."""
        return _BYTES[self.type] * len(self.numbers)

    def lines(self) -> Lines:
        """Its definition."""
        step, given = _IN_A_LINE[self.type], self.numbers
        rows = [given[i : i + step] for i in range(0, len(given), step)]
        body = [INDENT + ", ".join(map(str, row)) + "," for row in rows]
        return [f"static const {self.type} {self.name}[{len(given)}] = {{", *body, "};"]


@dataclass(frozen=True)
class Code:
    """What a step becomes.

    Attributes:
        body: The lines of its function.
        tables: What it reads beside its operands.
        before: The lines of another function, which the step calls.
    """

    body: Lines
    tables: tuple[Table, ...] = ()
    before: Lines = field(default_factory=list)


def block(head: str, body: Iterable[str]) -> Lines:
    """A head, and what belongs to it in braces.

    >>> print(*block("if (x > 0)", ["y = x;"]), sep="\\n")
    if (x > 0) {
        y = x;
    }
    """
    return [f"{head} {{", *(INDENT + line for line in body), "}"]


def function(head: str, body: Iterable[str]) -> Lines:
    """A function, whose brace stands in a line of its own."""
    return [head, "{", *(INDENT + line for line in body), "}"]


def loop(variable: str, end: int | str, body: Iterable[str], *, start: int | str = 0) -> Lines:
    """Count a variable from `start` to before `end`.

    >>> print(*loop("c", 3, ["sum += x[c];"]), sep="\\n")
    for (int c = 0; c < 3; c++) {
        sum += x[c];
    }
    """
    return block(f"for (int {variable} = {start}; {variable} < {end}; {variable}++)", body)


def place(*axes: tuple[str, int]) -> str:
    """The place of an element in a dense array, from its index along each axis.

    Args:
        axes: The index, in C, and the length of each axis; one of length 1 has no index to write.

    >>> place(("c", 3), ("top + r", 28), ("q", 28))
    '(c * 28 + top + r) * 28 + q'
    >>> place(("c", 3), ("r", 1), ("s", 1))
    'c'
    """
    written = ""
    for index, length in axes:
        if length == 1:
            continue
        left = f"({written})" if " + " in written or " - " in written else written
        written = f"{left} * {length} + {index}" if written else index
    return written or "0"


def less(value: str, zero_point: int) -> str:
    """A code minus its zero point, as steps from zero.

    >>> less("x[i]", 5), less("x[i]", -5), less("x[i]", 0)
    ('(x[i] - 5)', '(x[i] + 5)', 'x[i]')
    """
    if zero_point == 0:
        return value
    return f"({value} - {zero_point})" if zero_point > 0 else f"({value} + {-zero_point})"


def code_of(steps: str, y: ActivationCodes) -> str:
    """The code of some steps from zero: the zero point is added, and a byte is what is left.

    >>> code_of("sum", ActivationCodes(0.5, 3))
    'code(sum, 3, -128, 127)'
    """
    return f"code({steps}, {y.zero_point}, {y.lowest}, {y.highest})"


def shown(shape: Sequence[int]) -> str:
    """A shape as a comment says it.

    >>> shown((8, 28, 28))
    '8x28x28'
    """
    return "x".join(map(str, shape))
