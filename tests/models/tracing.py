"""Tracing a network with torch.fx while the shape checker looks away."""

from collections.abc import Iterator
from contextlib import contextmanager

import jaxtyping
from torch import fx, nn


@contextmanager
def shapes_unchecked() -> Iterator[None]:
    """A tracer sends proxies through a network, which are no tensors to a shape checker."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", before)


def traced(model: nn.Module) -> fx.GraphModule:
    """The model as a graph."""
    with shapes_unchecked():
        return fx.symbolic_trace(model)
