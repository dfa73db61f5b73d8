"""The same kernel on other machines: programs in processes of their own, with other settings.

Without the compiler, a place outside an array raises or gives a register that is too short: so
that run also shows that nothing is read or written out of bounds.
"""

import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from efficientdl.kernels import cpu

NO_COMPILER = {"NUMBA_DISABLE_JIT": "1"}
AVX2 = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "+avx2,+fma"}
EACH = pytest.mark.parametrize("environment", [NO_COMPILER, AVX2], ids=["no compiler", "AVX2"])


def run(code: str, environment: Mapping[str, str]) -> None:
    """Run a program whose assertions must hold, every warning an error."""
    if "avx2" in environment.get("NUMBA_CPU_FEATURES", "") and not cpu.has(cpu.AVX2):
        pytest.skip("the processor has no AVX2 to leave")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
