"""PyTorch's networks, their initialization, and which of their tensors grow with the width."""

import math

import torch
from torch import nn

from rows import CHANNELS, CLASSES, IMAGE_SIDE, Row


def mlp(inputs: int, width: int) -> nn.Sequential:
    """Three weight layers without biases on flattened images, ReLU between them."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(inputs, width, bias=False),
        nn.ReLU(inplace=True),
        nn.Linear(width, width, bias=False),
        nn.ReLU(inplace=True),
        nn.Linear(width, CLASSES, bias=False),
    )


def network(row: Row, width: int) -> nn.Module:
    """The row's network at another width, as its library initializes it.

    A library is imported by those rows alone that need it: it takes memory.
    """
    if row.kind == "resnet":
        from resnet import ResNet18

        return ResNet18(width)
    if row.kind == "vit":
        from vision_transformer import vit

        return vit(width)
    return mlp(CHANNELS * IMAGE_SIDE**2, width)


def roles(model: nn.Module, base: nn.Module) -> dict[str, str]:
    """`input`, `hidden`, `output` or `fixed` for each parameter, by which of its sides differ from
    those of the same network at the base width (as the package `mup` does).
    """
    base_shapes = {name: tensor.shape for name, tensor in base.named_parameters()}
    found = {}
    for name, tensor in model.named_parameters():
        sides = zip(tensor.shape, base_shapes[name], strict=True)
        grown = [index for index, (side, before) in enumerate(sides) if side != before]
        if not grown:
            found[name] = "fixed"
        elif grown == [0, 1]:
            found[name] = "hidden"
        elif grown == [1] and tensor.dim() == 2:
            found[name] = "output"
        else:
            found[name] = "input"
    return found


@torch.no_grad()
def initialize(model: nn.Module, role_of: dict[str, str], growth: float) -> None:
    """Draws matrices and kernels from N(0, 2 / fan_in); the readout from N(0, 1 / fan_in), and in
    µP with a standard deviation that is smaller by √growth.
    """
    for name, tensor in model.named_parameters():
        if tensor.dim() not in (2, 4):
            continue
        fan_in = tensor[0].numel()
        if tensor.shape[0] == CLASSES:
            shrink = growth if role_of[name] == "output" else 1.0
            tensor.normal_(0.0, math.sqrt(1.0 / (fan_in * shrink)))
        else:
            tensor.normal_(0.0, math.sqrt(2.0 / fan_in))
