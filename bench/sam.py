"""Sharpness-aware minimization in PyTorch: two passes, one global norm, per-tensor multipliers.

The two steps have the names that the widely used implementations give them. As in those, each
tensor is moved by an ε of its own and the norm is one over all tensors; as in the package `mup`,
each has the learning rate of its group.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Scaling:
    """Multipliers of one tensor: of the learning rate, of ε, and of the gradient in the norm."""

    learning_rate: float = 1.0
    perturbation: float = 1.0
    norm: float = 1.0


def mup2_scalings(growth: float) -> dict[str, Scaling]:
    """µP² by role, for SGD and a decoupled norm, where the width is `growth` base widths."""
    return {
        "input": Scaling(growth, growth, growth**0.5),
        "hidden": Scaling(),
        "output": Scaling(1.0 / growth, 1.0 / growth, growth**-0.5),
        "fixed": Scaling(),
    }


def sgd(
    tensors: Iterable[tuple[nn.Parameter, Scaling]], learning_rate: float, momentum: float
) -> torch.optim.SGD:
    """SGD with one parameter group a learning rate; fused, which is the fastest on a CPU."""
    groups: dict[float, list[nn.Parameter]] = {}
    for tensor, scaling in tensors:
        groups.setdefault(scaling.learning_rate, []).append(tensor)
    options = [
        {"params": members, "lr": learning_rate * multiplier}
        for multiplier, members in groups.items()
    ]
    return torch.optim.SGD(options, lr=learning_rate, momentum=momentum, fused=True)


class Sam:
    """The SAM step around a base optimizer.

    The perturbed weights live in tensors of their own that are made once: moving there and back
    copies nothing.
    """

    def __init__(
        self,
        tensors: list[tuple[nn.Parameter, Scaling]],
        optimizer: torch.optim.Optimizer,
        radius: float,
    ) -> None:
        self.parameters = [tensor for tensor, _ in tensors]
        self.scalings = [scaling for _, scaling in tensors]
        first = self.parameters[0]
        norms = [scaling.norm for scaling in self.scalings]
        self.norms = torch.tensor(norms, dtype=first.dtype, device=first.device)
        self.optimizer = optimizer
        self.radius = radius
        self.perturbed = [torch.empty_like(tensor) for tensor in self.parameters]
        self.weights = [tensor.data for tensor in self.parameters]

    @torch.no_grad()
    def first_step(self) -> None:
        """Moves from W to W + ε and forgets the gradients."""
        gradients = [tensor.grad for tensor in self.parameters]
        sizes = torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients])
        scale = self.radius / (torch.linalg.vector_norm(sizes * self.norms).item() + 1e-12)
        for index, tensor in enumerate(self.parameters):
            factor = scale * self.scalings[index].perturbation
            target = self.perturbed[index]
            torch.add(tensor, gradients[index], alpha=factor, out=target)
            tensor.data = target
            # What `zero_grad` does, without its bookkeeping: small networks notice it.
            tensor.grad = None

    @torch.no_grad()
    def second_step(self) -> None:
        """Moves back to W, updates it by the gradients of W + ε, and forgets them."""
        for tensor, weight in zip(self.parameters, self.weights):
            tensor.data = weight
        self.optimizer.step()
        for tensor in self.parameters:
            tensor.grad = None

    def step(self, loss: Callable[[bool], torch.Tensor]) -> torch.Tensor:
        """One whole step; returns the loss at W, without its graph.

        `loss` is told whether the weights are the perturbed ones. With a radius of 0 the step is
        the base optimizer's.
        """
        first = loss(False)
        first.backward()
        if self.radius > 0.0:
            self.first_step()
            loss(True).backward()
        self.second_step()
        return first.detach()
