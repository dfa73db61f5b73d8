"""Every public quantizer: what it refuses in one sentence, what it leaves alone, what it keeps."""

import io
import re
from contextlib import nullcontext
from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.compression import quantization
from efficientdl.compression.quantization import (
    binarize_network,
    binary_connect,
    binary_connect_stochastic,
    dorefa,
    equalize,
    fold_batch_norm,
    half_precision,
    integer_only,
    quantization_aware_training,
    quantize_analytically,
    quantize_data_free,
    quantize_static,
    quantize_weights,
    ternarize_weights,
    train_ternary,
    xnor_network,
)
from efficientdl.compression.quantization.norm_ranges import NormRanges
from efficientdl.fit.plan import Training
from tests.promises.compressor import small_network
from tests.promises.state import global_generators_untouched, untouched

PLAN = Training(train=(small_network()[1], torch.arange(4)), epochs=1, lr=1e-3, seed=0)  # one step

# Every quantizer with what it must be given, and the option that takes bits.
QUANTIZERS = {
    quantize_weights: ({"bits": 4}, "bits"),
    quantize_static: ({}, "weight_bits"),
    quantize_analytically: ({}, "weight_bits"),
    quantize_data_free: ({"bits": 4}, "bits"),
    quantization_aware_training: ({}, "weight_bits"),
    integer_only: ({}, "weight_bits"),
    dorefa: ({}, "weight_bits"),
    ternarize_weights: ({}, "bits"),
    train_ternary: ({}, "bits"),
    binary_connect: ({}, "bits"),
    binary_connect_stochastic: ({"training": PLAN}, "bits"),
    binarize_network: ({}, "bits"),
    xnor_network: ({}, "bits"),
    half_precision: ({}, "bits"),
}
PASSES = {fold_batch_norm: {}, equalize: {}}
ALL = {way: given for way, (given, _) in QUANTIZERS.items()} | PASSES
CALIBRATED = [quantize_static, quantize_analytically, quantization_aware_training, integer_only]
LOOKING = [*CALIBRATED, dorefa, binarize_network, xnor_network]  # at the values of x
OF_ACTIVATIONS = [*CALIBRATED, dorefa]
OTHERS = {
    "Conv1d": lambda: nn.Sequential(nn.Flatten(2), nn.Conv1d(4, 4, 1), nn.Unflatten(2, (8, 8))),
    "ConvTranspose2d": lambda: nn.ConvTranspose2d(4, 4, 1),
}
SENTENCE = re.compile(r"^\w+: \S[^\n]* must [^\n]*, got \S[^\n]*$")


def named(way):
    return way.__name__


WAYS = pytest.mark.parametrize("way", ALL, ids=named)
WITH_BITS = pytest.mark.parametrize("way", QUANTIZERS, ids=named)


def all_finite(model):
    return all(bool(p.isfinite().all()) for p in model.parameters())


def fails(way, rule, model=None, x=None, *, error=ValueError, **options):
    ours, given = small_network()
    model, x = ours if model is None else model, given if x is None else x
    kept = untouched(model) if all_finite(model) else nullcontext()  # a NaN equals nothing
    with kept, pytest.raises(error, match=f"^{way.__name__}: {rule}") as caught:
        way(model, x, **{**ALL[way], **options})
    assert SENTENCE.match(str(caught.value)), f"is not the one sentence: {caught.value}"


def test_the_matrix_holds_every_quantizer():
    elsewhere = {"share_weights", "quantize_product", "huffman"}  # codebooks
    parts = {"allocate_bits", "correct_bias", "distill_data", "norm_mismatch", "two_scale_ternary"}
    parts |= {"gauss", "gauss_cut", "laplace", "laplace_cut", "NormRanges"}
    parts |= {"with_fake_quantization", "settle_quantization"}
    listed = set(quantization.__all__) - elsewhere - parts
    assert listed == {way.__name__ for way in ALL}


@WITH_BITS
@pytest.mark.parametrize("bits", [0, 33, -1])
def test_bits_that_no_code_has_are_named(way, bits):
    option = QUANTIZERS[way][1]
    fails(way, rf"{option} must .*, got {bits}(; did .*)?$", **{option: bits})
    if way not in (quantize_data_free, integer_only):  # these take one number
        fails(way, rf"{option} must .*, got {bits}(; did .*)?$", **{option: {"3": bits}})
        fails(way, rf"layer named in {option} must be .*, got 'body'", **{option: {"body": 8}})


@WITH_BITS
@pytest.mark.parametrize("bits", [4.0, True, "8", None])
def test_bits_that_are_no_whole_number_are_named(way, bits):
    option = QUANTIZERS[way][1]
    with pytest.raises(TypeError, match=rf"{option}"):  # with CHECK_SHAPES the type check says so
        way(*small_network(), **{**ALL[way], option: bits})


@pytest.mark.parametrize("way", OF_ACTIVATIONS, ids=named)
def test_bits_of_activations_are_named(way):
    for bits in (0, 33):
        fails(way, rf"activation_bits must .*, got {bits}", activation_bits=bits)
    for bits in (4.0, True):
        with pytest.raises(TypeError, match="activation_bits"):
            way(*small_network(), **{**ALL[way], "activation_bits": bits})


@WITH_BITS
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("part", ["weight", "bias"])
def test_a_weight_that_is_no_finite_number_is_named(way, bad, part):
    model, _ = small_network()
    getattr(model[3], part).data.flatten()[1] = bad
    value = "'3'" if way is integer_only else bad
    fails(way, rf"model must .*finite weights .*layer.*, got {value}", model)


@WAYS
def test_an_empty_batch_is_named(way):
    fails(way, r"x must hold examples, got \(0, 4, 8, 8\)", x=torch.zeros(0, 4, 8, 8))


@WAYS
def test_a_batch_of_another_shape_is_named(way):
    wrong = torch.zeros(2, 3, 8, 8)
    fails(way, r"x must fit the model \(.*4 channels.*\), got \(2, 3, 8, 8\)", x=wrong)
    fails(
        way,
        r"x must fit the model \(.*\), got \(2, 4, 8, 8\)",
        x=wrong.new_zeros(2, 4, 8, 8).double(),
    )


@pytest.mark.parametrize("way", LOOKING, ids=named)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_examples_that_are_no_finite_numbers_are_named(way, bad):
    fails(way, "x must lead to finite activations", x=torch.full((2, 4, 8, 8), bad))


@WITH_BITS
@pytest.mark.parametrize("kind", OTHERS)
def test_a_layer_that_cannot_be_quantized_is_named_and_never_skipped(way, kind):
    model, _ = small_network()
    fails(
        way,
        r"model must .*layer.*('0\.?1?' is other|got '0(\.1)?')",
        model.insert(0, OTHERS[kind]()),
    )


@WITH_BITS
def test_a_model_without_weights_is_named(way):
    fails(
        way, "model must have a Linear or Conv2d layer, got 'Sequential'", nn.Sequential(nn.ReLU())
    )


@WITH_BITS
@pytest.mark.parametrize(
    "before", [quantize_weights, quantize_static, half_precision, train_ternary]
)
def test_a_model_that_is_quantized_already_is_named(way, before):
    coded = before(*small_network(), **ALL[before]).model
    fails(way, r"model must not be quantized yet: layer '0(\.layer)?' holds codes, got", coded)


@WITH_BITS
def test_a_model_that_computes_on_integers_is_named(way):
    network = integer_only(*small_network()).model
    fails(
        way, r"model must (not be quantized yet|have a Linear or Conv2d layer).* got 'In", network
    )


def hooked():
    """A network in training mode, one layer of it not, one of it still, and a hook of its own."""
    model, x = small_network()
    model.train()
    model[4].eval()
    model[3].weight.requires_grad_(False)
    model[7].register_forward_hook(lambda *_: None)
    return model, x


@WAYS
def test_the_model_passed_in_stays_as_it_was(way):
    model, x = hooked()
    given = x.clone()
    with untouched(model), global_generators_untouched():
        way(model, x, **ALL[way])
    np.testing.assert_array_equal(x, given)


@WAYS
def test_the_result_is_saved_loaded_copied_and_runs_on_one_example(way):
    model, x = small_network()
    small = way(model, x, **ALL[way]).model.eval()
    y = small(x).detach()
    torch.testing.assert_close(deepcopy(small)(x).detach(), y, rtol=0, atol=0)
    # 1e-5 of outputs of size 1: products of one row in another order than those of four
    torch.testing.assert_close(small(x[:1]).detach(), y[:1], rtol=1e-5, atol=1e-5)
    file = io.BytesIO()
    torch.save(small.state_dict(), file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    with torch.no_grad():
        for tensor in [*model.parameters()]:
            tensor.mul_(1.7).add_(0.01)
    other = way(model, 3 * x + 1, **ALL[way]).model.eval()  # other weights and other ranges
    other.load_state_dict(state)
    torch.testing.assert_close(other(x).detach(), y, rtol=0, atol=0)


def test_ranges_without_data_are_refused_for_layers_without_a_norm():
    fails(
        quantize_data_free,
        r"model must have a batch norm that tells what goes into layer '7', got 'none'",
        activations=NormRanges((-3.0, 3.0)),
    )
