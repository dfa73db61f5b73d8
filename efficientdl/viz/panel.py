"""A picture with at most three controls: a pure function, and two faces for it.

The function takes the controls' values by name and returns a `View`. Live, sliders move plotly
figures in place; static, the same view stands as picture, table and sentence on a page that
needs no kernel, with a strip of other settings so that it still tells the story.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

from efficientdl import _check
from efficientdl.progress import ui_mode
from efficientdl.viz.controls import Choice, Control, Slider, Toggle
from efficientdl.viz.figure import Figure
from efficientdl.viz.view import View, bundle, picture

if TYPE_CHECKING:
    from efficientdl.viz.live import LivePanel

_MOST = 3
_STRIP_PX = 380


class Panel:
    """A pure function `state -> View` under a learner's hands.

    Args:
        function: Takes the value of each control by its name, and is called once for each new
            state, for the first one at once.
        controls: One to three, by the names of the function's arguments.
        title: What the panel lets one do.
        stops: Of one control, the values at which the static page shows the panel too.
        clicks: Sliders by the name of a series: live, a click on its i-th point moves the slider
            to its i-th stop. Whoever cannot click has the slider.

    Raises:
        BadValue: More than three controls: nobody keeps a fourth in mind.

    >>> from efficientdl.viz import Axis, Bars, Figure
    >>> def size(bits):
    ...     text = f"At {bits} bits a million weights take {bits / 8:g} MB."
    ...     names = Axis("", categories=("weights",))
    ...     axis = Axis("Size", "MB", low=0, high=4)
    ...     return View(Figure("Size", names, axis, (Bars("size", [bits / 8]),), text), None, text)
    >>> panel = Panel(size, {"bits": Slider("Bits", 2, 32, value=8)}, title="Fewer bits")
    >>> panel.set(bits=4).text
    'At 4 bits a million weights take 0.5 MB.'
    """

    def __init__(
        self,
        function: Callable[..., View],
        controls: Mapping[str, Control],
        *,
        title: str,
        stops: Mapping[str, Sequence[Any]] | None = None,
        clicks: Mapping[str, str] | None = None,
    ) -> None:
        if not 1 <= len(controls) <= _MOST:
            rule = f"must be 1 to {_MOST}: nobody keeps more in mind"
            _check.fail("Panel", "controls", rule, len(controls))
        for name, control in controls.items():
            _check.kind("Panel", name, control, (Slider, Choice, Toggle))
        if stops is not None and len(stops) != 1:
            _check.fail("Panel", "stops", "must be of one control", list(stops))
        self.clicks = dict(clicks or {})
        for name in self.clicks.values():
            sliders = [n for n, control in controls.items() if isinstance(control, Slider)]
            _check.one_of("Panel", "clicks", name, sliders)
        self.function = function
        self.controls = dict(controls)
        self.title = title
        self._state: dict[str, Any] = {name: c.value for name, c in controls.items()}
        self._stops = [self._with({n: v}) for n, values in (stops or {}).items() for v in values]
        self._views: dict[tuple[Any, ...], View] = {}
        self._live: LivePanel | None = None
        # An error must stop the cell that makes the panel: IPython prints those that come up
        # while it draws, and goes on.
        for state in [self._state, *(self._stops if ui_mode() == "static" else [])]:
            self._view_at(state)

    @property
    def state(self) -> dict[str, Any]:
        """The value of each control."""
        return dict(self._state)

    @property
    def setting(self) -> str:
        """The state in words."""
        return self._words(self._state)

    @property
    def view(self) -> View:
        """What the function makes of the state."""
        return self._view_at(self._state)

    def set(self, **values: Any) -> View:  # noqa: ANN401  # a control's own kind
        """Move controls, by name; what is not named stays.

        Raises:
            BadValue: No such control, or a value that it cannot take.
        """
        self._state = self._with(values)
        if self._live is not None:
            self._live.refresh()
        return self.view

    def live(self) -> "LivePanel":
        """The widgets, made once."""
        if self._live is None:
            from efficientdl.viz.live import LivePanel

            self._live = LivePanel(self)
        return self._live

    def _with(self, values: Mapping[str, Any]) -> dict[str, Any]:
        for name in values:
            _check.one_of("Panel", "control", name, self.controls)
        return {
            **self._state,
            **{name: self.controls[name].checked(value) for name, value in values.items()},
        }

    def _words(self, state: Mapping[str, Any]) -> str:
        return ", ".join(f"{c.label} = {c.text(state[n])}" for n, c in self.controls.items())

    def _view_at(self, state: Mapping[str, Any]) -> View:
        key = tuple(state.items())
        if key not in self._views:
            view = self.function(**state)
            _check.kind("Panel", "what the function returns", view, View)
            if len(self._views) > 64:  # a learner's walk through the settings, not all of them
                self._views.clear()
            self._views[key] = view
        return self._views[key]

    def __repr__(self) -> str:
        return f"{self.title}\nAt {self.setting}:\n{self.view}"

    def text(self) -> str:
        """The panel in words: as it stands, and a line for each stop."""
        strip = [f"At {self._words(state)}: {self._view_at(state).text}" for state in self._stops]
        return "\n".join([repr(self), *(["", *strip] if strip else [])])

    def html(self) -> str:
        """The static face: the panel as it stands, and its strip of stops."""
        return (
            f"<p><b>{escape(self.title)}</b><br/>At {escape(self.setting)}:</p>"
            f"{self.view.html()}{self._strip()}"
        )

    def _strip(self) -> str:
        """A row for each stop: its setting, its first picture made small, its sentence."""
        if not self._stops:
            return ""
        rows = ""
        for state in self._stops:
            view = self._view_at(state)
            small = "".join(picture(_small(figure)) for figure in view.figures[:1])
            rows += (
                f'<tr><th scope="row">{escape(self._words(state))}</th><td>{small}</td>'
                f"<td>{escape(view.text, quote=False)}</td></tr>"
            )
        heads = "".join(f'<th scope="col">{head}</th>' for head in ("Setting", "Picture", "Shows"))
        caption = f"<caption>{escape(self.title)}, at other settings</caption>"
        return f"<table>{caption}<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        mode = ui_mode()
        if mode == "live":
            return bundle(self.live().box, repr(self))
        if mode == "silent":
            return {"text/plain": repr(self)}
        return {"text/plain": self.text(), "text/html": self.html()}


def _small(figure: Figure) -> Figure:
    """The figure drawn anew for the strip, its letters as large as ever."""
    height = figure.height if figure.horizontal else max(200, figure.height * 2 // 3)
    return replace(figure, width=min(figure.width, _STRIP_PX), height=height)
