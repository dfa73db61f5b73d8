"""A panel's function is called with the controls' values; both faces show what it returns."""

import numpy as np
import pytest

from efficientdl.viz import Axis, Bars, Choice, Figure, Panel, Slider, Table, Toggle, View

CONTROLS = {
    "bits": Slider("Bits", 2, 32, value=8, step=2),
    "layer": Choice("Layer", ("conv", "head"), value="conv"),
    "packed": Toggle("Packed"),
}
WEIGHTS = {"conv": 1000, "head": 500}


def size(bits, layer, packed):
    """A million weights at some width: enough to see every control move every part."""
    stored = bits if packed else 8 * -(-bits // 8)
    total = WEIGHTS[layer] * stored / 8
    text = f"{layer} takes {total:g} bytes at {bits} bits, {'packed' if packed else 'in bytes'}."
    figure = Figure(
        f"Size of {layer}",
        Axis("", categories=("weights",)),
        Axis("Size", "bytes", low=0, high=4000),
        (Bars("size", [total]),),
        alt=text,
    )
    table = Table("Size", ("bits", "packed", "bytes"), ((bits, str(packed), total),))
    return View(figure, table, text)


def panel(function=size, controls=CONTROLS, **options):
    return Panel(function, controls, title="Fewer bits", **options)


def test_function_gets_the_values_by_name():
    made = panel()
    assert made.state == {"bits": 8, "layer": "conv", "packed": False}
    assert made.view == size(8, "conv", False)
    assert made.set(bits=4, packed=True) == size(4, "conv", True)
    assert made.state == {"bits": 4, "layer": "conv", "packed": True}
    assert made.setting == "Bits = 4, Layer = conv, Packed = on"


def test_function_is_called_once_for_each_state():
    calls = []

    def counted(bits):
        calls.append(bits)
        return size(bits, "conv", False)

    made = panel(counted, {"bits": CONTROLS["bits"]})
    for bits in (8, 10, 8, 10):
        made.set(bits=bits)
    assert calls == [8, 10]


def test_static_face_is_a_small_page_that_repeats(monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_UI", "static")
    shown = panel()._repr_mimebundle_()
    assert shown == panel()._repr_mimebundle_()
    assert set(shown) == {"text/plain", "text/html"}
    assert "Bits = 8" in shown["text/html"]
    assert "conv takes 1000 bytes" in shown["text/html"]
    assert "<caption>Size</caption>" in shown["text/html"]
    assert "1,000" in shown["text/plain"]
    assert len(shown["text/html"]) < 4_000


def test_static_face_shows_the_stops(monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_UI", "static")
    page = panel(stops={"bits": (2, 16, 32)})._repr_mimebundle_()
    for total in (1000, 2000, 4000):
        assert f"conv takes {total} bytes" in page["text/html"]
        assert f"conv takes {total} bytes" in page["text/plain"]
    assert page["text/html"].count("<img ") == 4
    assert len(page["text/html"]) < 12_000


def test_grading_sees_text_alone(monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_UI", "silent")
    assert set(panel()._repr_mimebundle_()) == {"text/plain"}


def test_an_error_at_the_start_stops_the_cell():
    def broken(bits):
        raise ZeroDivisionError("no weights")

    with pytest.raises(ZeroDivisionError, match="no weights"):
        panel(broken, {"bits": CONTROLS["bits"]})


def test_errors():
    with pytest.raises(ValueError, match=r"Panel: controls must be 1 to 3.*got 4"):
        panel(controls={**CONTROLS, "more": Toggle("More")})
    with pytest.raises(ValueError, match="Panel: control must be one of bits, layer, packed"):
        panel().set(bit=4)
    with pytest.raises(ValueError, match=r"Slider: Bits must be in \[2, 32\], got 64"):
        panel().set(bits=64)
    with pytest.raises(ValueError, match="Panel: stops must be of one control"):
        panel(stops={"bits": (2,), "layer": ("head",)})
    with pytest.raises(TypeError, match="Panel: bits must be a Slider or Choice or Toggle"):
        panel(controls={"bits": 8})
    with pytest.raises(TypeError, match="Panel: what the function returns must be a View"):
        panel(lambda **_: "a picture")


def test_views_of_all_extremes_stay_finite():
    made = panel()
    for name, control in CONTROLS.items():
        for value in control.extremes:
            view = made.set(**{name: value})
            assert np.isfinite(view.figures[0].series[0].values).all()
