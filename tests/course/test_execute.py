"""Running notebooks: outputs, errors, parameters, deaths."""

import nbformat
import pytest

from efficientdl.course.execute import errors, execute, static_environment


def notebook(*sources, tags=()):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = list(tags)
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# T"), *cells])


def run(made, folder, **more):
    return list(execute(made, folder, static_environment(**more)))


@pytest.mark.slow
def test_outputs_errors_counts_and_environment(tmp_path):
    made = notebook(
        "SEED, FAST = 7, False",
        "import os, sys\nprint('a')\nsys.stderr.write('e')\nprint('b', flush=True)\nprint('c')",
        "1 / 0",
        "(SEED, FAST, os.environ['EFFICIENTDL_UI'], os.environ['MORE'], os.listdir())",
        tags=["parameters"],
    )
    assert run(made, tmp_path, MORE="x") == [1, 2, 3, 4]
    assert [cell.execution_count for cell in made.cells[1:]] == [1, 2, 3, 4]
    assert errors(made) == {3: "ZeroDivisionError: division by zero"}
    streams = {out.name: out.text for out in made.cells[2].outputs}
    assert streams == {"stdout": "a\nb\nc\n", "stderr": "e"}
    assert made.cells[1].source == "SEED, FAST = 7, False"
    assert made.cells[4].outputs[0].data["text/plain"] == "(0, True, 'static', 'x', [])"
    assert "widgets" not in made.metadata


@pytest.mark.slow
def test_a_dead_kernel_is_said(tmp_path):
    made = notebook("1", "import os\nos._exit(3)")
    with pytest.raises(ValueError, match="build: cell 3 must not kill its kernel, got 'import os'"):
        run(made, tmp_path)


def test_static_environment_is_quiet_and_has_no_home(monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_HOME", "/somewhere")
    found = static_environment(EFFICIENTDL_CHECK="record")
    assert "EFFICIENTDL_HOME" not in found
    assert (found["EFFICIENTDL_UI"], found["OMP_NUM_THREADS"]) == ("static", "1")
    assert found["EFFICIENTDL_CHECK"] == "record"
