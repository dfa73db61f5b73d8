"""What a kernel says while a cell runs: messages of a stranger, bounded in size, never believed."""

import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import zmq
from jupyter_client.blocking.client import BlockingKernelClient
from nbformat import NotebookNode
from nbformat.v4 import output_from_msg

from efficientdl.grading.inside import MIME

_LARGEST_PAYLOAD = 64 * 2**20
_HEARD_S = 0.2  # then the one who waits looks at the clock
_QUIET_S = 1.0
_SHOWN = ("stream", "display_data", "execute_result", "error")


class End(StrEnum):
    """How running a cell ended."""

    OK = "ok"
    ERROR = "error"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    PROCESSES = "processes"
    DISK = "disk"
    DIED = "died"


@dataclass
class Ran:
    """What running a cell gave.

    Attributes:
        end: How it ended.
        name: Of the exception, after an error.
        said: The exception's text.
        payload: What the code handed to the grader, if anything.
        outputs: As a notebook keeps them, cut at the limit.
        cut: Was more put out than is kept?
        seconds: Wall-clock time.
        peak_mb: Most memory that the process held meanwhile, if the system tells.
    """

    end: End = End.OK
    name: str = ""
    said: str = ""
    payload: bytes | None = None
    outputs: list[NotebookNode] = field(default_factory=list)
    cut: bool = False
    seconds: float = 0.0
    peak_mb: float | None = None


class Listening:
    """Messages of one cell, heard until it is over."""

    def __init__(self, client: BlockingKernelClient, asked: str, ran: Ran, room: int) -> None:
        self.client, self.asked, self.ran, self.room = client, asked, ran, room
        self.replied = self.idle = False
        self.heard_s = time.monotonic()
        self.poller = zmq.Poller()
        self.channels = {c.socket: c for c in (client.shell_channel, client.iopub_channel)}
        for socket in self.channels:
            self.poller.register(socket, zmq.POLLIN)

    def done(self) -> bool:
        """Is the cell over? In a flood of output the word of its end may have been lost."""
        quiet = time.monotonic() - self.heard_s > _QUIET_S
        return self.replied and (self.idle or quiet)

    def hear(self) -> None:
        """Take in what has come; wait a tenth of a second for it at most."""
        late = time.monotonic() + _HEARD_S
        for socket, _ in self.poller.poll(100):
            while socket.poll(0):
                try:
                    message = self.channels[socket].get_msg(timeout=0)
                    self.heard_s = time.monotonic()
                    if message["parent_header"].get("msg_id") == self.asked:
                        self._take(message)
                except Exception:  # forged or broken: as if it had not come
                    pass
                if time.monotonic() > late:  # then look at the clock and at the process again
                    break

    def _take(self, message: Mapping[str, Any]) -> None:
        kind, content = message["msg_type"], message["content"]
        if kind == "execute_reply":
            if content.get("status") != "ok":
                self.ran.end = End.ERROR
                self.ran.name = _words(content.get("ename"), 80)
                self.ran.said = _words(content.get("evalue"), 400)
            self.replied = True
        elif kind == "status":
            self.idle = self.idle or content.get("execution_state") == "idle"
        elif kind in _SHOWN:
            self._output(message)

    def _output(self, message: Mapping[str, Any]) -> None:
        data = message["content"].get("data")
        if isinstance(data, dict) and MIME in data:
            text = str(data[MIME])
            fits = len(text) <= _LARGEST_PAYLOAD * 4 // 3 + 4
            self.ran.payload = base64.b64decode(text, validate=True) if fits else None
            return
        output = output_from_msg(message)
        size = len(repr(message["content"]))
        if size > self.room:
            self.ran.cut = True
            if output.output_type != "stream" or not self.room:
                return
            output.text = output.text[: self.room]
            size = self.room
        self.room -= size
        self.ran.outputs.append(output)


def _words(said: object, longest: int) -> str:
    """What a stranger says, if it is words: short, and such that it can be written down."""
    text = said if isinstance(said, str) else ""
    return text[:longest].encode("utf-8", "replace").decode()
