"""Nothing ships without a card, a checksum, a license and a script that makes it."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from efficientdl.models.trained import read_about

DATA = Path(__file__).parents[2] / "data"
CARDS = (DATA / "README.md").read_text(encoding="utf-8")
FILES = sorted(
    path.relative_to(DATA).as_posix()
    for path in DATA.rglob("*")
    if path.is_file()
    and path.relative_to(DATA).parts[0] not in ("scripts", "licenses")
    and path.name not in ("README.md", "SHA256SUMS")
)
ARRAYS = [name for name in FILES if name.endswith(".npz")]
WEIGHTS = [name for name in FILES if name.startswith("weights/")]


def card(name):
    """The lines of the card in which the file stands."""
    cards = re.split(r"^#+ ", CARDS, flags=re.MULTILINE)
    (found,) = [text for text in cards if f"`{name}`" in text]
    return dict(re.findall(r"^\| (.+?) \| (.+) \|$", found, flags=re.MULTILINE))


def test_checksums_are_complete_and_right():
    lines = (DATA / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}
    actual = {name: hashlib.sha256((DATA / name).read_bytes()).hexdigest() for name in FILES}
    assert sums == actual


@pytest.mark.parametrize("name", [name for name in FILES if name not in WEIGHTS])
def test_card(name):
    rows = card(name)
    assert {"What", "Origin", "License", "Attribution", "Made by", "Loaded by"} <= set(rows)
    content = (DATA / name).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    assert rows[f"`{name}`"] == f"{len(content):,} bytes, SHA-256 `{digest}`"
    script = re.match(r"`(scripts/\w+\.py)`", rows["Made by"])[1]
    source = (DATA / script).read_text(encoding="utf-8")
    assert name in source, "a script says in its first lines what it makes"
    assert all(
        (DATA / text).is_file() for text in re.findall(r"licenses/\w+\.txt", rows["License"])
    )


@pytest.mark.parametrize("name", WEIGHTS)
def test_row_of_weights(name):
    said = read_about(DATA / name)
    (row,) = [line for line in CARDS.splitlines() if line.startswith(f"| {Path(name).name} |")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:3] == [said["network"], said["dataset"]]
    assert cells[4] == f"{(DATA / name).stat().st_size:,}"
    assert cells[5] == f"{said['test_accuracy']:.4f}"
    assert f'"{said["dataset"]}"' in (DATA / "scripts/train_networks.py").read_text()


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_need_no_unpickling(name):
    with np.load(DATA / name, allow_pickle=False) as stored:
        assert all(array.size for array in stored.values())


def test_every_license_text_is_named_by_a_card():
    named = set(re.findall(r"licenses/(\w+\.txt)", CARDS))
    assert named == {path.name for path in (DATA / "licenses").iterdir()}


def test_share_alike_is_said_where_it_holds():
    for name in ("mnist_6k.npz", "kws_real_asterisk_digits.npz"):
        assert "ShareAlike 3.0" in card(name)["License"]


def test_it_all_stays_small():
    assert sum((DATA / name).stat().st_size for name in FILES) < 20_000_000


def test_packages_are_pinned_by_version_and_checksum():
    lines = (DATA / "scripts/packages.txt").read_text().splitlines()[1:]
    for line in lines:
        client, package, version, digest = line.split()
        assert client in ("apt", "npm", "pip")
        assert re.fullmatch(r"[0-9a-f]{64}", digest), package
        helper = package.startswith(("lib", "espeak")) or package == "pysword"
        assert helper or f"{package} {version}" in CARDS, package


def run(tmp_path, *code):
    """Run code beside the scripts, with `output.DATA` in a folder of its own."""
    lines = ["import output, pathlib, sys", f"output.DATA = pathlib.Path({str(tmp_path)!r})", *code]
    return subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        cwd=DATA / "scripts",
        capture_output=True,
        text=True,
        check=False,
    )


def test_scripts_write_the_same_bytes_and_say_when_they_differ(tmp_path):
    (tmp_path / "SHA256SUMS").write_text("")
    build = "output.text('a.txt.gz', 'one line')"
    assert "differs from the shipped file" in run(tmp_path, build).stderr
    assert "written" in run(tmp_path, "sys.argv.append('--write')", build).stdout
    digest = hashlib.sha256((tmp_path / "a.txt.gz").read_bytes()).hexdigest()
    assert (tmp_path / "SHA256SUMS").read_text() == f"{digest}  a.txt.gz\n"
    assert "equal bit for bit" in run(tmp_path, build).stdout
    other = run(tmp_path, "output.text('a.txt.gz', 'another line')")
    assert (other.returncode, "differs" in other.stderr) == (1, True)


def test_a_package_with_another_checksum_is_not_built_from(tmp_path):
    code = [
        "import sources",
        f"sources.DOWNLOADS = pathlib.Path({str(tmp_path)!r})",
        "def download(wanted, folder):",
        "    path = folder / 'a.whl'",
        "    path.write_bytes(b'another file')",
        "    return path",
        "sources._download = download",
        "sources.package('sktime')",
    ]
    failed = run(tmp_path, *code)
    assert failed.returncode == 1
    assert "a.whl: SHA-256 is" in failed.stderr
    assert "nothing was built" in failed.stderr
