"""The README's Python runs as it stands there."""

import re
from pathlib import Path

import pytest

from efficientdl.automl import recipes
from efficientdl.costs.side_by_side import SideBySide

README = Path(__file__).parents[1] / "README.md"


def test_its_python_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(
        r"^```python\n(.*?)^```", README.read_text(), flags=re.DOTALL | re.MULTILINE
    )
    assert len(blocks) == 3
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(README), "exec"), names)  # our own file
    last = blocks[-1].strip().splitlines()[-1]
    table = eval(last, names)
    assert isinstance(table, SideBySide)
    assert table["few bits"].stored_bits < table["thinner"].stored_bits < table["dense"].stored_bits
    assert table["thinner"].macs < table["few bits"].macs == table["dense"].macs
    assert (tmp_path / "tiny.edlc").stat().st_size == recipes.file_bytes(names["tiny"])
