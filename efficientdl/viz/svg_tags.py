"""Elements of SVG as text: escaped, numbers short."""

from collections.abc import Iterable
from html import escape


def n(value: float) -> str:
    """A coordinate to a tenth of a pixel, which no eye tells from the exact one.

    >>> n(12.0), n(0.04), n(-3.26)
    ('12', '0', '-3.3')
    """
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def tag(name: str, text: str = "", /, **attributes: str | float) -> str:
    """One element that holds text; underscores of attribute names become hyphens.

    >>> tag("text", "a < b", x=1.25, text_anchor="end")
    '<text x="1.2" text-anchor="end">a &lt; b</text>'
    """
    return group(name, [escape(text, quote=False)], **attributes)


def group(name: str, inner: Iterable[str], /, **attributes: str | float) -> str:
    """One element that holds others.

    >>> group("g", [tag("path", d="M0 0H9")], fill="none")
    '<g fill="none"><path d="M0 0H9"/></g>'
    """
    written = "".join(
        f' {key.replace("_", "-")}="{escape(value) if isinstance(value, str) else n(value)}"'
        for key, value in attributes.items()
    )
    held = "".join(inner)
    return f"<{name}{written}>{held}</{name}>" if held else f"<{name}{written}/>"
