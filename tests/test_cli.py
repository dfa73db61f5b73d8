"""The command line: what it prints, and how it says no."""

import json
import os
import subprocess
import sys

import pytest

from efficientdl import _files
from efficientdl.catalogue import listing
from efficientdl.cli import main
from efficientdl.kernels import compiled, cpu

FIELDS = ["id", "title", "survey", "paper", "symbol", "lab", "test"]


def test_list_json_is_the_catalogue(capsys):
    assert main(["list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows == listing()
    assert all(list(row) == FIELDS for row in rows)


def test_list_prints_a_line_for_each_technique(capsys):
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert all(row["id"] in out for row in listing())
    assert f"{len(listing())} techniques" in out


def test_list_imports_no_torch():
    code = """
import sys
from efficientdl.kernels import compiled, cpu
from efficientdl.cli import main
main(["list"])
assert "torch" not in sys.modules
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_profile_json_has_the_known_figures(capsys):
    assert main(["profile", "mobilenet_v1", "--json"]) == 0
    profile = json.loads(capsys.readouterr().out)
    # Howard et al., 2017, Table 8: 569 million MACs and 4.2 million parameters at 224 pixels
    assert profile["network"] == "mobilenet_v1"
    assert round(profile["macs"] / 1e6) == 569
    assert round(profile["params"] / 1e6, 1) == 4.2
    assert profile["weight_bytes"] == 4 * profile["params"]
    assert sum(layer["macs"] for layer in profile["layers"]) == profile["macs"]
    assert sum(layer["params"] for layer in profile["layers"]) == profile["params"]
    assert (
        max(layer["activation_bytes"] for layer in profile["layers"])
        == (profile["activation_bytes"])
    )


def test_profile_scales_with_batch_and_resolution(capsys):
    def profile(*words):
        assert main(["profile", "vgg16", "--json", *words]) == 0
        return json.loads(capsys.readouterr().out)

    one, four = profile(), profile("--batch", "4")
    assert four["macs"] == 4 * one["macs"]
    assert four["params"] == one["params"]
    small = profile("--resolution", "224", "--batch", "2")
    assert (small["resolution"], small["batch"]) == (224, 2)


def test_profile_prints_a_table(capsys):
    assert main(["profile", "squeezenet"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("squeezenet, batch 1, 227 x 227 pixels")
    assert out.splitlines()[2].split()[:3] == ["layer", "params", "MACs"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["profile", "resnet5"], "did you mean 'resnet50'"),
        (["profile", "resnet50", "--batch", "0"], "batch must be a whole number, 1 or more, got 0"),
        (["profile", "vgg16", "--resolution", "-3"], "resolution must be a whole number"),
        (["profile", "alexnet", "--resolution", "16"], "does not fit alexnet"),
        (["build", "no/such/folder"], "no/such/folder"),
        (["progress", "no/such/folder"], "folder must be a folder, got 'no/such/folder'"),
    ],
)
def test_bad_input_is_said_in_plain_words(words, said, capsys):
    assert main(words) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""
    assert "Traceback" not in captured.err
    assert len(captured.err.strip().splitlines()) == 1


def test_unknown_command_exits_with_2():
    with pytest.raises(SystemExit) as stop:
        main(["prune-everything"])
    assert stop.value.code == 2


def test_doctor_finds_this_machine_well(capsys):
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "BAD" not in out
    assert f"{len(_files.names())} files" in out


def test_doctor_says_what_kernels_can_use(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))  # a folder without a compiler
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    said = out.split("kernels use: ")[1].splitlines()[0]
    assert (cpu.AVX2 in said) == cpu.has(cpu.AVX2)
    assert str(compiled.folder(compiled.HERE)) in out
    assert "C compiler: none" in out


def test_doctor_names_a_corrupted_file(tmp_path, monkeypatch, capsys):
    for name in ("SHA256SUMS", "mtcnn_pnet.npz"):
        (tmp_path / name).write_bytes((_files.data_folder() / name).read_bytes())
    sums = (tmp_path / "SHA256SUMS").read_text().splitlines()
    (tmp_path / "SHA256SUMS").write_text(next(s for s in sums if "pnet" in s) + "\n")
    (tmp_path / "mtcnn_pnet.npz").write_bytes(b"cut off")
    monkeypatch.setenv("EFFICIENTDL_DATA", str(tmp_path))
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "BAD  data/mtcnn_pnet.npz" in out
    assert "corrupted" in out


def test_module_runs_as_a_command():
    run = subprocess.run(
        [sys.executable, "-m", "efficientdl", "profile", "resnet"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ},
    )
    assert run.returncode == 2
    assert run.stderr.startswith("efficientdl profile: ")


def test_progress_needs_no_torch_and_prints_the_table(tmp_path):
    code = """
import sys
from efficientdl.kernels import compiled, cpu
from efficientdl.cli import main
status = main(["progress", sys.argv[1]])
assert not {"torch", "IPython", "nbformat", "ipykernel"} & sys.modules.keys()
sys.exit(status)
"""
    (tmp_path / "01_costs.ipynb").write_text('{"metadata": {}, "cells": []}')
    words = [sys.executable, "-c", code, str(tmp_path)]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("0 of 100 points, as far as the public cases tell.\n\ntask ")
    assert "Energy of a layer" in run.stdout


def test_progress_as_json(tmp_path, capsys):
    (tmp_path / "01_costs.ipynb").write_text("no notebook")
    assert main(["progress", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {
        "earned": 0,
        "points": 0,
        "labs": [],
        "remarks": ["01_costs.ipynb cannot be read as a notebook."],
    }
