"""Layers behind rules: each in all of its places, and those that share a weight share the rule."""

import torch
from torch import nn

from efficientdl.compression.pruning.reweighting import behind_rules
from efficientdl.models.layers.reweighted import Reweighted
from tests.models.layers.test_masked import drawn


def test_the_rule_is_asked_for_once_for_each_weight_and_stands_in_every_place():
    one, other = drawn(nn.Linear(4, 4)), drawn(nn.Linear(4, 4))
    other.weight = one.weight
    model = nn.Sequential(one, nn.ReLU(), other, one)
    x = torch.ones(1, 4)
    before, asked = model(x), []

    def rule_for(name, layer):
        asked.append((name, layer))
        return nn.Identity()

    behind = behind_rules(model, {"0": one}, rule_for)
    assert asked == [("0", one)]
    assert [type(m) for m in behind] == [Reweighted, nn.ReLU, Reweighted, Reweighted]
    assert behind[0] is behind[3]
    assert behind[0].rule is behind[2].rule
    torch.testing.assert_close(behind(x), before, rtol=0, atol=0)
