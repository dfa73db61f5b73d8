"""The int8 convolution on other processors and without the compiler.

Without the compiler, a place outside an array raises or gives a register that is too short: so
that run also shows that nothing is read or written out of bounds.
"""

import pytest

from tests.kernels import modes

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
@modes.EACH
def test_other_machines(environment):
    modes.run(CODE, environment)
