"""A scheme worked out for a live model: its table, its start, and its parameter groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from mup2._request import Declarations, ask_scale, check_kinds, invalid, layout_words
from mup2.torch.base import BaseShapes
from mup2.torch.layers import (
    Live,
    is_constant,
    is_default_bias,
    is_meta,
    live_parameters,
)

_EMBEDDING_STD = 0.02


@dataclass(frozen=True)
class Row:
    """One parameter's multipliers; at the base width each is 1."""

    name: str
    role: str
    kind: str | None
    shape: tuple[int, ...]
    # Standard deviation of the initialization; 0 for what starts at a constant.
    init_std: float
    init_mult: float
    lr_mult: float
    # Of ρ in the numerator, and of the gradient in the denominator's norm; 0 if never perturbed.
    rho_mult: float
    norm_mult: float
    # Of the gradient in a norm to which every layer contributes alike at every width.
    clip_mult: float
    wd_mult: float
    asam_eta_mult: float
    # Predicted powers of the width; the effect is None for what is never perturbed.
    effect_exponent: float | None
    update_exponent: float


@dataclass
class Initialization:
    """What `initialize_` did, by name; `print` shows it."""

    drawn: dict[str, float] = field(default_factory=dict)
    zeroed: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"drawn  {name}: std {std:.4g}" for name, std in self.drawn.items()]
        lines += [f"zeroed {name}: had PyTorch's random bias" for name in self.zeroed]
        lines += [f"kept   {name}: {why}" for name, why in self.kept.items()]
        return "\n".join(lines)


def scale(
    model: nn.Module,
    base: BaseShapes | nn.Module,
    scheme: str = "mup2",
    rule: str = "sam",
    optimizer: str = "sgd",
    *,
    denominator: str | None = None,
    asam_bias: str | None = None,
    declare: Mapping[str, str] | None = None,
    kind: Mapping[str, str] | None = None,
    gain: Mapping[str, float] | None = None,
) -> Scaled:
    """Roles of the parameters of `model` and their multipliers from the width of `base`.

    `scheme` is `mup2`, or a parameterization and a perturbation such as `mup-global`, `sp-naive`;
    `rule` is `sam`, `asam`, `asam-layer`, `sam-on` or `random`; `optimizer` is `sgd`, or `adam` for
    Adam and AdamW. The types of the layers tell what a parameter's sides count. For one that
    belongs to no known layer, `declare` says it by name or by a pattern with `*`: `embedding`
    (rows of the last side), `tied` (an embedding that makes the logits too), `readout`,
    `transposed`, or one word a side out of `out`, `in`, `kernel`, `stack`. `kind` says `weight`,
    `bias` or `norm`, `gain` the initialization's std at the base times √fan_in.

    Raises InvalidInput with everything that does not fit in one message.
    """
    lives = live_parameters(model)
    if isinstance(base, nn.Module):
        base = BaseShapes.compare(base, model)
    said = Declarations("declare", declare)
    kinds = Declarations("kind", kind)
    gains = Declarations("gain", gain)
    check_kinds((kind or {}).values())
    problems: list[str] = []
    parameters: list[dict[str, Any]] = []
    for live in lives:
        if live.name not in base.shapes:
            problems.append(f"{live.name!r} is not in {base.place}")
            continue
        parameters += _request(live, base, (said, kinds, gains), problems)
    known = {live.name for live in lives}
    problems += [
        f"{name!r} of {base.place} is no parameter of the model"
        for name in base.shapes
        if name not in known
    ]
    problems += said.unused() + kinds.unused() + gains.unused()
    request = {
        "base": base.place,
        "target": type(model).__name__,
        "scheme": {
            "scheme": scheme,
            "rule": rule,
            "optimizer": optimizer,
            "denominator": denominator,
            "asam_bias": asam_bias,
        },
        "parameters": parameters,
    }
    if problems:
        try:
            ask_scale(request)
        except ValueError as error:
            problems.append(str(error))
        raise invalid(
            f"scale({type(model).__name__})",
            "; ".join(problems),
            "a model and its base, with a word in `declare` for each parameter of no known layer",
        )
    answer = ask_scale(request)
    rows = [
        Row(
            **{key: row[key] for key in Row.__dataclass_fields__ if key in row and key != "shape"},
            shape=tuple(row["shape"]),
            clip_mult=clip,
        )
        for row, clip in zip(answer["tensors"], answer["clip_mults"], strict=True)
    ]
    return Scaled(model, rows, lives, request, answer, {name: gains.of(name) for name in known})


def _request(
    live: Live,
    base: BaseShapes,
    declarations: tuple[Declarations, Declarations, Declarations],
    problems: list[str],
) -> list[dict[str, Any]]:
    said, kinds, gains = (one.of(live.name) for one in declarations)
    shape, (base_shape, grows) = tuple(live.tensor.shape), base.shapes[live.name]
    if said is not None:
        live.layout = layout_words(said, len(shape))
        live.tied = said == "tied"
        # A matrix of which only rows are looked up is kept as it starts; others are drawn.
        live.drawn = live.drawn or "in" in live.layout.split()
        live.kind = live.kind or ("weight" if len(shape) > 1 else None)
    if live.layout is None and not any(grows):
        live.layout = " ".join(["stack"] * len(shape))
    if live.layout is None:
        problems.append(
            f"{live.name!r} of shape {shape} ({base_shape} at the base) belongs to a {live.layer}, "
            f'which does not tell what its sides are: declare={{{live.name!r}: "embedding"}} if '
            'rows of its last side are looked up or added, else "readout", "transposed" or a '
            "word a side"
        )
        return []
    live.kind = kinds or live.kind
    default = 0.0
    if live.drawn:
        default = _EMBEDDING_STD if live.layout == "stack out" else 1.0
    return [
        {
            "name": live.name,
            "shape": shape,
            "base_shape": base_shape,
            "other_shape": [
                side * 2 if grow else side for side, grow in zip(base_shape, grows, strict=True)
            ],
            "layout": live.layout,
            "kind": live.kind,
            "gain": default if gains is None else gains,
            "tied": live.tied,
        }
    ]


class Scaled:
    """A model with its multipliers; `print` shows the table and the theory's verdict.

    `rows` has a `Row` a parameter by name; `logits_mult` is what the input of a tied readout has
    to be multiplied by in the forward pass (base over width).
    """

    def __init__(
        self,
        model: nn.Module,
        rows: Sequence[Row],
        lives: Sequence[Live],
        request: dict[str, Any],
        answer: dict[str, Any],
        gains: Mapping[str, float | None],
    ) -> None:
        self.model = model
        self.rows = {row.name: row for row in rows}
        self.scheme: str = request["scheme"]["scheme"]
        self.rule: str = answer["rule"]
        self.optimizer: str = answer["optimizer"]
        self.asam_bias: str = answer["asam_bias"]
        self.width_ratio: float = answer["width_ratio"]
        self.logits_mult: float = answer["logits_mult"]
        self.verdict: dict[str, Any] = answer["verdict"]
        self.tied = {live.name: list(live.aliases) for live in lives if live.tied}
        self.request = request
        self._gains = dict(gains)

    def parameters(self) -> dict[str, nn.Parameter]:
        """The model's parameters as they are now, by the names of `rows`.

        FSDP puts other tensors in place of a module's; hence no tensor is kept here.
        """
        return {live.name: live.tensor for live in live_parameters(self.model)}

    @torch.no_grad()
    def initialize_(self, generator: torch.Generator | None = None) -> Initialization:
        """Draws the weights of a freshly built model, in place, and says what it did.

        Matrices of known layers, and what a gain is declared for, are drawn from N(0, init_std²).
        Biases that PyTorch drew at random become 0. Everything else stays as it is: constants,
        frozen parameters, rows of `padding_idx`, and values that a module set itself.
        """
        done = Initialization()
        for live in live_parameters(self.model):
            row, gain, tensor = self.rows[live.name], self._gains[live.name], live.tensor
            if is_meta(tensor):
                raise invalid(
                    f"parameter {live.name!r}", "is on the meta device", "memory: `to_empty` first"
                )
            drawn = row.init_std > 0.0
            if gain is not None:
                tensor.normal_(0.0, row.init_std, generator=generator) if drawn else tensor.zero_()
                done.drawn[live.name] = row.init_std
            elif not tensor.requires_grad:
                done.kept[live.name] = "frozen"
            elif is_constant(tensor):
                first = tensor.flatten()[0].item() if tensor.numel() else 0.0
                done.kept[live.name] = f"constant {first:.4g}"
            elif drawn:
                tensor.normal_(0.0, row.init_std, generator=generator)
                done.drawn[live.name] = row.init_std
            elif is_default_bias(live, tensor):
                tensor.zero_()
                done.zeroed.append(live.name)
            else:
                done.kept[live.name] = "values of its own"
            if live.padding_row is not None and live.name in done.drawn:
                tensor[live.padding_row] = 0.0
                done.kept[f"{live.name}[{live.padding_row}]"] = "padding row of zeros"
        return done

    def param_groups(
        self,
        lr: float,
        weight_decay: float = 0.0,
        *,
        no_decay: str | Sequence[str] | Callable[[str, nn.Parameter], bool] = (),
        without_muon: bool = False,
    ) -> list[dict[str, Any]]:
        """Parameter groups for an optimizer of `torch.optim`, without frozen parameters.

        Learning rate and weight decay are those of the base width. `no_decay` exempts from the
        decay: `"vectors"` (biases, norms, whatever has fewer than two sides), patterns of names, or
        a function of name and parameter. `without_muon` leaves out what `muon_groups` holds.

        Each group also has `lr_mult`, `wd_mult` and `base_lr`, for schedulers that take one
        learning rate a group: `max_lr=[0.1 * group["lr_mult"] for group in …]`.
        """
        muon = {id(one) for one in self._muon().values()} if without_muon else set()
        patterns = Declarations(
            "no_decay",
            {}
            if callable(no_decay) or no_decay == "vectors"
            else dict.fromkeys([no_decay] if isinstance(no_decay, str) else no_decay, True),
        )
        groups: dict[tuple[float, float, bool], list[nn.Parameter]] = {}
        for name, parameter in self.parameters().items():
            if callable(no_decay):
                exempt = no_decay(name, parameter)
            elif no_decay == "vectors":
                exempt = parameter.ndim < 2
            else:
                exempt = patterns.of(name) is not None
            if parameter.requires_grad and id(parameter) not in muon:
                row = self.rows[name]
                key = (row.lr_mult, row.wd_mult, not exempt)
                groups.setdefault(key, []).append(parameter)
        if patterns.unused():
            raise invalid("no_decay", "; ".join(patterns.unused()), "names of parameters")
        return [
            {
                "params": parameters,
                "lr": lr * lr_mult,
                "weight_decay": weight_decay * wd_mult if decays else 0.0,
                "lr_mult": lr_mult,
                "wd_mult": wd_mult,
                "base_lr": lr,
            }
            for (lr_mult, wd_mult, decays), parameters in groups.items()
        ]

    def muon_groups(self, lr: float, weight_decay: float = 0.0) -> list[dict[str, Any]]:
        """One group with the hidden matrices, for `torch.optim.Muon` with its default scale.

        An orthogonalized update has spectral norm lr · √max(1, fan_out/fan_in), which is the
        spectral condition itself: the multiplier is 1 at every width.
        """
        return [
            {
                "params": list(self._muon().values()),
                "lr": lr,
                "weight_decay": weight_decay,
                "lr_mult": 1.0,
                "wd_mult": 1.0,
                "base_lr": lr,
            }
        ]

    def _muon(self) -> dict[str, nn.Parameter]:
        return {
            name: parameter
            for name, parameter in self.parameters().items()
            if self.rows[name].role == "hidden" and parameter.ndim == 2 and parameter.requires_grad
        }

    def notes(self) -> list[str]:
        """What the user has to do or to know, in sentences."""
        notes = []
        for name, aliases in self.tied.items():
            also = f" ({', '.join(aliases)})" if aliases else ""
            notes.append(
                f"`{name}`{also} is embedding and readout in one: multiply what enters the readout "
                f"by `scaled.logits_mult` = {self.logits_mult:.6g}, or the logits grow with the "
                "width."
            )
        roles = {row.role for row in self.rows.values()}
        if "output" not in roles and not self.tied:
            notes.append(
                "No parameter is a readout. If the logits are made with an embedding table, "
                "declare it `tied` and multiply what enters the readout by base over width."
            )
        return notes

    def __str__(self) -> str:
        titles = ("name", "role", "shape", "init_std", "lr", "rho", "norm", "wd", "effect")
        table: list[tuple[str, ...]] = [titles]
        for row in self.rows.values():
            effect = "-" if row.effect_exponent is None else f"{row.effect_exponent:g}"
            numbers = (row.init_std, row.lr_mult, row.rho_mult, row.norm_mult, row.wd_mult)
            shape = "×".join(map(str, row.shape)) or "()"
            table.append((row.name, row.role, shape, *(f"{one:.4g}" for one in numbers), effect))
        widths = [max(len(line[column]) for line in table) for column in range(len(titles))]
        lines = [
            "  ".join(
                cell.ljust(width) if column < 3 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in table
        ]
        return "\n".join([*lines, "", self._verdict(), *self.notes()])

    def _verdict(self) -> str:
        verdict = self.verdict
        head = (
            f"{self.scheme}, rule {self.rule}, {self.optimizer}, width ratio {self.width_ratio:g}"
        )
        said = "stable" if verdict["stable"] else "NOT stable"
        parts = [f"{head}: in theory {said}"]
        for key, words in (
            ("effective", "effectively perturbed"),
            ("vanishing", "perturbation vanishes"),
            ("unstable", "perturbation explodes"),
            ("unperturbed", "not perturbed"),
            ("unstable_updates", "updates explode"),
        ):
            names = verdict[key]
            if names:
                some = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
                parts.append(f"{words} in {len(names)} of {len(self.rows)} ({some})")
        return "; ".join(parts) + "."
