"""The trained networks: as accurate as their card says; files that are not ours are refused."""

import json
import shutil

import pytest
import torch
from safetensors.torch import save_file

from efficientdl import _files, models
from efficientdl.datasets import load
from efficientdl.fit import evaluate
from efficientdl.models.trained import read_about, read_network, write_network

NAMES = models.trained_names()


def about(name):
    return read_about(_files.data_file("test", f"weights/{name}.safetensors"))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_accuracy_is_the_cards(name):
    said = about(name)
    accuracy = evaluate(models.trained(name), load(said["dataset"]).test)
    # Half a point: other instruction sets and thread counts round otherwise.
    torch.testing.assert_close(accuracy, said["test_accuracy"], rtol=0, atol=0.005)


def test_the_course_networks_are_there_and_good_enough_to_teach_with():
    assert {"small_cnn_mnist", "small_cnn_fashion", "lenet_300_100_mnist", "lenet_5_mnist"} <= set(
        NAMES
    )
    assert about("small_cnn_mnist")["test_accuracy"] >= 0.97
    assert about("small_cnn_fashion")["test_accuracy"] >= 0.87


def test_each_member_of_the_family_is_trained():
    members = models.networks.small_family.NETWORKS
    assert set(members) <= set(NAMES)
    assert all(about(name)["network"] == name for name in members)


def test_all_weights_together_are_small():
    folder = _files.data_folder() / "weights"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 3_000_000


def test_comes_in_evaluation_mode_as_float32_and_moves_no_global_generator():
    before = torch.get_rng_state()
    model = models.trained("small_cnn_mnist")
    torch.testing.assert_close(torch.get_rng_state(), before, rtol=0, atol=0)
    assert not any(module.training for module in model.modules())
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert all(p.requires_grad for p in model.parameters())
    assert model is not models.trained("small_cnn_mnist")


def test_write_then_read_is_the_model_to_sixteen_bits(tmp_path):
    model = models.build("lenet_5", seed=3, classes=4)
    path = tmp_path / "a.safetensors"
    write_network(model, path, network="lenet_5", classes=4, about={"note": "untrained"})
    again = read_network(path)
    for (name, value), (other, expected) in zip(
        again.state_dict().items(), model.state_dict().items(), strict=True
    ):
        assert name == other
        torch.testing.assert_close(value, expected.half().float(), rtol=0, atol=0)
    assert read_about(path) == {"network": "lenet_5", "classes": 4, "note": "untrained"}


def test_a_weight_too_large_for_sixteen_bits(tmp_path):
    model = models.build("lenet_5", seed=0)
    with torch.no_grad():
        model.fc1.weight[0, 0] = 1e5
    with pytest.raises(ValueError, match=r"write_network: fc1.weight must fit into 16 bits"):
        write_network(model, tmp_path / "a", network="lenet_5", classes=10, about={})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A data folder of its own with one trained network in it."""
    (tmp_path / "weights").mkdir()
    shutil.copy(_files.data_folder() / "SHA256SUMS", tmp_path)
    name = "weights/small_cnn_mnist.safetensors"
    shutil.copy(_files.data_folder() / name, tmp_path / name)
    monkeypatch.setenv("EFFICIENTDL_DATA", str(tmp_path))
    return tmp_path


def test_damaged_file(folder):
    path = folder / "weights/small_cnn_mnist.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"trained: file is corrupted.*small_cnn_mnist"):
        models.trained("small_cnn_mnist")
    with pytest.raises(ValueError, match="must be a safetensors file, whole"):
        read_network(path)


def test_missing_file(folder):
    with pytest.raises(ValueError, match=r"trained: file is missing.*lenet_5_mnist"):
        models.trained("lenet_5_mnist")


def test_unknown_name():
    with pytest.raises(ValueError, match=r"trained: network must be one of .* did you mean"):
        models.trained("small_cnn_mnits")


@pytest.mark.parametrize(
    ("weights", "header", "said"),
    [
        ({"a": torch.zeros(2)}, {}, "must name one of the project's networks"),
        ({"a": torch.zeros(2)}, {"network": "vgg99", "classes": 10}, "must name one of"),
        (
            {"classifier.weight": torch.zeros(10, 500)},
            {"network": "lenet_5", "classes": 10},
            "must hold the weights of lenet_5; classifier.bias is missing",
        ),
    ],
)
def test_a_file_from_elsewhere(weights, header, said, tmp_path):
    path = tmp_path / "a.safetensors"
    save_file(weights, path, metadata={"efficientdl": json.dumps(header)} if header else None)
    with pytest.raises(ValueError, match=said):
        read_network(path)


def test_no_safetensors_file_at_all(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"PK\x03\x04 something else")
    with pytest.raises(ValueError, match="read_about: file must be a safetensors file, whole"):
        read_network(path)
