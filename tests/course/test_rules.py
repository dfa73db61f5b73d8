"""Forbidden names are found however they are reached, and innocent code is left alone."""

import functools
import math
import statistics
import sys
from types import ModuleType

import pytest

from efficientdl.course.rules import (
    aliases_in,
    aliases_of,
    broken,
    fingerprint,
    forbidden_object,
    plain_python,
)

FORBIDS = ("lib.costs.energy",)
ALIASES = {"costs": "lib.costs", "np": "numpy", "lib": "lib"}

FOUND = {
    "an attribute": ("def f(x):\n    return costs.energy(x)", 2),
    "passed on": ("def f(x):\n    return list(map(costs.energy, x))", 2),
    "below it": ("def f(x):\n    return costs.energy.part(x)", 2),
    "import": ("import lib.costs.energy", 1),
    "import below": ("def f(x):\n    import lib.costs.energy.part", 2),
    "import from": ("from lib.costs import energy", 1),
    "import from it": ("from lib.costs.energy import anything", 1),
    "another name": ("from lib import costs as c\n\ndef f(x):\n    return c.energy(x)", 4),
    "the parent": ("import lib.costs as c\nc.energy", 2),
    "from the root": ("import lib\nlib.costs.energy(1)", 2),
    "everything": ("from lib.costs import *", 1),
    "everything of it": ("from lib.costs.energy import *", 1),
    "everything below it": ("from lib.costs.energy.part import *", 1),
    "assigned": ("c = costs\n\ndef f(x):\n    return c.energy(x)", 4),
    "assigned in pairs": ("c, d = costs, 3\nc.energy", 2),
    "annotated": ("c: object = costs\nc.energy", 2),
    "walrus": ("if (c := costs):\n    c.energy", 2),
    "walrus at once": ("(c := costs).energy", 1),
    "a default": ("def f(x, e=costs.energy):\n    return e(x)", 1),
    "a decorator": ("@costs.energy\ndef f(x):\n    return x", 1),
    "lambda": ("f = lambda x: costs.energy(x)", 1),
    "comprehension": ("def f(x):\n    return [costs.energy(y) for y in x]", 2),
    "a method": ("class A:\n    def f(self):\n        return costs.energy(1)", 3),
    "nested": ("def f(x):\n    def g():\n        return costs.energy(x)\n    return g()", 3),
    "getattr": ("def f(x):\n    return getattr(costs, 'energy')(x)", 2),
    "a dictionary": ("costs.__dict__['energy']", 1),
    "vars": ("vars(costs)['energy']", 1),
    "__import__": ("__import__('lib.costs').costs.energy", 1),
    "__import__ below": ("__import__('lib.costs.energy')", 1),
    "__import__ from": ("__import__('lib.costs', fromlist=['x']).energy", 1),
    "importlib": ("import importlib\nimportlib.import_module('lib.costs').energy", 2),
    "import_module": ("from importlib import import_module as m\nm('lib.costs.energy')", 2),
    "relative": ("import importlib\nimportlib.import_module('.energy', 'lib.costs')", 2),
    "sys.modules": ("import sys\nsys.modules['lib.costs'].energy", 2),
    "a branch that hides nothing": ("if x:\n    costs = 1\n\ndef f(x):\n    costs.energy", 5),
    "a class that hides nothing": (
        "class A:\n    costs = 1\n    def f(self):\n        costs.energy", 4,
    ),
    "a parameter of another": ("def g(costs):\n    pass\n\ndef f(x):\n    costs.energy", 5),
    "a loop of another": ("y = [costs for costs in z]\ncosts.energy", 2),
    "after a magic": ("%time 1 + 1\ncosts.energy", 2),
    "in a magic": ("x = 1\n%precision 3\n\ndef f():\n    return costs.energy", 5),
    "under a magic": ("%%time\nx = 1\ndef f(x):\n    return costs.energy(x)", 4),
    "behind a magic": ("x = 1\n%time y = costs.energy(x)", 2),
    "exec": ("c = costs\nexec('def f(x):\\n    return c.energy(x)')", 3),
    "eval": ("def f(x):\n    return eval('costs.energy')(x)", 2),
    "the first of two": ("import lib.costs.energy\nimport lib.costs.energy", 1),
}  # fmt: skip


@pytest.mark.parametrize(("source", "line"), FOUND.values(), ids=FOUND.keys())
def test_forbidden_names_are_found(source, line):
    said = broken(source, FORBIDS, ALIASES)
    end = f"`lib.costs.energy` is not allowed here, and line {line} uses it"
    assert said == f"write it yourself: {end}"


ALLOWED = {
    "a sibling": "from lib.costs import carbon\ncosts.carbon(costs.energy_of)",
    "a longer name": "import lib.costs.energy_model",
    "the parent alone": "import lib.costs\nfrom lib import costs\ncosts.count(1)",
    "everything of another": "from numpy import *\nfrom lib.models import *",
    "another language": "%%bash\necho costs.energy",
    "a magic without code": "%precision 4",
    "another's magic": "x.run_line_magic('time', name)\nexec(costs)",
    "a string": "x = 'lib.costs.energy'",
    "a comment": "x = 1  # costs.energy",
    "an attribute of something else": "self.costs.energy\nx.energy\nx.lib.costs.energy",
    "a parameter": "def f(costs):\n    return costs.energy",
    "a keyword parameter": "def f(*, costs):\n    return costs.energy",
    "a local": "def f(rows):\n    costs = rows[0]\n    return costs.energy",
    "a loop": "def f(rows):\n    for costs in rows:\n        yield costs.energy",
    "a comprehension": "y = [costs.energy for costs in rows]",
    "a lambda's": "f = lambda costs: costs.energy",
    "a name of the cell": "costs = open_account()\ncosts.energy",
    "a function of the cell": "def costs():\n    pass\n\ndef f():\n    return costs.energy",
    "a string that is loaded": "import importlib\nimportlib.import_module(name)",
    "relative to nothing": "import importlib\nimportlib.import_module('.costs.energy')",
    "from here": "from .costs import energy",
    "no Python": "def f(x:\n    return costs.energy",
    "nothing": "",
}


@pytest.mark.parametrize("source", ALLOWED.values(), ids=ALLOWED.keys())
def test_innocent_code_is_left_alone(source):
    assert broken(source, FORBIDS, ALIASES) == ""


def test_a_name_imported_elsewhere_is_known_by_its_alias():
    assert "line 2" in broken("def f(x):\n    return e(x)", FORBIDS, {"e": "lib.costs.energy"})
    own = "def e(x):\n    return e(x - 1)"  # the cell's own function, under the same name
    assert broken(own, FORBIDS, {"e": "lib.costs.energy"}) == ""


def test_no_rule_is_never_broken():
    assert broken("from lib.costs import energy", (), {}) == ""


def test_our_own_name_is_left_out_of_the_sentence():
    said = broken("import efficientdl.costs.energy", ("efficientdl.costs.energy",), {})
    assert said.startswith("write it yourself: `costs.energy` is not allowed here")


def test_what_is_nested_too_deeply_is_refused_or_is_no_python():
    deep = "x = " + "-" * 700 + "1\n" + "y = costs" + ".a" * 3000
    said = broken(deep, FORBIDS, ALIASES)
    assert said in ("", "write it more simply: the cell is nested too deeply to be read")
    assert broken("(" * 5000, FORBIDS, ALIASES) == ""


def test_warnings_of_a_source_are_not_ours():
    assert broken("x = '\\d'\n1 is 1\ncosts.energy", FORBIDS, ALIASES).endswith("line 3 uses it")


def test_aliases_of_the_cells_of_a_lab():
    cells = [
        "import numpy as np\nimport lib.costs\nfrom lib import costs, models as m",
        "c = costs\nn = 3\n%matplotlib inline\n",
        "def f():\n    import torch\nif c:\n    import math",
        "not python(",
    ]
    assert aliases_of(cells) == {
        "np": "numpy", "lib": "lib", "costs": "lib.costs", "m": "lib.models", "c": "lib.costs",
        "math": "math",
    }  # fmt: skip


def test_aliases_of_what_is_running():
    names = {
        "m": math, "root": math.sqrt, "mean": statistics.mean, "half": functools.partial(math.sqrt),
        "Fraction": statistics.Fraction, "n": 3, "text": "math",
    }  # fmt: skip
    assert aliases_in(names, ["math.sqrt"]) == {
        "m": "math", "root": "math.sqrt", "mean": "statistics.mean", "half": "math.sqrt",
        "Fraction": "fractions.Fraction",
    }  # fmt: skip


def test_a_function_is_known_by_what_it_is_not_by_its_name(monkeypatch):
    package, module = ModuleType("lib"), ModuleType("lib.energy")
    exec("def energy(): pass\n\nclass Memory: pass", vars(module))
    exec("def compare(): pass", clock := {"__name__": "lib.clock"})
    package.energy, package.compare = module.energy, clock["compare"]
    monkeypatch.setitem(sys.modules, "lib", package)
    monkeypatch.setitem(sys.modules, "lib.energy", module)
    both = ["lib.compare", "lib.energy"]
    assert forbidden_object(package.compare, both) == "lib.compare"  # though it is of lib.clock
    assert forbidden_object(functools.partial(package.energy, 1), both) == "lib.energy"
    assert forbidden_object(module.Memory, both) == ""  # a neighbour in a module of that name
    assert forbidden_object(module.Memory, ["lib.energy.Memory"]) == "lib.energy.Memory"
    below = statistics.Fraction.from_float
    assert forbidden_object(below, ["fractions.Fraction"]) == "fractions.Fraction"
    assert forbidden_object(package, both) == ""
    assert forbidden_object(statistics.mean, ["statistics"]) == "statistics"
    assert forbidden_object(statistics.mean, ["not.loaded"]) == ""
    assert forbidden_object(3, ["statistics"]) == ""


def test_plain_python_stays_as_it_is():
    assert plain_python("x = 1\n\n") == "x = 1\n\n"
    assert "run_line_magic" in plain_python("%time f()")


def test_fingerprint_follows_the_code_and_not_its_margins():
    cell = "def f(x):\n    return x"
    assert fingerprint(cell) == fingerprint(f"\n\n{cell}  \n\n")
    assert fingerprint(cell) != fingerprint(cell.replace("return x", "return  x"))
    assert fingerprint("%time f()") == fingerprint(plain_python("%time f()"))
