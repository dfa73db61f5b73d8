"""Constant folding: compute once, before the first run, what no input reaches."""

import torch

from efficientdl.systems.compiler.draft import Draft
from efficientdl.systems.compiler.graph import Graph, Node, check


def fold_constants(graph: Graph) -> Graph:
    """The same graph, with what depends on constants alone computed in advance.

    A node is folded where its result takes no more memory than the constants that go with it: a
    broadcast of two vectors to a matrix would make the weights larger, and stays.

    >>> from efficientdl.systems.compiler.graph import Value, constant, node
    >>> x, one = Value("x", (2,)), constant("one", torch.ones(2))
    >>> two = node("two", "add", [one, one])
    >>> y = node("y", "mul", [x, two.outputs[0]])
    >>> print(fold_constants(Graph((x,), {"one": torch.ones(2)}, (two, y), ("y",))))
    x: float32 (2,)
    y = mul(x, two)  # (2,)
    return y

    Source: Aho, Lam, Sethi and Ullman, "Compilers", 2006, section 9.1.7; Chen et al., "TVM", OSDI
    2018, section 3; lab 13.
    """
    check(graph)
    draft = Draft(graph)
    n_before = len(draft.nodes) + 1
    while len(draft.nodes) < n_before:  # a constant that one fold frees may let another one pay
        n_before = len(draft.nodes)
        for n in list(draft.nodes.values()):
            if _pays(draft, n):
                _fold(draft, n)
    return draft.graph()


def compute_constants(graph: Graph) -> Graph:
    """The same graph with every node computed that depends on constants alone, however large."""
    draft = Draft(graph)
    for n in graph.nodes:
        if _is_constant(draft, n):
            _fold(draft, n)
    return draft.graph()


def _is_constant(draft: Draft, n: Node) -> bool:
    return all(name in draft.constants for name in n.inputs)


def _pays(draft: Draft, n: Node) -> bool:
    """Whether a node takes constants alone, and its result no more bytes than they free."""
    if not _is_constant(draft, n):
        return False
    only_here = {v for v in n.inputs if set(draft.takers[v]) == {n.name} and v not in draft.outputs}
    freed = sum(draft.values[v].n_bytes for v in only_here)
    return sum(v.n_bytes for v in n.outputs) <= freed


def _fold(draft: Draft, n: Node) -> None:
    """Let constants stand where the node stood."""
    with torch.no_grad():
        made = n.rule.run([draft.constants[name] for name in n.inputs], n.attributes)
    for value, tensor in zip(n.outputs, made, strict=True):
        taken = draft.takers[value.name]
        del draft.maker[value.name]
        draft.constants[value.name] = tensor.clone() if tensor._is_view() else tensor
        draft.takers[value.name] = taken
    for name in n.inputs:
        draft.takers[name].remove(n.name)
    del draft.nodes[n.name]
