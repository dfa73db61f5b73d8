"""The command line: `efficientdl list | profile | progress | grade | class | build | doctor`.

Bad input ends in one plain sentence on standard error and exit code 2. What a command needs is
imported when it runs, so that `efficientdl --help` and `list` answer at once.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import efficientdl
from efficientdl import _check

_UNGRADED = 3


def _list(args: argparse.Namespace) -> int:
    from efficientdl.catalogue import listing

    rows = listing()
    if args.json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return 0
    lines = [["id", "survey", "lab", "symbol"]]
    lines += [[row["id"], row["survey"], row["lab"], row["symbol"]] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    for line in lines:
        print("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip())
    print(f"\n{len(rows)} techniques")
    return 0


def _profile(args: argparse.Namespace) -> int:
    from efficientdl import models
    from efficientdl.costs import count

    _check.whole("profile", "batch", args.batch, 1)
    model = models.skeleton(args.network)
    resolution = models.resolution(args.network) if args.resolution is None else args.resolution
    _check.whole("profile", "resolution", resolution, 1)
    x = models.example(args.network, batch=args.batch, device="meta")
    x = x.new_empty(*x.shape[:2], resolution, resolution)
    try:
        report = count(model, x)
    except RuntimeError as error:  # torch says which shapes did not fit
        reason = str(error).splitlines()[0]
        _check.fail("profile", "resolution", f"does not fit {args.network} ({reason})", resolution)
    if not args.json:
        print(f"{args.network}, batch {args.batch}, {resolution} x {resolution} pixels\n\n{report}")
        return 0
    total = report.total
    layers = {name: cost.known() for name, cost in report.rows.items()}
    summary = {
        "network": args.network,
        "batch": args.batch,
        "resolution": resolution,
        "params": total.params,
        "macs": total.macs,
        "weight_bytes": (total.weight_bits or 0) // 8,
        "activation_bytes": total.activation_bytes,
        "layers": [{"layer": name, **figures} for name, figures in layers.items()],
    }
    print(json.dumps(summary, indent=1))
    return 0


def _progress(args: argparse.Namespace) -> int:
    from efficientdl.course.overview import progress_of

    found = progress_of(Path(args.folder))
    print(json.dumps(found.to_json(), indent=1, ensure_ascii=False) if args.json else found.text)
    return 0


def _grade(args: argparse.Namespace) -> int:
    from efficientdl.grading.grader import grade, read_key
    from efficientdl.grading.handed_in import read_handed_in
    from efficientdl.grading.release import default_root, find_release
    from efficientdl.grading.report import check_form, write_report
    from efficientdl.grading.report.words import overview_text
    from efficientdl.grading.score import write_score

    if args.report is not None:
        check_form(args.report)
    root = args.course or default_root()
    hidden = [path.resolve().parent for path in (args.submission, args.key) if path is not None]
    score = grade(
        read_handed_in(args.submission),
        root=root,
        lab=args.lab,
        key=read_key(args.key),
        hidden=tuple(hidden),
    )
    print(overview_text(score))
    if args.output is not None:
        write_score(args.output, score)
    if args.report is not None:
        write_report(args.report, score, find_release(root, score.lab))
    return _UNGRADED if score.ungraded else 0


def _class(args: argparse.Namespace) -> int:
    from efficientdl.grading.classroom.whole import grade_whole_class
    from efficientdl.grading.grader import read_key
    from efficientdl.grading.release import default_root

    summary = grade_whole_class(
        args.submissions,
        args.output,
        root=args.course or default_root(),
        lab=args.lab,
        key=read_key(args.key),
        jobs=args.jobs,
        scheduler=args.scheduler,
    )
    print(summary)
    print(f"read {args.output / 'class.html'} first")
    return _UNGRADED if summary.count("internal_error") else 0


def _build(args: argparse.Namespace) -> int:
    from efficientdl.course.build import build

    problems = build(Path(args.root), check=args.check, force=args.force)
    for problem in problems:
        print(problem, file=sys.stderr)
    if args.check and not problems:
        print("labs, solutions and catalogue are what their sources make")
    return 1 if problems else 0


def _doctor(_: argparse.Namespace) -> int:
    from efficientdl.doctor import findings

    bad = 0
    for finding in findings():
        print(f"{'ok ' if finding.ok else 'BAD'}  {finding.what}: {finding.found}")
        if not finding.ok:
            print(f"     {finding.cure}")
            bad += 1
    return 1 if bad else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="efficientdl", description=efficientdl.__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--version", action="version", version=efficientdl.__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    listing = commands.add_parser("list", help="the techniques of the catalogue")
    listing.add_argument("--json", action="store_true", help="as a JSON array of objects")
    listing.set_defaults(run=_list)

    profile = commands.add_parser("profile", help="what a network costs, layer by layer")
    profile.add_argument("network", metavar="NETWORK", help="a name of the zoo, such as resnet50")
    profile.add_argument("--batch", type=int, default=1, metavar="N", help="images at once (1)")
    profile.add_argument(
        "--resolution", type=int, metavar="R", help="side of the image in pixels (the paper's)"
    )
    profile.add_argument("--json", action="store_true", help="as a JSON object")
    profile.set_defaults(run=_profile)

    progress = commands.add_parser("progress", help="which labs, which points, from the notebooks")
    progress.add_argument("folder", nargs="?", default=".", help="with the notebooks (here)")
    progress.add_argument("--json", action="store_true", help="as a JSON object")
    progress.set_defaults(run=_progress)

    _add_grading(commands)

    build = commands.add_parser("build", help="make labs/ and the run solutions/ from their source")
    build.add_argument("root", nargs="?", default=".", help="folder of the checkout (here)")
    build.add_argument("--check", action="store_true", help="change nothing, name what is stale")
    build.add_argument("--force", action="store_true", help="run every solution again")
    build.set_defaults(run=_build)

    doctor = commands.add_parser("doctor", help="is this machine ready for the labs?")
    doctor.set_defaults(run=_doctor)
    return parser


def _add_grading(commands: Any) -> None:  # noqa: ANN401 - argparse does not export its type
    grade = commands.add_parser("grade", help="grade one submission")
    grade.add_argument("submission", type=Path, help="the notebook that was handed in")
    grade.add_argument("-o", "--output", type=Path, metavar="JSON", help="write the score here")
    grade.add_argument("--report", type=Path, help="write the learner's report here, .html or .md")
    grade.set_defaults(run=_grade)
    class_ = commands.add_parser("class", help="grade a whole class")
    actions = class_.add_subparsers(dest="action", required=True, metavar="ACTION")
    whole = actions.add_parser("grade", help="grade every submission in a folder")
    whole.add_argument("submissions", type=Path, help="folder of notebooks and zips, any layout")
    whole.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="results")
    how = whole.add_mutually_exclusive_group()
    how.add_argument("--jobs", type=int, metavar="N", help="how many at once (one for each core)")
    how.add_argument("--scheduler", metavar="ADDRESS", help="a Dask scheduler, tcp://host:8786")
    whole.set_defaults(run=_class)
    for command in (grade, whole):
        command.add_argument("--lab", help="the lab, 02 or 02_pruning (what the notebook says)")
        command.add_argument("--course", type=Path, help="checkout with the labs (the package's)")
        command.add_argument("--key", type=Path, help="file with the course key (a practice key)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The words after `efficientdl`; those of the process where it is left out.

    Returns:
        0 when all is well, 1 when a check found something, 2 for bad input, 3 when the grader
        failed in some part of its work.
    """
    args = _parser().parse_args(argv)
    try:
        return args.run(args)
    except (_check.BadValue, _check.BadKind, OSError) as error:
        print(f"efficientdl {args.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"efficientdl {args.command}: stopped", file=sys.stderr)
        return 130
