"""Find where a rule applies in a graph, and apply it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from efficientdl import _check
from efficientdl.systems.compiler.draft import Draft
from efficientdl.systems.compiler.graph import Graph, Node, Value
from efficientdl.systems.compiler.ops import ACTIVATIONS
from efficientdl.systems.compiler.substitution.forms import structure
from efficientdl.systems.compiler.substitution.pattern import (
    COMMUTE,
    Data,
    Filters,
    Product,
    Ref,
    Step,
    Thing,
    build,
)
from efficientdl.systems.compiler.substitution.verify import Rule


@dataclass(frozen=True)
class Match:
    """Nodes that are the steps of a source, and what its variables stand for."""

    nodes: tuple[Node, ...] = ()
    data: Mapping[str, str] = field(default_factory=dict)
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    product: tuple[str, Mapping[str, Any]] | None = None
    activation: str | None = None


def matches(rule: Rule, draft: Draft) -> Iterator[Match]:
    """Every place of a graph where the source of a rule stands."""
    waiting = [Match()]
    while waiting:
        match = waiting.pop()
        if len(match.nodes) == len(rule.source.steps):
            if not _bites_its_tail(rule, match, draft):
                yield match
            continue
        step = rule.source.steps[len(match.nodes)]
        for node in _candidates(step, match, draft):
            if node not in match.nodes:
                waiting += _joined(rule, step, match, node, draft)


def apply(rule: Rule, match: Match, graph: Graph) -> Graph | None:
    """The graph with the target in the place of the source; None where it does not fit there."""
    draft = Draft(graph)

    def emit(op: str, inputs: Sequence[Value], **attributes: Any) -> tuple[Value, ...]:  # noqa: ANN401
        return draft.add(f"new.{op}", op, inputs, **attributes).outputs

    op, attributes = match.product or ("conv2d", {})
    product = Product(op, attributes, match.activation or "relu")
    try:
        made = build(rule.target, _things(rule, match, draft), product, emit)
    except _check.BadValue:
        return None  # these shapes are not of the rule's: two sums of different shapes, say
    for ref, new in zip(rule.source.outputs, made, strict=True):
        draft.replace(_value(ref, match), new.value.name)
    return draft.graph()


def rewritings(rule: Rule, graph: Graph) -> Iterator[Graph]:
    """Every graph that a rule makes of this one in one application."""
    for match in matches(rule, Draft(graph)):
        made = apply(rule, match, graph)
        if made is not None:
            yield made


def all_rewritings(rules: Sequence[Rule], graph: Graph, seen: set[int]) -> Iterator[Graph]:
    """The graphs that one rule makes of this one, none of a structure that was seen before.

    Args:
        rules: What may replace what.
        graph: What is rewritten.
        seen: Structures; those of the graphs given are added.
    """
    for rule in rules:
        for made in rewritings(rule, graph):
            key = structure(made)
            if key not in seen:
                seen.add(key)
                yield made


def _value(ref: Ref, match: Match) -> str:
    """The value of the graph that a reference of the source stands for; "" where it is open."""
    if isinstance(ref, str):
        return match.data.get(ref, "")
    return match.nodes[ref[0]].outputs[ref[1]].name


def _candidates(step: Step, match: Match, draft: Draft) -> list[Node]:
    """The nodes that a step may be: those that take a value that it takes, if one is known."""
    known = [value for ref in step.args if (value := _value(ref, match))]
    if known:
        return [draft.nodes[name] for name in dict.fromkeys(draft.takers[known[0]])]
    return list(draft.nodes.values())


def _joined(rule: Rule, step: Step, match: Match, node: Node, draft: Draft) -> list[Match]:
    """The match with one more step, in each order that the arguments may have."""
    grown = _with_operation(rule, step, match, node, draft)
    if grown is None:
        return []
    if step.op in ("apply", "apply_act"):
        data = _with_data(grown, step.args[:1], node.inputs[:1])
        name, weights = str(step.args[1]), node.inputs[1:]
        if data is None or data.filters.get(name, weights) != weights:
            return []
        return [replace(data, filters={**data.filters, name: weights})]
    orders = [node.inputs]
    if step.op in COMMUTE:
        orders.append(node.inputs[::-1])
    return [m for order in orders if (m := _with_data(grown, step.args, order)) is not None]


def _with_operation(rule: Rule, step: Step, match: Match, node: Node, draft: Draft) -> Match | None:
    """The match with a node as its next step, if it does what the step says."""
    match = replace(match, nodes=(*match.nodes, node))
    activation = node.op if step.op == "act" else None
    if step.op in ("apply", "apply_act"):
        if _family(node, draft) not in rule.products:
            return None
        activation = node.attributes["activation"]
        others = {k: v for k, v in node.attributes.items() if k != "activation"}
        if match.product not in (None, (node.op, others)):
            return None
        match = replace(match, product=(node.op, others))
    elif not _does(step, node, draft):
        return None
    if (activation is None) == (step.op in ("act", "apply_act")):
        return None
    if activation is None:
        return match
    return replace(match, activation=activation) if match.activation in (None, activation) else None


def _family(node: Node, draft: Draft) -> str:
    """Which product of `verify.PRODUCTS` a node is; "" where it is none."""
    if node.op == "linear" and len(draft.values[node.inputs[0]].shape) == 2:
        return "linear"
    if node.op == "conv2d":
        return "conv2d" if node.attributes["groups"] == 1 else "grouped conv2d"
    return ""


def _does(step: Step, node: Node, draft: Draft) -> bool:
    """Whether a node does what a step without filters says."""
    if step.op == "act":
        return node.op in ACTIVATIONS
    if node.op != step.op:
        return False
    if step.op == "add":
        left, right = (draft.values[name].shape for name in node.inputs)
        return node.attributes["activation"] is None and left == right
    two = len(node.inputs) == 2 if step.op == "concat" else len(node.outputs) == 2
    return two and node.attributes["axis"] == 1


def _with_data(match: Match, refs: Sequence[Ref], values: Sequence[str]) -> Match | None:
    """The match with variables bound to values; None where one already is another's."""
    data = dict(match.data)
    for ref, value in zip(refs, values, strict=True):
        known = data.get(ref) if isinstance(ref, str) else _value(ref, match)
        if known not in (None, value):
            return None
        if isinstance(ref, str):
            data[ref] = value
    return replace(match, data=data)


def _things(rule: Rule, match: Match, draft: Draft) -> dict[str, Thing]:
    """What the variables stand for; channels that are split in the source came from two."""
    things: dict[str, Thing] = {}
    for name, value in match.data.items():
        shape = draft.values[value].shape
        things[name] = Data(draft.values[value], shape[1] if len(shape) > 1 else 1)
    for step, node in zip(rule.source.steps, match.nodes, strict=True):
        ref = step.args[0]
        if step.op == "split" and isinstance(ref, str):
            things[ref] = Data(draft.values[node.inputs[0]], node.attributes["sizes"])
    for name, (weight, *bias) in match.filters.items():
        held = draft.values[weight]
        things[name] = Filters(held, draft.values[bias[0]] if bias else None, held.shape[0])
    return things


def _bites_its_tail(rule: Rule, match: Match, draft: Draft) -> bool:
    """Whether a variable depends on what the source gives back: the target would need itself."""
    waiting = [_value(ref, match) for ref in rule.source.outputs]
    variables = {*match.data.values(), *(v for held in match.filters.values() for v in held)}
    if len(waiting) == 1:
        return False
    seen: set[str] = set()
    while waiting:
        value = waiting.pop()
        if value in variables:
            return True
        if value not in seen:
            seen.add(value)
            takers = (draft.nodes[name] for name in draft.takers[value])
            waiting += [out.name for taker in takers for out in taker.outputs]
    return False
