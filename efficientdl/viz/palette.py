"""Colours that colour-blind people can tell apart, and never colour alone.

A series has a colour, a dash, a marker and a hatch, so a figure still reads when it is printed
in grey. The colours are those of Okabe and Ito without their yellow, which white paper swallows.

Source: Okabe and Ito, "Color Universal Design: how to make figures and presentations that are
friendly to colorblind people", 2002; the sequential scale follows Nuñez, Anderton and Renslow,
"Optimizing colormaps with consideration for color vision deficiency" (cividis), 2018.
"""

from dataclasses import dataclass

from efficientdl import _check

INK = "#222222"
GRID = "#e4e4e4"
PAPER = "#ffffff"


@dataclass(frozen=True, slots=True)
class Style:
    """How one series looks.

    Attributes:
        colour: Of lines and fills.
        dash: Lengths of strokes and gaps in pixels; empty for a solid line.
        marker: The shape of its points, by plotly's name.
        hatch: The pattern over its bars, by plotly's name; empty for none.
    """

    colour: str
    dash: tuple[int, ...]
    marker: str
    hatch: str


# The first five stand out from white by 3:1 and more, which is what a thin line needs.
STYLES: tuple[Style, ...] = (
    Style("#0072B2", (), "circle", ""),
    Style("#D55E00", (7, 3), "square", "/"),
    Style("#009E73", (2, 3), "diamond", "\\"),
    Style("#CC79A7", (8, 3, 2, 3), "triangle-up", "x"),
    Style("#000000", (12, 4), "cross", "-"),
    Style("#E69F00", (4, 4), "x", "|"),
    Style("#56B4E9", (12, 3, 2, 3), "triangle-down", "."),
)

# Anchors of the sequential scale, dark to light, equally far apart.
_SEQUENTIAL = ("#00224E", "#35456C", "#666970", "#948E77", "#C8B866", "#FEE838")


def style(index: int) -> Style:
    """The style of the series with this index.

    >>> style(0).colour, style(1).marker
    ('#0072B2', 'square')
    """
    _check.whole("style", "index", index, 0, len(STYLES) - 1)
    return STYLES[index]


def _channels(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue


def shade(share: float) -> str:
    """The colour of a value, 0 the darkest and 1 the lightest, on the sequential scale.

    >>> shade(0), shade(1)
    ('#00224e', '#fee838')
    """
    _check.in_range("shade", "share", share, 0, 1)
    place = share * (len(_SEQUENTIAL) - 1)
    left = min(int(place), len(_SEQUENTIAL) - 2)
    pairs = zip(_channels(_SEQUENTIAL[left]), _channels(_SEQUENTIAL[left + 1]), strict=True)
    mixed = (round(a + (b - a) * (place - left)) for a, b in pairs)
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def ink_on(colour: str) -> str:
    """Black or white, whichever is easier to read on this colour.

    >>> ink_on("#00224e"), ink_on("#fee838")
    ('#ffffff', '#222222')
    """
    return max((PAPER, INK), key=lambda ink: contrast(ink, colour))


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 (the same) to 21 (black on white).

    Source: Web Content Accessibility Guidelines 2.2, "contrast ratio".

    >>> round(contrast("#000000", "#ffffff"))
    21
    """
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    shares = [channel / 255 for channel in _channels(colour)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
