"""The bars as a drawing, in SVG: how far each kernel came, as a share of what its bar asks.

A mark's form says the verdict as well as its colour does; it is filled for one thread, and hollow
for more. Every line has its figures as a title, which a browser shows where the pointer rests.
"""

from collections.abc import Mapping, Sequence
from html import escape
from math import log2

from benchmarks.kernel_bars import Json
from benchmarks.kernel_bars.pages import each_bar, figure

LEFT, RIGHT, ROW, TOP = 500, 130, 17, 50  # pixels
SCALE = 420  # pixels of the axis
LOW, HIGH = 0.5, 4.0  # its ends, in times the bar
COLOURS = {"met": "#0072b2", "near": "#e69f00", "missed": "#d55e00"}  # of Okabe and Ito
TICKS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)


def picture(results: Sequence[Json], titles: Mapping[str, str]) -> str:
    """A line for each bar that was judged, a heading for each section."""
    shown = [b for b in each_bar(results) if b[2]["verdict"] in COLOURS]
    lines: dict[str, dict[tuple[str, str], list[tuple[Json, Json]]]] = {}
    for result, row, bar in shown:
        section = lines.setdefault(titles[result["section"]], {})
        section.setdefault((row["case"], bar["says"]), []).append((row, bar))
    height = TOP + ROW * (2 * len(lines) + sum(map(len, lines.values()))) + 40
    text = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + SCALE + RIGHT} {height}" '
        'role="img" aria-labelledby="title desc" font-family="sans-serif" font-size="11">',
        '<title id="title">Kernels and their bars</title>',
        f'<desc id="desc">{escape(_described(shown))}</desc>',
        f'<rect width="{LEFT + SCALE + RIGHT}" height="{height}" fill="#ffffff"/>',
        *_legend(),
        *_axis(height),
    ]
    top = TOP
    for title, section in lines.items():
        text.append(f'<text x="8" y="{top + 26}" font-weight="bold">{escape(title)}</text>')
        top += 2 * ROW
        for (case, says), pairs in section.items():
            text += _line(top, f"{case}: {says}", pairs)
            top += ROW
    return "\n".join([*text, "</svg>"]) + "\n"


def _described(shown: Sequence[tuple[Json, Json, Json]]) -> str:
    counts = {v: sum(bar["verdict"] == v for _, _, bar in shown) for v in COLOURS}
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    return f"{len(shown)} bars: {said}. Each mark is what came out, divided by what is asked."


def place(share: float) -> float:
    """Where a share of a bar stands on the axis, which is logarithmic and ends are cut.

    >>> place(LOW), place(HIGH) == LEFT + SCALE, place(100) == place(HIGH)
    (500.0, True, True)
    """
    inside = min(max(share, LOW), HIGH)
    return LEFT + SCALE * log2(inside / LOW) / log2(HIGH / LOW)


def _legend() -> list[str]:
    text = [f'<text x="{LEFT}" y="16" font-size="13">Times what the bar asks</text>']
    x = float(LEFT)
    for verdict in COLOURS:
        text += [_mark(x + 6, 32, verdict, 1), f'<text x="{x + 18}" y="36">{verdict}</text>']
        x += 80
    return [*text, f'<text x="{x}" y="36">filled: 1 thread, hollow: more</text>']


def _axis(height: int) -> list[str]:
    text = []
    for tick in TICKS:
        x, colour = place(tick), "#000000" if tick == 1 else "#cccccc"
        text += [
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{height - 24}" '
            f'stroke="{colour}"/>',
            f'<text x="{x:.1f}" y="{height - 8}" text-anchor="middle">{tick:g}</text>',
        ]
    return text


def _line(top: int, label: str, pairs: Sequence[tuple[Json, Json]]) -> list[str]:
    """A bar, with a mark for each number of threads."""
    middle, figures = top + ROW // 2, ", ".join(figure(bar) for _, bar in pairs)
    whole = "; ".join(f"{row['threads']}: {figure(b)}, {b['verdict']}" for row, b in pairs)
    places = [place(_share(bar)) for _, bar in pairs]
    marks = [
        _mark(x, middle, bar["verdict"], row["threads"])
        for x, (row, bar) in zip(places, pairs, strict=True)
    ]
    ends = min(*places, place(1)), max(*places, place(1))
    return [
        f"<g><title>{escape(f'{label}; threads {whole}')}</title>",
        f'<text x="{LEFT - 8}" y="{middle + 4}" text-anchor="end">{escape(_cut(label))}</text>',
        f'<line x1="{ends[0]:.1f}" x2="{ends[1]:.1f}" y1="{middle}" y2="{middle}" stroke="#999"/>',
        *marks,
        f'<text x="{LEFT + SCALE + 10}" y="{middle + 4}">{escape(figures)}</text></g>',
    ]


def _share(bar: Json) -> float:
    """Of what the bar asks; where it asks for few seconds, the other way round."""
    if bar["of"] == ["seconds"]:
        return bar["least"] / bar["found"]
    return bar["found"] / bar["least"]


def _cut(text: str, most: int = 84) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _mark(x: float, y: float, verdict: str, n_threads: int) -> str:
    """A disc, a diamond or a cross; hollow, or thin, where threads are several."""
    colour = COLOURS[verdict]
    fill = colour if n_threads == 1 else "#ffffff"
    paint = f'fill="{fill}" stroke="{colour}" stroke-width="1.5"'
    if verdict == "met":
        return f'<circle cx="{x:.1f}" cy="{y}" r="4" {paint}/>'
    if verdict == "near":
        points = f"{x:.1f},{y - 5} {x + 5:.1f},{y} {x:.1f},{y + 5} {x - 5:.1f},{y}"
        return f'<polygon points="{points}" {paint}/>'
    lines = f"M{x - 4:.1f},{y - 4} l8,8 M{x - 4:.1f},{y + 4} l8,-8"
    return f'<path d="{lines}" stroke="{colour}" stroke-width="{3 if n_threads == 1 else 1.2}"/>'
