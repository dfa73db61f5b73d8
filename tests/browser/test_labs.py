"""Labs 00 and 01 in a real browser: they run, a slider moves by keyboard, the picture changes."""

import json
from pathlib import Path

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
# An untouched lab raises this once for each exercise, and nothing else.
UNFINISHED = "NotImplementedError"


def exercises(name):
    cells = json.loads((ROOT / "labs" / f"{name}.ipynb").read_text())["cells"]
    return sum("raise NotImplementedError" in "".join(cell["source"]) for cell in cells)


def test_lab_00_runs_and_its_slider_moves_by_keyboard(open_lab):
    lab = open_lab("00_start_here")
    lab.run_all()
    slider = lab.slider("Zeros among the weights")
    slider.wait_for(timeout=60_000)
    lab.page.wait_for_selector(".js-plotly-plot .bars path", timeout=60_000)
    status = lab.page.locator(".edl-text").first
    before, drawn = status.text_content(), bars(lab)
    assert "It reads" in before

    slider.focus()
    for _ in range(3):
        lab.page.keyboard.press("ArrowRight")
    lab.page.wait_for_function(
        "was => document.querySelector('.edl-text').textContent !== was", arg=before, timeout=20_000
    )
    lab.page.wait_for_function(
        "was => [...document.querySelectorAll('.js-plotly-plot .bars path')]"
        ".map(p => p.getAttribute('d')).join() !== was",
        arg=drawn,
        timeout=20_000,
    )
    assert slider.input_value() == "15"
    assert slider.get_attribute("aria-valuetext") == "15 %"
    assert lab.heard.console == []
    assert lab.heard.outside == []


def bars(lab):
    return lab.page.evaluate(
        "() => [...document.querySelectorAll('.js-plotly-plot .bars path')]"
        ".map(p => p.getAttribute('d')).join()"
    )


def test_lab_01_shows_its_panels_and_nothing_but_unfinished_exercises(open_lab):
    name = "01_costs"
    lab = open_lab(name)
    # Run All stops at the first error, as it should; so run every cell by itself.
    count = lab.page.evaluate(
        """async () => {
          const notebook = window.jupyterapp.shell.currentWidget.content;
          const run = id => window.jupyterapp.commands.execute(id);
          for (let i = 0; i < notebook.widgets.length; i++) {
            notebook.deselectAll();
            notebook.activeCellIndex = i;
            if (notebook.widgets[i].model.type === "code") await run("notebook:run-cell");
          }
          return notebook.widgets.length;
        }"""
    )
    assert count > 50
    errors = lab.page.evaluate(
        """() => window.jupyterapp.shell.currentWidget.content.widgets
          .filter(cell => cell.model.type === "code")
          .flatMap(cell => cell.model.sharedModel.toJSON().outputs)
          .filter(output => output.output_type === "error").map(output => output.ename)"""
    )
    assert errors == [UNFINISHED] * exercises(name)
    for title in ("Groups", "Network", "Devices"):
        found = lab.page.get_by_label(title, exact=True).first
        found.scroll_into_view_if_needed(timeout=30_000)
        assert found.is_visible()
    lab.page.wait_for_function(  # axes without data are no plot
        """() => {
          const plots = [...document.querySelectorAll(".js-plotly-plot")];
          return plots.length >= 3 && plots.every(plot => plot.data?.length > 0);
        }""",
        timeout=60_000,
    )
    assert lab.heard.outside == []
    assert lab.heard.console == []


@pytest.mark.browser
def test_every_figure_of_a_panel_follows_its_slider(open_lab):
    """Two figures in one panel: each of them follows, and a button plays the cycles."""
    lab = open_lab("14_accelerators")
    ran = lab.page.evaluate(
        """async () => {
          const notebook = window.jupyterapp.shell.currentWidget.content;
          const wanted = cell => /^(SEED|from dataclasses|panels.waves)/.test(
            cell.model.sharedModel.source);
          const places = notebook.widgets.map((cell, i) => wanted(cell) ? i : -1);
          const found = places.filter(i => i >= 0);
          for (const i of found) {
            notebook.deselectAll();
            notebook.activeCellIndex = i;
            await window.jupyterapp.commands.execute("notebook:run-cell");
          }
          return found.length;
        }"""
    )
    assert ran == 3
    button = lab.page.get_by_role("button", name="Play: Cycle")
    button.wait_for(timeout=60_000)
    button.scroll_into_view_if_needed()
    slider = lab.slider("Cycle")
    slider.focus()
    slider.press("Home")
    for _ in range(3):
        slider.press("ArrowRight")
    both = """cycle => {
      const plots = [...document.querySelectorAll(".js-plotly-plot")];
      return plots.length === 2 && plots[0].layout.title.text.includes(`cycle ${cycle}<`)
        && plots[1].data.some(trace => trace.name === `cycle ${cycle}`);
    }"""
    lab.page.wait_for_function(both, arg=3, timeout=60_000)
    button.click()
    lab.page.wait_for_function(both, arg=6, timeout=60_000)
    assert lab.heard.outside == []
    assert lab.heard.console == []
