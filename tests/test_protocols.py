"""The types that techniques fit, asked of things that do and things that do not."""

import pytest
import torch
from torch import nn

from efficientdl import protocols, tensors
from efficientdl.compression.pruning import magnitude
from efficientdl.models.layers.masked import MaskedLinear
from efficientdl.report import Cost, Report


def test_granularity_is_defined_once():
    assert protocols.Granularity is tensors.Granularity
    assert isinstance(tensors.PerTensor(), protocols.Granularity)
    assert not isinstance(object(), protocols.Granularity)


def test_what_is_called_is_a_criterion():
    assert isinstance(magnitude, protocols.Criterion)
    assert not isinstance(3, protocols.Criterion)


def test_a_layer_that_offers_its_cost_is_costed():
    masked = MaskedLinear(nn.Linear(2, 2), torch.ones(2, 2, dtype=torch.bool))
    assert isinstance(masked, protocols.Costed)
    assert isinstance(masked.cost((1, 2)), Cost)
    assert not isinstance(nn.Linear(2, 2), protocols.Costed)


def test_a_result_is_a_pair_that_cannot_be_changed():
    model, report = result = protocols.Result(nn.ReLU(), Report({}))
    assert (result.model, result.report) == (model, report)
    with pytest.raises(AttributeError):
        result.model = nn.Sigmoid()
