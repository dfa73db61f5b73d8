"""weights/*.safetensors: the small networks, trained from one seed on one thread.

    python data/scripts/train_networks.py [name ...]

trains those named, or all of them, in about a minute each, and writes weights, checksums and
the table of data/README.md. A network is tested after it was stored in 16 bits and read back: that
is what a lab loads. Another machine gives other rounding, and accuracies that differ by a few
pictures in a thousand.

The shipped sets are small, so every picture is also seen shifted by one pixel each way, and clothes
in the mirror too; a digit in the mirror is no digit.
"""

import re
import sys
from dataclasses import dataclass

import output
import torch
from torch.nn.functional import pad

from efficientdl.datasets import Dataset, Split, load
from efficientdl.fit import evaluate, fit
from efficientdl.models import build
from efficientdl.models.networks.small_family import MEMBERS
from efficientdl.models.trained import read_about, read_network, write_network

SEED = 0


@dataclass(frozen=True)
class Job:
    """One training."""

    network: str
    dataset: str
    epochs: int
    lr: float = 6e-3


JOBS = {
    "small_cnn_mnist": Job("small_cnn", "mnist", epochs=5),
    "small_cnn_fashion": Job("small_cnn", "fashion_mnist", epochs=3),
    "lenet_300_100_mnist": Job("lenet_300_100", "mnist", epochs=12, lr=2e-3),
    "lenet_5_mnist": Job("lenet_5", "mnist", epochs=5, lr=2e-3),
} | {member.name: Job(member.name, "fashion_mnist", epochs=3) for member in MEMBERS}


def shifted(x: torch.Tensor, down: int, right: int) -> torch.Tensor:
    """The pictures moved by a pixel, the border filled with black."""
    return pad(x, (1, 1, 1, 1))[..., 1 - down : 29 - down, 1 - right : 29 - right]


def training_part(data: Dataset) -> Split:
    x, y = data.train
    if data.name == "fashion_mnist":
        x, y = torch.cat([x, x.flip(3)]), y.repeat(2)
    moves = [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)]
    return Split(torch.cat([shifted(x, *move) for move in moves]), y.repeat(len(moves)))


def train(name: str, job: Job) -> None:
    data = load(job.dataset)
    model = build(job.network, seed=SEED, classes=len(data.classes))
    fitted = fit(model, training_part(data), data.val, epochs=job.epochs, lr=job.lr, seed=SEED)
    path = output.DATA / "weights" / f"{name}.safetensors"
    path.parent.mkdir(exist_ok=True)
    about = {"dataset": job.dataset, "epochs": job.epochs, "lr": job.lr, "seed": SEED}
    said = {"network": job.network, "classes": len(data.classes)}
    write_network(fitted.model, path, **said, about=about)
    stored = read_network(path)
    about |= {
        "val_accuracy": round(evaluate(stored, data.val), 4),
        "test_accuracy": round(evaluate(stored, data.test), 4),
    }
    write_network(fitted.model, path, **said, about=about)
    output.record(f"weights/{path.name}")
    print(f"{name}: {about['test_accuracy']:.4f} of the test pictures, {path.stat().st_size} bytes")


def write_table() -> None:
    """Put what the files say of themselves into the card."""
    lines = [
        "| file in `weights/` | network | trained on | weights | bytes | test accuracy |",
        "|---|---|---|---:|---:|---:|",
    ]
    for path in sorted((output.DATA / "weights").glob("*.safetensors")):
        said = read_about(path)
        n_weights = sum(p.numel() for p in read_network(path).parameters())
        cells = path.name, said["network"], said["dataset"], f"{n_weights:,}"
        size = f"{path.stat().st_size:,}"
        lines.append(f"| {' | '.join(cells)} | {size} | {said['test_accuracy']:.4f} |")
    card = output.DATA / "README.md"
    marked = r"(<!-- weights -->\n).*?(<!-- end -->)"
    table = "\n".join(lines) + "\n"
    text = re.sub(marked, lambda m: m[1] + table + m[2], card.read_text(), flags=re.DOTALL)
    card.write_text(text)


if __name__ == "__main__":
    torch.set_num_threads(1)
    wanted = sys.argv[1:] or list(JOBS)
    unknown = [name for name in wanted if name not in JOBS]
    if unknown:
        sys.exit(f"no such training: {', '.join(unknown)}; there are {', '.join(JOBS)}")
    for name in wanted:
        train(name, JOBS[name])
    write_table()
