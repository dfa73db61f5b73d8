"""The file: nothing lost, as large as was said, and any damage noticed. A plain reader agrees."""

import struct
from zlib import crc32

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from efficientdl.automl.recipes.deep_compression import deep_compression
from efficientdl.automl.recipes.file_format import file_bytes, save
from efficientdl.automl.recipes.file_reading import load
from efficientdl.compression import half_precision, prune, quantize_weights
from efficientdl.compression.quantization.kmeans import share_weights
from efficientdl.compression.quantization.product import quantize_product
from efficientdl.kernels.huffman import huffman_decode_reference
from efficientdl.models.layers.masked import MaskedLinear
from efficientdl.models.layers.shared_weight import Shared
from efficientdl.tensors.coded_weight import Stream

X = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def network(seed=1):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(512, 20),
        ).eval()


def small(**options):
    return deep_compression(network(), X, **{"sparsity": 0.9, "bits": 4, **options}).model


def written(model, tmp_path):
    path = tmp_path / "net.edlc"
    save(model, path)
    return path


def same(one, other):
    """Equal in every stored value and in what they compute."""
    ours, theirs = one.state_dict(), other.state_dict()
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert value.dtype == theirs[name].dtype
        np.testing.assert_array_equal(value, theirs[name])
    np.testing.assert_array_equal(one(X).detach(), other(X).detach())


MADE = {
    "deep compression": small,
    "nothing pruned": lambda: small(sparsity=0.0),
    "one layer only": lambda: share_weights(network(), X, bits={"4": 3}).model,
    "nothing shared": network,
    "long gaps": lambda: small(sparsity={"0": 0.0, "4": 0.995}, bits={"0": 2, "4": 2}),
    "vectors": lambda: quantize_product(network(), X, bits=2, n_codebooks=1, seed=0).model,
    "vectors, pruned": lambda: (
        quantize_product(
            prune(network(), X, sparsity=0.5).model,
            X,
            bits=1,
            n_codebooks={"0": 9, "4": 64},
            seed=0,
        ).model
    ),
}


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_what_is_read_is_what_was_written_in_the_bytes_that_were_claimed(make, tmp_path):
    model = make()
    path = written(model, tmp_path)
    assert path.stat().st_size == file_bytes(model)
    read = load(path, network(seed=2))
    same(read, model)
    again = tmp_path / "again.edlc"
    save(read, again)
    assert again.read_bytes() == path.read_bytes()


def test_other_types_keep_their_bits(tmp_path):
    for dtype in (torch.float64, torch.bfloat16):
        model, x = network().to(dtype), X.to(dtype)
        few = deep_compression(model, x, sparsity=0.5, bits=4).model
        read = load(written(few, tmp_path), network(seed=2).to(dtype))
        torch.testing.assert_close(read(x), few(x), rtol=0, atol=0)


def test_a_whole_model_may_be_one_layer(tmp_path):
    x = torch.ones(1, 512)
    few = deep_compression(network()[4], x, sparsity=0.9, bits=4).model
    read = load(written(few, tmp_path), network(seed=2)[4])
    torch.testing.assert_close(read(x), few(x), rtol=0, atol=0)


def test_a_path_may_be_text(tmp_path):
    """As the README writes it."""
    name = str(tmp_path / "net.edlc")
    save(small(), name)
    same(load(name, network(seed=2)), small())


class Tied(nn.Module):
    """A layer under two names, and a table whose weight is a layer's too."""

    def __init__(self, seed):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.first = nn.Linear(16, 16)
            self.again = self.first
            self.head, self.table = nn.Linear(16, 24), nn.Embedding(24, 16)
        self.table.weight = self.head.weight

    def forward(self, x):
        return self.head(self.again(self.first(x))) @ self.table.weight


@pytest.mark.parametrize("bits", [{"first": 3}, {"head": 3}])
def test_what_has_two_names_is_written_once(bits, tmp_path):
    x = torch.randn(2, 16, generator=torch.Generator().manual_seed(0))
    few = share_weights(Tied(1), x, bits=bits).model
    path = written(few, tmp_path)
    for name, value in few.state_dict().items():
        assert value.numel() < 384 or path.read_bytes().count(value.numpy().tobytes()) <= 1, name
    read = load(path, Tied(2))
    assert read.again is read.first
    torch.testing.assert_close(read(x), few(x), rtol=0, atol=0)


def test_a_layer_of_which_nothing_is_left(tmp_path):
    model = network()
    model[4] = MaskedLinear(model[4], torch.zeros(20, 512, dtype=torch.bool))
    few = share_weights(model, X, bits=3).model
    read = load(written(few, tmp_path), network(seed=2))
    same(read, few)
    np.testing.assert_array_equal(read[4].weight.detach(), 0)


def test_the_file_is_the_reported_bits_the_statistics_and_the_frame(tmp_path):
    """The size is the sum of the parts, each from its own count."""
    model, report = deep_compression(network(), X, sparsity=0.9, bits=4)
    norm = model[1]
    statistics = sum(4 * t.numel() for t in (norm.running_mean, norm.running_var)) + 8
    n_raw, n_shared = 6, 2
    frame = 10 + 8 * (n_raw + n_shared) + 4
    names = sum(map(len, ["0", "4", "1.weight", "1.bias", "1.running_mean", "1.running_var"]))
    names += len("1.num_batches_tracked") + len("4.bias")
    raw_heads = n_raw * 4 + 4 * 5  # kind, length, type, axes; one axis each but for the counter
    shared_heads = n_shared * (3 + 29) + 4 * (4 + 2)
    weights = report.total.weight_bits // 8
    assert file_bytes(model) == weights + statistics + frame + names + raw_heads + shared_heads


def test_a_reader_written_from_the_text_finds_the_same_weight(tmp_path):
    """NumPy and struct, by the documented form alone."""
    model = small()
    data = written(model, tmp_path).read_bytes()
    magic, version, n = struct.unpack_from("<4sHI", data)
    assert (magic, version, n) == (b"EDLC", 1, 8)
    at = 10 + 8 * n + 4
    lengths = [struct.unpack_from("<II", data, 10 + 8 * i)[0] for i in range(n)]
    section = data[at + lengths[0] : at + lengths[0] + lengths[1]]  # the second one, layer 4
    assert section[:5] == struct.pack("<BB", 1, 1) + b"4" + struct.pack("<B", 2) + section[4:5]
    assert struct.unpack_from("<II", section, 4) == (20, 512)
    f = struct.unpack_from("<IHIBIIIBIB", section, 12)
    books, size, length, index_bits, n_codes, n_gaps, n_data, n_table, g_data, g_table = f
    assert (books, size, length) == (1, 16, 1)
    rest = section[12 + 29 :]
    book, rest = np.frombuffer(rest[: 4 * size], "<f4"), rest[4 * size :]
    sizes = [n_table, n_data, g_table, g_data]
    ends = np.cumsum(sizes)
    parts = [np.frombuffer(rest[e - s : e], np.uint8) for s, e in zip(sizes, ends, strict=True)]
    assert ends[-1] == len(rest)
    codes = plain_stream(parts[1], parts[0], n_codes)
    gaps = plain_stream(parts[3], parts[2], n_gaps)
    weight, place, values = np.zeros(20 * 512, np.float32), 0, iter(codes)
    for gap in gaps:
        place += int(gap)
        if gap < 2**index_bits - 1:
            weight[place] = book[next(values)]
            place += 1
    np.testing.assert_array_equal(weight.reshape(20, 512), model[4].weight.detach())


def plain_stream(data, table, count):
    lengths = np.zeros(256, np.uint8)
    for i, byte in enumerate(table):
        lengths[2 * i], lengths[2 * i + 1] = byte % 16, byte // 16
    return huffman_decode_reference(data, lengths, count)


GOOD: list[bytes] = []


def good(tmp_path_factory):
    if not GOOD:
        path = tmp_path_factory.mktemp("good") / "net.edlc"
        save(small(), path)
        GOOD.append(path.read_bytes())
    return GOOD[0]


def refused(data, path):
    path.write_bytes(data)
    with pytest.raises(ValueError, match="load: file") as caught:
        load(path, network())
    caught.match(r"^load: file at byte \d+, in the (directory|section \d+( of '.*')?), must ")


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_flipped_byte_anywhere_is_noticed(tmp_path_factory, place, flip):
    data = bytearray(good(tmp_path_factory))
    data[int(place * len(data))] ^= flip
    refused(bytes(data), tmp_path_factory.getbasetemp() / "flipped.edlc")


def test_every_byte_of_the_directory_counts(tmp_path_factory):
    data = good(tmp_path_factory)
    path = tmp_path_factory.getbasetemp() / "directory.edlc"
    for place in range(10 + 8 * 8 + 4):
        refused(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :], path)


@settings(deadline=None, max_examples=25)
@given(share=st.floats(0, 1, exclude_max=True), more=st.binary(max_size=3))
def test_a_file_cut_off_anywhere_or_too_long_is_noticed(tmp_path_factory, share, more):
    data = good(tmp_path_factory)
    path = tmp_path_factory.getbasetemp() / "cut.edlc"
    refused(data[: int(share * len(data))], path)
    refused(data + b"\0" + more, path)


def resigned(data, place, value):
    """The file with bytes changed and every checksum made right again: a forger's."""
    data = bytearray(data)
    data[place : place + len(value)] = value
    (n,) = struct.unpack_from("<I", data, 6)
    at = 10 + 8 * n + 4
    for i in range(n):
        (length,) = struct.unpack_from("<I", data, 10 + 8 * i)
        struct.pack_into("<I", data, 14 + 8 * i, crc32(data[at : at + length]))
        at += length
    struct.pack_into("<I", data, 10 + 8 * n, crc32(data[: 10 + 8 * n]))
    return bytes(data)


def test_a_section_that_goes_on_behind_its_end_is_refused(tmp_path_factory):
    """Eight sections; a byte more in the first of them, its length and every checksum right."""
    data = good(tmp_path_factory)
    length, first = *struct.unpack_from("<I", data, 10), 10 + 8 * 8 + 4
    longer = bytearray(data[: first + length] + b"\0" + data[first + length :])
    struct.pack_into("<I", longer, 10, length + 1)
    path = tmp_path_factory.getbasetemp() / "longer.edlc"
    path.write_bytes(resigned(longer, 0, b""))
    with pytest.raises(ValueError, match=r"in the section 0 of '0', must have nothing behind it"):
        load(path, network())


def test_another_version_is_refused(tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "version.edlc"
    path.write_bytes(resigned(good(tmp_path_factory), 4, b"\2\0"))
    with pytest.raises(ValueError, match=r"at byte 0, .* must begin with b'EDLC' and version 1"):
        load(path, network())


def test_truth_that_is_neither_is_refused(tmp_path):
    model = nn.Linear(2, 2)
    model.register_buffer("flags", torch.tensor([True, False, True]))
    path = written(model, tmp_path)
    data = path.read_bytes()
    np.testing.assert_array_equal(load(path, model).flags, model.flags)
    path.write_bytes(resigned(data, len(data) - 1, b"\2"))
    with pytest.raises(ValueError, match=r"of 'flags', must hold zeros and ones"):
        load(path, model)


def test_codes_and_gaps_that_do_not_fit_each_other_are_refused(tmp_path, monkeypatch):
    model, whole = small(), Shared.coded_weight

    def one_less(layer):
        coded = whole(layer)
        return coded._replace(codes=Stream(torch.from_numpy(coded.codes.symbols[:-1])))

    monkeypatch.setattr(Shared, "coded_weight", one_less)
    path = written(model, tmp_path)
    with pytest.raises(ValueError, match=r"section 0 of '0', must have 22 codes, not 21"):
        load(path, network())


def test_a_section_that_comes_twice_is_refused(tmp_path_factory):
    data = good(tmp_path_factory)
    length, first = *struct.unpack_from("<I", data, 10), 10 + 8 * 8 + 4
    entry, section = data[10:18], data[first : first + length]
    twice = data[:6] + struct.pack("<I", 9) + entry + data[10 : first - 4]
    twice += data[first - 4 : first] + section + data[first:]
    path = tmp_path_factory.getbasetemp() / "twice.edlc"
    path.write_bytes(resigned(twice, 0, b""))
    with pytest.raises(ValueError, match=r"must begin with a known kind and a name of its own"):
        load(path, network())


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255), near=st.booleans())
def test_a_forged_file_is_refused_or_is_a_network_of_this_shape(
    tmp_path_factory, place, flip, near
):
    """With right checksums only the reader's own checks are left; half the flips hit headers."""
    data = good(tmp_path_factory)
    first = 10 + 8 * 8 + 4
    place = first + int(place * (150 if near else len(data) - first))
    path = tmp_path_factory.getbasetemp() / "forged.edlc"
    path.write_bytes(resigned(data, place, bytes([data[place] ^ flip])))
    read, said = read_or_said(path)
    assert said.startswith("load: file ") if read is None else read(X).shape == (2, 20)


def read_or_said(path):
    """The network, or what was said instead of giving it."""
    try:
        return load(path, network()), ""
    except ValueError as error:
        return None, str(error)


def test_a_header_that_asks_for_everything_gets_nothing(tmp_path_factory, monkeypatch):
    """Each count of a section in turn is the largest there is: refused before anything is made."""
    data = good(tmp_path_factory)
    path = tmp_path_factory.getbasetemp() / "greedy.edlc"
    first = 10 + 8 * 8 + 4
    made = []
    for module in (np, torch):
        for maker in ("zeros", "empty", "ones"):
            original = getattr(module, maker)

            def watched(*shape, original=original, **options):
                made.append(original(*shape, **options))
                return made[-1]

            monkeypatch.setattr(module, maker, watched)
    fields = first + 3 + 1 + 16
    for offset, n_bytes in [(0, 4), (4, 2), (6, 4), (11, 4), (15, 4), (19, 4), (24, 4)]:
        refused(resigned(data, fields + offset, b"\xff" * n_bytes), path)
    for axis in range(4):
        refused(resigned(data, first + 4 + 4 * axis, b"\xff" * 4), path)
    # nothing larger than the network, the file, or a decoding table
    assert max(array.nbytes for array in made) <= max(network()[4].weight.nbytes, 8 * 2**15)
    path.write_bytes(struct.pack("<4sHI", b"EDLC", 1, 2**32 - 1))
    with pytest.raises(ValueError, match=r"in the directory, must list 4294967295 sections"):
        load(path, network())


def test_a_file_for_another_network_is_refused(tmp_path):
    path = written(small(), tmp_path)
    other = network()
    other[4] = nn.Linear(512, 10)
    with pytest.raises(ValueError, match=r"section 1 of '4', must be a layer of this network"):
        load(path, other)
    with pytest.raises(ValueError, match=r"must be of the network's own type torch.float64"):
        load(written(network(), tmp_path), network().double())
    more = nn.Sequential(*network(), nn.Linear(20, 2))
    with pytest.raises(
        ValueError, match=r"load: file must hold each tensor .* '5.bias' is missing"
    ):
        load(written(small(), tmp_path), more)


def test_what_the_form_has_no_place_for_is_not_written(tmp_path):
    path = tmp_path / "never.edlc"
    with pytest.raises(
        ValueError, match=r"save: model must have shared .* layer '0', got 'MaskedC"
    ):
        save(prune(network(), X, sparsity=0.5).model, path)
    with pytest.raises(ValueError, match=r"file_bytes: model must have shared weights"):
        file_bytes(quantize_weights(network(), X, bits=4).model)
    with pytest.raises(ValueError, match=r"save: model must have shared .* layer '0', got 'Float"):
        save(half_precision(network(), X).model, path)
    odd = nn.Linear(2, 2)
    odd.register_buffer("phase", torch.zeros(1, dtype=torch.complex64))
    with pytest.raises(ValueError, match=r"save: phase must be of one of the types float32"):
        save(odd, path)
    assert not path.exists()


def test_reading_changes_neither_the_network_given_nor_global_generators(tmp_path):
    path, model = written(small(), tmp_path), network(seed=3)
    before, state = model.state_dict(), torch.get_rng_state()
    kept = {name: value.clone() for name, value in before.items()}
    load(path, model)
    for name, value in kept.items():
        np.testing.assert_array_equal(model.state_dict()[name], value)
    np.testing.assert_array_equal(torch.get_rng_state(), state)
