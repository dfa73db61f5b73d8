"""The list of techniques. `@technique` enters a function and hands it back unchanged.

The catalogue creates nothing and calls nothing. It feeds the promise tests (each kind's
promises are tested for all its members), `efficientdl list`, the README's table and the lab
index.
"""

import importlib
import json
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from efficientdl import _check

F = TypeVar("F", bound=Callable[..., Any])
Options = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What a technique is, and so what it promises.

    Attributes:
        exempt: Promises that cannot hold for this one: `{promise: reason}`.
    """

    exempt: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Compressor(Kind):
    """`f(model, x, *, options) -> Result`.

    Attributes:
        identity: Options at which the model stays what it was.
        stronger: Two settings, the second compressing more than the first.
        tolerance: How far the output may move at the identity, with `reason`.
        reason: Why that far: `16-bit rounding`.
    """

    identity: Options
    stronger: tuple[Options, Options]
    tolerance: float = 0.0
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Criterion(Kind):
    """`f(weight, *, statistics, **_) -> scores`, the larger the more worth keeping."""


@dataclass(frozen=True, kw_only=True)
class Granularity(Kind):
    """`group` and `ungroup`.

    Attributes:
        options: What to build it with in the tests.
    """

    options: Options = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Layer(Kind):
    """`Block(c_in, c_out, *, options)`, standing for a standard convolution.

    Attributes:
        options: What to build it with in the tests.
        identity: Options at which it has the standard layer's cost and output, if there are any.
        mac_ratio: Standard MACs over its MACs, in closed form: `f(c_in, c_out, **options)`.
    """

    options: Options
    mac_ratio: Callable[..., float]
    identity: Options | None = None


@dataclass(frozen=True, kw_only=True)
class Network(Kind):
    """`f(*, classes, seed) -> nn.Module`.

    Attributes:
        resolution: Side of the images that it takes, in pixels.
        params: Exact number of parameters, batch norm included.
        macs: Exact MACs of one image.
    """

    resolution: int
    params: int
    macs: int


@dataclass(frozen=True, kw_only=True)
class Loss(Kind):
    """`f(student, teacher, *, options) -> scalar`, zero when student is teacher.

    Attributes:
        options: What to call it with in the tests.
    """

    options: Options = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Penalty(Kind):
    """`f(model, *, options) -> scalar`, to be added to the loss: zero at strength zero.

    Attributes:
        options: What to call it with in the tests.
        off: The same with every strength zero.
        prepare: What a network needs before it can be penalized: `f(model) -> model`.
    """

    options: Options
    off: Options
    prepare: Callable[[Any], Any] = lambda model: model


@dataclass(frozen=True, kw_only=True)
class LearningRule(Kind):
    """`step(state, batch, *, generator) -> (state, Report)`.

    Attributes:
        identity: Options at which a step is a step of plain SGD.
    """

    identity: Options


@dataclass(frozen=True, kw_only=True)
class Searcher(Kind):
    """`ask` and `tell`; lower is better.

    Attributes:
        options: What to build it with in the tests, beside space and seed.
        budget: Evaluations in which it must find the best of a space of 25 points.
    """

    options: Options = field(default_factory=dict)
    budget: int = 200


@dataclass(frozen=True, kw_only=True)
class Kernel(Kind):
    """`name`, `name_reference` and `name_cost`, the three in one module.

    Attributes:
        inputs: `f(rng, size) -> arguments`, random inputs of a size that Hypothesis draws.
        tolerance: How far it may be from its reference, with `reason`; zero for integers.
    """

    inputs: Callable[..., tuple[Any, ...]]
    tolerance: float = 0.0
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Simulator(Kind):
    """`simulate(workload, machine, *, operands) -> (output, Cost)`.

    Attributes:
        case: `f(rng, size) -> (call, expected output, least cycles)`.
    """

    case: Callable[..., tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True)
class Pass(Kind):
    """`f(graph) -> graph` with the same outputs, idempotent and never dearer.

    Attributes:
        graphs: `f() -> graphs` to run it on, one of which it leaves alone.
    """

    graphs: Callable[[], tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True)
class Measure(Kind):
    """A count, a model or a measurement: it changes nothing that it is given."""


@dataclass(frozen=True)
class Technique:
    """One line of the catalogue."""

    id: str
    title: str
    survey: str
    paper: str
    symbol: str
    lab: str
    test: str
    call: Callable[..., Any]
    kind: Kind

    def listing(self) -> dict[str, str]:
        """The line as `efficientdl list --json` gives it."""
        names = ("id", "title", "survey", "paper", "symbol", "lab", "test")
        return {n: getattr(self, n) for n in names}


catalogue: dict[str, Technique] = {}


def technique(id: str, *, paper: str, survey: str, lab: str, kind: Kind) -> Callable[[F], F]:
    """List a function or class in the catalogue and return it unchanged.

    Its title is the first line of its docstring; its test has its module's path under `tests/`.

    Args:
        id: The technique's name in the catalogue, `prune-channel`.
        paper: Authors, title, year.
        survey: Where the survey has it: `2.1`, `4, Fig. 9`.
        lab: The lab that teaches it: `02_pruning`.
        kind: What it is, with what its promises need.
    """

    def enter(function: F) -> F:
        module = function.__module__.removeprefix("efficientdl.")
        symbol = f"efficientdl.{module}.{function.__qualname__}"
        if id in catalogue and catalogue[id].symbol != symbol:
            _check.fail("technique", "id", f"must be new; {catalogue[id].symbol} has it", id)
        title = (function.__doc__ or "").strip().split("\n")[0].rstrip(".")
        folder, _, file = module.rpartition(".")
        test = "/".join(["tests", *folder.split("."), f"test_{file}.py"]).replace("//", "/")
        catalogue[id] = Technique(id, title, survey, paper, symbol, lab, test, function, kind)
        return function

    return enter


def load() -> dict[str, Technique]:
    """Import the whole library, so that every technique has entered, and return the catalogue."""
    for module in pkgutil.walk_packages([str(Path(__file__).parent)], "efficientdl."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return catalogue


def listing() -> list[dict[str, str]]:
    """The catalogue as it was built: read from `catalogue.json`, importing no technique."""
    return json.loads((Path(__file__).parent / "catalogue.json").read_text(encoding="utf-8"))


def listing_text() -> str:
    """The text of `catalogue.json`, from the live catalogue, in order of area and id."""
    rows = sorted((t.listing() for t in load().values()), key=lambda r: (r["lab"], r["id"]))
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


def listing_page() -> str:
    """The catalogue as a table in Markdown, for the README."""
    rows = json.loads(listing_text())
    lines = ["| id | technique | survey | lab |", "|---|---|---|---|"]
    lines += [f"| `{r['id']}` | {r['title']} | {r['survey']} | {r['lab']} |" for r in rows]
    return "\n".join(lines) + "\n"
