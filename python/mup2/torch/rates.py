"""Whether optimizers still hold what `param_groups` gave them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from mup2._request import invalid
from mup2.torch.scaled import Row, Scaled

# Optimizers whose updates follow the gradient's size, and those whose updates do not.
_CLASSES = {
    "sgd": frozenset({"SGD", "ASGD"}),
    "adam": frozenset(
        {"Adam", "AdamW", "NAdam", "RAdam", "Adamax", "RMSprop", "Adagrad", "Adadelta", "Adafactor"}
        | {"Lion", "Rprop"}
    ),
}

_ALLOWED = (
    "the groups of `scaled.param_groups`, with schedulers that multiply all rates alike "
    "(LambdaLR, LinearLR, CosineAnnealingLR to 0), or one rate a group: "
    '[rate * group["lr_mult"] for group in optimizer.param_groups]'
)

_TOLERANCE = 1e-6


def inner(optimizer: Any) -> Any:
    """The optimizer within those of accelerate and Lightning."""
    while not hasattr(optimizer, "add_param_group") or type(optimizer).__name__ in (
        "AcceleratedOptimizer",
        "LightningOptimizer",
    ):
        within = getattr(optimizer, "optimizer", getattr(optimizer, "_optimizer", None))
        if within is None:
            break
        optimizer = within
    return optimizer


def rates(optimizers: Sequence[Any]) -> tuple[tuple[object, object, int], ...]:
    """What schedulers and hands may change: cheap to compare with that of the last step."""
    return tuple(
        (group["lr"], group.get("weight_decay", 0.0), len(group["params"]))
        for optimizer in optimizers
        for group in optimizer.param_groups
        if not isinstance(group["lr"], Tensor)
    )


def check_optimizers(
    optimizers: Sequence[Any], scaled: Scaled, parameters: Mapping[str, nn.Parameter]
) -> None:
    """Raises InvalidInput, with one sentence a problem, where multipliers were lost or bent."""
    names = {id(parameter): name for name, parameter in parameters.items()}
    held: set[int] = set()
    problems: list[str] = []
    for outer in optimizers:
        optimizer = inner(outer)
        name = type(optimizer).__name__
        state = getattr(outer, "gradient_state", None)
        if getattr(state, "num_steps", 1) > 1:
            problems.append(
                "accelerate accumulates over several batches, of which each would be a step of "
                "SAM's own: accumulate in the closure, with gradient_accumulation_steps=1"
            )
        muon = name == "Muon"
        problems += _class_problems(optimizer, name, scaled.optimizer)
        factors: list[float] = []
        decays: list[float] = []
        for index, group in enumerate(optimizer.param_groups):
            held.update(id(parameter) for parameter in group["params"])
            rows = [scaled.rows[names[id(one)]] for one in group["params"] if id(one) in names]
            if not rows:
                continue
            place = f"group {index} of {name}"
            problems += _group_problems(place, group, rows, muon)
            lr_mult = 1.0 if muon else rows[0].lr_mult
            wd_mult = 1.0 if muon else rows[0].wd_mult
            base = float(group.get("base_lr", 1.0))
            factors.append(float(group["lr"]) / (lr_mult * (base or 1.0)))
            decay = float(group.get("weight_decay", 0.0))
            if decay:
                decays.append(decay / wd_mult)
        for what, values in (("learning rates", factors), ("weight decays", decays)):
            if values and max(values) - min(values) > _TOLERANCE * max(values):
                shown = ", ".join(dict.fromkeys(f"{one:.4g}" for one in values))
                problems.append(
                    f"the {what} of {name} do not have the ratios of the multipliers: divided by "
                    f"their multipliers they are {shown}"
                )
    missing = [
        name
        for name, parameter in parameters.items()
        if parameter.requires_grad and id(parameter) not in held
    ]
    if missing:
        some = ", ".join(map(repr, missing[:5])) + (", …" if len(missing) > 5 else "")
        problems.append(f"no optimizer holds {len(missing)} trainable parameters ({some})")
    if problems:
        raise invalid("SAM's optimizers", "; ".join(problems), _ALLOWED)


def _class_problems(optimizer: Any, name: str, expected: str) -> list[str]:
    if name == "Muon":
        if any(group.get("adjust_lr_fn") == "match_rms_adamw" for group in optimizer.param_groups):
            return ["Muon has adjust_lr_fn='match_rms_adamw', whose updates grow with the width"]
        return []
    bases = {cls.__name__ for cls in type(optimizer).__mro__}
    for optimizer_class, classes in _CLASSES.items():
        if optimizer_class != expected and bases & classes and not bases & _CLASSES[expected]:
            return [
                f"{name} is of the class `{optimizer_class}`, and the multipliers are for "
                f"`{expected}`: scale(…, optimizer={optimizer_class!r})"
            ]
    if name == "Adam" and any(
        group.get("weight_decay", 0.0) and not group.get("decoupled_weight_decay", False)
        for group in optimizer.param_groups
    ):
        return [
            "the weight decay of Adam is part of the gradient, not multiplied by the learning "
            "rate, and cannot be scaled: use AdamW"
        ]
    return []


def _group_problems(
    place: str, group: Mapping[str, Any], rows: Sequence[Row], muon: bool
) -> list[str]:
    if muon:
        wrong = [row.name for row in rows if row.role != "hidden"]
        return [f"{place} holds {wrong[0]!r}, no hidden matrix"] if wrong else []
    first = rows[0]
    for row in rows:
        if not math.isclose(row.lr_mult, first.lr_mult, rel_tol=_TOLERANCE):
            return [
                f"{place} holds {first.name!r} and {row.name!r} at one learning rate, as "
                f"`model.parameters()` gives them, and their multipliers are {first.lr_mult:g} and "
                f"{row.lr_mult:g}"
            ]
    said = group.get("lr_mult")
    if said is not None and not math.isclose(said, first.lr_mult, rel_tol=_TOLERANCE):
        return [
            f"{place} has the multiplier {said:g} of another base width, and {first.name!r} has "
            f"{first.lr_mult:g}"
        ]
    return []
