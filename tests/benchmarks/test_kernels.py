"""The kernels' benchmark: what it compares before it times, how it judges, and what it leaves."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from benchmarks import kernels
from benchmarks.kernel_bars import (
    LIMIT,
    RATE,
    Bar,
    Case,
    Entry,
    demand_same,
    depthwise,
    huffman,
    int4,
    int8,
    networks,
    pages,
    pattern,
    peaks,
    peers,
    pictures,
    points,
    rounds,
    rows,
    sparse,
    spmv,
    start_up,
    xnor,
)
from efficientdl.compression.pruning import prune
from efficientdl.kernels.points import cube
from efficientdl.kernels.points.kernel_map import kernel_map_reference

SECONDS = st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=9)


def case(want=1.0, **changes):
    entries = {
        "ours": Entry(lambda: np.array([1.0])),
        "peer": Entry(lambda: np.array([1.0])),
        "other": Entry(lambda: np.array([1.0]), counts=False),
    }
    given_ = {"entries": entries, "work": 8.0, "limit": "fma"} | changes
    return Case(name="a case", ours="ours", want=np.array([want]), **given_)


SAMPLES = {"ours": [2.0, 4.0, 2.0], "peer": [3.0, 4.0, 6.0], "other": [1.0, 1.0, 1.0]}


def measured_row(*bars, samples=SAMPLES):
    return rows.row(case(bars=bars), samples, 1, {"fma": 8.0})


# What is compared before it is timed


def test_results_that_agree_are_let_through():
    demand_same(case())


def test_a_result_that_is_off_is_refused_by_name():
    wrong = {"ours": Entry(lambda: np.array([1.0])), "peer": Entry(lambda: np.array([1.001]))}
    with pytest.raises(ValueError, match=r"a case: peer is off by 0\.001 of the largest number"):
        demand_same(case(entries=wrong))


def test_no_number_and_another_shape_are_refused():
    with pytest.raises(ValueError, match="ours is off by nan"):
        demand_same(case(entries={"ours": Entry(lambda: np.array([np.nan]))}))
    with pytest.raises(ValueError, match=r"ours has shape \(2,\), not \(1,\)"):
        demand_same(case(entries={"ours": Entry(lambda: np.ones(2))}))


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
def test_results_of_torch_and_of_onnxruntime_become_arrays():
    codes = torch.quantize_per_tensor(torch.tensor([0.5]), 0.25, 0, torch.quint8)
    for result in (torch.tensor([0.5], dtype=torch.bfloat16), codes, [np.float32([0.5])]):
        entries = {"ours": Entry(lambda result=result: result)}
        demand_same(case(want=0.5, entries=entries))


# How it takes turns


def test_every_way_gets_a_sample_a_round():
    calls = {"a": lambda: sum(range(100)), "b": lambda: sum(range(3000))}
    samples = rounds.taken(calls, rounds=3, n_threads=1)
    assert [len(samples[name]) for name in calls] == [3, 3]
    assert min(samples["b"]) > min(samples["a"]) > 0


def test_what_takes_long_gets_fewer_rounds(monkeypatch):
    monkeypatch.setattr(rounds, "BUDGET_S", 0.0)
    samples = rounds.taken({"a": lambda: None}, rounds=9, n_threads=1)
    assert len(samples["a"]) == rounds.FEWEST


def test_on_one_thread_the_work_of_others_is_noticed():
    with ThreadPoolExecutor(1) as pool:
        calls = {"hidden": lambda: pool.submit(sum, range(100_000)).result()}
        with pytest.raises(ValueError, match=r"hidden leaves \d+% of its work to other threads"):
            rounds.taken(calls, rounds=1, n_threads=1)


def test_threads_are_equal_inside_and_as_before_outside():
    before = torch.get_num_threads()
    with rounds.equally(2):
        assert torch.get_num_threads() == 2
        with rounds.equally(1):
            assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


# How it judges


@settings(max_examples=40, deadline=None, database=None)
@given(ours=SECONDS, factor=st.floats(0.1, 10.0))
def test_a_peer_that_takes_so_many_times_as_long_has_that_ratio(ours, factor):
    samples = {"ours": ours, "peer": [factor * s for s in ours], "other": ours}
    row = measured_row(samples=samples)
    np.testing.assert_allclose(row["entries"]["peer"]["ratio"], factor, rtol=1e-12)
    assert row["entries"]["other"]["ratio"] == 1.0
    assert row["entries"]["ours"]["median_s"] == np.median(ours)


def test_ratios_are_of_the_same_round_and_shares_of_the_limit():
    row = measured_row(Bar(1.5))
    entry = row["entries"]["peer"]
    assert entry["ratio"] == np.median([3 / 2, 4 / 4, 6 / 2])
    assert (entry["ratio_low"], entry["ratio_high"]) == (1.25, 2.25)
    assert row["best"] == "peer"  # the other one is faster, and does not count
    assert (row["rate"], row["share"]) == (4.0, 0.5)


@pytest.mark.parametrize(
    ("bar", "found", "verdict"),
    [
        (Bar(1.5), 1.5, "met"),
        (Bar(1.6), 1.5, "near"),
        (Bar(1.7), 1.5, "missed"),
        (Bar(0.5, ("other",)), 0.5, "met"),
        (Bar(1.0, ("peer", "other")), 0.5, "missed"),
        (Bar(1.0, ("not installed",)), None, "absent"),
        (Bar(0.5, LIMIT), 0.5, "met"),
        (Bar(4.1, RATE), 4.0, "near"),
        (Bar(0.1, asks=("no such instruction",)), 1.5, "not asked"),
    ],
)
def test_a_bar_is_met_near_or_missed(bar, found, verdict):
    judged = measured_row(bar)["bars"][0]
    assert (judged["found"], judged["verdict"]) == (found, verdict)


def test_a_limit_that_was_not_measured_is_no_share():
    row = rows.row(case(bars=[Bar(0.5, LIMIT)]), SAMPLES, 1, {})
    assert row["share"] is None
    assert row["bars"][0]["verdict"] == "absent"


def test_a_mean_is_over_the_cases_of_its_group():
    bars = {"both": Bar(1.5, ("peer",))}
    row = measured_row() | {"groups": ["both"]}
    slow = {"ours": SAMPLES["ours"], "peer": [9.0, 9.0, 9.0], "other": [1.0] * 3}
    other = measured_row(samples=slow) | {"groups": ["both"]}
    (found,) = rows.means([row, other, measured_row()], bars)
    assert found["bars"][0]["found"] == np.mean([1.5, 4.5])
    assert found["bars"][0]["verdict"] == "met"
    assert rows.means([measured_row()], bars) == []


# What it computes, on small sizes: each entry against the reference

SMALL = {
    sparse: {
        "FULL": {"fully connected": (64, 128, 64)},
        "DENSITIES": {"fully connected": (0.5, 0.1)},
    },
    spmv: {"SIDE": 128, "DENSITIES": (0.7, 0.1)},
    pattern: {"LAYERS": ((16, 6),)},
    depthwise: {"LAYERS": ((20, 9, 2),)},
    int8: {"SHAPES": ((20, 64, 48), (1, 64, 48))},
    int4: {"SHAPES": ((64, 256),)},
    xnor: {"SHAPES": ((20, 128, 64),)},
    points: {"SIZES": {"few points": (300, 12)}, "CHANNELS": ((16, 64),)},
    huffman: {"N": 5000},
}


@pytest.mark.parametrize("module", SMALL, ids=lambda module: module.__name__.split(".")[-1])
@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore:Sparse :UserWarning", "ignore:.*quantize_per_tensor:UserWarning"
)
def test_ours_and_every_peer_compute_the_same(module, monkeypatch):
    for name, value in SMALL[module].items():
        monkeypatch.setattr(module, name, value)
    with torch.inference_mode(), rounds.equally(1):
        found = list(module.cases(1))
        for each in found:
            demand_same(each)
    assert found
    for each in found:
        assert len(each.entries) > 1
        assert each.limit in {"", *peaks.UNITS}
        for bar in each.bars:
            assert bar.of in (LIMIT, RATE) or set(bar.of) <= set(each.entries) | OPTIONAL


OPTIONAL = {peers.PREPACKED, int4.ORT_EXACT, int4.ORT_BYTES, huffman.ZSTD, huffman.ANS}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's exporter
def test_a_pruned_network_is_compared_before_it_is_timed():
    torch.manual_seed(0)
    dense = nn.Sequential(nn.Flatten(), nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8)).eval()
    x = torch.randn(4, 1, 4, 4)
    compressed = prune(dense, x, sparsity=0.5).model
    with torch.inference_mode(), rounds.equally(1):
        found = networks._pruned("tiny", dense, compressed, x)
        demand_same(found)
        other = prune(dense, x, sparsity=0.9).model
        wrong = networks._pruned("tiny", dense, other, x)
        with pytest.raises(ValueError, match="accelerated is off by"):
            demand_same(replace(found, entries=wrong.entries))
    np.testing.assert_allclose(found.want, compressed(x).detach())


def test_numpys_map_is_the_dictionarys():
    found = points.surface(200, 9)
    shuffled = np.random.default_rng(0).permutation(found)
    for sites in (found, shuffled):
        ours = points.map_of_numpy(sites, cube(3, 3))
        theirs = kernel_map_reference(sites, sites, cube(3, 3))
        for mine, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(mine, other)


def test_patterns_keep_the_middle_and_three_more():
    kept = pattern.patterned(8, 4, 1.0) != 0
    assert kept[:, :, 1, 1].all()
    assert (kept.sum(axis=(2, 3)) == 4).all()
    np.testing.assert_array_equal(kept[0], kept[3])


@pytest.mark.slow
def test_peaks_are_known_and_bytes_are_faster_than_floats():
    found = peaks.peaks(1, rounds=1)
    assert set(found) <= set(peaks.UNITS) == set(peaks.WHAT)
    assert all(rate > 0 for rate in found.values())
    assert found[peaks.POPCOUNT] > found[peaks.FMA]


@pytest.mark.slow
def test_a_first_call_is_shorter_when_it_was_compiled_before(tmp_path):
    cold, warm = (start_up.asked("block_matmul", str(tmp_path)) for _ in range(2))
    assert 0 < warm["first"] < cold["first"]
    assert "torch" not in warm["loaded"]


# What a run leaves


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """Two sections of one case each instead of all, and what was run."""
    called: list[str] = []

    def section(name):
        def cases(n_threads):
            called.append(f"{name} {n_threads}")
            yield case(bars=[Bar(0.001)])

        return SimpleNamespace(TITLE=f"Section {name}", NOTE="A note.", cases=cases)

    monkeypatch.setattr(kernels, "SECTIONS", ("first", "second"))
    monkeypatch.setattr(kernels, "_module", section)
    monkeypatch.setattr(kernels, "PARTIAL", tmp_path / "results" / "kernels.part")
    monkeypatch.setattr(peaks, "peaks", lambda n, rounds: {"fma": 1e9 * n * rounds})
    monkeypatch.setattr(rounds, "LEAST_S", 1e-5)
    monkeypatch.setattr(rounds, "SETTLE_S", 0.0)
    monkeypatch.setenv("EFFICIENTDL_UI", "silent")
    monkeypatch.delenv("EFFICIENTDL_BENCH_SECTIONS", raising=False)
    monkeypatch.delenv("EFFICIENTDL_BENCH_THREADS", raising=False)
    return called


def test_every_section_runs_with_every_number_of_threads(calls):
    results = kernels.measure(1)
    assert calls == ["first 1", "first 2", "second 1", "second 2"]
    assert [r["section"] for r in results] == ["limits"] * 2 + ["first"] * 2 + ["second"] * 2
    assert json.loads(json.dumps(results)) == results
    assert not kernels.PARTIAL.exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interrupted_run_goes_on_where_it_stopped(calls, monkeypatch, error):
    whole = kernels._module

    def broken(name):
        if name == "second":
            raise error
        return whole(name)

    monkeypatch.setattr(kernels, "_module", broken)
    if error is KeyboardInterrupt:
        assert len(kernels.measure(1)) == 4
    else:
        with pytest.raises(error):
            kernels.measure(1)
    monkeypatch.setattr(kernels, "_module", whole)
    assert len(kernels.measure(1)) == 6
    assert calls == ["first 1", "first 2", "second 1", "second 2"]  # each once


def test_results_of_other_rounds_or_versions_are_not_taken(calls, monkeypatch):
    kernels._store({"first, 1": {"rows": []}}, 1)
    assert list(kernels._stored(1)) == ["first, 1"]
    assert kernels._stored(2) == {}
    monkeypatch.setattr(peers, "versions", lambda: {"numpy": "another"})
    assert kernels._stored(1) == {}


def test_what_an_earlier_run_has_left_stands_beside_what_is_asked_for(calls, monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_BENCH_SECTIONS", "second")
    kernels.measure(1)
    monkeypatch.setenv("EFFICIENTDL_BENCH_SECTIONS", "first")
    monkeypatch.setenv("EFFICIENTDL_BENCH_THREADS", "1,3")
    results = kernels.measure(1)
    assert calls == ["second 1", "second 2", "first 1", "first 3"]
    found = [(r["section"], r["threads"]) for r in results if r["section"] != "limits"]
    assert found == [("first", 1), ("second", 1), ("second", 2), ("first", 3)]


def test_sections_and_threads_can_be_chosen(calls, monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_BENCH_SECTIONS", "second")
    monkeypatch.setenv("EFFICIENTDL_BENCH_THREADS", "2")
    results = kernels.measure(1)
    assert calls == ["second 2"]
    text = kernels.page(results, {"cores": 2})
    assert "Not run: Section first." in text
    assert "cores: 2." in text


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SECTIONS", "third", "must be one of first, second, got 'third'"),
        ("THREADS", "0", "must be numbers of threads, like 1,2, got '0'"),
        ("THREADS", "one", "must be numbers of threads, like 1,2, got 'one'"),
    ],
)
def test_what_is_none_is_refused(calls, monkeypatch, name, value, words):
    monkeypatch.setenv(f"EFFICIENTDL_BENCH_{name}", value)
    with pytest.raises(ValueError, match=words):
        kernels.measure(1)
    assert calls == []


# The page and the drawing


def results_of(*bars):
    versions = {"numpy": "2", "spconv": "absent"}
    limits = {"fma": 8e9, "read 8 MB": 1e9}
    row = measured_row(*bars)
    return [
        {"section": "limits", "threads": 1, "rounds": 3, "seconds": 1.0, "limits": limits}
        | {"versions": versions, "rows": []},
        {"section": "first", "threads": 1, "rounds": 3, "seconds": 59.0, "rows": [row]},
    ]


def shown(*bars):
    titles, notes = {"first": "First", "second": "Second"}, {"first": "Noted.", "second": ""}
    return pages.page("Kernels.", results_of(*bars), {"cores": 2}, titles, notes)


def test_the_page_says_what_came_of_every_bar():
    text = shown(Bar(1.5), Bar(1.7), Bar(0.5, LIMIT), Bar(1.0, ("spconv",)))
    assert "1 thread: 2 met, 1 missed, 1 absent." in text
    assert "| First | a case | 1 | 1.5 times every peer | 1.50 | 1.25 to 2.25 | met |" in text
    assert "| 1.7 times every peer | 1.50 | 1.25 to 2.25 | **missed** |" in text
    assert "| 50 % of fma | 50 % |  | met |" in text
    assert "| 1 times spconv | none |  | peer absent |" in text
    assert "numpy 2, spconv absent." in text
    assert "| fma: fp32 multiply-adds between registers | 8.0 | GMAC/s |" in text
    assert "Noted." in text
    assert "Not run: Second." in text


def test_the_page_has_all_peers_beside_ours():
    text = shown()
    assert "| ms | ours | peer | other | best peer | times | half between |" in text
    assert "| a case | 2e+03 (2e+03 to 3e+03) | 4e+03 | 1e+03 | peer | 1.50 |" in text
    assert "- a case: faster than ours: other (0.50)." in text
    assert "## Bars" not in text


def test_the_drawing_has_a_mark_for_each_bar_and_says_it_in_words():
    drawn = results_of(Bar(1.5), Bar(1.6), Bar(1.7), Bar(1.0, ("spconv",)))
    text = pictures.picture(drawn, {"first": "First"})
    root = ElementTree.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    marks = root.findall(f"{space}g")
    assert len(marks) == 3  # the absent peer has none
    assert root.find(f"{space}desc").text.startswith("3 bars: 1 met, 1 near, 1 missed.")
    assert marks[0].find(f"{space}title").text.endswith("threads 1: 1.50, met")
    disc = marks[0].find(f"{space}circle")
    assert float(disc.get("cx")) == round(pictures.place(1.0), 1)
    assert marks[1].find(f"{space}polygon") is not None
    cross = marks[2].find(f"{space}path").get("d")
    assert cross.startswith(f"M{pictures.place(1.5 / 1.7) - 4:.1f},")


def test_few_seconds_stand_to_the_right_of_many():
    shares = [pictures._share(start_up.row("a", [s], 0.5)["bars"][0]) for s in (1.0, 0.5, 0.25)]
    assert shares == [0.5, 1.0, 2.0]


def test_one_line_has_a_mark_for_each_number_of_threads():
    drawn = results_of(Bar(1.5))
    drawn.append(drawn[1] | {"rows": [drawn[1]["rows"][0] | {"threads": 2}]})
    root = ElementTree.fromstring(pictures.picture(drawn, {"first": "First"}))
    (line,) = root.findall("{http://www.w3.org/2000/svg}g")
    discs = line.findall("{http://www.w3.org/2000/svg}circle")
    assert [disc.get("fill") for disc in discs] == [pictures.COLOURS["met"], "#ffffff"]


@settings(max_examples=40, deadline=None, database=None)
@given(a=st.floats(0.01, 10), b=st.floats(0.01, 10))
def test_more_is_never_further_left(a, b):
    small, large = sorted((a, b))
    assert pictures.place(small) <= pictures.place(large)


def test_names_with_signs_are_escaped():
    drawn = results_of(Bar(1.0))
    drawn[1]["rows"][0]["case"] = "a < b & c"
    ElementTree.fromstring(pictures.picture(drawn, {"first": "First"}))


def test_what_others_measured_stands_in_tables_of_its_own():
    results = results_of()
    figures = [{"network": "a|b", "times": 1.23456}, {"network": "c", "times": [1, 2.5]}]
    results[1]["rows"] = [
        {"case": "int8_networks", "threads": 1, "entries": {}, "figures": each} for each in figures
    ]
    text = pages.page("Kernels.", results, {}, {"first": "First"}, {"first": ""})
    assert "| int8_networks | network | times |\n|---|---|---|\n" in text
    assert "| | a\\|b | 1.235 |\n| | c | 1, 2.5 |" in text
