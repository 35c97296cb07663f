"""ResNet-18 of torchvision's blocks, at any width."""

import torch
from torch import nn
from torchvision.models.resnet import BasicBlock

from rows import CHANNELS, CLASSES


class ResNet18(nn.Module):
    """torchvision's blocks at any width, behind the 3×3 stem that images of 32×32 take."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(CHANNELS, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        stages = [self.stage(width, 2**index) for index in range(4)]
        self.stages = nn.Sequential(*stages)
        self.readout = nn.Linear(8 * width, CLASSES)

    @staticmethod
    def stage(width: int, factor: int) -> nn.Sequential:
        """Two blocks of `factor · width` channels; all but the first stage halve the image."""
        planes = factor * width
        if factor == 1:
            return nn.Sequential(BasicBlock(width, planes), BasicBlock(planes, planes))
        shortcut = nn.Sequential(
            nn.Conv2d(planes // 2, planes, 1, stride=2, bias=False),
            nn.BatchNorm2d(planes),
        )
        halving = BasicBlock(planes // 2, planes, stride=2, downsample=shortcut)
        return nn.Sequential(halving, BasicBlock(planes, planes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits `[batch, classes]` of `[batch, 3, height, width]`."""
        features = self.relu(self.norm(self.stem(images)))
        features = self.stages(features).mean(dim=(2, 3))
        return self.readout(features)
