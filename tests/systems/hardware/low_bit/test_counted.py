"""Energy of narrow MACs, against the widths that were published."""

import pytest

from efficientdl.costs.energy import INT8, INT32
from efficientdl.systems.hardware.gemm import Bits
from efficientdl.systems.hardware.low_bit.counted import narrow_45nm


def test_bytes_are_the_published_figure_and_words_of_32_bits_nearly():
    assert narrow_45nm(Bits(8, 8)).mac_pj == INT8.mac_pj
    # The product of the widths gives 3.2 pJ for a multiplication of 3.1.
    assert narrow_45nm(Bits(32, 32)).mac_pj == pytest.approx(INT32.mac_pj, rel=0.05)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_the_multiplication_is_proportional_to_the_product_of_the_widths(bits):
    multiply = narrow_45nm(Bits(bits, 4)).mac_pj - INT8.add_pj
    assert multiply == pytest.approx(bits * (narrow_45nm(Bits(1, 4)).mac_pj - INT8.add_pj))
