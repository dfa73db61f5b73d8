"""The files that set everything up say the same thing, each in its own words."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NAME = re.compile(r"^[A-Za-z0-9_.-]+")
# what conda-forge calls by another name than the Python package index
CONDA = {"torch": "pytorch-cpu"}
# what is imported under another name than it is installed by
DISTRIBUTION = {
    "PIL": "pillow",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "zmq": "pyzmq",
}


def canonical(requirement):
    return NAME.match(requirement).group().lower().replace("_", "-")


def constraints():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def test_every_requirement_has_an_exact_version():
    pinned = {canonical(name) for name in constraints()}
    extras = PROJECT["optional-dependencies"]
    wanted = {canonical(r) for r in PROJECT["dependencies"] + extras["test"]}
    assert wanted <= pinned, f"not in constraints.txt: {wanted - pinned}"
    assert constraints()["torch"] == "2.13.0"


def test_everything_imported_is_required():
    imported = set()
    for path in (ROOT / "efficientdl").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                imported.add(node.module.partition(".")[0])
    outside = imported - set(sys.stdlib_module_names) - {"efficientdl"}
    wanted = {canonical(DISTRIBUTION.get(name, name)) for name in outside}
    assert wanted <= {canonical(r) for r in PROJECT["dependencies"]}


def test_exact_versions_meet_the_lower_bounds():
    pinned = {canonical(name): version for name, version in constraints().items()}
    for requirement in PROJECT["dependencies"]:
        name, _, bound = requirement.partition(">=")
        have = [int(part) for part in re.findall(r"\d+", pinned[canonical(name)])]
        assert have >= [int(part) for part in bound.split(".")], requirement


def test_environment_has_every_requirement_from_conda_forge():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["channels"] == ["conda-forge"]
    specs = [s for s in environment["dependencies"] if isinstance(s, str)]
    have = {canonical(spec): spec for spec in specs}
    missing = set()
    for requirement in PROJECT["dependencies"]:
        name = canonical(requirement)
        if CONDA.get(name, name) not in have:
            missing.add(name)
    assert not missing
    assert all(re.fullmatch(r"[a-z0-9_-]+((>=|=)[0-9.]+(,<[0-9.]+)?)?", s) for s in specs), specs
    assert have["python"] == "python=3.11"
    assert PROJECT["requires-python"] == ">=3.11"
    pip = [s for s in environment["dependencies"] if isinstance(s, dict)]
    assert pip == [{"pip": ["-e ."]}]


def test_extras_are_those_promised():
    extras = PROJECT["optional-dependencies"]
    assert {"test", "models", "export", "class", "federated"} <= extras.keys()


@pytest.mark.parametrize("target", ["lab", "test", "check", "bench", "labs", "full", "clean"])
def test_makefile_knows_its_targets_from_any_folder(target, tmp_path):
    run = subprocess.run(
        ["make", "--dry-run", "-C", str(ROOT), target],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


def test_readme_names_commands_that_exist():
    readme = (ROOT / "README.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"^make (\w+)", readme, re.M)):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_readme_links_lead_somewhere():
    for page in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / page).read_text()
        for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
            assert (ROOT / link).exists(), f"{page} links to {link}"


def test_jupyter_makes_no_outside_call():
    settings = (ROOT / ".jupyter/jupyter_server_config.json").read_text()
    assert "NeverCheckForUpdate" in settings
    assert '"news_url": ""' in settings
