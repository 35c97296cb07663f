"""One process of the quickstart's sweep in PyTorch."""

import gzip
import math
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from memory import memory
from models import mlp
from quickstart_plan import Run
from rows import BATCH_SIZE, CLASSES
from sam import Sam, Scaling, sgd
from trainer import load_libraries

IMAGES = Path(__file__).parent.parent / "crates/mup2-train/assets/fashion-mnist-subset.bin.gz"
# Eight bytes of a name and five numbers of four bytes.
HEADER_BYTES = 28
SPLITS = ("train", "validation", "test")

Split = tuple[torch.Tensor, torch.Tensor]


class Sweep:
    """What all runs of a process share: the settings, and the images as normalized tensors."""

    def __init__(self, settings: dict[str, Any]) -> None:
        load_libraries()
        self.import_bytes = memory()["peak"]
        self.epochs: int = settings["train"]["epochs"]
        self.base_width: int = settings["model"]["base_width"]
        self.label_noise: float = settings["data"]["label_noise"]
        self.splits = read_images(settings["data"])
        self.inputs = self.splits["train"][0].shape[1]


sweep: Sweep


def begin(settings: dict[str, Any], threads: int) -> None:
    """Prepares a new process."""
    global sweep
    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    sweep = Sweep(settings)


def read_images(settings: dict[str, Any]) -> dict[str, Split]:
    """Images `[count, pixels]`, averaged over blocks, with mean 0 and deviation 1 over the training
    set, and labels. `scripts/make_embedded_dataset.py` describes the file.
    """
    content = gzip.decompress(IMAGES.read_bytes())
    *counts, height, width = np.frombuffer(content, ">u4", 5, HEADER_BYTES - 20).tolist()
    place = HEADER_BYTES
    block = settings["average_pool"]
    splits = {}
    for name, count in zip(SPLITS, counts):
        labels = np.frombuffer(content, np.uint8, count, place).astype(np.int64)
        place += count
        pixels = np.frombuffer(content, np.uint8, count * height * width, place)
        place += pixels.size
        blocks = pixels.reshape(count, height // block, block, width // block, block)
        images = blocks.mean(axis=(2, 4), dtype=np.float32).reshape(count, -1)
        splits[name] = (torch.from_numpy(images), torch.from_numpy(labels))
    splits["train"] = of_each_class(splits["train"], settings["train_limit"] // CLASSES)
    mean, deviation = splits["train"][0].mean(), splits["train"][0].std()
    return {name: ((x - mean) / deviation, labels) for name, (x, labels) in splits.items()}


def of_each_class(split: Split, count: int) -> Split:
    """The first images of each class."""
    images, labels = split
    firsts = [torch.nonzero(labels == label).flatten()[:count] for label in range(CLASSES)]
    chosen = torch.cat(firsts)
    return images[chosen], labels[chosen]


def noisy(labels: torch.Tensor, share: float) -> torch.Tensor:
    """The labels, a share of them replaced by another class."""
    replaced = torch.randperm(len(labels))[: round(share * len(labels))]
    labels = labels.clone()
    shift = torch.randint(1, CLASSES, replaced.shape)
    labels[replaced] = (labels[replaced] + shift) % CLASSES
    return labels


def train(run: Run) -> dict[str, Any]:
    """Trains one run, and evaluates it on the validation and the test images after the last epoch.

    A run whose loss is not finite ends after that epoch.
    """
    started = time.time()
    torch.manual_seed(run.seed)
    model = mlp(sweep.inputs, run.width)
    draw(model, run.readout_shrink)
    sam = optimizer_of(model, run)
    images, labels = sweep.splits["train"]
    labels = noisy(labels, sweep.label_noise)
    steps, diverged = 0, False
    for _ in range(sweep.epochs):
        loss, count = train_epoch(model, sam, images, labels)
        steps += count
        diverged = not math.isfinite(loss)
        if diverged:
            break
    accuracies = {} if diverged else {name: accuracy(model, name) for name in SPLITS[1:]}
    return {
        "started": started,
        "seconds": time.time() - started,
        "steps": steps,
        "diverged": diverged,
        "validation_accuracy": accuracies.get("validation", 0.0),
        "test_accuracy": accuracies.get("test", 0.0),
        "process": os.getpid(),
        "memory": memory(),
        "import_bytes": sweep.import_bytes,
    }


@torch.no_grad()
def draw(model: nn.Module, readout_shrink: float) -> None:
    """Kaiming's initialization, with the readout's standard deviation smaller as in µP."""
    *hidden, readout = model.parameters()
    for weight in hidden:
        weight.normal_(0.0, math.sqrt(2.0 / weight.shape[1]))
    readout.normal_(0.0, math.sqrt(1.0 / (readout.shape[1] * readout_shrink)))


def optimizer_of(model: nn.Module, run: Run) -> Sam:
    """SAM with the run's learning rates and radii; without momentum, as in the sweep."""
    triples = zip(run.learning_rates, run.radii, run.norms)
    scalings = [Scaling(*triple) for triple in triples]
    tensors = list(zip(model.parameters(), scalings, strict=True))
    # The multipliers already hold the values at the base width.
    return Sam(tensors, sgd(tensors, 1.0, 0.0), 1.0 if run.radii[0] > 0.0 else 0.0)


def train_epoch(
    model: nn.Module, sam: Sam, images: torch.Tensor, labels: torch.Tensor
) -> tuple[float, int]:
    """Mean loss and number of steps; a last, smaller batch is dropped."""
    order = torch.randperm(len(labels))
    total = torch.zeros(())
    steps = len(labels) // BATCH_SIZE
    for step in range(steps):
        chosen = order[step * BATCH_SIZE : (step + 1) * BATCH_SIZE]
        batch, targets = images.index_select(0, chosen), labels.index_select(0, chosen)
        total += sam.step(lambda perturbed: functional.cross_entropy(model(batch), targets))
    return total.item() / steps, steps


@torch.inference_mode()
def accuracy(model: nn.Module, split: str) -> float:
    """Share of the split's images that are classified as labelled."""
    images, labels = sweep.splits[split]
    return (model(images).argmax(dim=1) == labels).float().mean().item()
