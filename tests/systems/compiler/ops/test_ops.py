"""Each operation: its shape rule against the shape that torch gives, and its refusals."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from efficientdl._check import BadValue
from efficientdl.systems.compiler.graph import Graph, Value, check, node
from efficientdl.systems.compiler.ops import ACTIVATIONS, OPS

few = st.integers(1, 4)
two = st.tuples(few, few)
maybe = st.tuples(st.integers(0, 2), st.integers(0, 2))


def computed(op, shapes, **attributes):
    """What a node gives on random numbers; its rule's shapes were checked against torch's."""
    values = [Value(f"v{i}", shape) for i, shape in enumerate(shapes)]
    made = node("y", op, values, **attributes)
    graph = Graph(tuple(values), {}, (made,), tuple(v.name for v in made.outputs))
    check(graph)
    x = graph.example(np.random.default_rng(0))
    out = graph.run(*x)
    assert [tuple(t.shape) for t in out] == [v.shape for v in made.outputs]
    return x, out


def equal(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), two, two, maybe, two, st.booleans())
def test_convolution(h, w, kernel, stride, padding, dilation, has_bias):
    shapes = [(2, 4, h, w), (6, 2, *kernel), (6,)][: 2 + has_bias]
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": 2}
    room = [
        s + 2 * p - d * (k - 1)
        for s, p, d, k in zip((h, w), padding, dilation, kernel, strict=True)
    ]
    if min(room) < 1:
        with pytest.raises(BadValue, match="conv2d 'y': kernel must fit into"):
            computed("conv2d", shapes, **options)
        return
    x, out = computed("conv2d", shapes, activation="relu", **options)
    bias = x[2] if has_bias else None
    equal(out, [F.conv2d(x[0], x[1], bias, stride, padding, dilation, 2).relu()])


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), two, two, st.booleans(), st.booleans())
def test_pooling(h, w, kernel, stride, ceil, half):
    padding = tuple(k // 2 if half else 0 for k in kernel)
    if min(s + 2 * p - k for s, p, k in zip((h, w), padding, kernel, strict=True)) < 0:
        return
    options = {"kernel": kernel, "stride": stride, "padding": padding, "ceil": ceil}
    x, out = computed("max_pool2d", [(2, 3, h, w)], **options)
    equal(out, [F.max_pool2d(x[0], kernel, stride, padding, ceil_mode=ceil)])
    x, out = computed("avg_pool2d", [(2, 3, h, w)], count_padding=False, **options)
    equal(out, [F.avg_pool2d(x[0], kernel, stride, padding, ceil, False)])


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_activations(name):
    x, out = computed(name, [(2, 3)])
    equal(out, [getattr(F, name, None)(x[0])])


def test_the_others_on_torch():
    x, out = computed("linear", [(2, 5, 3), (4, 3), (4,)], activation="tanh")
    equal(out, [F.linear(*x).tanh()])
    x, out = computed("matmul", [(2, 5, 3), (2, 3, 4)])
    equal(out, [x[0] @ x[1]])
    x, out = computed("matmul", [(2, 5, 3), (3, 4)])
    equal(out, [x[0] @ x[1]])
    x, out = computed("add", [(2, 3, 1), (3, 4)], activation="relu")
    equal(out, [(x[0] + x[1]).relu()])
    x, out = computed("mul", [(2, 3, 1), ()])
    equal(out, [x[0] * x[1]])
    x, out = computed("softmax", [(2, 3)], axis=1)
    equal(out, [x[0].softmax(1)])
    x, out = computed("layer_norm", [(2, 3), (3,), (3,)])
    equal(out, [F.layer_norm(x[0], (3,), x[1], x[2])])
    x, out = computed("adaptive_avg_pool2d", [(1, 2, 5, 7)], size=(2, 3))
    equal(out, [F.adaptive_avg_pool2d(x[0], (2, 3))])
    x, out = computed("mean", [(1, 2, 5, 7)], axes=(2, 3), keep=True)
    equal(out, [x[0].mean((2, 3), keepdim=True)])
    x, out = computed("mean", [(1, 2, 5, 7)], axes=(2, 3))
    equal(out, [x[0].mean((2, 3))])


def test_arranging_on_numpy():
    x, out = computed("concat", [(2, 3), (2, 1)], axis=1)
    np.testing.assert_array_equal(out[0], np.concatenate(x, axis=1))
    x, out = computed("split", [(2, 6)], axis=1, sizes=(1, 2, 3))
    for ours, theirs in zip(out, np.split(x[0].numpy(), [1, 3], axis=1), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    x, out = computed("slice", [(2, 6)], axis=1, start=1, stop=4)
    np.testing.assert_array_equal(out[0], x[0].numpy()[:, 1:4])
    x, out = computed("permute", [(2, 3, 4)], axes=(2, 0, 1))
    np.testing.assert_array_equal(out[0], x[0].numpy().transpose(2, 0, 1))
    x, out = computed("reshape", [(2, 3, 4)], shape=(6, 4))
    np.testing.assert_array_equal(out[0], x[0].numpy().reshape(6, 4))
    x, out = computed("pad", [(2, 3)], widths=((0, 1), (2, 0)), value=7.0)
    np.testing.assert_array_equal(
        out[0], np.pad(x[0].numpy(), ((0, 1), (2, 0)), constant_values=7.0)
    )


@pytest.mark.parametrize(
    ("op", "shapes", "attributes", "message"),
    [
        ("conv2d", [(1, 3, 4, 4), (2, 4, 1, 1)], {}, "weight must have the shape"),
        ("conv2d", [(1, 3, 4, 4), (2, 3, 1, 1), (3,)], {}, "bias must have the shape"),
        ("conv2d", [(1, 3, 4, 4), (2, 3, 1, 1)], {"groups": 2}, "groups must divide c_in = 3"),
        ("conv2d", [(1, 3, 4, 4), (2, 3, 1, 1)], {"stride": 2}, "stride must be a pair"),
        ("conv2d", [(1, 3, 4, 4), (2, 3, 1, 1)], {"activation": "re"}, "activation must be one of"),
        ("conv2d", [(3, 4, 4), (2, 3, 1, 1)], {}, "x must have 4 axes"),
        ("linear", [(1, 3), (2, 4)], {}, "weight must have the shape"),
        ("matmul", [(1, 3), (2, 4)], {}, "right factor must have the shape"),
        ("matmul", [(1, 3), (2, 3, 4)], {}, "factors must have 2 axes, or more"),
        ("add", [(2, 3), (2, 4)], {}, "shapes must be equal or 1"),
        ("batch_norm", [(1, 3), (3,), (3,), (3,), (2,)], {}, "var must have the shape"),
        ("batch_norm", [(1, 3)] + [(3,)] * 4, {"eps": -1.0}, "eps must be at least 0"),
        ("layer_norm", [(1, 3), (2,), (3,)], {}, "weight must have the shape"),
        ("softmax", [(1, 3)], {"axis": 2}, "axis must be a whole number"),
        (
            "max_pool2d",
            [(1, 1, 4, 4)],
            {"kernel": (2, 2), "stride": (1, 1), "padding": (2, 2)},
            "padding must be at most half the kernel",
        ),
        ("mean", [(1, 3)], {"axes": (2,)}, "axes must be a whole number"),
        ("concat", [(1, 3), (2, 3)], {"axis": 1}, "shapes of the inputs must have the shape"),
        ("split", [(1, 3)], {"axis": 1, "sizes": (1, 1)}, "sizes must add up to 3"),
        ("slice", [(1, 3)], {"axis": 1, "start": 2, "stop": 2}, "start must be a whole number"),
        ("reshape", [(1, 3)], {"shape": (2,)}, "shape must hold 3 values"),
        ("permute", [(1, 3)], {"axes": (0, 0)}, "axes must name each of 2 axes once"),
        ("pad", [(1, 3)], {"widths": ((0, 1),)}, "widths must have a pair for each of 2 axes"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(op, shapes, attributes, message):
    values = [Value(f"v{i}", shape) for i, shape in enumerate(shapes)]
    with pytest.raises(ValueError, match=f"{op} 'y': {message}"):
        node("y", op, values, **attributes)


def test_every_operation_is_known_by_its_own_name():
    assert all(name == op.name for name, op in OPS.items())
