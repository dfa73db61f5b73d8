"""The table of networks: its counts by hand, its times from the one clock, its rows by name."""

import copy
from html.parser import HTMLParser

import pytest
import torch
from torch import nn

from efficientdl.costs import Latency, Measured, SideBySide, count, side_by_side
from efficientdl.models.layers.masked import MaskedConv2d, MaskedLinear
from efficientdl.models.layers.masked_attention import MaskedMultiheadAttention
from efficientdl.models.layers.masked_recurrent import MaskedLSTM
from efficientdl.models.layers.quantized import QuantizedLinear
from efficientdl.models.layers.sparse import SparseConv2d, SparseLinear
from efficientdl.tensors import PerTensor, choose_qparams

FEW = {"repeats": 3}


def ones(layer):
    """The same layer with no zero in it."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.fill_(1.0)
    return layer


def first_kept(layer):
    """A mask that keeps the first input of each output, the weights behind it left in place."""
    mask = torch.zeros_like(layer.weight, dtype=torch.bool)
    mask[:, 0] = True
    return mask


def measured(model, x):
    return side_by_side({"it": model}, x, **FEW)["it"]


def test_the_counts_of_three_forms_of_one_layer_by_hand():
    linear = ones(nn.Linear(8, 4))
    masked = MaskedLinear(copy.deepcopy(linear), first_kept(linear))
    models = {"dense": linear, "masked": masked, "sparse": SparseLinear(masked)}
    table = side_by_side(models, torch.ones(2, 8), **FEW)
    assert list(table.rows) == ["dense", "masked", "sparse"]
    rows = [(r.params, r.kept_params, r.macs, r.dense_bits) for r in table.rows.values()]
    assert rows == [
        (36, 36, 64, 32 * 36),
        (36, 8, 64, 32 * 36),  # 4 weights and 4 biases; the dense kernel does all MACs
        (36, 8, 8, 32 * 36),
    ]
    # values, columns, 5 row starts, bias
    assert table["sparse"].stored_bits == 32 * (4 + 4 + 5 + 4)
    for name, model in models.items():
        assert table[name].stored_bits == count(model, torch.ones(2, 8)).total.weight_bits


def test_the_weights_kept_of_a_grouped_convolution():
    conv = ones(nn.Conv2d(4, 4, 3, groups=2))
    mask = torch.zeros_like(conv.weight, dtype=torch.bool)
    mask[:, 0, 0, 0] = True
    x = torch.ones(1, 4, 5, 5)
    masked = MaskedConv2d(conv, mask)
    assert measured(masked, x).kept_params == measured(SparseConv2d(masked), x).kept_params == 8


def test_a_bias_or_norm_of_zeros_is_kept_and_a_zero_of_a_weight_is_not():
    model = nn.Sequential(ones(nn.Linear(2, 3)), nn.BatchNorm1d(3))
    nn.init.zeros_(model[0].bias)
    nn.init.zeros_(model[1].bias)
    x = torch.ones(4, 2)
    assert measured(model, x).kept_params == 6 + 3 + 6
    with torch.no_grad():
        model[0].weight[0, 0] = 0
    assert measured(model, x).kept_params == 5 + 3 + 6


def test_a_tied_weight_counts_once():
    first, second = ones(nn.Linear(3, 3)), ones(nn.Linear(3, 3))
    second.weight = first.weight
    with torch.no_grad():
        first.weight[0] = 0
    row = measured(nn.Sequential(first, second), torch.ones(1, 3))
    assert (row.params, row.kept_params) == (9 + 6, 6 + 6)


def test_codes_that_stand_for_zero_are_not_kept():
    linear = ones(nn.Linear(4, 2))
    with torch.no_grad():
        linear.weight[0, :3] = 0
    qparams = choose_qparams(linear.weight, bits=8, granularity=PerTensor())
    quantized = QuantizedLinear(linear, qparams, granularity=PerTensor())
    assert measured(quantized, torch.ones(1, 4)).kept_params == 5 + 2


def test_masks_of_recurrent_and_attention_layers():
    lstm = ones(nn.LSTM(3, 2))
    masked = MaskedLSTM(lstm, {"weight_hh_l0": torch.zeros(8, 2, dtype=torch.bool)})
    row = measured(masked, torch.ones(5, 1, 3))
    assert row.params - row.kept_params == 16
    attention = ones(nn.MultiheadAttention(4, 2))
    masked = MaskedMultiheadAttention(attention, {"out_proj.weight": torch.eye(4).bool()})
    row = measured(masked, (torch.ones(3, 1, 4),) * 3)
    assert row.params - row.kept_params == 12


def test_the_times_are_those_of_latency_turn_by_turn():
    def row(*times):
        return Measured(4, 3, 2, 128, 64, Latency(times))

    table = SideBySide({"dense": row(4.0, 8.0, 6.0), "pruned": row(1.0, 4.0, 2.0)})
    assert table.times_faster("dense") == 1.0
    assert table.times_faster("pruned") == 3.0  # the median of 4, 2 and 3
    assert str(table).splitlines()[2].split()[-5:] == ["6e+03", "5e+03", "to", "7e+03", "1.00"]


def test_more_work_takes_longer():
    small, large = nn.Linear(8, 8), nn.Linear(2048, 2048)
    models = {"large": nn.Sequential(nn.ZeroPad1d((0, 2040)), large), "small": small}
    table = side_by_side(models, torch.ones(64, 8), **FEW)
    assert table.times_faster("small") > 1


def test_modes_threads_and_weights_stay():
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout(0.5)).train()
    model[2].eval()
    before, threads = copy.deepcopy(model.state_dict()), torch.get_num_threads()
    side_by_side({"a": model, "b": model}, torch.ones(4, 3), **FEW)
    assert [m.training for m in model] == [True, True, False]
    assert torch.get_num_threads() == threads
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


class Cells(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.scopes = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.scopes += [value for name, value in attributes if name == "scope"]


def test_it_prints_as_a_table_and_as_a_page():
    x = torch.ones(1, 512)
    table = side_by_side({"a <b>": ones(nn.Linear(512, 4)), "c": nn.Linear(512, 1)}, x)
    lines = str(table).splitlines()
    assert len(lines) == 4
    assert lines[0].split()[:4] == ["network", "params", "kept", "MACs"]
    assert lines[2].split()[2:7] == ["2,052", "2,052", "2,048", "8.0", "8.0"]
    page = table._repr_html_()
    assert "a &lt;b&gt;" in page
    cells = Cells()
    cells.feed(page)
    assert cells.tags.count("caption") == 1
    assert cells.scopes == ["col"] * 9 + ["row"] * 2
    assert cells.tags.count("td") == 2 * 8


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="side_by_side: models must name at least one network"):
        side_by_side({}, torch.ones(1, 2))
    with pytest.raises(TypeError, match=r"(?s)side_by_side.*models.*Mapping"):
        side_by_side([nn.Linear(2, 2)], torch.ones(1, 2))
    with pytest.raises(TypeError, match=r"(?s)side_by_side.*model.*Module"):
        side_by_side({"a": 3}, torch.ones(1, 2))
    with pytest.raises(ValueError, match="side_by_side: network 'a' must hold values"):
        side_by_side({"a": nn.Linear(2, 2, device="meta")}, torch.ones(1, 2, device="meta"))
    table = side_by_side({"dense": nn.Linear(2, 2)}, torch.ones(1, 2), **FEW)
    with pytest.raises(ValueError, match=r"SideBySide: name must be one of dense, got 'dens'; did"):
        table["dens"]
    with pytest.raises(ValueError, match="repeats must be a whole number, 1 or more, got 0"):
        side_by_side({"dense": nn.Linear(2, 2)}, torch.ones(1, 2), repeats=0)
