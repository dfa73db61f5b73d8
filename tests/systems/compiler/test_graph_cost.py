"""What a graph costs, against the counter that watches torch run, layer by layer."""

import pytest

from efficientdl import models
from efficientdl.costs.count import count
from efficientdl.systems.compiler.graph_cost import alive_bytes
from efficientdl.systems.compiler.trace import trace


@pytest.mark.parametrize("name", ["squeezenet", "lenet_5", "lenet_300_100"])
def test_traffic_is_the_counters_where_there_are_no_norms(name):
    model, x = models.skeleton(name), models.example(name, device="meta")
    graph, counted = trace(model, x), count(model, x).total
    assert graph.cost().traffic_bytes == counted.traffic_bytes
    assert graph.cost().macs == counted.macs
    assert graph.cost().weight_bits == counted.weight_bits


def test_bytes_alive_by_hand_on_a_chain():
    graph = trace(models.skeleton("lenet_300_100"), models.example("lenet_300_100", device="meta"))
    # flatten is a view; each layer has its input and its output alive, the first one's is x
    assert alive_bytes(graph) == [4 * n for n in (784, 784 + 300, 600, 400, 200, 110)]
