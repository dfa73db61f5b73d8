"""Promises of every technique, whatever its kind: it can be found, read and looked up."""

import importlib
import inspect
import re

from efficientdl.catalogue import Technique


def documented_arguments(docstring: str) -> list[str]:
    """The names under `Args:` of a Google docstring."""
    section = re.search(r"^( *)Args:\n((?:\1 +.*\n|\s*\n)*)", docstring, re.M)
    if section is None:
        return []
    indent = len(section[1]) + 4
    return re.findall(rf"^ {{{indent}}}\**(\w+)[^:\n]*:", section[2], re.M)


def can_be_imported_where_it_says(technique: Technique) -> None:
    module, _, name = technique.symbol.rpartition(".")
    found = getattr(importlib.import_module(module), name, None)
    assert found is technique.call, f"{technique.symbol} is not what the catalogue calls"


def names_its_paper_and_source(technique: Technique) -> None:
    assert re.search(r"\b(19|20)\d\d\b", technique.paper), "the paper has no year"
    assert technique.title, "no docstring, so no title"
    assert "Source:" in inspect.getdoc(technique.call), "the docstring names no `Source:`"


def documents_arguments_that_it_takes(technique: Technique) -> None:
    parameters = list(inspect.signature(technique.call).parameters)
    documented = documented_arguments(inspect.cleandoc(technique.call.__doc__ or "") + "\n")
    unknown = [name for name in documented if name not in parameters]
    assert not unknown, f"documents {unknown}, which it does not take"
    in_order = [name for name in parameters if name in documented]
    assert documented == in_order, f"documents {documented} in another order than it takes them"


PROMISES = [
    can_be_imported_where_it_says,
    names_its_paper_and_source,
    documents_arguments_that_it_takes,
]
