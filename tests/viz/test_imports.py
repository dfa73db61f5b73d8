"""`efficientdl.viz` starts quickly: nothing that draws is imported before something is shown."""

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_import_brings_no_torch_and_nothing_that_draws():
    heavy = ("torch", "plotly", "ipywidgets", "anywidget", "IPython", "pandas")
    code = f"import sys, efficientdl.viz; print([m for m in {heavy} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
