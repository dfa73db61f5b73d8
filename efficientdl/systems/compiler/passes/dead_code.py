"""Dead code: leave out what no output needs."""

from efficientdl.systems.compiler.draft import Draft
from efficientdl.systems.compiler.graph import Graph, check


def remove_dead_code(graph: Graph) -> Graph:
    """The same graph without the nodes and constants that no output needs.

    A value is alive when it is an output, or when a node with a living output takes it. The inputs
    stay, needed or not, since whoever calls gives them.

    >>> from efficientdl.systems.compiler.graph import Value, node
    >>> x = Value("x", (1, 4))
    >>> dead = node("dead", "tanh", [x])
    >>> print(remove_dead_code(Graph((x,), {}, (dead, node("y", "relu", [x])), ("y",))))
    x: float32 (1, 4)
    y = relu(x)  # (1, 4)
    return y

    Source: Aho, Lam, Sethi and Ullman, "Compilers", 2006, section 9.1.6; lab 13.
    """
    check(graph)
    return Draft(graph).graph()
