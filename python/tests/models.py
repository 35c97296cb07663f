"""Small models, and data for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from mup2.torch import SAM, BaseShapes, Scaled, scale

torch.set_num_threads(1)

cross_entropy = nn.functional.cross_entropy


class MLP(nn.Module):
    def __init__(self, width: int, inputs: int = 12, outputs: int = 5, bias: bool = True) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, width, bias=bias)
        self.hidden = nn.Linear(width, width, bias=bias)
        self.readout = nn.Linear(width, outputs, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.readout(torch.relu(self.hidden(torch.relu(self.first(x)))))


class LM(nn.Module):
    """A language model of one block, whose readout may be its embedding."""

    def __init__(self, width: int, tied: bool = True, tokens: int = 64) -> None:
        super().__init__()
        self.wte = nn.Embedding(tokens, width)
        self.fc = nn.Linear(width, width)
        self.ln = nn.LayerNorm(width)
        self.lm_head = nn.Linear(width, tokens, bias=False)
        self.logits_mult = 1.0
        if tied:
            self.lm_head.weight = self.wte.weight

    def forward(self, x: Tensor) -> Tensor:
        h = self.wte(x)
        return self.lm_head(self.ln(h + torch.relu(self.fc(h))) * self.logits_mult)


def data(
    batches: int = 6, size: int = 32, inputs: int = 12, classes: int = 5, seed: int = 0
) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    return [
        (
            torch.randn(size, inputs, generator=generator, dtype=torch.float64),
            torch.randint(classes, (size,), generator=generator),
        )
        for _ in range(batches)
    ]


def base_of(make: Callable[[int], nn.Module], width: int = 16) -> BaseShapes:
    with torch.device("meta"):
        return BaseShapes.compare(make(width), make(2 * width))


def scaled_mlp(width: int = 64, **options: Any) -> tuple[MLP, Scaled]:
    torch.manual_seed(0)
    model = MLP(width).double()
    scaled = scale(model, base_of(MLP), **options)
    scaled.initialize_()
    return model, scaled


def closure_of(model: nn.Module, x: Tensor, y: Tensor) -> Callable[[], Tensor]:
    def closure() -> Tensor:
        loss = cross_entropy(model(x), y)
        loss.backward()
        return loss

    return closure


def train(model: nn.Module, sam: SAM, batches: list[tuple[Tensor, Tensor]]) -> None:
    for x, y in batches:
        sam.step(closure_of(model, x, y))


def flat(model: nn.Module) -> Tensor:
    return torch.cat([one.detach().double().flatten() for one in model.parameters()])
