"""Plotly takes every figure."""

import pytest

from efficientdl.viz.plotly_spec import spec
from tests.viz import samples


@pytest.mark.parametrize("name", samples.ALL)
def test_plotly_takes_every_figure(name):
    made = samples.ALL[name].plotly()
    traces, layout = spec(samples.ALL[name])
    assert [trace.type for trace in made.data] == [trace["type"] for trace in traces]
    assert made.layout.title.text == layout["title"]["text"]
