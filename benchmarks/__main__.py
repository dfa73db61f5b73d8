"""`python -m benchmarks [NAME ...]`: run the benchmarks and store what came out."""

import argparse
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks import runner
from efficientdl import _check
from efficientdl.progress import progress

NAMES = ("compression", "counting", "grading", "zoo")
REPEATS = 20
RESULTS = Path(__file__).parent / "results"


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all")
    parser.add_argument("--repeats", type=int, help="turns (20; grading 3; compression none)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where to store the results")
    args = parser.parse_args()
    try:
        for name in args.names:
            _check.one_of("benchmarks", "NAME", name, NAMES)
        if args.repeats is not None:
            _check.whole("benchmarks", "--repeats", args.repeats, 1)
    except (_check.BadValue, _check.BadKind) as error:
        print(error, file=sys.stderr)
        return 2
    for name in args.names or NAMES:
        module = import_module(f"benchmarks.{name}")
        repeats = args.repeats or getattr(module, "REPEATS", REPEATS)
        page, results = _measured(module, name, repeats)
        runner.write(args.results, name, page, results)
        print(page)
    return 0


def _measured(module: ModuleType, name: str, repeats: int) -> tuple[str, list[dict[str, Any]]]:
    """The page and the results of one module: its contests, or what it measures in its own way."""
    if hasattr(module, "measure"):
        results = module.measure(repeats)
        return module.page(results, runner.machine()), results
    results = []
    for contest in progress(module.contests(), name):
        lines = runner.run(contest, repeats=repeats)
        results.append(runner.result(contest, lines, repeats))
    title = (module.__doc__ or name).splitlines()[0].rstrip(".")
    return runner.markdown(title, results, runner.machine()), results


raise SystemExit(main())
