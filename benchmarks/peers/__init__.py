"""Other graders, driven as their users drive them, each by a Python of its own.

A peer is never a dependency. `EFFICIENTDL_NBGRADER` and `EFFICIENTDL_OTTER` each name a Python that
has the peer and `efficientdl`; without them the running Python is asked. Where there is neither,
what needs the peer is left out, and says so.
"""

from benchmarks.peers.course import Course
from benchmarks.peers.otter_run import Autograder
from benchmarks.peers.pythons import PEERS, Finished, call, python_of, version_of

__all__ = ["PEERS", "Autograder", "Course", "Finished", "call", "python_of", "version_of"]
