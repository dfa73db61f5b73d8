"""Run a notebook: a fresh kernel in an empty folder, one thread, outputs that do not wander."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nbformat import NotebookNode, v4

from efficientdl import _check

if TYPE_CHECKING:
    from nbclient import NotebookClient
    from traitlets.config import Config

PARAMETERS = {"SEED": 0, "FAST": True}  # how a committed solution is run
_CELL_S = 600
_QUIET = {
    "EFFICIENTDL_UI": "static",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # else the debugger warns on standard error
}


def static_environment(**more: str) -> dict[str, str]:
    """The environment of a run whose outputs are kept: static faces, one thread, no home."""
    kept = {k: v for k, v in os.environ.items() if k not in ("EFFICIENTDL_HOME", "PYTHONWARNINGS")}
    return {**kept, **_QUIET, **more}


def execute(notebook: NotebookNode, folder: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """Run every code cell, in place; an error does not stop the run.

    `SEED` and `FAST` get the values of a committed solution, after the cell tagged `parameters`.

    Args:
        notebook: Its outputs and execution counts are filled.
        folder: An empty folder, the kernel's working folder.
        environment: Of the kernel.

    Yields:
        The index of each code cell, when it has run.

    Raises:
        BadValue: A cell took more than ten minutes, or the kernel died.
    """
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    index, cell = 0, None
    try:
        with _kernel(notebook, folder, environment) as client:
            for index, cell in enumerate(notebook.cells):
                if cell.cell_type != "code":
                    continue
                client.execute_cell(cell, index)
                cell.outputs = _settled(cell.outputs)
                if "parameters" in cell.metadata.get("tags", ()):
                    client.execute_cell(_parameters(), index, store_history=False)
                    notebook.cells[index] = cell  # the client puts in what it has run
                yield index
    except CellTimeoutError:
        _check.fail("build", f"cell {index + 1}", f"must finish within {_CELL_S} s", _first(cell))
    except DeadKernelError:
        _check.fail("build", f"cell {index + 1}", "must not kill its kernel", _first(cell))
    notebook.metadata.pop("widgets", None)


def errors(notebook: NotebookNode) -> dict[int, str]:
    """The error of each cell that ended in one, by index: `ValueError: no`."""
    return {
        i: f"{output.ename}: {output.evalue}"
        for i, cell in enumerate(notebook.cells)
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "error"
    }


@contextmanager
def _kernel(
    notebook: NotebookNode, folder: Path, environment: Mapping[str, str]
) -> Iterator["NotebookClient"]:
    from nbclient import NotebookClient

    with tempfile.TemporaryDirectory(prefix="efficientdl-") as sockets:
        client = NotebookClient(
            notebook,
            timeout=_CELL_S,
            kernel_name="python3",
            allow_errors=True,
            record_timing=False,
            config=kernel_config(Path(sockets)),
            resources={"metadata": {"path": str(folder)}},
        )
        with client.setup_kernel(env=dict(environment)):
            yield client


def kernel_config(sockets: Path) -> "Config":
    """How a kernel is reached: by sockets in a folder, so no port and no warning of one."""
    from traitlets.config import Config

    config = Config()
    config.KernelManager.shutdown_wait_time = 1.0
    if os.name == "posix":
        config.KernelManager.transport = "ipc"
        config.KernelManager.ip = str(sockets.resolve() / "kernel")
    return config


def _parameters() -> NotebookNode:
    return v4.new_code_cell("\n".join(f"{k} = {v!r}" for k, v in PARAMETERS.items()))


def _settled(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Pieces of one stream joined: where a stream is cut is a matter of timing."""
    joined: list[NotebookNode] = []
    for output in outputs:
        same = joined and output.output_type == "stream" == joined[-1].output_type
        if same and output.name == joined[-1].name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def _first(cell: NotebookNode | None) -> str:
    return cell.source.splitlines()[0] if cell and cell.source else ""
