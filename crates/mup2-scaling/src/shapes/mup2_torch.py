"""µP² for one PyTorch model: parameter groups, initialization and sharpness-aware minimization.

Written by `mup2 scale --format torch` for the tensors in GROUPS; ORIGIN says for which. Needs
PyTorch alone. Copy it into your project:

    from mup2_groups import SAM, initialize_, param_groups

    initialize_(model)
    optimizer = torch.optim.SGD(param_groups(model, lr=0.1, weight_decay=5e-4), momentum=0.9)
    sam = SAM(optimizer, model, rho=0.05)

    def closure():
        loss = loss_function(model(inputs), targets)
        loss.backward()
        return loss

    loss = sam.step(closure)

`lr`, `weight_decay` and `rho` are those that you tuned at the base width. The multipliers are for
the class of optimizer that ORIGIN names: `sgd` is `torch.optim.SGD`, `adam` is `Adam` and `AdamW`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["GROUPS", "ORIGIN", "SAM", "initialize_", "param_groups"]


class Entry(NamedTuple):
    """One tensor."""

    shape: tuple[int, ...]
    init_std: float


class Group(NamedTuple):
    """Tensors that share their multipliers; at the base width every multiplier is 1."""

    role: str
    preconditioner: str
    kind: str
    init_mult: float
    lr_mult: float
    rho_mult: float
    norm_mult: float
    wd_mult: float
    asam_eta_mult: float
    tensors: dict[str, Entry]


ORIGIN = ""

GROUPS: tuple[Group, ...] = ()

# torch.nn's names for the running statistics of batch normalization.
_RUNNING_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


class _Match(NamedTuple):
    """A parameter of the model, with its row and group."""

    name: str
    parameter: nn.Parameter
    entry: Entry
    group: Group


def _plain_name(name: str, known: Mapping[str, Any]) -> str:
    """The name without the prefixes of `torch.compile` and of data parallelism."""
    parts = [part for part in name.split(".") if part != "_orig_mod"]
    while len(parts) > 1 and parts[0] == "module" and ".".join(parts) not in known:
        del parts[0]
    return ".".join(parts)


def _matches(model: nn.Module) -> list[_Match]:
    """Pairs every parameter with its group; raises ValueError if the model is another one."""
    rows = {name: (entry, group) for group in GROUPS for name, entry in group.tensors.items()}
    matches = []
    for full_name, parameter in model.named_parameters():
        name = _plain_name(full_name, rows)
        if name not in rows:
            raise ValueError(
                f"parameter {name!r} is not in GROUPS; this file was written for {ORIGIN}"
            )
        entry, group = rows.pop(name)
        if tuple(parameter.shape) != entry.shape:
            raise ValueError(
                f"parameter {name!r} has shape {tuple(parameter.shape)}, and {entry.shape} in "
                f"GROUPS; this file was written for {ORIGIN}"
            )
        matches.append(_Match(name, parameter, entry, group))
    if rows:
        missing = ", ".join(repr(name) for name in list(rows)[:5])
        raise ValueError(
            f"{len(rows)} tensors of GROUPS are no parameters of the model: {missing}; "
            "buffers are declared by `buffer` in roles.toml"
        )
    return matches


def param_groups(model: nn.Module, lr: float, weight_decay: float = 0.0) -> list[dict[str, Any]]:
    """Parameter groups for an optimizer of `torch.optim`, without the frozen parameters.

    Learning rate and weight decay are those of the base width. The decay has to be one that the
    optimizer multiplies by the learning rate, as `torch.optim.SGD` and `AdamW` do.
    """
    found: dict[tuple[float, float], list[nn.Parameter]] = {}
    for match in _matches(model):
        if match.parameter.requires_grad:
            key = (match.group.lr_mult, match.group.wd_mult)
            found.setdefault(key, []).append(match.parameter)
    return [
        {"params": parameters, "lr": lr * lr_mult, "weight_decay": weight_decay * wd_mult}
        for (lr_mult, wd_mult), parameters in found.items()
    ]


@torch.no_grad()
def initialize_(
    model: nn.Module,
    generator: torch.Generator | None = None,
    base_std: Mapping[str, float] | None = None,
) -> None:
    """Draws the weights of a freshly built model, in place, from centred Gaussians.

    A tensor's standard deviation is its `init_std`, or `base_std[name] * init_mult` where you give
    your own for the base width. Tensors with neither start at constants, which do not depend on
    the width: what is constant already, such as a norm's gain, stays as it is; biases and other
    vectors (`nn.Linear` draws its bias at random) become 0.
    """
    own = dict(base_std or {})
    for name, parameter, entry, group in _matches(model):
        std = own.pop(name) * group.init_mult if name in own else entry.init_std
        if std > 0.0:
            parameter.normal_(0.0, std, generator=generator)
        elif group.kind == "norm":
            continue
        elif group.kind == "bias" or parameter.ndim > 1 or not _is_constant(parameter):
            parameter.zero_()
    if own:
        raise ValueError(f"base_std names no parameter of the model: {sorted(own)}")


class SAM:
    """Sharpness-aware minimization around an optimizer made of `param_groups`.

    Each step takes the gradient at `W + ε` and lets the optimizer apply it at `W`, where

        ε_l = ρ · rho_mult_l · T_l² ∇_l / ‖(norm_mult_k · T_k ∇_k)_k‖

    and T is 1 (SAM, SAM-ON), `|w| + asam_eta · asam_eta_mult` (ASAM, elementwise) or `‖W_l‖` (by
    layer). Running statistics of batch normalization are those of the pass at `W`. A learning-rate
    schedule goes on the optimizer; `rho` may be set at any time.

    After a step, `perturbation_norm` is the denominator, and `skipped` tells that a loss or the
    norm was not finite, so that nothing was changed.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        model: nn.Module,
        rho: float,
        asam_eta: float = 0.01,
    ) -> None:
        matches = [match for match in _matches(model) if match.parameter.requires_grad]
        held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        for match in matches:
            if id(match.parameter) not in held:
                raise ValueError(
                    f"the optimizer does not hold parameter {match.name!r} of the model"
                )
        if not (rho >= 0.0 and math.isfinite(rho)):
            raise ValueError(f"rho is {rho}; it has to be a finite number from 0")
        self.optimizer = optimizer
        self.rho = rho
        self.asam_eta = asam_eta
        self.perturbation_norm = 0.0
        self.skipped = False
        self._perturbed = [
            match for match in matches if match.group.rho_mult or match.group.norm_mult
        ]
        self._statistics = [
            buffer
            for name, buffer in model.named_buffers()
            if name.rpartition(".")[2] in _RUNNING_STATISTICS
        ]
        # What `restore` puts back: tensors and their values.
        self._kept: list[tuple[Tensor, Tensor]] = []

    def step(self, closure: Callable[[], Tensor]) -> Tensor:
        """One step; returns the loss at `W`.

        `closure` computes the loss of the whole batch, calls `backward` on it and returns it. It
        is called twice, with gradients set to zero before and the same random numbers of PyTorch
        (dropout masks) both times. To accumulate gradients, call `backward` on each part of the
        batch, divided by the number of parts, and return the sum: the perturbation is then that of
        the whole batch.
        """
        self.optimizer.zero_grad()
        random_state = _random_state()
        with torch.enable_grad():
            loss = closure().detach()
        if not math.isfinite(loss.item()):
            self.skipped = True
            self.perturbation_norm = 0.0
            return loss
        if self.first_step():
            after = _random_state()
            _set_random_state(random_state)
            try:
                with torch.enable_grad():
                    second_loss = closure()
            except BaseException:
                self.restore()
                raise
            finally:
                _set_random_state(after)
            self.skipped = not math.isfinite(second_loss.item())
        self.second_step()
        return loss

    @torch.no_grad()
    def first_step(self, scaler: torch.amp.GradScaler | None = None) -> bool:
        """Moves the weights to `W + ε` by the gradients at `W`, and sets those to zero.

        Returns whether it did: then compute gradients again. It does not where ρ or the gradient
        is 0, which has no direction, and where the norm is not finite. In each case call
        `second_step`. With a `scaler`, the gradients are those of its scaled loss; do not call
        `scaler.unscale_` before.
        """
        if self._kept:
            raise RuntimeError(
                "the weights are perturbed already; call second_step or restore first"
            )
        self.skipped = False
        self.perturbation_norm = 0.0
        if self.rho == 0.0:
            return False
        scale = 1.0 if scaler is None else scaler.get_scale()
        tensors = [match for match in self._perturbed if match.parameter.grad is not None]
        norms = [
            _norm(self._preconditioned(match, _gradient(match) / scale)) * match.group.norm_mult
            for match in tensors
        ]
        if norms:
            device = norms[0].device
            self.perturbation_norm = _norm(torch.stack([norm.to(device) for norm in norms])).item()
        if not math.isfinite(self.perturbation_norm):
            self.skipped = True
            return False
        if self.perturbation_norm == 0.0:
            return False
        self._kept = [(buffer, buffer.clone()) for buffer in self._statistics]
        for match in tensors:
            parameter = match.parameter
            direction = self._preconditioned(match, _gradient(match) / scale)
            epsilon = self._preconditioned(match, direction)
            self._kept.append((parameter, parameter.detach().clone()))
            parameter.add_(epsilon, alpha=self.rho / self.perturbation_norm * match.group.rho_mult)
        self.optimizer.zero_grad()
        return True

    @torch.no_grad()
    def restore(self) -> None:
        """Puts the weights back to `W`, exactly, and running statistics to those of the first
        pass."""
        for tensor, value in self._kept:
            tensor.copy_(value)
        self._kept = []

    def second_step(self, scaler: torch.amp.GradScaler | None = None) -> None:
        """Puts the weights back to `W` and lets the optimizer step with the gradients as they are.

        With a `scaler`, it unscales and steps; call `scaler.update()` afterwards. To clip the
        gradients, call `restore`, (`scaler.unscale_`,) the clipping, and step by yourself.
        """
        self.restore()
        if scaler is None:
            if not self.skipped:
                self.optimizer.step()
        elif self.skipped:
            # So that `update` learns of the infinities.
            scaler.unscale_(self.optimizer)
        else:
            scaler.step(self.optimizer)

    def _preconditioned(self, match: _Match, tensor: Tensor) -> Tensor:
        """T times `tensor`, with T taken at the weights as they are."""
        group, weight = match.group, match.parameter.detach()
        if group.preconditioner == "absolute":
            return tensor * (weight.abs() + self.asam_eta * group.asam_eta_mult)
        if group.preconditioner == "norm":
            return tensor * _norm(weight).to(tensor.dtype)
        return tensor


def _is_constant(tensor: Tensor) -> bool:
    return bool((tensor == tensor.flatten()[0]).all())


def _gradient(match: _Match) -> Tensor:
    gradient = match.parameter.grad
    assert gradient is not None
    return gradient


def _norm(tensor: Tensor) -> Tensor:
    """Frobenius norm, summed in single precision at least."""
    dtype = torch.promote_types(tensor.dtype, torch.float32)
    norm: Tensor = torch.linalg.vector_norm(tensor, dtype=dtype)
    return norm


def _random_state() -> tuple[Tensor, list[Tensor]]:
    """PyTorch's generators on the CPU and on CUDA devices, if those are in use."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return torch.get_rng_state(), cuda


def _set_random_state(state: tuple[Tensor, list[Tensor]]) -> None:
    torch.set_rng_state(state[0])
    if state[1]:
        torch.cuda.set_rng_state_all(state[1])
