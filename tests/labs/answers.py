"""Trying answers without a notebook: the reference's function, and mutants in its place."""

import importlib

from efficientdl.course.exercise import Exercise
from efficientdl.course.outcome import Kind, Outcome
from efficientdl.course.probe import Answer, ask, draw, judge
from efficientdl.course.registry import tasks_of
from efficientdl.course.targets import public_case

FEWEST_MUTANTS = 3


def exercises_of(lab):
    return {id: t for id, t in tasks_of(lab).items() if isinstance(t, Exercise)}


def mutants_of(lab):
    """The lab's wrong answers, by exercise; none where the file is missing."""
    try:
        return importlib.import_module(f"tests.labs.mutants.lab_{lab[:2]}").MUTANTS
    except ModuleNotFoundError:
        return {}


def function_of(exercise, names, source=""):
    """The exercise's function among a lab's names, or the one that a source defines there."""
    inside = dict(names)
    if source:
        exec(compile(source, "<mutant>", "exec"), inside)
    else:  # functions look names up where they were defined, so a copy would not do
        inside = names
    return inside[exercise.symbol]


def on_public_cases(exercise, function):
    """How a function comes out on the cases that ship with the lab."""
    inputs, targets = public_case(exercise)
    return judge(exercise, inputs, targets, [answer(function, a) for a in inputs])


def on_fresh_cases(exercise, reference, function, seed):
    """How it comes out on inputs that a grader would draw, against the reference."""
    inputs = draw(exercise, seed=seed)
    targets = [answer(reference, arguments) for arguments in inputs]
    failed = [t.sentence for t in targets if t.failure]
    if failed:
        return Outcome(Kind.INTERNAL_ERROR, failed[0], 0, len(inputs))
    answers = [answer(function, arguments) for arguments in inputs]
    return judge(exercise, inputs, [t.value for t in targets], answers)


def answer(function, arguments):
    try:
        return ask(function, arguments)
    except NotImplementedError as error:
        return Answer(failure=Kind.NOT_ATTEMPTED, sentence=str(error))


def survivors(lab, names, mutants, outcome_of):
    """What is wrong with a lab's mutants, a sentence each: too few, or taken for right.

    Args:
        lab: The lab.
        names: What its solution defines.
        mutants: Sources by exercise.
        outcome_of: `f(exercise, function) -> Outcome`.
    """
    said = []
    for id, exercise in exercises_of(lab).items():
        sources = mutants.get(id, [])
        if len(sources) < FEWEST_MUTANTS:
            said.append(f"{id} has {len(sources)} mutants, fewer than {FEWEST_MUTANTS}")
        for i, source in enumerate(sources, start=1):
            outcome = outcome_of(exercise, function_of(exercise, names, source))
            if outcome.kind is Kind.CORRECT:
                said.append(f"{id}: mutant {i} is taken for right")
            if outcome.kind is Kind.INTERNAL_ERROR:
                said.append(f"{id}: {outcome.message}")
    strange = mutants.keys() - exercises_of(lab).keys()
    return said + [f"mutants of {id}, which is no exercise of {lab}" for id in sorted(strange)]


def constant(targets):
    """Are all targets the same, so that a constant would pass?"""
    return len({repr(target) for target in targets}) == 1
