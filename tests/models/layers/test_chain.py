"""A chain gives what its layers give one after the other, and stays a sequence in all else."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.costs.count import count
from efficientdl.kernels.threads import threads
from efficientdl.models.layers import chain
from efficientdl.models.layers.chain import Chain, Pass, has_sparse_convolution
from efficientdl.models.layers.masked import MaskedConv2d
from efficientdl.models.layers.sparse import SparseConv2d

CLOSE = {"rtol": 1e-4, "atol": 1e-4}  # float32 sums in another order, layer after layer


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def drawn(layer, seed=0):
    """The same layer with numbers that do not depend on the global generator."""
    with torch.no_grad():
        for tensor in (*layer.parameters(), *layer.buffers()):
            if tensor.is_floating_point():
                tensor.uniform_(0.3, 1.5, generator=gen(seed + tensor.numel()))
                if tensor.ndim > 1:
                    tensor.sub_(0.9)
    return layer.eval()


def masked(conv, share=0.4):
    mask = torch.rand(conv.weight.shape, generator=gen(1)) < share
    return MaskedConv2d(drawn(conv), mask)


def sparse(c_in, c_out, kernel=1, **options):
    return SparseConv2d(masked(nn.Conv2d(c_in, c_out, kernel, **options)))


def norm(c, **options):
    return drawn(nn.BatchNorm2d(c, **options), seed=7)


def depthwise(c, kernel=3, **options):
    return drawn(nn.Conv2d(c, c, kernel, groups=c, **options))


def images(c=3, size=(13, 14), n=3):
    return torch.randn(n, c, *size, generator=gen(2))


def separable():
    """A stem, depthwise and pointwise layers, strides, norms and both activations, nested."""
    return nn.Sequential(
        nn.Sequential(sparse(3, 8, 3, padding=1, stride=2, bias=False), norm(8), nn.ReLU()),
        nn.Sequential(
            nn.Sequential(depthwise(8, padding=1, bias=False), norm(8), nn.ReLU6()),
            nn.Sequential(sparse(8, 20, bias=False), nn.Dropout(), norm(20), nn.ReLU()),
        ),
        nn.Identity(),
        masked(nn.Conv2d(20, 20, 3, padding=1, stride=2, groups=20)),
        sparse(20, 12),
    )


SEQUENCES = {
    "separable": separable,
    "pointwise with a stride": lambda: nn.Sequential(sparse(3, 70, stride=2), nn.ReLU6()),
    "a dilated kernel": lambda: nn.Sequential(sparse(3, 5, 3, dilation=2, padding=(2, 1)), norm(5)),
    "depthwise of five by five": lambda: nn.Sequential(
        sparse(3, 6), depthwise(6, 5, padding=2), nn.ReLU(), sparse(6, 4)
    ),
    "a norm without factors": lambda: nn.Sequential(sparse(3, 6), norm(6, affine=False)),
    "a norm without statistics": lambda: nn.Sequential(
        sparse(3, 6), norm(6, track_running_stats=False), nn.ReLU()
    ),
    "two activations": lambda: nn.Sequential(sparse(3, 6), nn.ReLU6(), nn.ReLU(), nn.Sigmoid()),
    "other layers between": lambda: nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), sparse(4, 6), nn.MaxPool2d(2), sparse(6, 5, 3), nn.Flatten()
    ),
    "one-sided borders and other modes": lambda: nn.Sequential(
        sparse(3, 6, 2, padding="same"), sparse(6, 6, 3, padding=1, padding_mode="circular")
    ),
    "in groups": lambda: nn.Sequential(sparse(3, 6), sparse(6, 6, 3, groups=2), nn.ReLU()),
    "depthwise alone": lambda: nn.Sequential(
        drawn(nn.Conv2d(3, 3, 3, groups=3)), nn.AvgPool2d(2), sparse(3, 4)
    ),
}


@pytest.fixture(autouse=True)
def image_by_image(monkeypatch):
    """Images of a test are small: here they run like large ones."""
    monkeypatch.setattr(chain, "SMALL", 0)


def test_small_images_go_through_a_layer_together(monkeypatch):
    layers, calls = separable().eval(), []
    ours = Chain(layers)
    monkeypatch.setattr(Pass, "_run", lambda *_: calls.append("an image"))
    ours(images(n=3))
    assert calls == ["an image"] * 3
    monkeypatch.setattr(chain, "SMALL", 2**16)
    torch.testing.assert_close(ours(images(n=3)), layers(images(n=3)), rtol=0, atol=0)
    assert len(calls) == 3
    ours(images(n=1))
    ours(images(n=2, size=(224, 224)))
    assert len(calls) == 6


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("make", SEQUENCES.values(), ids=SEQUENCES)
@pytest.mark.parametrize(("n", "n_threads"), [(1, 1), (3, 1), (1, 2), (5, 2)])
def test_it_gives_what_the_layers_give(make, n, n_threads):
    layers, x = make().eval(), images(n=n)
    with threads(n_threads):
        y = Chain(layers)(x)
    torch.testing.assert_close(y, layers(x).detach(), **CLOSE)
    assert y.is_contiguous()


def test_the_layers_between_are_in_one_pass():
    layers = separable().eval()
    ours = Chain(layers)
    ours(images())
    (found,) = ours._parts._kept[2]
    assert isinstance(found, Pass)
    assert len(found.steps) == 5


def test_it_is_the_same_sequence_under_the_same_names():
    layers = separable().eval()
    ours = Chain(layers)
    assert list(ours.state_dict()) == list(layers.state_dict())
    assert [name for name, _ in ours.named_modules()] == [n for n, _ in layers.named_modules()]
    assert ours[0] is layers[0]
    x = images(n=1)
    assert count(ours, x).total == count(layers, x).total


def test_it_is_copied_pickled_and_loaded():
    ours, x = Chain(separable().eval()), images()
    y = ours(x)
    for other in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        torch.testing.assert_close(other(x), y, rtol=0, atol=0)
    other = copy.deepcopy(ours)
    other[0][0].values.zero_()
    assert not torch.equal(other(x), y)
    other.load_state_dict(ours.state_dict())
    torch.testing.assert_close(other(x), y, rtol=0, atol=0)


def test_what_is_written_into_a_layer_or_put_in_its_place_is_what_runs():
    layers, x = separable().eval(), images()
    ours = Chain(layers)
    ours(x)
    for change in (
        lambda: layers[0][1].running_var.mul_(2),
        lambda: layers[1][0][0].weight.mul_(3),
        lambda: layers[1][1][0].values.mul_(0.5),
    ):
        before = ours(x)
        with torch.no_grad():
            change()
        torch.testing.assert_close(ours(x), layers(x).detach(), **CLOSE)
        assert not torch.equal(ours(x), before)
    ours[2] = nn.ReLU6()
    torch.testing.assert_close(ours(x), nn.Sequential(*ours)(x).detach(), **CLOSE)


def test_a_hook_sees_what_goes_through_its_layer():
    ours, seen = Chain(separable().eval()), []
    handle = ours[1][0].register_forward_hook(lambda _module, _x, y: seen.append(tuple(y.shape)))
    y = ours(images())
    assert seen == [(3, 8, 7, 7)]
    handle.remove()
    torch.testing.assert_close(ours(images()), y.detach(), **CLOSE)
    assert len(seen) == 1


def test_the_hooks_of_the_sequence_and_those_of_all_modules_see_what_they_saw_before():
    layers, seen = separable().eval(), []

    def see(module, _x, _y):
        seen.append(module)

    handle = layers.register_forward_hook(see)
    ours = Chain(layers)
    ours(images())
    assert seen == [ours]
    handle.remove()
    handle = nn.modules.module.register_module_forward_hook(see)
    ours(images())
    handle.remove()
    assert {*layers[0], *layers[1], layers[2], *layers[3:]} <= {*seen}
    before = len(seen)
    ours(images())
    assert len(seen) == before


def test_a_part_of_it_is_a_chain():
    layers, x = separable().eval(), images()
    ours = Chain(layers)
    part = ours[:2]
    assert isinstance(part, Chain)
    assert list(part.state_dict()) == list(layers[:2].state_dict())
    torch.testing.assert_close(part(x), layers[:2](x).detach(), **CLOSE)
    torch.testing.assert_close((part + ours[2:])(x), layers(x).detach(), **CLOSE)
    with pytest.raises(TypeError, match="Chain: sequence must be a Sequential or dict, got ReLU"):
        Chain(nn.ReLU())


def test_torchs_default_dtype_changes_nothing():
    layers, x = separable().eval(), images()
    y = Chain(layers)(x)
    torch.set_default_dtype(torch.float64)
    try:
        torch.testing.assert_close(Chain(layers)(x), y, rtol=0, atol=0)
    finally:
        torch.set_default_dtype(torch.float32)


class Doubled(nn.BatchNorm2d):
    def forward(self, input):
        return 2 * super().forward(input)


class Shifted(SparseConv2d):
    def forward(self, input):
        return super().forward(input) + 1


def test_classes_made_of_these_run_as_they_are():
    shifted, x = Shifted(masked(nn.Conv2d(3, 6, 3))), images()
    layers = nn.Sequential(shifted, sparse(6, 6), drawn(Doubled(6)), nn.ReLU())
    torch.testing.assert_close(Chain(layers.eval())(x), layers(x).detach(), **CLOSE)


def test_a_norm_of_other_channels_is_refused_by_torch():
    layers = nn.Sequential(sparse(3, 6), norm(5)).eval()
    with pytest.raises(RuntimeError, match="running_mean should contain 6 elements not 5"):
        Chain(layers)(images())


def test_in_training_the_layers_say_so():
    with pytest.raises(ValueError, match="SparseConv2d: mode must be evaluation"):
        Chain(separable()).train()(images())


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (images(c=4), "SparseConv2d: input must be images of 3 channels"),
        (images().double(), "SparseConv2d: input must be torch.float32"),
    ],
)
def test_a_wrong_input_is_named_by_its_layer(x, words):
    with pytest.raises(ValueError, match=words):
        Chain(separable().eval())(x)


@pytest.mark.parametrize(
    ("layers", "caller"),
    [
        (lambda: [sparse(3, 4, 3)], "SparseConv2d"),
        (lambda: [sparse(3, 3), depthwise(3)], "Conv2d"),
        (lambda: [sparse(3, 3), masked(nn.Conv2d(3, 3, 3, groups=3))], "MaskedConv2d"),
    ],
)
def test_an_image_too_small_is_named(layers, caller):
    words = rf"^{caller}: .* at least as large as the kernel, \(3, 3\), got \(2, 9\)"
    with pytest.raises(ValueError, match=words):
        Chain(nn.Sequential(*layers()).eval())(images(size=(2, 9)))


def test_no_batch_one_image_alone_and_one_that_lies_otherwise():
    layers = nn.Sequential(sparse(3, 8, 3, padding=1), nn.ReLU(), depthwise(8)).eval()
    ours = Chain(layers)
    turned = images(size=(14, 13)).transpose(2, 3)
    for x in (
        images(n=0),
        images()[0],
        turned,
        images().contiguous(memory_format=torch.channels_last),
    ):
        torch.testing.assert_close(ours(x), layers(x).detach(), **CLOSE)


def test_in_float64_it_is_the_plain_sequence():
    layers, x = separable().eval().double(), images().double()
    torch.testing.assert_close(Chain(layers)(x), layers(x).detach())


def test_what_is_no_number_passes_a_relu():
    layers = nn.Sequential(sparse(3, 4), nn.ReLU()).eval()
    x = images()
    x[0, :, 2, 2] = np.nan
    torch.testing.assert_close(Chain(layers)(x), layers(x).detach(), equal_nan=True, **CLOSE)


def test_several_threads_at_once_do_not_share_a_place():
    ours = Chain(separable().eval())
    xs = [torch.randn(2, 3, 13, 14, generator=gen(seed)) for seed in range(12)]
    expected = [ours(x) for x in xs]
    with ThreadPoolExecutor(4) as pool:
        for y, other in zip(pool.map(ours, xs), expected, strict=True):
            torch.testing.assert_close(y, other, rtol=0, atol=0)


def test_only_sparse_convolutions_make_a_chain_worth_it():
    assert has_sparse_convolution(separable())
    assert not has_sparse_convolution(nn.Sequential(depthwise(3), norm(3), nn.ReLU()))
    ours = Chain(nn.Sequential(depthwise(3), norm(3)).eval())
    ours(images())
    assert not any(isinstance(part, Pass) for part in ours._parts._kept[2])
