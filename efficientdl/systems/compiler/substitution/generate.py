"""Generate substitution rules: write down all small patterns, and see which compute the same."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, permutations, product

import numpy as np
from torch import Tensor

from efficientdl import _check
from efficientdl.systems.compiler.graph import Value, node
from efficientdl.systems.compiler.substitution.pattern import (
    COMMUTE,
    OF_FILTERS,
    STEPS,
    TAKES,
    Data,
    Filters,
    Pattern,
    Ref,
    Step,
    Thing,
)
from efficientdl.systems.compiler.substitution.setting import Setting, whole_numbers

Print = tuple[bytes, ...]  # what the outputs of a pattern are, sorted


@dataclass
class _State:
    """A pattern that grows: what its steps have made, in numbers."""

    steps: list[Step]
    made: dict[Ref, Thing]
    numbers: dict[str, Tensor]


def patterns(*, n_steps: int, seed: int) -> Iterator[tuple[Pattern, Print]]:
    """Every pattern of at most `n_steps` steps, with the fingerprint of what it computes.

    Steps are added one by one, in every way that fits the shapes; those whose order does not
    matter come in one order only. What no step takes is given back. The fingerprint is computed
    on whole numbers, so that patterns that are equal have the same one whatever the order of sums.

    Args:
        n_steps: Most steps; each one more makes about thirty times as many patterns.
        seed: Draws the numbers.
    """
    _check.whole("patterns", "n_steps", n_steps, 1, 4)
    setting = Setting()
    draw = whole_numbers(np.random.default_rng(seed), most=9)
    values = setting.values()
    numbers = {v.name: t for v, t in zip(values, setting.inputs(draw), strict=True)}
    yield from _grow(_State([], {**setting.things()}, numbers), setting, n_steps)


def _grow(state: _State, setting: Setting, n_steps: int) -> Iterator[tuple[Pattern, Print]]:
    if state.steps:
        yield from _finished(state)
    if len(state.steps) == n_steps:
        return
    for step in _next_steps(state):
        grown = _State([*state.steps, step], dict(state.made), dict(state.numbers))
        _run(grown, step, setting)
        yield from _grow(grown, setting, n_steps)


def _finished(state: _State) -> Iterator[tuple[Pattern, Print]]:
    """The pattern as it is, if all that is left over is data."""
    taken = {ref for step in state.steps for ref in step.args}
    left = [ref for ref in state.made if not isinstance(ref, str) and ref not in taken]
    if all(isinstance(state.made[ref], Data) for ref in left):
        prints = sorted((_hash(state, ref), ref) for ref in left)
        outputs = tuple(ref for _, ref in prints)
        yield Pattern(tuple(state.steps), outputs), tuple(key for key, _ in prints)


def _hash(state: _State, ref: Ref) -> bytes:
    thing = state.made[ref]
    assert isinstance(thing, Data)
    numbers = state.numbers[thing.value.name] + 0.0  # -0.0 is 0.0
    return str(thing.value.shape).encode() + numbers.contiguous().numpy().tobytes()


def _run(state: _State, step: Step, setting: Setting) -> None:
    """Compute one step."""

    def emit(op: str, inputs: list[Value], **attributes: object) -> tuple[Value, ...]:
        made = node(f"n{len(state.numbers)}", op, inputs, **attributes)
        results = made.rule.run([state.numbers[v.name] for v in inputs], made.attributes)
        state.numbers |= {v.name: t for v, t in zip(made.outputs, results, strict=True)}
        return made.outputs

    args = [state.made[ref] for ref in step.args]
    for place, thing in enumerate(STEPS[step.op](setting.product, emit, *args)):
        state.made[len(state.steps) - 1, place] = thing


def _next_steps(state: _State) -> Iterator[Step]:
    """The steps that fit, none twice, and of two that do not need each other the smaller first."""
    things = {"d": Data, "f": Filters}
    last = state.steps[-1] if state.steps else None
    for op, takes in TAKES.items():
        choices = [
            [r for r, t in state.made.items() if isinstance(t, things[kind])] for kind in takes
        ]
        for args in product(*choices):
            step = Step(op, args)
            if step in state.steps or not _is_first_form(step, state) or not _fits(step, state):
                continue
            needs_last = any(ref[0] == len(state.steps) - 1 for ref in args)
            if last is None or needs_last or _key(last) < _key(step):
                yield step


def _key(step: Step) -> tuple[str, str]:
    """An order of steps."""
    return step.op, str(step.args)


def _is_first_form(step: Step, state: _State) -> bool:
    """Whether arguments differ, and those that can be swapped stand in order."""
    order = {ref: i for i, ref in enumerate(state.made)}
    if len(set(step.args)) < len(step.args):
        return False
    return step.op not in COMMUTE or order[step.args[0]] < order[step.args[1]]


def _fits(step: Step, state: _State) -> bool:
    """Whether the shapes of a step's arguments go together."""
    args = [state.made[ref] for ref in step.args]
    first, second = args[0], args[-1]
    if isinstance(first, Data):
        if step.op == "split":
            return not isinstance(first.tree, int)
        if step.op == "add" and isinstance(second, Data):
            return first.value.shape == second.value.shape
        if isinstance(second, Filters):
            shape = second.weight.shape
            return first.value.shape[1] == shape[1] and shape[2] == 3 + 2 * (
                step.op == "apply_wide"
            )
        return True
    a, b = first.weight.shape, second.weight.shape  # pyright: ignore[reportAttributeAccessIssue]
    if step.op == "enlarge":
        return a[2] == 3
    axis = {"stack": 0, "join": 1, "sum": -1}[step.op]
    return all(i == axis or n == m for i, (n, m) in enumerate(zip(a, b, strict=True)))


def trivial_patterns(*, seed: int) -> Iterator[tuple[Pattern, Print]]:
    """The patterns that do nothing: what comes in is given back."""
    draw = whole_numbers(np.random.default_rng(seed), most=9)
    setting = Setting()
    numbers = {v.name: t for v, t in zip(setting.values(), setting.inputs(draw), strict=True)}
    state = _State([], {**setting.things()}, numbers)
    for names in (("x",), ("z",), ("x", "y")):
        prints = sorted((_hash(state, name), name) for name in names)
        yield Pattern((), tuple(n for _, n in prints)), tuple(key for key, _ in prints)


def candidates(*, n_steps: int, seed: int) -> list[tuple[Pattern, Pattern]]:
    """Pairs of patterns with one fingerprint, smaller sources first, renamings left out."""
    groups: dict[Print, list[Pattern]] = {}
    for pattern, key in (*trivial_patterns(seed=seed), *patterns(n_steps=n_steps, seed=seed)):
        groups.setdefault(key, []).append(pattern)
    found: dict[str, tuple[Pattern, Pattern]] = {}
    for group in groups.values():
        for pair in combinations(group, 2):
            for source, target in (pair, pair[::-1]):
                if _is_usable(source, target):
                    found.setdefault(_canonical(source, target), (source, target))
    return sorted(found.values(), key=lambda p: (len(p[0].steps) + len(p[1].steps), str(p)))


def _is_usable(source: Pattern, target: Pattern) -> bool:
    """Whether a match of the source says all that is needed to write the target."""
    if not source.steps or any(step.op in OF_FILTERS for step in source.steps):
        return False  # weights are computed in advance: to take them apart gains nothing
    if not set(target.variables()) <= set(source.variables()):
        return False
    takes_apart = any(step.op == "split" for step in target.steps)
    return "z" not in source.variables() or Step("split", ("z",)) in source.steps or not takes_apart


def _canonical(source: Pattern, target: Pattern) -> str:
    """One text for all renamings of a pair."""
    outputs = [
        (str(Pattern(source.steps, (a,))), str(Pattern(target.steps, (b,))))
        for a, b in zip(source.outputs, target.outputs, strict=True)
    ]
    texts = []
    for data, filters in product(permutations("xy"), permutations("fg")):
        names = str.maketrans("xyfg", "".join(data + filters).upper())
        pairs = [(_renamed(a, names), _renamed(b, names)) for a, b in outputs]
        texts.append(str(sorted(pairs)))
    return min(texts)


def _renamed(text: str, names: dict[int, int]) -> str:
    """A text of a pattern with other variables: they are the letters that stand alone."""
    return re.sub(r"\b[xyfg]\b", lambda m: m.group().translate(names), text)
