"""The three files: the network, what its user includes, and a program that runs it on bytes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from efficientdl.models.layers.activation_codes import ActivationCodes
from efficientdl.systems.compiler.codegen.program import CStep
from efficientdl.systems.compiler.codegen.shapes import Shape
from efficientdl.systems.compiler.codegen.text import Code, Lines, function, less, shown
from efficientdl.systems.compiler.codegen.window import TAPS_FROM, TAPS_TO

_ROUNDED = """\
/* value / 2^shift, rounded to the nearest whole number, a half upwards. C99 leaves open what the
 * shift of a negative number gives, so none is shifted: ~v is -1 - v. */
static int64_t rounded(int64_t value, int shift)
{
    value += INT64_C(1) << (shift - 1);
    return value < 0 ? ~(~value >> shift) : value >> shift;
}""".splitlines()
_CODE = """\
/* The code of some steps from zero: the zero point is added, what does not fit takes the end. */
static int8_t code(int64_t steps, int zero_point, int lowest, int highest)
{
    const int64_t place = steps + zero_point;
    const int64_t raised = place < lowest ? lowest : place;
    return (int8_t)(raised > highest ? highest : raised);
}""".splitlines()
_SHARED = {"rounded": _ROUNDED, "code": _CODE, "taps_from": TAPS_FROM, "taps_to": TAPS_TO}

_SOURCE = """\
/* {name}: a quantized network in C99, generated from the integer model.
 *
 * Codes in, codes out, and whole numbers alone in between. It takes nothing from a heap, and each
 * activation lies in `arena`, at a place that was planned before: a step that works in place reads
 * and writes at one address. */

#include <stdint.h>
{string}#include "{name}.h"

/* Indices are of type int, so that must have 32 bits: else this array has a negative size. */
typedef char {name}_needs_an_int_of_32_bits[sizeof(int) >= 4 ? 1 : -1];

static int8_t arena[{NAME}_ARENA_BYTES];"""

_HEADER = """\
/* {name}: a quantized network. To use it,
 *
 *     write the codes of one example to {name}_input(),
 *     call {name}_run(),
 *     read the codes of its result from {name}_output().
 *
 * The input's memory is used again while it runs, so write the input anew each time. */
#ifndef {NAME}_H
#define {NAME}_H

#include <stdint.h>

/* Input: {x_shape} codes; code q stands for {x_value}. */
#define {NAME}_INPUT_BYTES {x_bytes}
/* Output: {y_shape} codes; code q stands for {y_value}. */
#define {NAME}_OUTPUT_BYTES {y_bytes}
#define {NAME}_ARENA_BYTES {arena_bytes}

#ifdef __cplusplus
extern "C" {{
#endif

int8_t *{name}_input(void);
const int8_t *{name}_output(void);
void {name}_run(void);

#ifdef __cplusplus
}}
#endif

#endif
"""

_MAIN = """\
/* Run {name} on each example of standard input; the results go to standard output, all as bytes. */
#include <stdio.h>
#include "{name}.h"

int main(void)
{{
    while (fread({name}_input(), 1, {NAME}_INPUT_BYTES, stdin) == {NAME}_INPUT_BYTES) {{
        {name}_run();
        if (fwrite({name}_output(), 1, {NAME}_OUTPUT_BYTES, stdout) != {NAME}_OUTPUT_BYTES) {{
            return 1;
        }}
    }}
    return ferror(stdin) || fflush(stdout) ? 1 : 0;
}}
"""


class Ends(NamedTuple):
    """What stands at one end of the network.

    Attributes:
        shape: Of one example.
        codes: What its codes stand for.
        offset: Where in the arena it lies.
    """

    shape: Shape
    codes: ActivationCodes
    offset: int


def header_text(name: str, x: Ends, y: Ends, arena_bytes: int) -> str:
    """What a user of the network includes."""
    return _HEADER.format(
        name=name,
        NAME=name.upper(),
        x_shape=shown(x.shape),
        x_value=_value(x.codes),
        x_bytes=prod(x.shape),
        y_shape=shown(y.shape),
        y_value=_value(y.codes),
        y_bytes=prod(y.shape),
        arena_bytes=arena_bytes,
    )


def _value(codes: ActivationCodes) -> str:
    return f"{codes.scale} * {less('q', codes.zero_point)}"


def main_text(name: str) -> str:
    """A program that runs the network on standard input."""
    return _MAIN.format(name=name, NAME=name.upper())


@dataclass(frozen=True)
class Body:
    """What a source file is made of.

    Attributes:
        steps: All steps, in order.
        codes: What each becomes, by name; a reshape becomes nothing.
        scratch: Where in the arena the scratch memory of a step lies, of those that have some.
        x: The input.
        y: The output.
    """

    steps: Sequence[CStep]
    codes: Mapping[str, Code]
    scratch: Mapping[str, int]
    x: Ends
    y: Ends


def source_text(name: str, body: Body) -> str:
    """The network itself: tables, a function for each step, and one that calls them in turn."""
    pieces: list[Lines] = []
    calls: Lines = []
    for number, step in enumerate(body.steps, start=1):
        about = f"/* {number}. {_about(step)} */"
        calls.append(about)
        if step.name not in body.codes:
            continue
        scratch = [body.scratch[step.name]] if step.name in body.scratch else []
        places = [*step.x_offsets, step.y_offset, *scratch]
        calls.append(f"step_{number}({', '.join(f'arena + {at}' for at in places)});")
        pieces += _step(number, step, body.codes[step.name], about, bool(scratch))
    pieces.append(function(f"int8_t *{name}_input(void)", [f"return arena + {body.x.offset};"]))
    output = [f"return arena + {body.y.offset};"]
    pieces.append(function(f"const int8_t *{name}_output(void)", output))
    pieces.append(function(f"void {name}_run(void)", calls))
    text = "\n\n".join("\n".join(lines) for lines in pieces)
    shared = ["\n".join(lines) for word, lines in _SHARED.items() if f"{word}(" in text]
    string = "#include <string.h>\n" if "memcpy(" in text else ""
    head = _SOURCE.format(name=name, NAME=name.upper(), string=string)
    return "\n\n".join([head, *shared, text]) + "\n"


def _step(number: int, step: CStep, code: Code, about: str, scratch: bool) -> list[Lines]:
    """A step's tables, the function that it calls, and its own."""
    tables = [line for table in code.tables for line in table.lines()]
    n_inputs = len(step.x_shapes)
    names = [f"x{i}" for i in range(n_inputs)] if n_inputs > 1 else ["x"]
    given = [*(f"const int8_t *{x}" for x in names), "int8_t *y"]
    given += ["int8_t *scratch"] if scratch else []
    own = function(f"static void step_{number}({', '.join(given)})", code.body)
    pieces = [tables, code.before, own]
    first, *rest = [piece for piece in pieces if piece]
    return [[about, *first], *rest]


def _about(step: CStep) -> str:
    """A step in a comment, in which its name cannot end."""
    name = re.sub(r"[^A-Za-z0-9_.]", "_", step.name)
    given = " and ".join(shown(shape) for shape in step.x_shapes)
    work = f", {step.macs} MACs" if step.macs else ""
    place = ", in place" if step.in_place else ""
    return f"{name}: {step.kind}, {given} to {shown(step.y_shape)}{work}{place}"
