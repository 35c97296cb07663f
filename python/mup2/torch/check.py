"""The coordinate check on live models: does every perturbation do the same at every width?"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mup2._request import ask_check, invalid
from mup2.torch.base import BaseShapes
from mup2.torch.probe import Probe, Use, sums_of
from mup2.torch.sam import SAM
from mup2.torch.scaled import Row, Scaled, scale

__all__ = ["CheckReport", "coordinate_check"]

Batch = Any
Make = Callable[[int], nn.Module]


class CheckReport:
    """The result of a check; `print` shows the table and the findings.

    `passed` tells that nothing grows with the width and that every tensor that the rule perturbs
    is effectively perturbed; `stable` the first of the two. `tensors` has slopes, standard errors
    and verdicts a parameter, `findings` sentences, `points` every measurement.
    """

    def __init__(self, answer: Mapping[str, Any], notes: Sequence[str]) -> None:
        report = answer["report"]
        self.passed: bool = report["pass"]
        self.stable: bool = report["stable"]
        self.findings: list[str] = report["findings"]
        self.tensors: dict[str, dict[str, Any]] = {one["name"]: one for one in report["tensors"]}
        self.points: list[dict[str, Any]] = report["points"]
        self.divergences: list[dict[str, Any]] = report["divergences"]
        self.notes = list(notes)
        self._table: str = answer["table"]
        self._html: str = answer["html"]

    def __str__(self) -> str:
        return "\n".join([self._table.rstrip(), *self.notes])

    def html(self, path: str | os.PathLike[str]) -> None:
        """Writes one self-contained page with a panel a parameter."""
        Path(path).write_text(self._html, encoding="utf-8")


def coordinate_check(
    make_model: Make,
    batches: Sequence[Batch] | Callable[[int], Batch],
    *,
    base: BaseShapes,
    widths: Sequence[int],
    lr: float,
    rho: float,
    seeds: int = 3,
    steps: int = 4,
    scheme: str = "mup2",
    rule: str = "sam",
    optimizer: str = "sgd",
    momentum: float = 0.0,
    tolerance: float = 0.2,
    loss: Callable[[nn.Module, Batch], Tensor] | None = None,
    setup: Callable[[nn.Module, Scaled], None] | None = None,
    base_width: int | None = None,
    dtype: torch.dtype | None = torch.float64,
    autocast: torch.dtype | None = None,
    **options: Any,
) -> CheckReport:
    """Trains `make_model(width)` for some steps at each width, and judges what grows or shrinks.

    `batches` is a sequence of batches, or a function of the seed: each seed trains on one batch
    over and over. `loss(model, batch)` is cross entropy of `model(batch[0])` with `batch[1]` unless
    given. `lr` and `rho` are those of the base width. `setup(model, scaled)` runs before the
    first step, for what a model has to be told, as `scaled.logits_mult`. `options` are those of
    `scale`: `declare`, `kind`, `gain`, `denominator`, `asam_bias`. Models and batches are of type
    `dtype` (None leaves them as they are); `autocast` runs the passes under it.

    In each step the effect of a parameter's own perturbation ε, RMS of op(x, W + ε) - op(x, W), is
    measured at every operation that reads it, on the inputs of the pass at W; and that of its
    updates. Of several uses (tied weights) the largest counts.

    Raises InvalidInput where too little would be measured, or the model does not fit its base.
    """
    if not widths:
        raise invalid("widths", "is empty", "at least two widths")
    points: list[dict[str, Any]] = []
    divergences: list[dict[str, int]] = []
    request: dict[str, Any] = {}
    notes: list[str] = []
    for width in sorted(widths):
        for seed in range(seeds):
            torch.manual_seed(1000 * seed + width)
            model = make_model(width)
            batch = batches(seed) if callable(batches) else batches[seed % len(batches)]
            if dtype is not None:
                model, batch = model.to(dtype), _to(batch, dtype)
            scaled = scale(model, base, scheme, rule, optimizer, **options)
            scaled.initialize_()
            if setup is not None:
                setup(model, scaled)
            groups = scaled.param_groups(lr)
            made = (
                torch.optim.SGD(groups, momentum=momentum)
                if optimizer == "sgd"
                else torch.optim.AdamW(groups)
            )
            training = _Training(
                model, batch, loss or _cross_entropy, SAM(made, scaled, rho), autocast
            )
            request, notes = scaled.request, scaled.notes()
            for step in range(1, steps + 1):
                measured = training.step()
                if measured is None:
                    divergences.append({"width": width, "seed": seed, "step": step})
                    break
                template = {"width": width, "seed": seed, "step": step}
                points += [{"tensor": name, **template, **one} for name, one in measured.items()]
    settings = {
        "model": request["target"],
        "rule": rule,
        "optimizer": optimizer,
        "learning rate": f"{lr:g}",
        "rho": f"{rho:g}",
    }
    answer = ask_check(
        {
            "scaling": request,
            "widths": list(widths),
            "seeds": list(range(seeds)),
            "steps": steps,
            "tolerance": tolerance,
            "base_width": base_width,
            "settings": list(settings.items()),
            "points": [{key: _number(value) for key, value in point.items()} for point in points],
            "divergences": divergences,
        }
    )
    return CheckReport(answer, notes)


class _Training:
    """One width and seed."""

    def __init__(
        self,
        model: nn.Module,
        batch: Batch,
        loss: Callable[[nn.Module, Batch], Tensor],
        sam: SAM,
        autocast: torch.dtype | None,
    ) -> None:
        self.model, self.batch, self.loss, self.sam = model, batch, loss, sam
        self.autocast = autocast
        self.parameters = sam.scaled.parameters()
        self.start = self._weights()
        zero = {name: torch.zeros_like(one) for name, one in self.start.items()}
        # The pass at initialization: what updates are measured from.
        self.first = [use.output for use in self._probe(zero)]

    def step(self) -> dict[str, dict[str, float]] | None:
        """One step of SAM with a look inside; None when it stopped being finite."""
        sam, parameters = self.sam, self.parameters
        sam._zero_grad()
        value = self._backward()
        if not math.isfinite(value):
            return None
        before = self._weights()
        gradients = {
            name: float(one.grad.norm()) if one.grad is not None else 0.0
            for name, one in parameters.items()
        }
        contributions = self._contributions()
        epsilon: dict[str, Tensor] = {}
        effects: dict[str, dict[str, float]] = {}
        if sam.first_step():
            after = self._weights()
            epsilon = {name: after[name] - before[name] for name in before}
            self._set(before)
            plain = self._probe(epsilon)
            self._set(after)
            moved = self._probe({name: -one for name, one in epsilon.items()})
            effects = _perturbation(plain, moved)
            if not math.isfinite(self._backward()):
                sam.restore()
                return None
        sam.second_step()
        if sam.skipped:
            return None
        now = self._weights()
        later = self._probe({name: self.start[name] - now[name] for name in now})
        updates = _updates(later, self.first)
        total = sum(contributions.values()) or 1.0
        found = {}
        for name, row in sam.scaled.rows.items():
            fans = self._fans(row)
            point = {
                "gradient_norm": gradients[name],
                "norm_share": contributions.get(name, 0.0) / total,
                **effects.get(name, _NO_EFFECT),
                **updates.get(name, _NO_UPDATE),
            }
            move = epsilon.get(name)
            for prefix, change in (("", move), ("update_", now[name] - self.start[name])):
                spectral, frobenius = _sizes(change)
                point[f"{prefix}spectral"] = spectral / fans
                point[f"{prefix}frobenius"] = frobenius
            found[name] = point
        return found

    def _backward(self) -> float:
        with self._watched():
            value = self.loss(self.model, self.batch)
        value.backward()  # type: ignore[no-untyped-call]
        return float(value.detach())

    def _probe(self, moves: Mapping[str, Tensor]) -> list[Use]:
        """The uses of a forward pass, whose buffers are then put back."""
        buffers = [(one, one.clone()) for one in self.model.buffers()]
        probe = Probe({name: (one, moves[name]) for name, one in self.parameters.items()})
        with torch.no_grad(), self._watched(), probe:
            self.loss(self.model, self.batch)
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)
        return probe.uses

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """One pass: the masks of dropout are the same in all of them."""
        device = next(self.model.parameters()).device.type
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            if self.autocast is None:
                yield
            else:
                with torch.autocast(device, self.autocast, cache_enabled=False):
                    yield

    def _weights(self) -> dict[str, Tensor]:
        return {name: one.detach().clone() for name, one in self.parameters.items()}

    @torch.no_grad()
    def _set(self, weights: Mapping[str, Tensor]) -> None:
        for name, one in self.parameters.items():
            one.copy_(weights[name])

    def _contributions(self) -> dict[str, float]:
        """Squares of each parameter's part of the denominator, under plain SAM's direction."""
        found = {}
        for block in self.sam._blocks(lambda row: row.norm_mult != 0.0):
            factors = self.sam._preconditioners(block)
            for index, (row, gradient) in enumerate(zip(block.rows, block.gradients, strict=True)):
                direction = gradient if factors is None else gradient * factors[index]
                found[row.name] = float((direction * row.norm_mult).double().pow(2).sum())
        return found

    def _fans(self, row: Row) -> float:
        """√(fan_out / fan_in) of a parameter."""
        words = next(
            one["layout"].split()
            for one in self.sam.scaled.request["parameters"]
            if one["name"] == row.name
        )
        fan_in = math.prod(
            side for side, word in zip(row.shape, words, strict=True) if word in ("in", "kernel")
        )
        fan_out = math.prod(
            side for side, word in zip(row.shape, words, strict=True) if word == "out"
        )
        return math.sqrt(fan_out / fan_in)


_NO_EFFECT = {"effect": 0.0, "propagated": 0.0, "cross": 0.0, "total": 0.0, "activation": 0.0}
_NO_UPDATE = {"update_effect": 0.0, "update_propagated": 0.0}


def _perturbation(plain: Sequence[Use], moved: Sequence[Use]) -> dict[str, dict[str, float]]:
    """Own, propagated, cross and total effect: h̃ − h = ε x + W (x̃ − x) + ε (x̃ − x)."""
    parts: dict[str, list[tuple[str, str, Tensor]]] = {key: [] for key in _NO_EFFECT}
    same = [one[:2] for one in plain] == [one[:2] for one in moved]
    for index, use in enumerate(plain):
        key, h = use[:2], use.output
        own = use.moved - h
        parts["effect"].append((*key, own))
        parts["activation"].append((*key, h))
        if same:
            # At W + ε the probe moved by −ε: what comes out with the weights at W.
            carried, there = moved[index].moved, moved[index].output
            parts["propagated"].append((*key, carried - h))
            parts["total"].append((*key, there - h))
            parts["cross"].append((*key, there - carried - own))
    return _by_name(parts)


def _updates(later: Sequence[Use], first: Sequence[Tensor]) -> dict[str, dict[str, float]]:
    """The refined coordinate check: h_t − h_0 = ΔW x_t + W_0 (x_t − x_0)."""
    parts: dict[str, list[tuple[str, str, Tensor]]] = {key: [] for key in _NO_UPDATE}
    same = [one.output.shape for one in later] == [one.shape for one in first]
    for index, use in enumerate(later):
        parts["update_effect"].append((*use[:2], use.output - use.moved))
        if same:
            parts["update_propagated"].append((*use[:2], use.moved - first[index]))
    return _by_name(parts)


def _by_name(
    parts: Mapping[str, list[tuple[str, str, Tensor]]],
) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for key, pairs in parts.items():
        for name, rms in sums_of(pairs).items():
            found.setdefault(name, dict.fromkeys(parts, 0.0))[key] = rms
    return found


def _sizes(change: Tensor | None) -> tuple[float, float]:
    """Spectral norm of the matrix with all sides but the first in its columns, and Frobenius's."""
    if change is None:
        return 0.0, 0.0
    frobenius = float(change.double().norm())
    if change.ndim < 2 or frobenius == 0.0 or not math.isfinite(frobenius):
        return frobenius, frobenius
    matrix = change.double().flatten(1)
    vector = torch.ones(matrix.shape[1], dtype=matrix.dtype, device=matrix.device)
    vector += torch.arange(len(vector), dtype=matrix.dtype, device=matrix.device).sin()
    size = 0.0
    # The power method; perturbations are nearly of low rank, and a slope needs two digits.
    for _ in range(30):
        vector = matrix.T @ (matrix @ (vector / vector.norm()))
        size = float(vector.norm()) ** 0.5
        if size == 0.0:
            return 0.0, frobenius
    return size, frobenius


def _cross_entropy(model: nn.Module, batch: Batch) -> Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])


def _to(batch: Batch, dtype: torch.dtype) -> Batch:
    if isinstance(batch, Tensor):
        return batch.to(dtype) if batch.is_floating_point() else batch
    if isinstance(batch, tuple | list):
        return type(batch)(_to(one, dtype) for one in batch)
    if isinstance(batch, dict):
        return {key: _to(one, dtype) for key, one in batch.items()}
    return batch


def _number(value: Any) -> Any:
    """JSON has no NaN and no infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
