"""The int8 convolution on other processors and without the compiler.

Without the compiler, a place outside an array raises or gives a register that is too short: so
that run also shows that nothing is read or written out of bounds.
"""

import os
import subprocess
import sys

import pytest

from efficientdl.kernels import cpu

CODE = """
import numpy as np
from efficientdl.kernels.low_bit.int8_conv_codes import int8_conv_codes, int8_conv_codes_reference
from tests.kernels.low_bit.convolutions import inputs_for_codes

for size in (1, 7):
    for seed in range(4):
        case = inputs_for_codes(np.random.default_rng(seed), size)
        np.testing.assert_array_equal(int8_conv_codes(*case), int8_conv_codes_reference(*case))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "environment",
    [
        {"NUMBA_DISABLE_JIT": "1"},
        {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "+avx2,+fma"},
    ],
    ids=["no compiler", "AVX2"],
)
def test_other_machines(environment):
    if "avx2" in environment.get("NUMBA_CPU_FEATURES", "") and not cpu.has(cpu.AVX2):
        pytest.skip("the processor has no AVX2 to leave")
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
