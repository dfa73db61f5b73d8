"""A notebook that was executed in static mode is readable as a page, without a kernel."""

import nbformat
import pytest
from nbconvert import HTMLExporter
from nbformat import v4

from tests.viz import samples
from tests.viz.test_panel import panel


@pytest.mark.slow
def test_nbconvert_shows_the_static_face(monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_UI", "static")
    outputs = [
        v4.new_output("display_data", data=panel(stops={"bits": (2, 32)})._repr_mimebundle_()),
        v4.new_output("display_data", data=samples.BUBBLES._repr_mimebundle_()),
    ]
    cell = v4.new_code_cell("panel", outputs=outputs, execution_count=1)
    notebook = v4.new_notebook(cells=[cell])
    nbformat.validate(notebook)
    page, _ = HTMLExporter(template_name="basic").from_notebook_node(notebook)
    assert page.count("data:image/svg+xml;base64,") == 4
    assert "<caption>Size</caption>" in page
    assert "conv takes 1000 bytes" in page
    assert "ResNet" not in page
    assert "VGG-16 &lt;wide&gt;" in page
