"""How the HTML report looks: two sets of colours, and one sheet that uses no other.

Fills are those of the figures in the labs; a tone's text is a darker or lighter relative of its
fill that is easy to read on the tone's tint. Colour only repeats what words and a sign say.
"""

from collections.abc import Mapping

from efficientdl.viz.palette import GRID, INK, PAPER, STYLES

_BLUE, _VERMILION, _GREEN = (STYLES[i].colour for i in range(3))
_ORANGE, _SKY = STYLES[5].colour, STYLES[6].colour

LIGHT: Mapping[str, str] = {
    "page": "#f5f6f7", "card": PAPER, "ink": INK, "soft": "#565c63", "line": GRID,
    "code": "#f1f3f4",
    "right": "#00614a", "right-tint": "#e2f3ec", "right-fill": _GREEN,
    "part": "#744700", "part-tint": "#fcf0d9", "part-fill": "#b87700",
    "wrong": "#963c00", "wrong-tint": "#fdebdf", "wrong-fill": _VERMILION,
    "none": "#50565c", "none-tint": "#eceef0", "none-fill": "#868d94",
    "ours": "#00578a", "ours-tint": "#e2eff8", "ours-fill": _BLUE,
}  # fmt: skip
DARK: Mapping[str, str] = {
    "page": "#131619", "card": "#1b1f23", "ink": "#e9e7e3", "soft": "#a9b1b9", "line": "#343a40",
    "code": "#252a2f",
    "right": "#62d4ae", "right-tint": "#12332a", "right-fill": _GREEN,
    "part": "#f1b94f", "part-tint": "#392b10", "part-fill": _ORANGE,
    "wrong": "#ff9d62", "wrong-tint": "#3d2213", "wrong-fill": _VERMILION,
    "none": "#b5bcc3", "none-tint": "#2a2f34", "none-fill": "#828a92",
    "ours": "#7fc2ef", "ours-tint": "#132f3f", "ours-fill": _SKY,
}  # fmt: skip
TONES = ("right", "part", "wrong", "none", "ours")
# Text and what it stands on: everything that the sheet below puts together.
READ: tuple[tuple[str, str], ...] = (
    *((ink, ground) for ink in ("ink", "soft") for ground in ("page", "card", "code")),
    *((tone, ground) for tone in TONES for ground in (f"{tone}-tint", "card", "page", "code")),
    *(("ink", f"{tone}-tint") for tone in TONES),
)

_SHEET = """
* { box-sizing: border-box; }
html { font-size: 106.25%; -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body { margin: 0; background: var(--page); color: var(--ink); line-height: 1.6;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans",
    sans-serif; }
header, main, footer { max-width: 52rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 3.5rem; }
footer { padding-bottom: 4rem; color: var(--soft); font-size: .85rem; }
h1, h2, h3, h4 { line-height: 1.25; text-wrap: balance; margin: 0; font-weight: 650; }
h1 { font-size: 2.1rem; letter-spacing: -.02em; }
h2 { font-size: 1.3rem; letter-spacing: -.01em; margin: 3.25rem 0 1rem; }
h3 { font-size: 1.12rem; }
h4 { font-size: .82rem; color: var(--soft); margin: 1.5rem 0 .35rem; }
footer h2 { font-size: 1rem; color: var(--ink); margin-top: 3rem; }
p, ul, ol { margin: .5rem 0; }
.name { margin: 0 0 .5rem; color: var(--soft); overflow-wrap: anywhere; }
bdi { unicode-bidi: isolate; }
a { color: var(--ours); }
:focus-visible { outline: 3px solid var(--ours); outline-offset: 2px; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap; }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: .875em; }
code { background: var(--code); border-radius: .25rem; padding: .1em .3em;
  overflow-wrap: anywhere; }
code.tex { font-style: italic; }
code.wide { display: block; margin: .75rem 0; padding: .6rem .9rem; }
pre { margin: 0; line-height: 1.5; overflow: auto; }
pre code { background: none; padding: 0; }
.asked > pre { background: var(--code); border-radius: .5rem; padding: .75rem 1rem; }
.score { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem 1rem;
  margin: 1.75rem 0 0; }
.score strong { font-size: 3.6rem; line-height: 1; font-weight: 700; letter-spacing: -.04em;
  font-variant-numeric: tabular-nums; }
.score span { font-size: 1.15rem; color: var(--soft); }
.bar { display: block; height: .5rem; margin: 1rem 0; border-radius: .25rem; overflow: hidden;
  background: var(--line); }
.bar span { display: block; height: 100%; background: var(--fill); }
.standing { font-size: 1.1rem; margin: 0; }
.strip { display: grid; grid-template-columns: repeat(var(--columns), 1fr); gap: .5rem;
  list-style: none; padding: 0; margin: 1.5rem 0 0; }
.strip a { display: grid; grid-template-columns: 1fr auto; row-gap: .1rem;
  padding: .5rem .6rem .6rem;
  border-radius: .6rem; background: var(--tint); color: var(--tone); text-decoration: none;
  border: 1px solid transparent; position: relative; }
.strip a:hover { border-color: var(--tone); }
.strip .no { font-weight: 650; }
.strip .of { grid-column: 1 / -1; font-size: .8rem; font-variant-numeric: tabular-nums;
  white-space: nowrap; }
.strip .bar { grid-column: 1 / -1; height: .25rem; margin: .25rem 0 0; background: var(--card); }
.right { --tone: var(--right); --tint: var(--right-tint); --fill: var(--right-fill); }
.part { --tone: var(--part); --tint: var(--part-tint); --fill: var(--part-fill); }
.wrong { --tone: var(--wrong); --tint: var(--wrong-tint); --fill: var(--wrong-fill); }
.none { --tone: var(--none); --tint: var(--none-tint); --fill: var(--none-fill); }
.ours { --tone: var(--ours); --tint: var(--ours-tint); --fill: var(--ours-fill); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
caption { text-align: left; color: var(--soft); font-size: .82rem; padding-bottom: .4rem; }
th, td { text-align: left; vertical-align: top; padding: .5rem 1.25rem .5rem 0; font-weight: 400;
  border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums; }
thead th { color: var(--soft); font-size: .82rem; font-weight: 650; }
tbody tr:last-child > * { border-bottom: 0; }
.overview { background: var(--card); border: 1px solid var(--line); border-radius: .9rem;
  padding: .9rem 1.5rem; }
.overview td { white-space: nowrap; }
.overview th[scope="row"] { min-width: 11rem; }
.overview tr > :last-child { padding-right: 0; }
.told { color: var(--tone); font-weight: 600; white-space: nowrap; }
.glyph { display: inline-block; min-width: 1.3em; }
article { background: var(--card); border: 1px solid var(--line); border-radius: .9rem;
  padding: 1.4rem 1.5rem 1.2rem; margin: 1.1rem 0; scroll-margin-top: 1rem; }
.top { display: flex; flex-wrap: wrap; gap: .5rem 1rem; justify-content: space-between;
  align-items: flex-start; }
.top h3 { flex: 1 1 16rem; overflow-wrap: anywhere; }
.badge { background: var(--tint); color: var(--tone); border-radius: 1rem; padding: .15rem .8rem;
  font-size: .88rem; font-weight: 600; white-space: nowrap; }
.sum { color: var(--soft); margin: .2rem 0 0; font-size: .92rem; }
.said { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--tint);
  border-radius: .5rem; padding: .65rem .9rem; overflow: auto; }
.shown { background: var(--code); border-radius: .5rem; padding: .65rem .9rem; margin-top: .8rem; }
.shown td { font-weight: 400; }
.hint { border-left: 3px solid var(--ours-fill); padding: .1rem 0 .1rem .9rem; }
.hint p { margin: 0; }
.answer { white-space: pre-wrap; overflow-wrap: anywhere; font-family: inherit; font-size: 1em;
  background: var(--code); border-radius: .5rem; padding: .75rem 1rem; margin: .35rem 0 0; }
.small { color: var(--soft); font-size: .8rem; margin: 1.1rem 0 0; }
summary { cursor: pointer; color: var(--soft); font-size: .88rem; margin-top: .6rem;
  width: fit-content; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.25rem; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 36rem) {
  header { padding-top: 2rem; }
  .strip { grid-template-columns: repeat(auto-fill, minmax(4.6rem, 1fr)); }
  .overview, article { padding-left: 1rem; padding-right: 1rem; }
  .overview table { font-size: .82rem; }
  .overview td, .overview .told { white-space: normal; }
  .overview th[scope="row"] { min-width: 0; }
  .overview tr > * { padding-right: .6rem; }
  .shown tr > * { padding-right: .8rem; }
  h1 { font-size: 1.6rem; }
  header, main, footer { padding-left: 1rem; padding-right: 1rem; }
  dl { grid-template-columns: 1fr; }
  dd { margin-bottom: .5rem; }
}
@media print {
  html { font-size: 10.5pt; }
  body { background: none; }
  header { padding-top: 0; }
  header, main, footer { max-width: none; padding-left: 0; padding-right: 0; }
  .overview, article { border-radius: 0; border-width: 1px 0 0; padding: 1rem 0; }
  article, table, pre { break-inside: avoid; }
  h2, h3, h4 { break-after: avoid; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  .said, .badge, .strip a { border: 1px solid var(--line); }
}
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
"""


def sheet() -> str:
    """The report's style sheet. Paper is light whatever the screen is."""
    return (
        f":root {{ color-scheme: light; {_variables(LIGHT)} }}\n"
        "@media screen and (prefers-color-scheme: dark) "
        f"{{ :root {{ color-scheme: dark; {_variables(DARK)} }} }}{_SHEET}"
    )


def _variables(colours: Mapping[str, str]) -> str:
    return " ".join(f"--{name}: {colour};" for name, colour in colours.items())
