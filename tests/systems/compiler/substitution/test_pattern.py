"""Patterns: read and printed, and written down as nodes."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from efficientdl.systems.compiler.substitution.pattern import parse, size
from efficientdl.systems.compiler.substitution.rules import shipped_rules
from efficientdl.systems.compiler.substitution.setting import Setting, whole_numbers
from efficientdl.systems.compiler.substitution.symbolic import equal

SETTING = Setting(data=(2, 3, 1, 2), filters=((3, 2), (2, 2)))


def computed(text, setting=SETTING):
    graph = setting.graph(parse(text))
    x = dict(
        zip(
            [v.name for v in graph.inputs],
            setting.inputs(whole_numbers(np.random.default_rng(0), most=9)),
            strict=True,
        )
    )
    return x, graph.run(*x.values())


def same(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_what_is_read_is_what_is_printed():
    for rule in shipped_rules():
        for side in (rule.source, rule.target):
            assert parse(str(side)) == parse(str(parse(str(side))))
            assert str(parse(str(side))) == str(side)


def test_what_is_written_twice_is_one_step():
    pattern = parse("add(act(x), act(act(x)))")
    assert [step.op for step in pattern.steps] == ["act", "act", "add"]


def test_steps_on_torch():
    x, (y,) = computed("act(apply(x, f))")
    same(y, F.conv2d(x["x"], x["f.weight"], x["f.bias"], padding=1).relu())
    x, (y,) = computed("apply_act(x, stack(f, g))")
    weight, bias = torch.cat([x["f.weight"], x["g.weight"]]), torch.cat([x["f.bias"], x["g.bias"]])
    same(y, F.conv2d(x["x"], weight, bias, padding=1).relu())
    x, (y,) = computed("apply_wide(x, enlarge(f))")
    same(y, F.conv2d(x["x"], x["f.weight"], x["f.bias"], padding=1))
    x, parts = computed("split(z)[1], split(concat(x, y))[0]")
    same(parts, [x["z"][:, 1:], x["x"]])
    joined = Setting(data=(2, 3, 1, 1), filters=((2, 2), (2, 3)))
    x, (y,) = computed("apply(concat(x, y), join(f, g))", joined)
    weight = torch.cat([x["f.weight"], x["g.weight"]], 1)
    same(y, F.conv2d(torch.cat([x["x"], x["y"]], 1), weight, x["f.bias"] + x["g.bias"], padding=1))


@pytest.mark.parametrize("text", ["add(x, y)", "split(x)[0]", "apply(y, f)", "apply(x, sum(f, g))"])
def test_what_does_not_fit_has_no_graph(text):
    assert SETTING.graph(parse(text)) is None


def test_the_size_of_a_tree_is_the_sum_of_its_leaves():
    assert size(((1, 2), 3)) == 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("relu(x)", "parse: step must be one of"),
        ("act(x", r"parse: pattern must have '\)'"),
        ("act(x))", "parse: pattern must have ','"),
        ("split(z)", r"parse: pattern must have '\['"),
        ("", "parse: step must be one of"),
    ],
)
def test_what_is_not_a_pattern_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse(text)


def test_a_graph_is_equal_to_itself_as_polynomials():
    graph = Setting(picture=(1, 2, 2)).graph(parse("apply(x, f)"))
    assert equal(graph, graph)
