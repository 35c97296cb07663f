"""The training loop of the peer: batches from memory, two-pass SAM, no loss read in between."""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from models import initialize, network, roles
from rows import BATCH_SIZE, LEARNING_RATE, MOMENTUM, RADIUS, row_named
from sam import Sam, Scaling, mup2_scalings, sgd


def load_libraries() -> None:
    """Has PyTorch import what it imports with the first optimizer: its compiler, unused here."""
    sgd([(nn.Parameter(torch.zeros(1)), Scaling())], LEARNING_RATE, MOMENTUM)


class Batches:
    """Shuffled batches of images that are kept as bytes, normalized when they are fetched."""

    def __init__(self, data: Path, channels_last: bool, device: str = "cpu") -> None:
        self.pixels = torch.from_numpy(np.load(data / "pixels.npy")).to(device)
        self.labels = torch.from_numpy(np.load(data / "labels.npy")).to(device)
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        moments = torch.from_numpy(np.load(data / "normalization.npy")).to(torch.float32)
        self.mean, deviation = moments.to(device).view(2, 1, -1, 1, 1)
        self.factor = 1.0 / deviation
        self.order = torch.empty(0, dtype=torch.int64)
        self.place = 0

    def next(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Images `[batch, channels, height, width]`, mean 0 and deviation 1, and their labels."""
        if self.place + BATCH_SIZE > len(self.order):
            self.order = torch.randperm(len(self.labels)).to(self.labels.device)
            self.place = 0
        chosen = self.order[self.place : self.place + BATCH_SIZE]
        self.place += BATCH_SIZE
        bytes_ = self.pixels.index_select(0, chosen)
        images = bytes_.to(torch.float32, memory_format=self.format)
        images.sub_(self.mean).mul_(self.factor)
        return images, self.labels.index_select(0, chosen)


class Trainer:
    """A network of a row with its data and its optimizer."""

    def __init__(
        self, row_name: str, data: Path, seed: int, channels_last: bool, device: str = "cpu"
    ) -> None:
        torch.manual_seed(seed)
        row = row_named(row_name)
        self.model = network(row, row.width)
        role_of = roles(self.model, network(row, row.base_width))
        growth = row.width / row.base_width
        initialize(self.model, role_of, growth)
        if channels_last:
            self.model.to(memory_format=torch.channels_last)
        self.model.to(device).train()
        scaling_of = mup2_scalings(growth)
        tensors = [
            (tensor, scaling_of[role_of[name]])
            for name, tensor in self.model.named_parameters()
        ]
        self.sam = Sam(tensors, sgd(tensors, LEARNING_RATE, MOMENTUM), RADIUS)
        layers = self.model.modules()
        self.batch_norms = [layer for layer in layers if isinstance(layer, nn.BatchNorm2d)]
        self.batches = Batches(data, channels_last, device)
        self.loss_sum = torch.zeros((), device=device)
        self.steps = 0

    def step(self) -> None:
        """Fetches a batch and takes one SAM step on it."""
        images, labels = self.batches.next()

        def loss(perturbed: bool) -> torch.Tensor:
            # The running statistics are those of the weights, not of the perturbed ones.
            for layer in self.batch_norms:
                layer.momentum = 0.0 if perturbed else 0.1
            return functional.cross_entropy(self.model(images), labels)

        self.loss_sum += self.sam.step(loss)
        self.steps += 1

    def mean_loss(self) -> float:
        """Mean training loss of all steps so far."""
        return self.loss_sum.item() / max(self.steps, 1)
