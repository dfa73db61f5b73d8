"""Programs that run in a peer's own Python, and print one line of JSON at the end."""

import json
from pathlib import Path
from typing import Any

from benchmarks.peers.pythons import call, python_of
from efficientdl._check import fail

ROOT = Path(__file__).parents[2]


def is_here(peer: str) -> bool:
    """Whether there is a Python with the peer."""
    return python_of(peer) is not None


def asked(peer: str, *words: str, limit_s: float) -> Any:
    """What `python -m benchmarks.peers.PEER` prints, in the Python that has the peer.

    Args:
        peer: The peer, and the module of this folder that drives it.
        words: The words that follow.
        limit_s: How long it may take.

    Raises:
        BadValue: There is no Python with the peer, or the program failed.
    """
    python = python_of(peer)
    if python is None:
        fail(peer, f"EFFICIENTDL_{peer.upper()}", "must name a Python with the peer", None)
    command = [str(python), "-W", "ignore", "-m", f"benchmarks.peers.{peer}", *words]
    finished = call(command, folder=ROOT, limit_s=limit_s)
    if finished.code != 0:
        fail(peer, "the peer's program", "must end well", finished.reason())
    return json.loads(finished.last_line())
