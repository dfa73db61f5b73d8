"""What a learner's process may use up."""

from dataclasses import dataclass

from efficientdl import _check


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of one learner's process and of all that it starts.

    Attributes:
        memory_mb: Memory that it may touch, 2**20 bytes each.
        address_mb: Memory that one process may ask for; asking for more is a MemoryError.
        cpu_s: Processor seconds of one process.
        file_mb: Size of one file.
        disk_mb: All that it may keep on disk, where the system can bound that.
        processes: How many it may start.
        threads: Tasks of the system, threads included, where a user of its own runs them.
        output_kb: What is kept of a cell's output.
        start_s: Seconds that a kernel may take to start.
        given_s: Seconds for a cell that was handed out as it is.
    """

    memory_mb: int = 2048
    address_mb: int = 4096
    cpu_s: int = 900
    file_mb: int = 64
    disk_mb: int = 256
    processes: int = 32
    threads: int = 256
    output_kb: int = 64
    start_s: int = 60
    given_s: int = 120

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            _check.whole("Limits", name, value, 1)
