"""Generated C, compiled and run, gives the codes of the integer model, bit by bit."""

import re

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from efficientdl._check import BadKind, BadValue
from efficientdl.compression.quantization.integer_only import integer_only
from efficientdl.datasets import load
from efficientdl.models import seeded
from efficientdl.models.layers.fire import Fire
from efficientdl.models.layers.inception import Inception, InceptionWidths
from efficientdl.models.layers.integer import Geometry
from efficientdl.models.layers.integer_steps import (
    IntegerAdd,
    IntegerAveragePool,
    IntegerClamp,
    IntegerConcat,
    IntegerMaxPool,
    IntegerNetwork,
    IntegerReshape,
)
from efficientdl.models.trained import trained
from efficientdl.systems.compiler.codegen import compile_c, generate_c
from efficientdl.systems.compiler.memory.lifetimes import lower_bound
from efficientdl.systems.compiler.memory.plan import check_plan
from efficientdl.tensors import affine
from tests.compression.quantization.residual_net import X as NOISE
from tests.compression.quantization.residual_net import residual_net
from tests.models.layers import integer_reference as plain
from tests.systems.compiler.codegen.networks import (
    X,
    Y,
    codes_of,
    conv,
    drawn_network,
    needs_a_compiler,
    network_of,
    product,
)


def run(network, codes, **options):
    program = generate_c(network, (1, *codes.shape[1:]))
    return compile_c(program, **options).run(codes)


@needs_a_compiler
def test_a_network_that_does_nothing_gives_its_codes_back():
    codes = torch.arange(-128, 128, dtype=torch.int8).reshape(8, 2, 4, 4)
    for network in (network_of(IntegerReshape((32,))), network_of()):
        y = run(network, codes)
        np.testing.assert_array_equal(y.flatten(1), codes.flatten(1))


CASES = {
    "linear": network_of(product((5, 96))),
    "linear, affine": network_of(product((5, 96), rule=affine)),
    "points": network_of(conv(6, 4, (1, 1))),
    "no border": network_of(conv(6, 4)),
    "border": network_of(conv(6, 4, padding=(1, 1))),
    "affine": network_of(conv(6, 4, padding=(1, 1), rule=affine)),
    "oblong": network_of(conv(6, 4, (3, 2), (1, 2), (0, 1))),
    "dilated": network_of(conv(6, 4, stride=(2, 1), padding=(2, 3), dilation=(2, 3))),
    "wider than the picture": network_of(conv(6, 2, (4, 4), padding=(3, 3), dilation=(2, 2))),
    "windows in the border alone": network_of(conv(6, 2, (1, 1), (1, 3), (2, 3))),
    "grouped": network_of(conv(6, 4, padding=(1, 1), groups=2)),
    "depthwise in place": network_of(conv(6, 6, padding=(1, 1), groups=6)),
    "depthwise, strided": network_of(conv(6, 6, stride=(2, 2), padding=(1, 1), groups=6)),
    "depthwise, grown": network_of(conv(6, 6, padding=(2, 2), groups=6)),
    "depthwise, twice as many": network_of(conv(6, 12, padding=(1, 1), groups=6)),
    "mean": network_of(IntegerAveragePool(Geometry((3, 3), (2, 2), (1, 1)), x=X, y=Y)),
    "mean of all": network_of(IntegerAveragePool(Geometry((4, 4)), x=X, y=Y, keeps_axes=False)),
    "largest": network_of(IntegerMaxPool(Geometry((3, 2), (1, 2), (1, 0)))),
    "largest of nothing": network_of(IntegerMaxPool(Geometry((1, 1), (1, 1), (2, 2)))),
    "clamp": network_of(IntegerClamp(X.between(0.0, 2.0))),
    "add": network_of((IntegerAdd((X, Y, X), Y), (0, 0, 0))),
    "concat": network_of(IntegerClamp(X), (IntegerConcat((X, Y, X), Y), (0, 1, 0))),
}


@needs_a_compiler
@pytest.mark.parametrize("case", CASES)
def test_each_kind_of_step_against_plain_integers(case):
    network = CASES[case]
    shape = (3, 96) if case.startswith("linear") else (3, 6, 4, 4)
    codes = codes_of(shape, seed=1)
    y, expected = run(network, codes), plain.integers(network, codes)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(y, network.integers(codes))
    assert len(np.unique(y)) > 3 or case == "largest of nothing"


@needs_a_compiler
@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_network(data):
    network, x_shape = drawn_network(data.draw)
    codes = codes_of((3, *x_shape[1:]), seed=2)
    program = generate_c(network, x_shape)
    check_plan(program.plan)
    np.testing.assert_array_equal(compile_c(program).run(codes), network.integers(codes))


DIGITS = ["lenet_5_mnist", "lenet_300_100_mnist", "small_cnn_mnist"]
CLOTHES = ["inverted_w4_d1_late", "separable_w8_d1_late"]  # depthwise, the first with sums


@needs_a_compiler
@pytest.mark.slow
@pytest.mark.parametrize("name", [*DIGITS, *CLOTHES])
def test_trained_networks_on_real_pictures(name):
    pictures = load("mnist" if name in DIGITS else "fashion_mnist")
    network, _ = integer_only(trained(name), pictures.train.x[:64])
    x, labels = pictures.test.x[:100], pictures.test.y[:100]
    codes = network.to_codes(x)
    program = generate_c(network, (1, *x.shape[1:]), name=name)
    y = compile_c(program).run(codes)
    np.testing.assert_array_equal(y, network.integers(codes))
    assert float((y.argmax(1) == labels).double().mean()) > 0.7
    assert program.arena_bytes == lower_bound(program.plan.lifetimes)


class Branches(nn.Module):
    """What SqueezeNet and GoogLeNet are made of, with a first layer of odd stride and padding."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 6, (5, 3), stride=(3, 2), padding=(1, 2), bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.fire = Fire(6, 3, 5)
        self.inception = Inception(10, InceptionWidths(3, 2, 4, 2, 3, 2))
        self.head = nn.Linear(12, 10)

    def forward(self, x):
        y = self.inception(self.fire(torch.relu(self.norm(self.stem(x)))))
        return self.head(y.mean((2, 3)))


@needs_a_compiler
@pytest.mark.slow
def test_branches_on_real_digits():
    x = load("mnist").train.x[:40]
    network, _ = integer_only(seeded(Branches, seed=3).eval(), x)
    kinds = {step.kind for step in generate_c(network, (1, 1, 28, 28)).steps}
    assert {"concat", "max pool", "average pool"} <= kinds
    codes = network.to_codes(x)
    np.testing.assert_array_equal(run(network, codes), network.integers(codes))


@needs_a_compiler
@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [{}, {"weight_bits": 4, "weight_rule": affine}], ids=["plain", "four bits"]
)
def test_a_residual_network(options):
    network, _ = integer_only(residual_net(), NOISE, **options)
    codes = network.to_codes(NOISE)
    assert "add" in {step.kind for step in generate_c(network, (1, 2, 8, 8)).steps}
    np.testing.assert_array_equal(run(network, codes), network.integers(codes))


def small():
    """A network with every kind of step, and the shape of what it takes."""
    steps = [
        (conv(2, 4, padding=(1, 1)), (0,)),
        (conv(4, 4, padding=(1, 1), groups=4, x=Y), (1,)),
        (IntegerAdd((Y, Y), X), (1, 2)),
        (IntegerClamp(X.between(0.0, 4.0)), (3,)),
        (IntegerConcat((X, Y), X), (4, 1)),
        (IntegerMaxPool(Geometry((2, 2), (2, 2))), (5,)),
        (IntegerAveragePool(Geometry((2, 2), (2, 2)), x=X, y=Y), (6,)),
        (IntegerReshape((32,)), (7,)),
        (product((3, 32), x=Y), (8,)),
    ]
    return network_of(*steps), (1, 2, 8, 8)


def tables(source):
    """The numbers of each constant array of a C file."""
    found = re.findall(r"static const \w+ (\w+)\[(\d+)\] = \{([-\d,\s]*)\};", source)
    read = {name: [int(n) for n in body.split(",") if n.strip()] for name, _, body in found}
    assert all(len(read[name]) == int(length) for name, length, _ in found)
    return read


def test_the_tables_are_the_codes_and_factors_of_the_model():
    network, x_shape = small()
    program = generate_c(network, x_shape)
    found = tables(program.source)
    for number in (1, 2, 9):
        layer = network.get_submodule(f"step{number - 1}")
        assert found[f"weight_{number}"] == layer.codes.flatten().tolist()
        assert found[f"multiplier_{number}"] == layer.multiplier.tolist()
        assert found[f"shift_{number}"] == layer.shift.tolist()
    stored = sum(m.cost((1, *s)).weight_bits for m, s in products_of(network, program))
    assert program.table_bytes == program.report.total.weight_bits / 8 == stored / 8


def products_of(network, program):
    pairs = ((network.get_submodule(s.name), s.x_shapes[0]) for s in program.steps)
    return [(module, shape) for module, shape in pairs if hasattr(module, "cost")]


def test_the_report_has_the_macs_of_the_model_and_the_bytes_of_the_plan():
    network, x_shape = small()
    program = generate_c(network, x_shape)
    macs = sum(m.cost((1, *s)).macs for m, s in products_of(network, program))
    assert program.report.total.macs == macs == 4 * 2 * 9 * 64 + 4 * 9 * 64 + 96
    assert program.report.total.activation_bytes == lower_bound(program.plan.lifetimes)
    assert program.arena_bytes == program.plan.peak_bytes


def test_the_text_is_the_same_each_time_and_takes_no_library():
    program, again = generate_c(*small()), generate_c(*small())
    assert program == again
    for text in (program.source, program.header):
        included = set(re.findall(r"#include [<\"](.+)[>\"]", text))
        assert included <= {"stdint.h", "string.h", "network.h"}
        code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        assert not re.search(r"\b(float|double|malloc|\d+\.\d*)", code)
        assert max(len(line) for line in text.splitlines()) <= 100


def test_steps_say_what_is_in_place():
    program = generate_c(*small())
    assert [step.in_place for step in program.steps] == [
        *(False, False, True, True, True),  # the depthwise layer's input is added later
        *(True, True, True, False),
    ]
    said = str(program).splitlines()
    assert said[0].split()[:4] == ["step", "kind", "from", "to"]
    assert len(said) == 2 + 9


def test_names_of_layers_cannot_end_a_comment():
    steps = [("bad */ name", IntegerClamp(X), (0,))]
    source = generate_c(IntegerNetwork(steps, x=X, y=X), (1, 4)).source
    assert "bad" in source
    assert "*/ name" not in source


SHAPES = {
    "a picture for a linear layer": ([product((5, 96))], (1, 6, 4, 4), "must take 96 codes"),
    "other channels": ([conv(6, 4)], (1, 5, 4, 4), "must take 6 x h x w codes"),
    "a row for a convolution": ([conv(6, 4)], (1, 6), "must take 6 x h x w codes"),
    "a row for a pool": ([IntegerMaxPool(Geometry((2, 2)))], (1, 6), "must take c x h x w"),
    "a window too large": ([conv(6, 4)], (1, 6, 2, 2), "fits into its padded picture"),
    "a reshape of others": ([IntegerReshape((7,))], (1, 6), "must take 7 codes"),
    "a sum of two shapes": (
        [IntegerReshape((6, 1)), (IntegerAdd((X, X), X), (0, 1))],
        (1, 6),
        "must add values of one shape",
    ),
    "a sum of one too few": ([IntegerAdd((X, X), X)], (1, 6), "must take 2 values"),
    "pictures of two sizes": (
        [IntegerMaxPool(Geometry((2, 2))), (IntegerConcat((X, X), X), (0, 1))],
        (1, 2, 4, 4),
        "one height and width",
    ),
    "a value not yet made": ([(IntegerClamp(X), (1,))], (1, 6), "must take values made before"),
    "a value counted from behind": ([(IntegerClamp(X), (-1,))], (1, 6), "made before it"),
    "another kind": ([nn.ReLU()], (1, 6), "step 'step0' is another, got 'ReLU'"),
    "two for a clamp": ([(IntegerClamp(X), (0, 0))], (1, 6), "must take one value"),
    "more than bytes": ([IntegerClamp(X._replace(highest=300))], (1, 6), "codes of one byte"),
    "a batch": ([IntegerClamp(X)], (2, 6), "must be a batch of one"),
    "no batch": ([IntegerClamp(X)], (1,), "must be a batch of one"),
    "no size": ([IntegerClamp(X)], (1, 0), "must be a whole number, 1 or more"),
}


@pytest.mark.parametrize("case", SHAPES)
def test_what_does_not_fit_is_refused(case):
    steps, x_shape, said = SHAPES[case]
    with pytest.raises(BadValue, match=rf"generate_c: .*{re.escape(said)}"):
        generate_c(network_of(*steps), x_shape)


@pytest.mark.parametrize("name", ["", "Net", "9lives", "a-b", "a b", "é", "net\n"])
def test_a_name_that_could_not_stand_in_c_is_refused(name):
    with pytest.raises(BadValue, match=r"generate_c: name must be a small letter"):
        generate_c(*small(), name=name)


def test_other_kinds_are_refused():
    with pytest.raises(BadKind, match=r"generate_c: network must be a IntegerNetwork"):
        generate_c(nn.Linear(2, 2), (1, 2))
    with pytest.raises(BadKind, match=r"generate_c: x_shape must be a tuple"):
        generate_c(small()[0], [1, 2, 8, 8])
    with pytest.raises(BadKind, match=r"generate_c: name must be a str"):
        generate_c(*small(), name=3)


def test_sums_that_could_leave_32_bits_are_refused():
    layer = product((1, 8))
    steps, z = layer.codes.long(), X.zero_point
    reach = int(steps.abs().sum()) * max(127 - z, z + 128)  # of the sum, whatever bytes come in
    layer.bias[0] = 2**31 - 1 - reach - z * int(steps.sum())
    generate_c(network_of(layer), (1, 8))
    layer.bias[0] += 1
    with pytest.raises(
        BadValue, match=r"must have sums that fit into 32 bits, got 'up to 2147483648"
    ):
        generate_c(network_of(layer), (1, 8))


def test_shifts_that_could_leave_64_bits_are_refused():
    layer = product((2, 8))
    layer.shift[1] = 0
    with pytest.raises(BadValue, match=r"generate_c: network must have shifts in \[1, 62\]"):
        generate_c(network_of(layer), (1, 8))
