"""A JupyterLab server on the labs' own settings, and a Chromium that looks at it."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOKEN = "efficientdl-test"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def chromium():
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no chromium on this machine")
    return path


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[str]:
    """The address of a JupyterLab that serves a copy of labs/, set up as `make lab` sets it up."""
    folder = tmp_path_factory.mktemp("jupyter")
    shutil.copytree(ROOT / "labs", folder / "labs")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        *(f"--port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}"),
        *(f"--notebook-dir={folder / 'labs'}", "--expose-app-in-browser"),
    ]
    homes = {"HOME": str(folder), "IPYTHONDIR": str(folder / "ipython")}
    settings = {"JUPYTER_CONFIG_PATH": str(ROOT / ".jupyter"), "JUPYTER_PLATFORM_DIRS": "1"}
    env = {**os.environ, **homes, **settings, "EFFICIENTDL_UI": "live"}
    log = (folder / "server.log").open("w")
    process = subprocess.Popen(words, env=env, stdout=log, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(f"{address}/api?token={TOKEN}", process, folder / "server.log")
        yield address
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def _wait(url, process, log):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise AssertionError(f"no server after a minute: {log.read_text()}")


@dataclass
class Heard:
    """What the page said to the console, and whom it asked."""

    console: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)


@dataclass
class Lab:
    """A lab that is open in the browser."""

    page: object
    heard: Heard

    def run_all(self) -> None:
        """Run every cell and wait until the kernel has nothing more to do."""
        self.page.evaluate(
            "window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => true)"
        )

    def slider(self, name):
        """The slider of this accessible name."""
        return self.page.get_by_role("slider", name=name)


@pytest.fixture(scope="session")
def browser(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_lab(server, browser):
    """Open a lab by name, its kernel ready."""
    pages = []

    def open_(name: str) -> Lab:
        page = browser.new_page(viewport={"width": 1280, "height": 1600})
        pages.append(page)
        heard = Heard()
        page.on("console", lambda m: heard.console.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: heard.console.append(str(error)))

        def asked(request):
            if not request.url.startswith((server, "data:", "blob:", server.replace("http", "ws"))):
                heard.outside.append(request.url)

        page.on("request", asked)
        page.goto(f"{server}/doc/tree/{name}.ipynb?reset&token={TOKEN}")
        page.wait_for_selector(".jp-Notebook", timeout=90_000)
        page.wait_for_function(KERNEL_READY, timeout=90_000)
        return Lab(page, heard)

    yield open_
    for page in pages:
        page.close()


KERNEL_READY = """() => {
  const widget = window.jupyterapp?.shell?.currentWidget;
  return widget?.sessionContext?.session?.kernel?.status === "idle";
}"""
