"""The formulas over arrays are those of the dataflows, one tile at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.systems.hardware.analyse import FORMULAS
from efficientdl.systems.hardware.arch import Arch, Array, Drain, Edge
from efficientdl.systems.hardware.layer import INT8, Gemm
from efficientdl.systems.hardware.memory.many import tile_cycles
from efficientdl.systems.hardware.memory.tile import as_part
from tests.systems.hardware.drawn import gemms
from tests.systems.hardware.memory.drawn import machines, quick


@settings(quick, max_examples=80)
@given(gemm=gemms(max_groups=1), arch=machines(max_side=16), adds=st.booleans())
def test_a_tile_at_a_time_or_many(gemm, arch, adds):
    run = FORMULAS[arch.dataflow](gemm, arch.array)
    part = as_part(run, gemm.m * gemm.n, arch.buffer, adds=adds, finishes=False)
    sides = [np.array([1, side]) for side in (gemm.m, gemm.k, gemm.n)]
    found = tile_cycles(arch, *sides, bits=INT8, adds=adds)
    assert found[1] == part.cycles


@pytest.mark.parametrize("dataflow", [*FORMULAS])
def test_all_sizes_of_a_small_array(dataflow):
    sizes = np.array([(m, k, n) for m in range(1, 8) for k in range(1, 8) for n in range(1, 8)])
    for drain in Drain:
        for edge in Edge:
            arch = Arch("toy", Array(3, 2, drain, edge, weight_registers=2), dataflow)
            found = tile_cycles(arch, *sizes.T, bits=INT8, adds=False)
            expected = [FORMULAS[dataflow](Gemm(*s), arch.array).cycles for s in sizes.tolist()]
            np.testing.assert_array_equal(found, expected)
