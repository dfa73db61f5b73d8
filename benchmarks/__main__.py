"""`python -m benchmarks [NAME ...]`: run the benchmarks and store what came out."""

import argparse
import os
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks import runner
from efficientdl import _check
from efficientdl.progress import progress

NAMES = ("compression", "counting", "grading", "hardware", "kernels", "zoo")
REPEATS = 20
RESULTS = Path(__file__).parent / "results"


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all")
    turns = "turns (20; kernels 7; grading 3; compression none)"
    parser.add_argument("--repeats", type=int, help=turns)
    parser.add_argument("--only", help="sections of kernels: sparse,int8; all")
    parser.add_argument("--threads", help="numbers of threads of kernels: 1; 1,2")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where to store the results")
    args = parser.parse_args()
    try:
        _demand_known(args)
    except (_check.BadValue, _check.BadKind) as error:
        print(error, file=sys.stderr)
        return 2
    for name in args.names or NAMES:
        module = import_module(f"benchmarks.{name}")
        repeats = args.repeats or getattr(module, "REPEATS", REPEATS)
        page, results = _measured(module, name, repeats)
        runner.write(args.results, name, page, results)
        if hasattr(module, "picture"):
            drawn = module.picture(results)
            (args.results / f"{name}.svg").write_text(drawn, encoding="utf-8")
        print(page)
    return 0


def _demand_known(args: argparse.Namespace) -> None:
    """Refuse what is not there, and hand the kernels' options on, before anything is measured."""
    for name in args.names:
        _check.one_of("benchmarks", "NAME", name, NAMES)
    if args.repeats is not None:
        _check.whole("benchmarks", "--repeats", args.repeats, 1)
    for variable, value in (("SECTIONS", args.only), ("THREADS", args.threads)):
        if value is not None:
            os.environ[f"EFFICIENTDL_BENCH_{variable}"] = value
    if "kernels" in (args.names or NAMES):
        import_module("benchmarks.kernels").jobs()


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
