"""The README's Python runs as it stands there."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from efficientdl.automl import recipes
from efficientdl.costs.side_by_side import SideBySide
from efficientdl.systems.hardware import analyse, simulate

README = Path(__file__).parents[1] / "README.md"


def test_its_python_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(
        r"^```python\n(.*?)^```", README.read_text(), flags=re.DOTALL | re.MULTILINE
    )
    assert len(blocks) == 5
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(README), "exec"), names)  # our own file
    line = next(line for line in blocks[2].splitlines() if line.startswith("costs.side_by_side"))
    table = eval(line, names)
    assert isinstance(table, SideBySide)
    assert table["few bits"].stored_bits < table["thinner"].stored_bits < table["dense"].stored_bits
    assert table["thinner"].macs < table["few bits"].macs == table["dense"].macs
    assert (tmp_path / "tiny.edlc").stat().st_size == recipes.file_bytes(names["tiny"])
    masked = names["prune"](names["model"], names["x"], sparsity=0.9).model
    torch.testing.assert_close(
        names["fast"](names["x"]), masked(names["x"]).detach(), atol=1e-4, rtol=1e-4
    )  # sums in another order
    assert names["plan"].overhead == 0
    layer, arch = names["layers"]["conv1.conv"], names["arch"]
    x, weight = np.zeros(layer.x_shape, np.int8), np.zeros(layer.weight_shape, np.int8)
    assert simulate(layer, arch, x, weight) == analyse(layer, arch)
