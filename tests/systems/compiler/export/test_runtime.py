"""What the runtime is given, it checks, and what is missing, it names."""

import builtins
import importlib

import pytest
import torch
from torch import nn

from efficientdl._check import BadKind, BadValue
from efficientdl.systems.compiler.export import export_onnx, extra, run_onnx

X = torch.ones(2, 4)


@pytest.fixture(scope="module")
def model():
    with torch.random.fork_rng(devices=[]):
        return export_onnx(nn.Linear(4, 3), X)


def test_a_file_runs_as_its_bytes_do(model, tmp_path):
    path = tmp_path / "linear.onnx"
    path.write_bytes(model)
    for given in (path, str(path)):
        torch.testing.assert_close(run_onnx(given, X), run_onnx(model, X), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ((), "run_onnx: inputs must be 1, got 0"),
        ((torch.ones(2, 5),), r"run_onnx: x must be float \[2, 4\], got \('float', \[2, 5\]\)"),
        ((X.double(),), r"run_onnx: x must be float \[2, 4\], got \('double', \[2, 4\]\)"),
    ],
)
def test_other_inputs_are_refused(model, x, message):
    with pytest.raises(BadValue, match=message):
        run_onnx(model, *x)


def test_what_is_no_tensor_and_no_model_is_refused(model):
    with pytest.raises(BadKind, match="run_onnx: x must be a Tensor, got 3"):
        run_onnx(model, 3)
    with pytest.raises(BadKind, match="run_onnx: model must be a bytes or str or Path, got 3"):
        run_onnx(3, X)
    with pytest.raises(BadValue, match="run_onnx: model must be an ONNX model that onnxruntime"):
        run_onnx(b"no model", X)


@pytest.mark.parametrize("name", ["onnx", "onnxruntime"])
def test_a_missing_extra_says_how_to_get_it(model, monkeypatch, name):
    def absent(wanted):
        if wanted == name:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return importlib.import_module(wanted)

    monkeypatch.setattr(extra, "import_module", absent)
    message = f'{name} must be installed, by `pip install "efficientdl\\[export\\]"`'
    with pytest.raises(BadValue, match=message):
        run_onnx(export_onnx(nn.Linear(4, 3), X), X)


def test_the_compiler_is_imported_without_the_extra(monkeypatch):
    real = builtins.__import__

    def guarded(name, *args, **kwargs):
        assert not name.startswith("onnx"), "imported at the top of a file"
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", guarded)
    for name in ("extra", "writer", "export", "runtime"):
        importlib.reload(importlib.import_module(f"efficientdl.systems.compiler.export.{name}"))
