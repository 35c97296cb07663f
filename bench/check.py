"""Holds the peer's SAM step against what does not use it: optax's numbers, and NumPy in float64."""

import sys
from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from models import mlp
from sam import Sam, Scaling, mup2_scalings, sgd

TOLERANCE = 1e-12
MOMENTUM = 0.9

# One scaling for each of the three weights of an MLP that is four base widths wide.
SCALINGS = [mup2_scalings(4.0)[role] for role in ("input", "hidden", "output")]


def check() -> int:
    """Prints the largest deviation of each comparison; returns 1 if one is too large, else 0."""
    deviations = {
        "sum of squares, 3 steps, against optax 0.2.8": sum_of_squares(),
        "quartic, 3 steps, against optax 0.2.8": quartic(),
        "MLP with momentum and multipliers, 4 steps, against NumPy": network(),
    }
    for title, deviation in deviations.items():
        print(f"{title}: {deviation:.1e}")
    # The contrary of "all below", so that a NaN fails.
    failed = not all(deviation < TOLERANCE for deviation in deviations.values())
    verdict = "FAILED" if failed else "passed"
    print(f"{verdict}: allowed is less than {TOLERANCE:.0e}", file=sys.stderr)
    return int(failed)


def after_three_steps(
    start: list[float], loss: Callable[[torch.Tensor], torch.Tensor], rate: float, radius: float
) -> torch.Tensor:
    """The point after three steps without momentum."""
    point = nn.Parameter(torch.tensor(start, dtype=torch.float64))
    tensors = [(point, Scaling())]
    sam = Sam(tensors, sgd(tensors, rate, 0.0), radius)
    for _ in range(3):
        sam.step(lambda perturbed: loss(point))
    return point.detach()


def sum_of_squares() -> float:
    """Σ(p − t)²; the expected numbers are those of section 9 of METHOD."""
    target = torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64)
    found = after_three_steps(
        [-1.0, 10.0, 1.0], lambda point: (point - target).square().sum(), 0.01, 0.1
    )
    return distance(found.numpy(), [-0.8813320105150336, 9.347326057832685, 1.0])


def quartic() -> float:
    """Σp⁴/4 + p₀p₁; the expected numbers are those of section 9 of METHOD."""
    found = after_three_steps(
        [0.5, -1.0, 2.0],
        lambda point: point.pow(4).sum() / 4.0 + point[0] * point[1],
        0.05,
        0.3,
    )
    expected = [0.6356324196004481, -0.9176337317208763, 1.0122579706224428]
    return distance(found.numpy(), expected)


def network() -> float:
    """Four steps of a small MLP under µP² with momentum."""
    torch.manual_seed(0)
    model = mlp(inputs=7, width=12).double()
    images = torch.randn(9, 7, dtype=torch.float64)
    labels = torch.arange(9)
    weights = [tensor.detach().numpy().copy() for tensor in model.parameters()]
    tensors = list(zip(model.parameters(), SCALINGS))
    sam = Sam(tensors, sgd(tensors, 0.1, MOMENTUM), 0.2)
    for _ in range(4):
        sam.step(lambda perturbed: functional.cross_entropy(model(images), labels))
    expected = numpy_steps(weights, images.numpy(), labels.numpy())
    pairs = zip(model.parameters(), expected)
    return max(distance(tensor.detach().numpy(), weight) for tensor, weight in pairs)


def numpy_steps(
    weights: list[np.ndarray], images: np.ndarray, labels: np.ndarray
) -> list[np.ndarray]:
    """The same four steps by the formulas: ε = ρ m g / ‖(e g)‖, v ← 0.9 v + g, w ← w − η c v."""
    velocities = [np.zeros_like(weight) for weight in weights]
    for _ in range(4):
        gradients = numpy_gradients(weights, images, labels)
        scaled = [gradient * scaling.norm for gradient, scaling in zip(gradients, SCALINGS)]
        norm = np.sqrt(sum((gradient**2).sum() for gradient in scaled))
        perturbed = [
            weight + 0.2 * scaling.perturbation * gradient / norm
            for weight, gradient, scaling in zip(weights, gradients, SCALINGS)
        ]
        gradients = numpy_gradients(perturbed, images, labels)
        velocities = [MOMENTUM * v + gradient for v, gradient in zip(velocities, gradients)]
        weights = [
            weight - 0.1 * scaling.learning_rate * v
            for weight, v, scaling in zip(weights, velocities, SCALINGS)
        ]
    return weights


def numpy_gradients(
    weights: list[np.ndarray], images: np.ndarray, labels: np.ndarray
) -> list[np.ndarray]:
    """Gradients of the mean cross-entropy by hand-written backpropagation."""
    first, second, third = weights
    hidden = np.maximum(images @ first.T, 0.0)
    above = np.maximum(hidden @ second.T, 0.0)
    logits = above @ third.T
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    shares[np.arange(len(labels)), labels] -= 1.0
    at_logits = shares / len(labels)
    at_above = (at_logits @ third) * (above > 0.0)
    at_hidden = (at_above @ second) * (hidden > 0.0)
    return [at_hidden.T @ images, at_above.T @ hidden, at_logits.T @ above]


def distance(found: np.ndarray, expected: np.ndarray | list[float]) -> float:
    """The largest difference of two entries."""
    return float(np.abs(found - np.asarray(expected)).max())
