"""What analysis adds to the dataflows: layers of several products, and images read once."""

import pytest

from efficientdl.systems.hardware.analyse import FORMULAS, analyse
from efficientdl.systems.hardware.arch import Arch, Array, Dataflow
from efficientdl.systems.hardware.gemm import Gemm
from efficientdl.systems.hardware.layer import Attention, Conv
from efficientdl.systems.hardware.row_stationary import as_conv, row_stationary

ARCHS = [Arch("small", Array(8, 8), dataflow) for dataflow in FORMULAS]


@pytest.mark.parametrize("arch", ARCHS, ids=lambda arch: arch.dataflow.value)
def test_attention_is_its_two_products(arch):
    layer = Attention(n_queries=9, n_keys=11, n_heads=2, head_features=5)
    scores, values = (analyse(gemm, arch) for gemm in layer.gemms())
    assert analyse(layer, arch) == scores + values


@pytest.mark.parametrize("arch", ARCHS, ids=lambda arch: arch.dataflow.value)
def test_dram_gives_each_word_of_an_image_once(arch):
    conv = Conv(3, 9, 9, 4, kernel=3, padding=1)
    run = analyse(conv, arch)
    assert run.accesses["dram"]["x"] == 3 * 9 * 9
    assert run.accesses["buffer"]["x"] >= conv.gemms()[0].words.x


@pytest.mark.parametrize("arch", ARCHS, ids=lambda arch: arch.dataflow.value)
def test_no_machine_beats_its_multipliers(arch):
    conv = Conv(16, 8, 8, 16, kernel=3)
    run = analyse(conv, arch)
    assert run.cycles >= -(-conv.macs // 64)
    assert all(run.words("buffer") >= run.words("dram") - n for n in [run.accesses["dram"]["y"]])


def test_rows_that_stay_take_a_product_as_a_convolution_of_pixels():
    arch, conv = Arch("rows", Array(3, 4), Dataflow.ROW_STATIONARY), Conv(2, 6, 6, 3, kernel=3)
    assert analyse(conv, arch) == row_stationary(conv, arch)
    gemm = Gemm(5, 3, 2, groups=2)
    assert analyse(gemm, arch) == row_stationary(as_conv(gemm), arch)
    heads = Attention(n_queries=4, n_keys=5, n_heads=2, head_features=3)
    scores, values = (analyse(gemm, arch) for gemm in heads.gemms())
    assert analyse(heads, arch) == scores + values


def test_what_cannot_be_analysed():
    with pytest.raises(TypeError, match="analyse: layer must be a Gemm or Conv or Attention"):
        analyse("conv", ARCHS[0])
    rows = Arch("rows", Array(2, 2), Dataflow.ROW_STATIONARY)
    with pytest.raises(ValueError, match="row"):
        analyse(Conv(1, 3, 3, 1, kernel=3), rows)
