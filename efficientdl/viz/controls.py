"""Controls as values: what a learner may move, how far, and how it is called.

A control here is a specification. It checks and words values without a notebook; `widget()`
makes the thing that a learner moves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, TypeAlias

from efficientdl import _check


@dataclass(frozen=True, slots=True)
class Slider:
    """A number in steps from `low` to `high`.

    Where all four numbers are whole, so is every value.

    Attributes:
        label: What it moves.
        low: The least value.
        high: The largest.
        value: Where it starts.
        step: From one stop to the next.
        unit: Of the value, written after it.
        play_s: Seconds at each stop when a button moves it on by itself; 0 for no such button.

    >>> slider = Slider("Sparsity", 0, 95, value=50, step=5, unit="%")
    >>> slider.text(50), slider.clamped(200), slider.clamped(33.0)
    ('50 %', 95, 35)
    """

    label: str
    low: float
    high: float
    value: float
    step: float = 1
    unit: str = ""
    play_s: float = 0

    def __post_init__(self) -> None:
        _check_label("Slider", self.label)
        for name in ("low", "high", "value", "step", "play_s"):
            if not isfinite(_check.number("Slider", name, getattr(self, name))):
                _check.fail("Slider", name, "must be finite", getattr(self, name))
        if not self.low < self.high:
            _check.fail("Slider", "low", f"must be below high = {self.high}", self.low)
        if not 0 < self.step <= self.high - self.low:
            rule = f"must be in (0, {self.high - self.low}]"
            _check.fail("Slider", "step", rule, self.step)
        if self.play_s < 0:
            _check.fail("Slider", "play_s", "must not be negative", self.play_s)
        self.checked(self.value)

    @property
    def digits(self) -> int:
        """Digits after the point, as many as a step needs."""
        return max(_digits(self.step), _digits(self.low))

    @property
    def extremes(self) -> tuple[float, float]:
        """The least and the largest value that the slider reaches."""
        return self.low, self.clamped(self.high)

    def text(self, value: float) -> str:
        """The value with its unit."""
        return f"{value:,.{self.digits}f} {self.unit}".rstrip()

    def clamped(self, value: float) -> float:
        """The nearest stop."""
        value = min(max(_check.number("Slider", self.label, value), self.low), self.high)
        last = int((self.high - self.low) / self.step + 1e-9)
        stop = self.low + min(round((value - self.low) / self.step), last) * self.step
        whole = all(isinstance(v, int) for v in (self.low, self.high, self.value, self.step))
        return round(stop) if whole else round(stop, self.digits)

    def checked(self, value: object) -> float:
        """The value, if it is a stop of the slider."""
        number = _check.number("Slider", self.label, value)
        _check.in_range("Slider", self.label, number, self.low, self.high)
        stop = self.clamped(number)
        if abs(stop - number) > 1e-6 * self.step:
            _check.fail(
                "Slider", self.label, f"must be a stop, {self.low} + k * {self.step}", value
            )
        return stop

    def widget(self) -> Any:  # noqa: ANN401  # naming the type would import anywidget
        """A slider with a name, a unit and arrow keys."""
        from efficientdl.viz.widgets import LabSlider

        return LabSlider(self)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few values.

    Attributes:
        label: What is chosen.
        options: The values; what is shown is their text.
        value: Which it starts with.

    >>> Choice("Network", ("resnet50", "vgg16"), value="vgg16").text("vgg16")
    'vgg16'
    """

    label: str
    options: Sequence[str | int | float]
    value: str | int | float

    def __post_init__(self) -> None:
        _check_label("Choice", self.label)
        object.__setattr__(self, "options", tuple(self.options))
        if not self.options:
            _check.fail("Choice", "options", "must not be empty", self.options)
        if len({*map(str, self.options)}) < len(self.options):
            _check.fail("Choice", "options", "must read differently", self.options)
        self.checked(self.value)

    @property
    def extremes(self) -> tuple[str | int | float, str | int | float]:
        """The first and the last option."""
        return self.options[0], self.options[-1]

    def text(self, value: object) -> str:
        """The option as it is shown."""
        return str(value)

    def checked(self, value: object) -> str | int | float:
        """The value, if it is an option."""
        _check.one_of("Choice", self.label, value, self.options)
        return self.options[list(self.options).index(value)]  # pyright: ignore[reportArgumentType]

    def widget(self) -> Any:  # noqa: ANN401
        """A labelled list to choose from."""
        from efficientdl.viz.widgets import LabChoice

        return LabChoice(self)


@dataclass(frozen=True, slots=True)
class Toggle:
    """Yes or no.

    Attributes:
        label: What is switched on.
        value: Is it on at the start?
    """

    label: str
    value: bool = False

    def __post_init__(self) -> None:
        _check_label("Toggle", self.label)
        self.checked(self.value)

    @property
    def extremes(self) -> tuple[bool, bool]:
        """Off and on."""
        return False, True

    def text(self, value: object) -> str:
        """`on` or `off`."""
        return "on" if value else "off"

    def checked(self, value: object) -> bool:
        """The value, if it is a bool."""
        _check.kind("Toggle", self.label, value, bool)
        return bool(value)

    def widget(self) -> Any:  # noqa: ANN401
        """A labelled box to tick."""
        from efficientdl.viz.widgets import LabToggle

        return LabToggle(self)


Control: TypeAlias = Slider | Choice | Toggle


def _check_label(caller: str, label: str) -> None:
    _check.kind(caller, "label", label, str)
    if not label.strip():
        _check.fail(caller, "label", "must say what the control moves", label)


def _digits(value: float) -> int:
    """Digits after the point of a number as it is written."""
    text = f"{value:.9f}".rstrip("0")
    return len(text.partition(".")[2])
