"""Fetching a file once: checked, resumed where it was cut off, kept in a cache folder.

pooch checks and keeps; what it lacks, going on from the middle, stands here. A file that is half
there waits as `name.part`; the next try asks the server for the rest only.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import pooch
import requests

from efficientdl import _check
from efficientdl.progress import progress

_PIECE, _MEGABYTE = 1 << 16, 1 << 20
_TIMEOUT_S = (10, 60)  # to connect, and between two pieces


class NotFetched(_check.BadValue):
    """A file that could not be had; the text says why and what to do."""


@dataclass(frozen=True)
class Remote:
    """One file to fetch.

    Attributes:
        url: Where it is.
        known_hash: What it must be, as pooch writes it: `md5:...` or a bare SHA-256.
    """

    url: str
    known_hash: str

    @property
    def host(self) -> str:
        """Who has it, for messages."""
        return urlsplit(self.url).netloc


def fetch(remote: Remote, name: str, *, folder: Path) -> Path:
    """The file, from the cache or from the network, its checksum verified.

    Args:
        remote: What to fetch.
        name: The file's name in the cache.
        folder: The folder of the cache.

    Raises:
        NotFetched: The server cannot be reached, stopped in the middle, or sent another file. A
            file that is half there stays for the next try; a wrong one is removed.
    """
    path = folder / name
    if path.is_file() and pooch.file_hash(str(path), _algorithm(remote)) != _digest(remote):
        path.unlink()  # damaged since it was fetched; pooch would say only that it is "updating"
    pooch.get_logger().setLevel(logging.WARNING)  # the progress bar says the rest
    try:
        download: Any = _Resuming(path)  # pooch asks for parameters of certain names
        pooch.retrieve(remote.url, remote.known_hash, name, folder, downloader=download)
    except requests.RequestException as error:
        raise NotFetched(_why(error, remote, name, folder)) from None
    except ValueError:  # pooch's word for a checksum that differs
        rule = "is not the file that was expected (its checksum differs), and was removed; "
        rule += "try again, or tell the project that it has changed"
        raise NotFetched(f"{name} from {remote.host} {rule}") from None
    return path


class _Resuming:
    """A pooch downloader that goes on where `path.part` ends."""

    def __init__(self, path: Path) -> None:
        self.name, self.part = path.name, path.with_name(path.name + ".part")

    def __call__(self, url: str, output_file: str, _: object) -> None:
        while True:
            before = self.size
            try:
                self._go_on(url)
                break
            except requests.RequestException:
                if self.size <= before:  # a try that brought nothing is the last
                    raise
        self.part.replace(output_file)

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.part.stat().st_size if self.part.is_file() else 0

    def _go_on(self, url: str) -> None:
        # Not compressed on the way: positions in the file and on the wire must be the same.
        headers = {"Accept-Encoding": "identity"}
        if self.size:
            headers["Range"] = f"bytes={self.size}-"
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as answer:
            nothing_left = requests.codes.requested_range_not_satisfiable
            if self.size and answer.status_code == nothing_left:
                return
            answer.raise_for_status()
            resumed = answer.status_code == requests.codes.partial_content
            self._write(answer, "ab" if resumed else "wb")

    def _write(self, answer: requests.Response, mode: str) -> None:
        megabytes = -(-int(answer.headers.get("Content-Length", 0)) // _MEGABYTE)
        with self.part.open(mode) as file:
            written = _written(answer, file)
            for _ in progress(written, f"{self.name}, MB", total=megabytes or None):
                """The bar moves; the bytes are in the file already."""


def _written(answer: requests.Response, file: IO[bytes]) -> Iterator[int]:
    """Write an answer piece by piece, and yield at every megabyte and at the end."""
    size = 0
    for piece in answer.iter_content(_PIECE):
        file.write(piece)  # at once, so that what came before a cut is kept
        size += len(piece)
        if size >= _MEGABYTE:
            size -= _MEGABYTE
            yield size
    if size:
        yield size


def _why(error: requests.RequestException, remote: Remote, name: str, folder: Path) -> str:
    part = folder / f"{name}.part"
    if part.is_file() and part.stat().st_size:
        return (
            f"the download of {name} from {remote.host} was cut off after "
            f"{part.stat().st_size:,} bytes, which are kept: try again and it goes on from there"
        )
    if error.response is not None:
        return f"{remote.host} has no {name}: it answered {error.response.status_code}"
    return f"{remote.host} cannot be reached, perhaps for want of a network"


def _algorithm(remote: Remote) -> str:
    return remote.known_hash.split(":")[0] if ":" in remote.known_hash else "sha256"


def _digest(remote: Remote) -> str:
    return remote.known_hash.split(":")[-1].lower()
