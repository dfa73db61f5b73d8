"""Compression: what papers claim, and what came out here.

Each claim is stored as soon as it is done; a run that was interrupted goes on where it stopped.
`EFFICIENTDL_BENCH_CLAIMS=lenet_5,criteria` runs only those.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from importlib import import_module, metadata
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from benchmarks.headlines import Headline, lines, trainings
from efficientdl import _check
from efficientdl.progress import progress

TITLES = {
    "weights": "Single weights",
    "channels": "Channels",
    "low_rank": "Low rank",
    "deep_compression": "Deep Compression",
    "quantization": "Few bits",
    "pretrained": "A network trained on ImageNet",
    "distillation": "Distillation of classifiers",
    "distillation_tasks": "Distillation beyond classifiers",
}
MODULES = tuple(TITLES)
PARTIAL = Path(__file__).parent / "results" / "compression.part"
PEERS = ("efficientdl", "torch", "numpy")
Json = dict[str, Any]
Job = Callable[[], Sequence[Headline]]


def jobs() -> dict[str, tuple[str, Job]]:
    """What to run, by name, with the module: a claim of its own, or a module's `headlines`."""
    found: dict[str, tuple[str, Job]] = {}
    for name in MODULES:
        module = import_module(f"benchmarks.headlines.{name}")
        claims: Sequence[Callable[[], Headline]] = getattr(module, "CLAIMS", ())
        if claims:
            found |= {claim.__name__: (name, partial(_one, claim)) for claim in claims}
        else:
            found[name] = (name, module.headlines)
    return found


def _one(claim: Callable[[], Headline]) -> list[Headline]:
    return [claim()]


def measure(_repeats: int) -> list[Json]:
    """Run the claims that are not stored; each has seeds of its own."""
    every = jobs()
    asked = os.environ.get("EFFICIENTDL_BENCH_CLAIMS")
    wanted = list(every) if asked is None else asked.split(",")
    for name in wanted:
        _check.one_of("benchmarks", "EFFICIENTDL_BENCH_CLAIMS", name, every)
    done = _stored()
    left = [name for name in wanted if name not in done]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for name in progress(left, "compression"):
            with _silent():
                done[name] = _run(*every[name])
            _store(done)
    except KeyboardInterrupt:  # what is done is shown; the next run goes on from here
        pass
    finally:
        torch.set_num_threads(threads)
    results = [{"job": name, **done[name]} for name in every if name in done]
    if len(results) == len(every):
        PARTIAL.unlink(missing_ok=True)
    return results


def _run(module: str, job: Job) -> Json:
    start = perf_counter()
    found = [asdict(headline) for headline in job()]
    return {"module": module, "seconds": perf_counter() - start, "headlines": found}


@contextmanager
def _silent() -> Iterator[None]:
    """No bar for each of the hundreds of trainings."""
    before = os.environ.get("EFFICIENTDL_UI")
    os.environ["EFFICIENTDL_UI"] = "silent"
    try:
        yield
    finally:
        if before is None:
            del os.environ["EFFICIENTDL_UI"]
        else:
            os.environ["EFFICIENTDL_UI"] = before


def _stored() -> dict[str, Json]:
    """What an earlier run of the same sizes has left."""
    if not PARTIAL.is_file():
        return {}
    read = json.loads(PARTIAL.read_text(encoding="utf-8"))
    return read["done"] if read["sizes"] == trainings.SIZES else {}


def _store(done: Mapping[str, Json]) -> None:
    PARTIAL.parent.mkdir(parents=True, exist_ok=True)
    whole = json.dumps({"sizes": trainings.SIZES, "done": done}, indent=1)
    new = PARTIAL.with_suffix(".new.part")
    new.write_text(whole + "\n", encoding="utf-8")
    new.replace(PARTIAL)


def page(results: Sequence[Json], machine: Mapping[str, object]) -> str:
    """Every claim beside the paper's, a table of all first."""
    versions = ", ".join(f"{peer} {metadata.version(peer)}" for peer in PEERS)
    seconds = sum(result["seconds"] for result in results)
    text = [
        f"# {(__doc__ or '').splitlines()[0].rstrip('.')}",
        "",
        ", ".join(f"{k}: {v}" for k, v in machine.items()) + f". {versions}. One thread, "
        f"{seconds / 60:.0f} minutes, on a machine that may have had other work.",
        "",
        "A claim that one method beats another holds where the mean of the paired differences is "
        "more than two standard errors above zero. ± is the standard deviation over the seeds.",
        "",
        "| claim | holds | runs |",
        "|---|---|--:|",
    ]
    by_module = {
        module: [Headline(**h) for r in results if r["module"] == module for h in r["headlines"]]
        for module in MODULES
    }
    text += [_row(headline) for found in by_module.values() for headline in found]
    text += _not_run(results)
    for module, found in by_module.items():
        if found:
            text += ["", f"## {TITLES[module]}", *(x for h in found for x in lines(h))]
    return "\n".join(text) + "\n"


def _row(headline: Headline) -> str:
    says = {True: "yes", False: "**no**", None: "reported"}[headline.holds]
    return f"| {headline.claim} | {says} | {headline.seeds} |"


def _not_run(results: Sequence[Json]) -> list[str]:
    run = {result["job"] for result in results}
    missing = [name for name in jobs() if name not in run]
    return ["", f"Not run: {', '.join(missing)}."] if missing else []
