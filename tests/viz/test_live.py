"""The live face without a browser: controls are driven as Python and as the browser do."""

import pytest

from efficientdl.viz import Axis, Choice, Figure, Panel, Points, Slider, View
from efficientdl.viz.live import LiveView
from tests.viz import samples
from tests.viz.test_panel import CONTROLS, panel


def shown(live):
    """What a learner sees: the picture's numbers, the tables, the sentence."""
    (figure,) = live.view.figures
    return list(figure.spec["data"][0]["y"]), live.view.numbers.value, live.view.status.text


def raw(name, value):
    """A control's value as the browser sends it."""
    control = CONTROLS[name]
    return list(control.options).index(value) if isinstance(control, Choice) else value


@pytest.mark.parametrize("name", CONTROLS)
@pytest.mark.parametrize("end", [0, 1])
@pytest.mark.parametrize("sent", [False, True])
def test_every_control_moves_everything(name, end, sent):
    made = panel()
    made.set(bits=12)  # so that packing makes a difference
    live = made.live()
    before = shown(live)
    value = CONTROLS[name].extremes[end]
    unchanged = made.state[name] == value
    if sent:
        live.controls[name].set_state({"value": raw(name, value)})
    else:
        live.controls[name].choose(value)
    assert made.state[name] == value
    after = shown(live)
    for was, now in zip(before, after, strict=True):
        assert (was == now) == unchanged
    assert after[0] == list(made.view.figures[0].series[0].values)
    assert after[2] == made.view.text


def test_set_moves_the_controls():
    made = panel()
    live = made.live()
    made.set(bits=32, layer="head")
    assert live.controls["bits"].chosen == 32
    assert live.controls["layer"].chosen == "head"
    assert live.view.status.text == made.view.text
    assert made.live() is live


def test_controls_are_followed_after_a_set():
    made = panel()
    live = made.live()
    made.set(bits=32)
    live.controls["bits"].choose(16)
    assert made.state["bits"] == 16


def test_figure_is_not_replaced():
    live = panel().live()
    figure = live.view.figures[0]
    live.controls["bits"].choose(32)
    assert live.view.figures[0] is figure


def test_an_error_is_shown_and_raised():
    def fails_at_the_end(bits):
        if bits == 32:
            raise ValueError("too <wide>")
        return View(samples.BARS, None, f"{bits} bits.")

    made = Panel(fails_at_the_end, {"bits": CONTROLS["bits"]}, title="t")
    live = made.live()
    with pytest.raises(ValueError, match="too <wide>"):
        live.controls["bits"].choose(32)
    status = live.view.status
    assert "ValueError: too <wide> (at Bits = 32" in status.alert
    assert status.text == "8 bits."
    assert not status.busy
    live.controls["bits"].choose(2)
    assert status.alert == ""
    assert status.text == "2 bits."


def test_learner_is_told_while_it_computes():
    busy = []

    def slow(bits):
        if made is not None:
            busy.append(made.live().view.status.busy)
        return View(samples.BARS, None, f"{bits} bits.")

    made = None
    made = Panel(slow, {"bits": CONTROLS["bits"]}, title="t")
    made.live().controls["bits"].choose(4)
    assert busy == [True]
    assert not made.live().view.status.busy


def test_number_of_figures_may_change():
    live = LiveView(View(samples.BARS, None, "one"))
    live.update(View((samples.BARS, samples.LINES), None, "two"))
    assert len(live.figures) == 2
    live.update(View(None, None, "none"))
    assert live.figures == []
    assert live.status.text == "none"


def test_live_text_twin(monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_UI", "live")
    bundle = panel()._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "conv takes 1000 bytes" in bundle["text/plain"]


def clickable(**how):
    def view(at):
        marks = Points("all", [0, 1, 2], [5, 6, 7]), Points("here", [at / 10], [5 + at / 10])
        return View(Figure("f", Axis("x"), Axis("y"), marks, alt="f"), None, f"at {at}")

    return Panel(view, {"at": Slider("At", 0, 20, value=0, step=10)}, title="t", **how)


def click(live, series, point):
    live.view.figures[0]._handle_custom_msg({"click": series, "point": point}, [])


def test_a_click_on_a_point_moves_the_slider_to_its_stop():
    made = clickable(clicks={"all": "at"})
    live = made.live()
    for point in (2, 1, 0, 2):
        click(live, "all", point)
        assert made.state == {"at": 10 * point}
        assert live.controls["at"].chosen == 10 * point
        assert live.view.status.text == f"at {10 * point}"


def test_a_click_elsewhere_does_nothing():
    made = clickable(clicks={"all": "at"})
    made.set(at=10)
    click(made.live(), "here", 0)
    assert made.state == {"at": 10}


def test_a_click_moves_a_slider_and_nothing_else():
    with pytest.raises(ValueError, match=r"Panel: clicks must be one of .*at.*, got 'on'"):
        clickable(clicks={"all": "on"})
