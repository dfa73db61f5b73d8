"""What was measured as a page: the bars, the processor's limits, and a table for each section."""

from collections import Counter
from collections.abc import Mapping, Sequence

from benchmarks.kernel_bars import Json, peaks
from benchmarks.kernel_bars.rows import VERDICTS
from benchmarks.kernel_bars.told import tables

SHOWN = {
    "met": "met",
    "near": "near",
    "missed": "**missed**",
    "absent": "peer absent",
    "not asked": "not asked of this processor",
}


def page(
    title: str,
    results: Sequence[Json],
    machine: Mapping[str, object],
    titles: Mapping[str, str],
    notes: Mapping[str, str],
) -> str:
    """The whole page.

    Args:
        title: Its heading.
        results: Sections, each with a number of threads, as they were stored.
        machine: What it was measured on.
        titles: Of each section.
        notes: A sentence for each section, or nothing.
    """
    limits = [r for r in results if "limits" in r]
    versions = limits[0]["versions"] if limits else {}
    seconds = sum(r["seconds"] for r in results)
    n_rounds = max((r["rounds"] for r in results), default=0)
    text = [
        f"# {title.rstrip('.')}",
        "",
        ", ".join(f"{k}: {v}" for k, v in machine.items()) + ".",
        ", ".join(f"{k} {v}" for k, v in versions.items()) + ".",
        "",
        f"At most {n_rounds} rounds, {seconds / 60:.0f} minutes; what takes long has fewer. In "
        "every round each way is timed once, in an order drawn anew; a sample is the lesser of two "
        "tries. On one thread the clock is that thread's processor time, on two the wall's. Each "
        "result was compared with a dense reference first. A ratio is a peer's time divided by "
        "ours, of the same round: the median over the rounds, and between what half of them lay. "
        "onnxruntime's threads do not spin.",
        "",
        "A bar is near at nine tenths or more. 'Peer absent' is a peer that is not installed.",
        "",
        "![Every bar, as a share of what it asks](kernels.svg)",
    ]
    text += _bars(results, titles) + _limits(limits)
    for name in dict.fromkeys(r["section"] for r in results if "limits" not in r):
        text += _section(name, results, titles[name], notes[name])
    missing = [titles[name] for name in titles if all(r["section"] != name for r in results)]
    text += ["", f"Not run: {', '.join(missing)}."] if missing else []
    return "\n".join(text) + "\n"


def _bars(results: Sequence[Json], titles: Mapping[str, str]) -> list[str]:
    counts: dict[int, Counter[str]] = {}
    lines = []
    for result, row, bar in each_bar(results):
        counts.setdefault(row["threads"], Counter())[bar["verdict"]] += 1
        spread = "" if bar["low"] is None else f"{bar['low']:.2f} to {bar['high']:.2f}"
        cells = (
            titles[result["section"]],
            row["case"],
            str(row["threads"]),
            bar["says"],
            figure(bar),
            spread,
            SHOWN[bar["verdict"]],
        )
        lines.append(f"| {' | '.join(cells)} |")
    said = [
        f"{n} thread{'s' * (n > 1)}: "
        + ", ".join(f"{found[v]} {v}" for v in VERDICTS if found[v])
        + "."
        for n, found in sorted(counts.items())
    ]
    head = ["| | case | threads | bar | here | half between | |", "|---|---|--:|---|--:|---|---|"]
    return ["", "## Bars", "", " ".join(said), "", *head, *lines] if lines else []


def each_bar(results: Sequence[Json]) -> list[tuple[Json, Json, Json]]:
    """Every section, row and bar that there is."""
    return [(r, row, bar) for r in results for row in r["rows"] for bar in row.get("bars", ())]


def figure(bar: Json) -> str:
    """What came out, in the bar's own unit."""
    if bar["found"] is None:
        return "none"
    if bar["of"] == ["limit"]:
        return f"{100 * bar['found']:.0f} %"
    if bar["of"] == ["rate"]:
        return f"{bar['found'] / 1e9:.2f} G/s"
    if bar["of"] == ["seconds"]:
        return f"{bar['found']:.2f} s"
    return f"{bar['found']:.2f}"


def _limits(limits: Sequence[Json]) -> list[str]:
    if not limits:
        return []
    heads = [f"{r['threads']} thread{'s' * (r['threads'] > 1)}" for r in limits]
    text = ["", "## What this processor can do", "", f"| | {' | '.join(heads)} | |"]
    text += ["|---|" + "--:|" * len(limits) + "---|"]
    for name, unit in peaks.UNITS.items():
        cells = [f"{r['limits'][name] / 1e9:.1f}" if name in r["limits"] else "" for r in limits]
        text += [f"| {name}: {peaks.WHAT[name]} | {' | '.join(cells)} | {unit} |"]
    return text


def _section(name: str, results: Sequence[Json], title: str, note: str) -> list[str]:
    text = ["", f"## {title}"] + (["", note] if note else [])
    for result in results:
        if result["section"] == name and result["rows"]:
            n = result["threads"]
            text += ["", f"### {n} thread{'s' * (n > 1)}, {result['seconds']:.0f} s"]
            shown = [row for row in result["rows"] if row["entries"]]
            text += ["", *_table(shown)] if shown else []
            text += [f"- {row['case']}: {said}." for row in shown for said in _said(row)]
            text += tables([row for row in result["rows"] if "figures" in row])
    return text


def _said(row: Json) -> list[str]:
    """The case's note, and who is faster than ours."""
    faster = [f"{name} ({e['ratio']:.2f})" for name, e in row["entries"].items() if e["ratio"] < 1]
    said = [row["note"]] if row.get("note") else []
    return [*said, f"faster than ours: {', '.join(faster)}"] if faster else said


def _table(shown: Sequence[Json]) -> list[str]:
    """Medians in milliseconds; ours first, and peers that a case lacks left open."""
    names = list(dict.fromkeys(name for row in shown for name in row["entries"]))
    ours = list(dict.fromkeys(row["ours"] for row in shown))
    names = ours + [name for name in names if name not in ours]
    text = [
        f"| ms | {' | '.join(names)} | best peer | times | half between | share of the limit |",
        "|---|" + "--:|" * len(names) + "---|--:|---|---|",
    ]
    for row in shown:
        cells = [_cell(row, name) for name in names]
        best = row["entries"].get(row["best"])
        times = f"{best['ratio']:.2f}" if best else ""
        half = f"{best['ratio_low']:.2f} to {best['ratio_high']:.2f}" if best else ""
        share = f"{100 * row['share']:.0f} % of {row['limit']}" if row.get("share") else ""
        cells += [row["best"] or "", times, half, share]
        text.append(f"| {row['case']} | {' | '.join(cells)} |")
    return [*text, ""]


def _cell(row: Json, name: str) -> str:
    entry = row["entries"].get(name)
    if entry is None:
        return ""
    median = f"{entry['median_s'] * 1e3:.3g}"
    if name != row["ours"]:
        return median
    return f"{median} ({entry['low_s'] * 1e3:.3g} to {entry['high_s'] * 1e3:.3g})"
