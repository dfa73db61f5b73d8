"""The corpus: submissions that attack as files. Each is made of the right notebook's JSON."""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass

ALL, NOTHING = "all", "nothing"
DEEP = 100_000


@dataclass(frozen=True)
class File:
    """A submission's bytes, and which tasks still earn their points.

    Attributes:
        name: What is wrong with it.
        data: From the right notebook to the bytes.
        lost: Tasks that earn nothing; every task, or none.
        said: Words that a note must say.
        names_lab: Can its lab be told from it?
    """

    name: str
    data: Callable[[dict], bytes]
    lost: str = ""
    said: str = ""
    names_lab: bool = True

    def __str__(self):
        return self.name


def changed(change):
    """The notebook after `change(notebook, cells by id)`, as bytes."""

    def data(notebook):
        own = copy.deepcopy(notebook)
        change(own, {cell.get("id"): cell for cell in own["cells"]})
        return json.dumps(own).encode()

    return data


def _old_format(notebook, cells):
    notebook["worksheets"] = [{"cells": notebook.pop("cells")}]
    notebook["nbformat"] = 3


def _without_ids(notebook, cells):
    notebook["nbformat_minor"] = 4
    for cell in notebook["cells"]:
        del cell["id"]


def _new_ids(notebook, cells):
    for i, cell in enumerate(notebook["cells"]):
        cell["id"] = f"new-{i}"


def _same_ids(notebook, cells):
    for cell in notebook["cells"]:
        cell["id"] = "sm-keep"
        cell["metadata"].pop("efficientdl", None)


def _stub_first(notebook, cells):
    stub = copy.deepcopy(cells["sm-keep"])
    stub["source"] = ""
    notebook["cells"].insert(0, stub)


def _two_answers(notebook, cells):
    second = copy.deepcopy(cells["sm-keep"])
    second["source"] = "def keep(x, limit): return x\n"
    notebook["cells"].append(second)


def _markdown(notebook, cells):
    cells["sm-keep"]["cell_type"] = "markdown"


def _claims_all(notebook, cells):
    """One cell claims to be the answer to everything, by its metadata."""
    for id in ("sm-label", "sm-keep", "sm-center"):
        notebook["cells"].insert(0, {
            "cell_type": "code", "id": f"x{id}", "source": "keep = label = center = 1 / 0",
            "metadata": {"efficientdl": {"task": id, "role": "exercise"}},
        })  # fmt: skip


def _given_changed(notebook, cells):
    for cell in notebook["cells"]:
        ours = cell["metadata"].get("efficientdl", {})
        if cell["cell_type"] == "code" and ours.get("role") != "exercise":
            cell["source"] = "raise SystemExit\nimport os; os._exit(1)"


def _many_cells(notebook, cells):
    notebook["cells"] += [{"cell_type": "code", "source": "", "metadata": {}}] * 3000


def _half_signs(notebook, cells):
    notebook["metadata"]["efficientdl"]["release"] = "\ud800" * 10**6
    odd = {"cell_type": "code", "id": "\ud800", "source": "\udfff", "metadata": 1}
    notebook["cells"].append(odd)
    cells["sm-why"]["source"] = "\ud800" * 30_000


def _strange_cells(notebook, cells):
    notebook["cells"] += [None, 1, [], {}, {"cell_type": []}, {"cell_type": "code", "source": {}}]
    notebook["cells"].append({"cell_type": "code", "source": ["a", 1], "metadata": {}})
    notebook["cells"].append({"cell_type": "code", "id": [], "source": "1", "metadata": {}})


def _other_lab(notebook, cells):
    notebook["metadata"]["efficientdl"]["lab"] = "01_costs"


def _older(notebook, cells):
    notebook["metadata"]["efficientdl"]["release"] = "0" * 16


def _source(text):
    def change(notebook, cells):
        cells["sm-keep"]["source"] = text

    return changed(change)


def _lines(notebook, cells):
    for cell in notebook["cells"]:
        cell["source"] = cell["source"].splitlines(keepends=True)


def _windows(notebook):
    def change(notebook, cells):
        for cell in notebook["cells"]:
            cell["source"] = cell["source"].replace("\n", "\r\n")

    lines = json.dumps(json.loads(changed(change)(notebook)), indent=1)
    return lines.replace("\n", "\r\n").encode()


def _large(notebook, cells):
    outputs = [{"output_type": "stream", "name": "stdout", "text": "x" * 30 * 2**20}]
    cells["sm-keep"]["outputs"] = outputs


def _bytes(data):
    return lambda notebook: data


UNREADABLE = [
    File("empty_file", _bytes(b"")),
    File("not_json", _bytes(b"# a lab\n")),
    File("half", lambda notebook: json.dumps(notebook).encode()[:-100]),
    File("a_list", _bytes(b"[1, 2]")),
    File("a_number_without_end", _bytes(b'{"cells": ' + b"9" * 10**6 + b"}")),
    File("nested", _bytes(b'{"cells": ' + b"[" * DEEP + b"]" * DEEP + b"}")),
    File("nul_bytes", _bytes(bytes(10_000))),
    File("utf_16", lambda notebook: json.dumps(notebook).encode("utf-16")),
    File("latin_1", lambda notebook: json.dumps(notebook).encode() + b'"\xe9"'),
    File("no_cells", _bytes(b'{"cells": [], "metadata": {}, "nbformat": 4}'), said=""),
    File("cells_no_list", _bytes(b'{"cells": {"a": 1}}')),
    File("format_3", changed(_old_format)),
    File("3000_cells", changed(_many_cells), said="more than 2000 cells"),
    File("30_mb", changed(_large), said="larger than 20 MB"),
]
READABLE = [
    File("byte_order_mark", lambda notebook: b"\xef\xbb\xbf" + json.dumps(notebook).encode()),
    File("windows_lines", _windows),
    File("source_as_lines", changed(_lines)),
    File("without_ids", changed(_without_ids)),
    File("new_ids", changed(_new_ids)),
    File("stub_first", changed(_stub_first)),
    File("two_answers", changed(_two_answers), said="2 cells are marked"),
    File("given_cells_changed", changed(_given_changed), said="changed did not count"),
    File("half_signs", changed(_half_signs), said="another release"),
    File("strange_cells", changed(_strange_cells)),
    File("other_lab", changed(_other_lab), said="it is of lab 01_costs", names_lab=False),
    File("older_release", changed(_older), said="another release"),
    File("claims_all", changed(_claims_all), said="are marked as the answer"),
]
# The answer to sm-keep is lost, whatever it is, and no other.
SPOILT = [
    File("same_ids", changed(_same_ids), lost="others"),
    File("markdown_answer", changed(_markdown)),
    File("no_python", _source("def keep(x, limit:\n")),
    File("nul_in_source", _source("def keep(x, limit): return '\0'\n")),
    File("nested_source", _source("(" * 20_000 + ")" * 20_000)),
    File("minus_without_end", _source("-" * 90_000 + "1")),
    File("many_magics", _source("!a\n" * 25_000)),
    File("strange_magics", _source("%%\n%\n!\n?\n??\n%%%%x\n" * 5)),
    File("unfinished_magic", _source("%%time")),
    File("half_sign_source", _source("def keep(x, limit): return '\ud800' + \ud800\n")),
    File("too_long", _source("x = 1\n" * 30_000)),
    File("forbidden", _source("def keep(x, limit):\n    return np.clip(x, 0, 1)\n")),
]
