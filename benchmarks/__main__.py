"""`python -m benchmarks [NAME ...]`: run the benchmarks and store what came out."""

import argparse
import sys
from importlib import import_module
from pathlib import Path

from benchmarks import runner
from efficientdl import _check
from efficientdl.progress import progress

NAMES = ("counting", "zoo")
RESULTS = Path(__file__).parent / "results"


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all")
    parser.add_argument("--repeats", type=int, default=20, help="turns of each contest (20)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where to store the results")
    args = parser.parse_args()
    try:
        for name in args.names:
            _check.one_of("benchmarks", "NAME", name, NAMES)
        _check.whole("benchmarks", "--repeats", args.repeats, 1)
    except (_check.BadValue, _check.BadKind) as error:
        print(error, file=sys.stderr)
        return 2
    for name in args.names or NAMES:
        module = import_module(f"benchmarks.{name}")
        results = []
        for contest in progress(module.contests(), name):
            lines = runner.run(contest, repeats=args.repeats)
            results.append(runner.result(contest, lines, args.repeats))
        title = (module.__doc__ or name).splitlines()[0].rstrip(".")
        page = runner.markdown(title, results, runner.machine())
        runner.write(args.results, name, page, results)
        print(page)
    return 0


raise SystemExit(main())
