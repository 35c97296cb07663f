"""Sharpness-aware minimization with a multiplier a parameter, around optimizers of PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn

from mup2._request import invalid
from mup2.torch.layers import unwrapped
from mup2.torch.rates import check_optimizers, rates
from mup2.torch.scaled import Row, Scaled

__all__ = ["SAM"]


class _Block(NamedTuple):
    """Parameters of one device and type, and what is the same in all of its lists."""

    rows: list[Row]
    parameters: list[Tensor]
    gradients: list[Tensor]
    # Type in which norms are summed: single precision at least.
    dtype: torch.dtype


class SAM:
    """Sharpness-aware minimization around optimizers made of `scaled.param_groups`.

    Each step takes the gradient at `W + ε` and lets the optimizers apply it at `W`, where

        ε_l = ρ · rho_mult_l · T_l² ∇_l / ‖(norm_mult_k · T_k ∇_k)_k‖

    and T is 1 (`sam`, `sam-on`), `|w| + asam_eta · asam_eta_mult` (`asam`) or `‖W_l‖`
    (`asam-layer`); `random` has Gaussian noise in place of ∇. `rho` is a number, which may be set
    at any time, or a function of the step, from 0. With `every=k` only each k-th step perturbs.
    `clip_norm` bounds the gradient's norm in the multipliers' weights, to which every layer
    contributes alike at every width (a plain global norm grows with the width).

    Buffers that a forward pass changes, running statistics among them, are those of the pass at
    `W`. A step whose losses, norm or gradients are not finite, on any rank of `process_group`,
    is skipped by all ranks: `skipped` tells. A step waits for the device once.
    """

    def __init__(
        self,
        optimizer: Any | Sequence[Any],
        scaled: Scaled,
        rho: float | Callable[[int], float],
        *,
        every: int = 1,
        asam_eta: float = 0.01,
        clip_norm: float | None = None,
        seed: int = 0,
        process_group: Any | None = None,
    ) -> None:
        several = isinstance(optimizer, list | tuple)
        self.optimizers: list[Any] = list(optimizer) if several else [optimizer]
        self.scaled = scaled
        self.rho = rho
        self.every = every
        self.asam_eta = asam_eta
        self.clip_norm = clip_norm
        self.seed = seed
        self.process_group = process_group
        self.skipped = False
        # Steps that began, skipped ones included.
        self.steps = 0
        if every < 1:
            raise invalid("every", f"is {every}", "a whole number from 1")
        self._radius()
        self._parameters = scaled.parameters()
        self._checked: object = None
        self._kept: list[tuple[Tensor, Tensor]] = []
        self._spare: dict[int, Tensor] = {}
        self._norm: Tensor | None = None
        self._gradient_norm: Tensor | None = None
        self._finite: Tensor | None = None
        self._buffers = list(unwrapped(scaled.model).buffers())
        self._statistics = {
            id(buffer)
            for module in scaled.model.modules()
            if isinstance(module, nn.modules.batchnorm._NormBase)
            for buffer in module.buffers(recurse=False)
        }
        self._versions = [buffer._version for buffer in self._buffers]
        self._check()

    @property
    def optimizer(self) -> Any:
        """The first optimizer."""
        return self.optimizers[0]

    @property
    def perturbation_norm(self) -> float:
        """The denominator of the last perturbation; 0 where there was none. Waits for the device.

        With a `GradScaler` it is that of the scaled gradients.
        """
        return 0.0 if self._norm is None else float(self._norm)

    @property
    def gradient_norm(self) -> float:
        """Norm of the last step's gradient in the multipliers' weights, before clipping."""
        return 0.0 if self._gradient_norm is None else float(self._gradient_norm)

    def step(self, closure: Callable[[], Tensor]) -> Tensor:
        """One step; returns the loss at `W`.

        `closure` computes the loss of the whole batch, calls `backward` on it and returns it. It
        is called twice (once where nothing is perturbed), with gradients set to zero before and
        the same random numbers of PyTorch (dropout masks) both times. To accumulate gradients,
        call `backward` on each part of the batch, divided by the number of parts, and return the
        sum: the perturbation is then that of the whole batch.
        """
        self._zero_grad()
        state = _random_state()
        with torch.enable_grad():
            loss = closure().detach()
        losses = [loss]
        if self.first_step():
            after = _random_state()
            _set_random_state(state)
            try:
                with torch.enable_grad():
                    losses.append(closure().detach())
            except BaseException:
                self.restore()
                raise
            finally:
                _set_random_state(after)
        self._note_finite(torch.stack([one.reshape(()).float() for one in losses]).sum())
        self.second_step()
        return loss

    @torch.no_grad()
    def first_step(self) -> bool:
        """Moves the weights to `W + ε` by the gradients at `W`, and sets those to zero.

        Returns whether it did: then compute gradients again. It does not where ρ is 0, in the
        steps that `every` leaves out, and without gradients. In each case call `second_step`.
        Gradients that a `GradScaler` scaled are right as they are.
        """
        if self._kept:
            raise RuntimeError(
                "the weights are perturbed already; call second_step or restore first"
            )
        self._check()
        self._norm = self._finite = None
        step = self.steps
        self.steps += 1
        rho = self._radius(step)
        if rho == 0.0 or step % self.every != 0:
            return False
        blocks = self._blocks(lambda row: row.rho_mult != 0.0 or row.norm_mult != 0.0)
        if not blocks:
            return False
        if self.scaled.rule == "random":
            blocks = [self._noise(block, step) for block in blocks]
        factors = [self._preconditioners(block) for block in blocks]
        norms = []
        for block, factor in zip(blocks, factors, strict=True):
            directions = block.gradients
            if factor is not None:
                directions = list(torch._foreach_mul(directions, factor))
            own = _norms(directions, block.dtype)
            torch._foreach_mul_(own, [row.norm_mult for row in block.rows])
            norms += own
        self._norm = _norm_of(norms)
        self._note_finite(self._norm)
        self._keep(
            [
                (one, row)
                for block in blocks
                for one, row in zip(block.parameters, block.rows, strict=True)
            ]
        )
        # 0 where there is no direction; a norm that is not finite is skipped in the end.
        usable = torch.isfinite(self._norm) & (self._norm > 0.0)
        scale = torch.where(usable, rho / self._norm, torch.zeros_like(self._norm))
        for block, factor in zip(blocks, factors, strict=True):
            moves = list(map(_local, block.gradients))
            if factor is not None:
                factor = list(map(_local, factor))
                torch._foreach_mul_(moves, factor)
                torch._foreach_mul_(moves, factor)
            _multiply_(moves, scale, [row.rho_mult for row in block.rows])
            torch._foreach_add_(list(map(_local, block.parameters)), moves)
        self._zero_grad()
        return True

    @torch.no_grad()
    def restore(self) -> None:
        """Puts the weights back to `W`, exactly, and buffers to what the pass at `W` made them."""
        if self._kept:
            torch._foreach_copy_([one for one, _ in self._kept], [two for _, two in self._kept])
        self._kept = []
        self._versions = [buffer._version for buffer in self._buffers]

    @torch.no_grad()
    def second_step(self, scaler: torch.amp.GradScaler | None = None) -> None:
        """Puts the weights back to `W` and lets the optimizers step with the gradients as they are.

        With a `scaler`, it unscales and steps; call `scaler.update()` afterwards.
        """
        self.restore()
        if scaler is not None and self.clip_norm is not None:
            for optimizer in self.optimizers:
                scaler.unscale_(optimizer)
        self._gradient_norm = self._clip(self.clip_norm)
        if scaler is not None:
            # The scaler has to see infinities, to lower its scale; it skips them by itself.
            for optimizer in self.optimizers:
                scaler.step(optimizer)
            return
        self._note_finite(self._gradient_norm)
        self.skipped = not self._is_finite_everywhere()
        if not self.skipped:
            for optimizer in self.optimizers:
                optimizer.step()

    @torch.no_grad()
    def clip_gradients_(self, max_norm: float) -> Tensor:
        """Clips as `torch.nn.utils.clip_grad_norm_` does, in the multipliers' weights.

        For loops that step by themselves, after `restore`. Returns the norm before.
        """
        return self._clip(max_norm)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training needs beside the optimizers' state."""
        rho = None if callable(self.rho) else self.rho
        return {"steps": self.steps, "rho": rho, "seed": self.seed}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes what `state_dict` gave."""
        self.steps, self.seed = state["steps"], state["seed"]
        if state["rho"] is not None and not callable(self.rho):
            self.rho = state["rho"]

    def _radius(self, step: int = 0) -> float:
        rho = float(self.rho(step) if callable(self.rho) else self.rho)
        if not (rho >= 0.0 and math.isfinite(rho)):
            raise invalid("rho", f"is {rho} in step {step}", "a finite number from 0")
        return rho

    def _check(self) -> None:
        """Looks at rates, and at what is trainable, where anything changed since the last step."""
        trainable = tuple(one.requires_grad for one in self._parameters.values())
        now = (rates(self.optimizers), trainable)
        if now != self._checked:
            check_optimizers(self.optimizers, self.scaled, self._parameters)
            self._checked = now

    def _zero_grad(self) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad()

    def _blocks(self, wanted: Callable[[Row], bool]) -> list[_Block]:
        """Parameters with a gradient, by device and type."""
        blocks: dict[tuple[torch.device, torch.dtype], _Block] = {}
        for name, parameter in self._parameters.items():
            row, gradient = self.scaled.rows[name], parameter.grad
            if gradient is None or not wanted(row):
                continue
            if gradient.is_sparse:
                gradient = gradient.to_dense()
            key = (parameter.device, parameter.dtype)
            if key not in blocks:
                dtype = torch.promote_types(parameter.dtype, torch.float32)
                blocks[key] = _Block([], [], [], dtype)
            block = blocks[key]
            block.rows.append(row)
            block.parameters.append(parameter.detach())
            block.gradients.append(gradient)
        return list(blocks.values())

    def _noise(self, block: _Block, step: int) -> _Block:
        """The block with Gaussian noise for gradients, the same on every rank."""
        device = block.parameters[0].device
        generator = torch.Generator(device).manual_seed(self.seed * 1_000_003 + step)
        noise = [
            torch.randn(one.shape, generator=generator, device=device, dtype=one.dtype)
            for one in block.parameters
        ]
        return block._replace(gradients=noise)

    def _preconditioners(self, block: _Block) -> list[Tensor] | None:
        """T of each parameter at the weights as they are; None where all are 1."""
        rule, absolute = self.scaled.rule, self.scaled.asam_bias == "absolute"
        if rule == "asam-layer":
            norms = _norms(block.parameters, block.dtype)
            pairs = zip(norms, block.parameters, strict=True)
            return [norm.to(one.dtype) for norm, one in pairs]
        if rule != "asam":
            return None
        factors = list(torch._foreach_abs(block.parameters))
        etas = []
        for index, row in enumerate(block.rows):
            bias = row.kind == "bias"
            etas.append(0.0 if bias else self.asam_eta * row.asam_eta_mult)
            if bias and not absolute:
                factors[index] = torch.ones_like(factors[index])
        torch._foreach_add_(factors, etas)
        return factors

    def _keep(self, moved: Iterable[tuple[Tensor, Row]]) -> None:
        """Copies what the second pass changes: the weights, and buffers that the first changed."""
        weights, copies = [], []
        for parameter, _ in moved:
            local = _local(parameter)
            spare = self._spare.get(local.data_ptr())
            if spare is None or spare.shape != local.shape or spare.dtype != local.dtype:
                spare = torch.empty_like(local)
                self._spare[local.data_ptr()] = spare
            weights.append(local)
            copies.append(spare)
        if weights:
            torch._foreach_copy_(copies, weights)
        self._kept = list(zip(weights, copies, strict=True))
        for buffer, version in zip(self._buffers, self._versions, strict=True):
            if buffer._version != version or id(buffer) in self._statistics:
                self._kept.append((buffer, buffer.clone()))

    def _clip(self, max_norm: float | None) -> Tensor:
        blocks = self._blocks(lambda _: True)
        norms = []
        for block in blocks:
            own = _norms(block.gradients, block.dtype)
            torch._foreach_mul_(own, [row.clip_mult for row in block.rows])
            norms += own
        if not norms:
            # On the parameters' device, where collectives can take it.
            device = next((one.device for one in self._parameters.values()), None)
            return torch.zeros((), device=device)
        norm = _norm_of(norms)
        if max_norm is not None:
            factor = (max_norm / (norm + 1e-6)).clamp(max=1.0)
            for parameter in self._parameters.values():
                if parameter.grad is not None and parameter.grad.is_sparse:
                    parameter.grad = parameter.grad.to_dense()
            for block in self._blocks(lambda _: True):
                ones = [1.0] * len(block.gradients)
                _multiply_(list(map(_local, block.gradients)), factor, ones)
        return norm

    def _note_finite(self, value: Tensor) -> None:
        finite = torch.isfinite(value.detach())
        known = self._finite
        self._finite = finite if known is None else known & finite.to(known.device)

    def _is_finite_everywhere(self) -> bool:
        """Whether nothing of this step was infinite or NaN on any rank: the one host wait."""
        finite, self._finite = self._finite, None
        if finite is None:
            return True
        if dist.is_available() and dist.is_initialized():
            flag = finite.to(torch.float32).reshape(1)
            dist.all_reduce(flag, op=dist.ReduceOp.MIN, group=self.process_group)
            finite = flag[0] > 0.0
        return bool(finite)


def _multiply_(tensors: list[Tensor], scale: Tensor, multipliers: list[float]) -> None:
    """Multiplies each tensor by `scale`, which stays on its device, and by its own number."""
    by_multiplier: dict[float, list[Tensor]] = {}
    for tensor, multiplier in zip(tensors, multipliers, strict=True):
        by_multiplier.setdefault(multiplier, []).append(tensor)
    for multiplier, group in by_multiplier.items():
        factor = (scale * multiplier).to(group[0].device)
        if group[0].dtype in (torch.float16, torch.bfloat16):
            # A factor of half precision would lose five digits.
            for tensor in group:
                tensor.mul_(factor)
        else:
            torch._foreach_mul_(group, factor.to(group[0].dtype))


def _norms(tensors: list[Tensor], dtype: torch.dtype) -> list[Tensor]:
    """Frobenius norms, of a DTensor that of the whole; for those a collective a tensor."""
    if any(hasattr(tensor, "full_tensor") for tensor in tensors):
        return [_whole(torch.linalg.vector_norm(tensor, dtype=dtype)) for tensor in tensors]
    return list(torch._foreach_norm(tensors, 2, dtype=dtype))


def _norm_of(norms: list[Tensor]) -> Tensor:
    device = norms[0].device
    dtype = max((norm.dtype for norm in norms), key=lambda one: torch.finfo(one).bits)
    stacked = torch.stack([norm.to(device=device, dtype=dtype) for norm in norms])
    result: Tensor = torch.linalg.vector_norm(stacked)
    return result


def _local(tensor: Tensor) -> Tensor:
    """This rank's part of a DTensor; any other tensor as it is."""
    result: Tensor = tensor.to_local() if hasattr(tensor, "to_local") else tensor
    return result


def _whole(tensor: Tensor) -> Tensor:
    """The whole of a DTensor, summed over ranks; any other tensor as it is."""
    result: Tensor = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
    return result


def _random_state() -> tuple[Tensor, list[Tensor]]:
    """PyTorch's generators on the CPU and on CUDA devices, if those are in use."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    return torch.get_rng_state(), cuda


def _set_random_state(state: tuple[Tensor, list[Tensor]]) -> None:
    torch.set_rng_state(state[0])
    if state[1]:
        torch.cuda.set_rng_state_all(state[1])
