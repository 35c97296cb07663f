"""A perceptron on 5,000 images of Fashion-MNIST, by SAM, at any width.

    python examples/pytorch/train.py --width 256 --lr 0.1 --rho 0.1 --scheme mup2 --seed 0
    python examples/pytorch/train.py --check check.html

Learning rate and radius are those of the base width, 64. Prints one line of JSON: such lines of
many runs in one file are what `mup2.report` makes a transfer map of. Needs PyTorch and `mup2`.
"""

import argparse
import gzip
import json
import pathlib

import torch
from torch import Tensor, nn

from mup2.torch import SAM, BaseShapes, coordinate_check, scale

BASE_WIDTH, EPOCHS, BATCH = 64, 4, 64
IMAGES = pathlib.Path(__file__).parents[2] / "crates/mup2-train/assets/fashion-mnist-subset.bin.gz"


def make_model(width: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(784, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, 10),
    )


def base_shapes() -> BaseShapes:
    with torch.device("meta"):  # Only shapes are read.
        return BaseShapes.compare(make_model(BASE_WIDTH), make_model(2 * BASE_WIDTH))


def splits() -> list[tuple[Tensor, Tensor]]:
    """Training, validation and test images [n, 784], of mean 0 and std 1, with their labels."""
    raw = torch.frombuffer(bytearray(gzip.decompress(IMAGES.read_bytes())), dtype=torch.uint8)
    numbers = [int.from_bytes(bytes(raw[at : at + 4].tolist()), "big") for at in range(8, 28, 4)]
    found, at = [], 28
    for count in numbers[:3]:
        labels = raw[at : at + count].long()
        pixels = raw[at + count : at + count * 785].reshape(count, 784).float()
        found.append(((pixels - 73.0) / 90.0, labels))
        at += count * 785
    return found


def train(width: int, lr: float, rho: float, scheme: str, seed: int) -> dict[str, object]:
    torch.manual_seed(seed)
    (images, labels), validation, test = splits()
    model = make_model(width)
    scaled = scale(model, base_shapes(), scheme=scheme)
    scaled.initialize_()
    optimizer = torch.optim.SGD(scaled.param_groups(lr=lr), momentum=0.9)
    sam = SAM(optimizer, scaled, rho=rho)
    steps = EPOCHS * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    outcome = "completed"
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(images)).split(BATCH)[: len(images) // BATCH]:

            def closure(batch: Tensor = batch) -> Tensor:
                loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
                loss.backward()
                return loss

            sam.step(closure)
            schedule.step()
            if sam.skipped:
                outcome = "diverged"
    run: dict[str, object] = {"scheme": scheme, "width": width, "lr": lr, "rho": rho, "seed": seed}
    return run | {
        "outcome": outcome,
        "selection_accuracy": accuracy(model, *validation),
        "test_accuracy": accuracy(model, *test),
    }


@torch.no_grad()
def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    return float((model(images).argmax(1) == labels).float().mean())


def check(page: str, scheme: str, lr: float, rho: float) -> bool:
    images, labels = splits()[0]
    report = coordinate_check(
        make_model,
        lambda seed: (images[seed * 64 :][:64], labels[seed * 64 :][:64]),
        base=base_shapes(),
        widths=(64, 128, 256, 512),
        lr=lr,
        rho=rho,
        scheme=scheme,
        steps=8,
    )
    print(report)
    report.html(page)
    return report.passed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--rho", type=float, default=0.05)
    parser.add_argument("--scheme", default="mup2")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--check", metavar="PAGE", help="check the scheme and write a page")
    given = parser.parse_args()
    if given.check:
        raise SystemExit(not check(given.check, given.scheme, given.lr, given.rho))
    print(json.dumps(train(given.width, given.lr, given.rho, given.scheme, given.seed)))
