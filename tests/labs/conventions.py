"""The conventions of a lab, each a function from a notebook to what breaks it, in words."""

import ast
import pkgutil
import re
from itertools import pairwise

from efficientdl.course.exercise import Exercise
from efficientdl.course.names import below
from efficientdl.course.registry import tasks_of
from efficientdl.course.rules import aliases_of, broken
from tests.labs.runs import code_cells, tags, tasks_in

LONGEST_CODE, SHORT_CODE, LONGEST_TEXT = 20, 6, 120
_DOWNLOADS = {"urllib", "requests", "pooch", "httpx", "ftplib", "socket", "subprocess", "wget"}
_IMAGE = re.compile(r"!\[(?P<alt>[^\]]*)\]\(")
_ALT = re.compile(r"""\balt=["'][^"']+["']""")
_DRAWING = re.compile(r"<svg\b.*?</svg>", re.DOTALL)
_HTML_IMAGE = re.compile(r"<img\b[^>]*>")
_ABSOLUTE = re.compile(r"^(/(home|root|tmp|usr|mnt|work|Users|content)\b|[A-Za-z]:\\|~/)")


def violations(notebook, lab):
    """Everything that breaks a convention, a sentence each."""
    rules = (code_lengths, rows_of_code, text_lengths, calm_code, parameters, images, headings)
    found = [said for rule in rules for said in rule(notebook)]
    return found + points(lab) + list(rules_of(notebook, lab))


def n_lines(cell):
    return sum(bool(line.strip()) for line in cell.source.splitlines())


def code_lengths(notebook):
    lengths = {cell.id: n_lines(cell) for cell in code_cells(notebook)}
    for id, length in lengths.items():
        if length > LONGEST_CODE:
            yield f"cell {id} has {length} lines of code, more than {LONGEST_CODE}"
    short = sum(length <= SHORT_CODE for length in lengths.values())
    if 2 * short < len(lengths):
        yield f"only {short} of {len(lengths)} code cells have at most {SHORT_CODE} lines"


def rows_of_code(notebook):
    row = 0
    for cell in notebook.cells:
        row = row + 1 if cell.cell_type == "code" else 0
        if row == 3:
            yield f"cell {cell.id} is the third code cell in a row"


def text_lengths(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            words = len(re.findall(r"\w[\w'.,-]*", cell.source))
            if words > LONGEST_TEXT:
                yield f"cell {cell.id} has {words} words, more than {LONGEST_TEXT}"


def calm_code(notebook):
    """No shell, magics, paths, downloads: a lab runs anywhere, as plain Python."""
    for cell in code_cells(notebook):
        if re.search(r"^\s*[!%]", cell.source, re.MULTILINE):
            yield f"cell {cell.id} has a shell line or a magic"
            continue
        for node in ast.walk(ast.parse(cell.source)):
            said = _not_calm(node)
            if said:
                yield f"cell {cell.id} {said}"


def _not_calm(node):
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names if isinstance(node, ast.Import)]
        found = {name.split(".")[0] for name in names} & _DOWNLOADS
        return f"imports {found.pop()}" if found else ""
    if isinstance(node, ast.Attribute) and ast.unparse(node) in ("sys.path", "os.system"):
        return f"uses {ast.unparse(node)}"
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        if _ABSOLUTE.match(node.value):
            return f"has an absolute path: {node.value}"
        if re.match(r"(https?|ftp)://", node.value):
            return f"has an address: {node.value}"
    return ""


def parameters(notebook):
    first = code_cells(notebook)[0]
    names = {n.id for n in ast.walk(ast.parse(first.source)) if isinstance(n, ast.Name)}
    if "parameters" not in tags(first) or not {"SEED", "FAST"} <= names:
        yield "the first code cell must be tagged parameters and set SEED and FAST"


def images(notebook):
    """Every picture says in words what it shows."""
    for cell in notebook.cells:
        markdown = cell.source if cell.cell_type == "markdown" else ""
        for html in [markdown, *_html(cell)]:
            bare = [m[0] for m in _IMAGE.finditer(html) if not m["alt"].strip()]
            bare += [tag for tag in _HTML_IMAGE.findall(html) if not _ALT.search(tag)]
            bare += [svg for svg in _DRAWING.findall(html) if "<title" not in svg]
            if bare:
                yield f"cell {cell.id} has a picture without words: {bare[0][:60]}"


def _html(cell):
    outputs = cell.get("outputs", [])
    kinds = ("text/html", "image/svg+xml")
    return ["".join(o["data"][k]) for o in outputs if "data" in o for k in kinds if k in o["data"]]


def headings(notebook):
    """One title at the top; below it no level is skipped."""
    levels = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            text = re.sub(r"```.*?```", "", cell.source, flags=re.DOTALL)
            levels += [(len(m[1]), m[2]) for m in re.finditer(r"^(#+) (.*)$", text, re.MULTILINE)]
    if not levels or levels[0][0] != 1 or sum(level == 1 for level, _ in levels) != 1:
        yield "a lab begins with one title of level 1"
    for (before, _), (level, title) in pairwise(levels):
        if level > before + 1:
            yield f"heading {title!r} skips a level"


def rules_of(notebook, lab):
    """What an exercise forbids is there, under every name, and its reference does without."""
    aliases = aliases_of(cell.source for cell in code_cells(notebook))
    cells = {id: notebook.cells[i].source for id, i in tasks_in(notebook, "exercise").items()}
    for id, task in tasks_of(lab).items():
        forbids = task.forbids if isinstance(task, Exercise) else ()
        for name in forbids:
            try:
                found = pkgutil.resolve_name(name)
            except (ImportError, AttributeError):
                yield f"{id} forbids {name}, which is not there"
                continue
            home = f"{getattr(found, '__module__', name)}.{getattr(found, '__qualname__', '')}"
            if not any(below(home, other) for other in forbids):
                yield f"{id} forbids {name}, and not {home}, where it comes from"
        said = broken(cells.get(id, ""), forbids, aliases)
        if said:
            yield f"the reference of {id} breaks its rule: {said}"


def points(lab):
    """Six to nine exercises and 100 points; lab 00 has one small exercise."""
    tasks = tasks_of(lab).values()
    exercises = sum(isinstance(task, Exercise) for task in tasks)
    total = sum(task.points for task in tasks)
    if lab.startswith("00_"):
        return [] if exercises == 1 else [f"lab 00 has {exercises} exercises, not 1"]
    said = [] if 6 <= exercises <= 9 else [f"{exercises} exercises, not 6 to 9"]
    return said + ([] if total == 100 else [f"{total} points, not 100"])
