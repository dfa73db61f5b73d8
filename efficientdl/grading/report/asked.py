"""What was asked, as HTML: the lab's Markdown with a small, closed set of tags.

Raw HTML is shown as text, a picture as its description, a link as its words and its address in
words: a report loads nothing and leads nowhere. TeX stays as it was typed, marked as code, since
no script may run that would typeset it.
"""

from functools import cache
from html import escape
from typing import Any

import mistune
from mistune.plugins.math import math, math_in_list, math_in_quote
from mistune.plugins.table import table

TAGS = frozenset((
    *("p", "em", "strong", "code", "pre", "br", "hr", "blockquote", "ol", "ul", "li"),
    *("table", "thead", "tbody", "tr", "th", "td"),
))


def asked_html(markdown: str) -> str:
    """The lab's Markdown as HTML that needs nothing from outside."""
    return str(_reader()(markdown)).strip()


class _Plain(mistune.HTMLRenderer):
    """Renders the tags in `TAGS` alone, none with an attribute but `class` and `scope`."""

    def link(self, text: str, url: str, title: str | None = None) -> str:
        """The words, then the address as text."""
        del title
        address = escape(url)
        return text if text == address else f"{text} (<code>{address}</code>)"

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """The description of a picture that stands in the lab."""
        del url, title
        return f"[picture: {text}]"

    def heading(self, text: str, level: int, **attrs: Any) -> str:  # noqa: ANN401
        """A strong line: the report has its own order of headings."""
        del level, attrs
        return f"<p><strong>{text}</strong></p>\n"

    def list(self, text: str, ordered: bool, **attrs: Any) -> str:  # noqa: ANN401
        """A list that counts from one."""
        del attrs
        tag = "ol" if ordered else "ul"
        return f"<{tag}>\n{text}</{tag}>\n"

    def block_code(self, code: str, info: str | None = None) -> str:
        """Code as it stands."""
        del info
        return f"<pre><code>{escape(code.rstrip(chr(10)))}</code></pre>\n"

    def thematic_break(self) -> str:
        """A rule."""
        return "<hr>\n"

    def linebreak(self) -> str:
        """The end of a line that was asked for."""
        return "<br>\n"

    def inline_math(self, text: str) -> str:
        """TeX inside a line."""
        return f'<code class="tex">{escape(text)}</code>'

    def block_math(self, text: str) -> str:
        """TeX on lines of its own."""
        return f'<code class="tex wide">{escape(text.strip())}</code>\n'

    def table_cell(self, text: str, align: str | None = None, head: bool = False) -> str:
        """A cell; headings belong to their column."""
        del align
        return f'<th scope="col">{text}</th>\n' if head else f"<td>{text}</td>\n"


@cache
def _reader() -> mistune.Markdown:
    plugins = [math, math_in_list, math_in_quote, table]
    return mistune.create_markdown(renderer=_Plain(escape=True), plugins=plugins)
