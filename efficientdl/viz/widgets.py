"""Live controls with names that a screen reader says and keys that a notebook leaves alone.

The stock sliders have no accessible name, and JupyterLab takes the arrow keys away from any
input that does not itself carry `data-lm-suppress-shortcuts`. These are small native inputs:
a label, the input, what it says now. Values that come from the browser are checked in Python:
numbers are moved to the nearest stop, anything else is refused.
"""

from math import isfinite
from typing import Any

import anywidget
import traitlets

from efficientdl.viz import play
from efficientdl.viz.controls import Choice, Slider, Toggle

_CSS = """
.edl-control { display: flex; gap: 0.6em; align-items: center; margin: 4px 16px 4px 2px;
  color: var(--jp-ui-font-color1, #222); font: 14px/1.4 system-ui, Helvetica, Arial, sans-serif; }
.edl-control input[type=range] { width: 15em; accent-color: #0072B2; }
.edl-control output { min-width: 4.5em; font-variant-numeric: tabular-nums; }
.edl-control input:focus-visible, .edl-control select:focus-visible {
  outline: 3px solid #0072B2; outline-offset: 2px; }
.edl-control select { font: inherit; padding: 2px 4px; }
.edl-status { display: flex; flex-flow: row wrap; column-gap: 1em; margin: 6px 2px;
  color: var(--jp-content-font-color1, #222);
  font: 14px/1.5 system-ui, Helvetica, Arial, sans-serif; }
.edl-status p { margin: 0; }
.edl-status .edl-alert { flex-basis: 100%; }
.edl-status .edl-alert:not(:empty) { border-left: 4px solid #D55E00; padding-left: 0.6em; }
.edl-status .edl-busy { visibility: hidden; font-style: italic; }
.edl-status[aria-busy=true] .edl-busy { visibility: visible; }
.edl-progress progress { width: 16em; accent-color: #0072B2; }
"""

# Every control starts alike: an id that ties the label to the input, and keys of its own. The id
# is drawn: each control has read this code for itself, and could not count on the others.
_START = """
const drawn = () => Math.random().toString(36).slice(2);
function start(model, el, tag) {
  el.classList.add("edl-control");
  const label = document.createElement("label");
  const input = document.createElement(tag);
  input.id = `edl-${drawn()}${drawn()}`;
  input.setAttribute("data-lm-suppress-shortcuts", "true");
  label.htmlFor = input.id;
  label.textContent = model.get("label");
  return [label, input];
}
function send(model, value) { model.set("value", value); model.save_changes(); }
"""

_SLIDER = """
function render({ model, el }) {
  const [label, input] = start(model, el, "input");
  const output = document.createElement("output");
  output.htmlFor = input.id;
  input.type = "range";
  const say = () => {
    const digits = model.get("digits");
    const number = Number(input.value).toLocaleString("en-US",
      { minimumFractionDigits: digits, maximumFractionDigits: digits });
    output.textContent = `${number} ${model.get("unit")}`.trim();
    input.setAttribute("aria-valuetext", output.textContent);
  };
  const sync = () => {
    for (const name of ["min", "max", "step"]) input[name] = model.get(name);
    input.value = model.get("value");
    say();
  };
  input.addEventListener("input", say);
  const sent = () => send(model, Number(input.value));
  input.addEventListener("change", sent);
  model.on("change", sync);
  sync();
  el.append(label, input, output);
  if (model.get("play_s") <= 0) return;
  const [button, stop] = player(model, input, () => { say(); sent(); });
  el.append(button);
  return stop;
}
export default { render };
"""

_CHOICE = """
function render({ model, el }) {
  const [label, select] = start(model, el, "select");
  model.get("options").forEach((text, i) => select.add(new Option(text, i)));
  const sync = () => { select.value = model.get("value"); };
  select.addEventListener("change", () => send(model, Number(select.value)));
  model.on("change:value", sync);
  sync();
  el.append(label, select);
}
export default { render };
"""

_TOGGLE = """
function render({ model, el }) {
  const [label, input] = start(model, el, "input");
  input.type = "checkbox";
  const sync = () => { input.checked = model.get("value"); };
  input.addEventListener("change", () => send(model, input.checked));
  model.on("change:value", sync);
  sync();
  el.append(input, label);
}
export default { render };
"""

# The regions stay, only their words change: a region that comes with its words is not read out.
_STATUS = """
function render({ model, el }) {
  el.classList.add("edl-status");
  const part = (role, name) => {
    const p = document.createElement("p");
    if (role) p.setAttribute("role", role);
    p.className = name;
    el.append(p);
    return p;
  };
  const status = part("status", "edl-text");
  status.setAttribute("aria-live", "polite");
  const busy = part("", "edl-busy");
  const alert = part("alert", "edl-alert");
  busy.textContent = "computing …";
  const sync = () => {
    el.setAttribute("aria-busy", model.get("busy"));
    if (status.textContent !== model.get("text")) status.textContent = model.get("text");
    if (alert.textContent !== model.get("alert")) alert.textContent = model.get("alert");
  };
  model.on("change", sync);
  sync();
}
export default { render };
"""

_PROGRESS = """
function render({ model, el }) {
  const [label, bar] = start(model, el, "progress");
  el.classList.add("edl-progress");
  bar.setAttribute("role", "progressbar");
  const text = document.createElement("span");
  const sync = () => {
    if (model.get("total") > 0) { bar.max = model.get("total"); bar.value = model.get("value"); }
    else bar.removeAttribute("value");
    text.textContent = model.get("text");
    bar.setAttribute("aria-valuetext", model.get("text"));
  };
  model.on("change", sync);
  sync();
  el.append(label, bar, text);
}
export default { render };
"""


class LabSlider(anywidget.AnyWidget):
    """A native range input: arrow keys, Home and End move it, a screen reader says name and unit.

    `value` changes when the learner lets go, not while they drag: what hangs on it may be slow.
    """

    _esm = _START + play.JS + _SLIDER
    _css = _CSS + play.CSS
    label = traitlets.Unicode("").tag(sync=True)
    unit = traitlets.Unicode("").tag(sync=True)
    digits = traitlets.Int(0).tag(sync=True)
    min = traitlets.Float(0.0).tag(sync=True)
    max = traitlets.Float(1.0).tag(sync=True)
    step = traitlets.Float(1.0).tag(sync=True)
    play_s = traitlets.Float(0.0).tag(sync=True)
    value = traitlets.Float(0.0).tag(sync=True)

    def __init__(self, control: Slider) -> None:
        self.control = control
        super().__init__(
            label=control.label,
            unit=control.unit,
            digits=control.digits,
            min=control.low,
            max=control.high,
            step=control.step,
            play_s=control.play_s,
            value=control.value,
        )

    @property
    def chosen(self) -> float:
        """The value as the control has it, whole where the control is."""
        return self.control.clamped(self.value)

    def choose(self, value: float) -> None:
        """Move to a value."""
        self.value = self.control.checked(value)

    @traitlets.validate("value")
    def _near(self, proposal: Any) -> float:  # noqa: ANN401  # traitlets' Bunch
        value = proposal["value"]
        if not isfinite(value):
            raise traitlets.TraitError(f"{self.control.label} must be a finite number, got {value}")
        return float(self.control.clamped(value))


class LabChoice(anywidget.AnyWidget):
    """A native list to choose from; `value` is the place of the option."""

    _esm = _START + _CHOICE
    _css = _CSS
    label = traitlets.Unicode("").tag(sync=True)
    options = traitlets.List(traitlets.Unicode()).tag(sync=True)
    value = traitlets.Int(0).tag(sync=True)

    def __init__(self, control: Choice) -> None:
        self.control = control
        super().__init__(
            label=control.label,
            options=[control.text(option) for option in control.options],
            value=list(control.options).index(control.value),
        )

    @property
    def chosen(self) -> str | int | float:
        """The option chosen."""
        return self.control.options[self.value]

    def choose(self, value: str | int | float) -> None:
        """Choose an option."""
        self.value = list(self.control.options).index(self.control.checked(value))

    @traitlets.validate("value")
    def _known(self, proposal: Any) -> int:  # noqa: ANN401
        place = proposal["value"]
        if not 0 <= place < len(self.control.options):
            last = len(self.control.options) - 1
            rule = f"{self.control.label} must be the place of an option, 0 to {last}"
            raise traitlets.TraitError(f"{rule}, got {place}")
        return place


class LabToggle(anywidget.AnyWidget):
    """A native box to tick."""

    _esm = _START + _TOGGLE
    _css = _CSS
    label = traitlets.Unicode("").tag(sync=True)
    value = traitlets.Bool(False).tag(sync=True)

    def __init__(self, control: Toggle) -> None:
        self.control = control
        super().__init__(label=control.label, value=control.value)

    @property
    def chosen(self) -> bool:
        """Is it on?"""
        return self.value

    def choose(self, value: bool) -> None:
        """Switch it."""
        self.value = self.control.checked(value)


class LabStatus(anywidget.AnyWidget):
    """What there is to see, in words that are read out when they change; and what went wrong."""

    _esm = _STATUS
    _css = _CSS
    text = traitlets.Unicode("").tag(sync=True)
    alert = traitlets.Unicode("").tag(sync=True)
    busy = traitlets.Bool(False).tag(sync=True)


class LabProgress(anywidget.AnyWidget):
    """How far long work is; `total` is 0 where nobody knows."""

    _esm = _START + _PROGRESS
    _css = _CSS
    label = traitlets.Unicode("").tag(sync=True)
    text = traitlets.Unicode("").tag(sync=True)
    total = traitlets.Int(0).tag(sync=True)
    value = traitlets.Int(0).tag(sync=True)


LabControl = LabSlider | LabChoice | LabToggle
