"""The catalogue: rows of the list of techniques, each found, tested, taught, and listed once."""

import ast
import csv
import inspect
import json
import os
import pkgutil
from pathlib import Path

import pytest

from efficientdl import catalogue
from efficientdl.catalogue import Measure, technique
from tests.promises.every import documented_arguments

ROOT = Path(__file__).parents[1]
TECHNIQUES = catalogue.load()
EACH = pytest.mark.parametrize("entry", list(TECHNIQUES.values()), ids=list(TECHNIQUES))


@pytest.fixture(scope="module")
def rows():
    """The list of techniques to be built, by id; it stands beside the data to test against."""
    oracles = os.environ.get("EFFICIENTDL_ORACLES")
    if oracles is None:
        pytest.skip("EFFICIENTDL_ORACLES names no folder, so techniques.tsv cannot be found")
    path = Path(oracles).parent / "techniques.tsv"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    with path.open(encoding="utf-8", newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file, delimiter="\t")}


@pytest.mark.oracle
@EACH
def test_each_is_a_row_of_the_list(entry, rows):
    assert entry.id in rows


@pytest.mark.oracle
@EACH
def test_each_has_the_sections_of_its_row(entry, rows):
    """`§2.3 eq2` is `2.3, eq. 2` here: the first section is in it."""
    first = rows[entry.id]["survey"].split()[0].removeprefix("§")
    assert not first[:1].isdigit() or first in entry.survey


@EACH
def test_each_has_a_test_file_that_tests_something(entry):
    path = ROOT / entry.test
    assert path.is_file(), f"{entry.symbol} wants its test in {entry.test}"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tests = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")]
    assert tests
    assert entry.symbol.rpartition(".")[2] in path.read_text(encoding="utf-8")


@EACH
def test_each_is_taught_in_a_lab_that_exists(entry):
    assert (ROOT / "solutions" / f"{entry.lab}.py").is_file()


def test_the_file_is_the_live_catalogue():
    path = ROOT / "efficientdl" / "catalogue.json"
    assert path.read_text(encoding="utf-8") == catalogue.listing_text(), "run `efficientdl build`"
    assert catalogue.listing() == json.loads(catalogue.listing_text())


def test_a_line_has_the_seven_fields_in_order():
    line = TECHNIQUES["search-random"].listing()
    assert line == {
        "id": "search-random",
        "title": "Random search: independent samples, every point as likely as another",
        "survey": "3.2",
        "paper": "Bergstra and Bengio, Random Search for Hyper-Parameter Optimization, 2012",
        "symbol": "efficientdl.search.random.RandomSearch",
        "lab": "01_costs",
        "test": "tests/search/test_random.py",
    }


def test_lines_are_in_order_of_lab_and_id():
    lines = json.loads(catalogue.listing_text())
    assert [(r["lab"], r["id"]) for r in lines] == sorted((r["lab"], r["id"]) for r in lines)
    assert {line["id"] for line in lines} == set(TECHNIQUES)


@pytest.fixture
def scratch(monkeypatch):
    """An empty catalogue, for entering toys."""
    monkeypatch.setattr(catalogue, "catalogue", {})
    return catalogue.catalogue


def listed(id, kind=None):
    return technique(id, paper="Toy, 2020", survey="1", lab="00", kind=kind or Measure())


def first(x):
    """First of all. And more.

    Nothing.
    """


def second(x):
    """Second."""


def test_a_technique_is_returned_unchanged(scratch):
    assert listed("toy")(first) is first
    entry = scratch["toy"]
    assert entry.call is first
    assert entry.title == "First of all. And more"
    assert entry.symbol == "efficientdl.tests.test_catalogue.first"
    assert entry.test == "tests/tests/test_test_catalogue.py"


def test_a_duplicate_id_is_refused(scratch):
    listed("toy")(first)
    listed("toy")(first)  # a module imported again is no duplicate
    with pytest.raises(ValueError, match=r"technique: id must be new; .*first has it, got 'toy'"):
        listed("toy")(second)
    assert scratch["toy"].call is first


def modules():
    import importlib

    import efficientdl

    for module in pkgutil.walk_packages(efficientdl.__path__, "efficientdl."):
        if not module.name.endswith("__main__"):
            yield importlib.import_module(module.name)


def test_no_docstring_documents_an_argument_that_is_not_there():
    wrong = []
    for module in modules():
        for name, member in vars(module).items():
            own = getattr(member, "__module__", None) == module.__name__
            if name.startswith("_") or not own or not callable(member):
                continue
            documented = documented_arguments(inspect.cleandoc(member.__doc__ or "") + "\n")
            try:
                parameters = inspect.signature(member).parameters
            except ValueError:  # torch's own types have none
                continue
            unknown = set(documented) - set(parameters)
            wrong += [f"{module.__name__}.{name}: {unknown}"] * bool(unknown)
    assert not wrong
