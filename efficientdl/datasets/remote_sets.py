"""The sets that can be fetched: addresses and checksums, in one table.

The addresses and checksums are those that torchvision, torchaudio, torchtext and Keras carry.
"""

from efficientdl.datasets import remote_images as images
from efficientdl.datasets import remote_words as words
from efficientdl.datasets.download import Remote
from efficientdl.datasets.remote import RemoteSet
from efficientdl.datasets.shipped import CLOTHES, DIGITS

_FOUR = [
    f"{part}-{what}-ubyte.gz"
    for part in ("train", "t10k")
    for what in ("images-idx3", "labels-idx1")
]


def _digits(folder: str, *md5: str) -> dict[str, Remote]:
    return {n: Remote(folder + n, f"md5:{h}") for n, h in zip(_FOUR, md5, strict=True)}


def _one(folder: str, name: str, known_hash: str) -> dict[str, Remote]:
    return {name: Remote(folder + name, known_hash)}


_TORONTO = "https://www.cs.toronto.edu/~kriz/"
_OXFORD = "https://www.robots.ox.ac.uk/~vgg/data/"
_MULTI30K = "https://raw.githubusercontent.com/neychev/small_DL_repo/master/datasets/Multi30k/"

SETS = {
    "mnist_full": RemoteSet(
        _digits(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ),
        megabytes=12,
        instead="mnist",
        read=images.read_digits("mnist_full", DIGITS),
    ),
    "fashion_mnist_full": RemoteSet(
        _digits(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
        megabytes=31,
        instead="fashion_mnist",
        read=images.read_digits("fashion_mnist_full", CLOTHES),
    ),
    "cifar10": RemoteSet(
        _one(_TORONTO, "cifar-10-python.tar.gz", "md5:c58f30108f718f92721af3b95e74349a"),
        megabytes=170,
        instead="fashion_mnist",
        read=images.read_cifar10,
    ),
    "cifar100": RemoteSet(
        _one(_TORONTO, "cifar-100-python.tar.gz", "md5:eb9058c3a382ffc7106e4002c42a8d85"),
        megabytes=170,
        instead="fashion_mnist",
        read=images.read_cifar100,
    ),
    "imagenette": RemoteSet(
        _one(
            "https://s3.amazonaws.com/fast-ai-imageclas/",
            "imagenette2-160.tgz",
            "md5:e793b78cc4c9e9a4ccc0c1155377a412",
        ),
        megabytes=100,
        instead="fashion_mnist",
        read=images.read_imagenette,
    ),
    "flowers102": RemoteSet(
        _one(_OXFORD + "flowers/102/", "102flowers.tgz", "md5:52808999861908f626f3c1f4e79d11fa")
        | _one(_OXFORD + "flowers/102/", "imagelabels.mat", "md5:e0620be6f572b9609742df49c70aed4d")
        | _one(_OXFORD + "flowers/102/", "setid.mat", "md5:a5357ecc9cb78c4bef273ce3793fc85c"),
        megabytes=345,
        instead="fashion_mnist",
        read=images.read_flowers,
    ),
    "oxford_pets": RemoteSet(
        _one(_OXFORD + "pets/data/", "images.tar.gz", "md5:5c4f3ee8e5d25df40f4fd59a7f44e54c")
        | _one(
            _OXFORD + "pets/data/", "annotations.tar.gz", "md5:95a8c909bbe2e81eed6a22bccdf3f68f"
        ),
        megabytes=810,
        instead="fashion_mnist",
        read=images.read_pets,
    ),
    "speech_commands": RemoteSet(
        _one(
            "http://download.tensorflow.org/data/",
            "speech_commands_v0.02.tar.gz",
            "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
        ),
        megabytes=2400,
        instead="kws_espeak",
        read=words.read_speech_commands,
    ),
    "multi30k": RemoteSet(
        _one(
            _MULTI30K,
            "training.tar.gz",
            "20140d013d05dd9a72dfde46478663ba05737ce983f478f960c1123c6671be5e",
        )
        | _one(
            _MULTI30K,
            "validation.tar.gz",
            "a7aa20e9ebd5ba5adce7909498b94410996040857154dab029851af3a866da8c",
        )
        | _one(
            _MULTI30K,
            "mmt16_task1_test.tar.gz",
            "6d1ca1dba99e2c5dd54cae1226ff11c2551e6ce63527ebb072a1f70f72a5cd36",
        ),
        megabytes=2,
        instead="en_es",
        read=words.read_multi30k,
    ),
    "sst2": RemoteSet(
        _one(
            "https://dl.fbaipublicfiles.com/glue/data/",
            "SST-2.zip",
            "md5:9f81648d4199384278b86e315dac217c",
        ),
        megabytes=7,
        instead="wordnet_gloss",
        read=words.read_sst2,
    ),
    "tiny_shakespeare": RemoteSet(
        _one(
            "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/",
            "input.txt",
            "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        ),
        megabytes=1,
        instead="moby_dick",
        read=words.read_shakespeare,
    ),
}
