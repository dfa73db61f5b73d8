"""Set-up of every test run: one thread, and shapes checked where CHECK_SHAPES=1 asks for it."""

import os
import sys
from collections.abc import Generator

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")
sys.modules.setdefault("rfc3987_syntax", None)  # see efficientdl/__init__.py

if os.environ.get("CHECK_SHAPES"):  # before efficientdl is first imported
    from jaxtyping import install_import_hook

    import tests.shapes  # noqa: F401 (the hook looks `check` up in the imported package)

    # Not `kernels`: the hook would stand between Numba and the functions that it compiles.
    HOOKED = ["tensors", "protocols", "costs", "models", "datasets", "fit", "compression"]
    install_import_hook([f"efficientdl.{name}" for name in HOOKED], "tests.shapes.check")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="also the tests marked `full`")


def pytest_configure(config: pytest.Config) -> None:
    """Hypothesis draws the same examples in every run, and fresh ones in `make full`."""
    settings.register_profile("same", deadline=None, database=None, derandomize=True)
    settings.register_profile("fresh", deadline=None, print_blob=True)
    settings.load_profile("fresh" if config.getoption("--full") else "same")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that only `make full` runs."""
    if config.getoption("--full"):
        return
    full = [item for item in items if item.get_closest_marker("full")]
    config.hook.pytest_deselected(items=full)
    items[:] = [item for item in items if item not in full]


def pytest_runtest_setup() -> None:
    """Weights that a test draws without a seed are the same in any order of the tests."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where EFFICIENTDL_STRICT=1, a test that skips has failed, with its reason."""
    report = yield
    if report.skipped and os.environ.get("EFFICIENTDL_STRICT") == "1":
        report.outcome = "failed"
        report.longrepr = f"skipped, and EFFICIENTDL_STRICT=1 allows no skip: {report.longrepr}"
    return report
