"""A figure in a notebook: plotly.js draws it, and draws it anew in place when it changes.

Plotly's own widget brings five megabytes of code for each figure, and a page that takes more than
two seconds to read them drops every later change of that figure. Here a page asks the kernel for
plotly.js once, the first figure for all of them, and what says how a figure looks is a page long.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from efficientdl.viz.plotly_spec import spec

if TYPE_CHECKING:
    from efficientdl.viz.figure import Figure

WAIT_S = 60

# The bar of buttons stays away: it adds a dozen stops for the tab key, and one of its buttons sends
# data out.
_JS = """
const PAGE = "__efficientdl_plotly__";
const EXPORT = "export default module.exports;";
const CONFIG = { displayModeBar: false, displaylogo: false, scrollZoom: false };

function asked(model) {
  return new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new Error("the kernel did not send plotly.js")), WAIT_MS);
    const heard = async (content, buffers) => {
      if (content.give !== "plotly") return;
      clearTimeout(timer);
      model.off("msg:custom", heard);
      const parts = ["const module = { exports: {} };", buffers[0], EXPORT];
      const url = URL.createObjectURL(new Blob(parts, { type: "text/javascript" }));
      import(url).then((made) => done(made.default), fail).finally(() => URL.revokeObjectURL(url));
    };
    model.on("msg:custom", heard);
    model.send({ ask: "plotly" });
  });
}
function library(model) {
  globalThis[PAGE] ??= asked(model).catch((error) => { delete globalThis[PAGE]; throw error; });
  return globalThis[PAGE];
}
async function render({ model, el }) {
  const place = document.createElement("div");
  const room = () => {
    const { width, height } = model.get("spec").layout;
    Object.assign(place.style, { width: `${width}px`, height: `${height}px` });
  };
  room();
  el.append(place);
  const Plotly = await library(model);
  const draw = () => {
    room();
    const { data, layout } = structuredClone(model.get("spec"));
    return Plotly.react(place, data, layout, CONFIG);
  };
  await draw();
  model.on("change:spec", draw);
  place.on("plotly_click", ({ points }) => {
    if (points.length) model.send({ click: points[0].data.name, point: points[0].pointNumber });
  });
  return () => Plotly.purge(place);
}
export default { render };
"""


@cache
def library() -> bytes:
    """Plotly.js, as plotly's package brings it."""
    from plotly.offline import get_plotlyjs

    return get_plotlyjs().encode()


class LabFigure(anywidget.AnyWidget):
    """A figure on the screen.

    Args:
        figure: What to draw.

    Attributes:
        spec: Plotly's `data` and `layout`.
    """

    _esm = _JS.replace("WAIT_MS", str(1000 * WAIT_S))
    spec = traitlets.Dict().tag(sync=True)

    def __init__(self, figure: "Figure") -> None:
        super().__init__(spec=_both(figure))
        self._hears: dict[str, Callable[[int], object]] = {}
        self.on_msg(self._answer)

    def show(self, figure: "Figure") -> None:
        """Turn into another figure, in place."""
        self.spec = _both(figure)

    def hear_clicks(self, series: str, hear: Callable[[int], object]) -> None:
        """Call a function with the number of each point of a series that is clicked on.

        Args:
            series: Its name.
            hear: `f(number)`, counted from 0.
        """
        self._hears[series] = hear

    def _answer(self, _: object, content: Mapping[str, Any], __: object) -> None:
        if content.get("ask") == "plotly":
            self.send({"give": "plotly"}, buffers=[library()])
        hear, point = self._hears.get(str(content.get("click"))), content.get("point")
        if hear is not None and isinstance(point, int):
            hear(point)


def _both(figure: "Figure") -> dict[str, Any]:
    traces, layout = spec(figure)
    return {"data": traces, "layout": layout}
