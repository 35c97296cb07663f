"""The numbers as plain dictionaries: for JAX, for a training loop of your own, for a look.

>>> from mup2.scaling import multipliers
>>> base = {"in": (32, 64), "hidden": (64, 64), "out": (64, 10)}
>>> wide = {"in": (32, 256), "hidden": (256, 256), "out": (256, 10)}
>>> rows = multipliers(wide, base=base, layout="jax")
>>> [(row["role"], row["lr_mult"], row["rho_mult"]) for row in rows.values()]
[('input', 4.0, 4.0), ('hidden', 1.0, 1.0), ('output', 0.25, 0.25)]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mup2._request import (
    Declarations,
    ask_scale,
    check_kinds,
    invalid,
    jax_layout,
    layout_words,
    torch_layout,
)

__all__ = ["multipliers"]

_LAYOUTS: dict[str, Callable[[int], str]] = {"torch": torch_layout, "jax": jax_layout}

_COLUMNS = (
    "role",
    "shape",
    "init_std",
    "init_mult",
    "lr_mult",
    "rho_mult",
    "norm_mult",
    "wd_mult",
    "asam_eta_mult",
    "effect_exponent",
    "update_exponent",
)

_EMBEDDING_STD = 0.02


def multipliers(
    shapes: Mapping[str, Any],
    *,
    base: Mapping[str, Any],
    other: Mapping[str, Any] | None = None,
    scheme: str = "mup2",
    rule: str = "sam",
    optimizer: str = "sgd",
    denominator: str | None = None,
    asam_bias: str | None = None,
    layout: str = "torch",
    declare: Mapping[str, str] | None = None,
    kind: Mapping[str, str] | None = None,
    gain: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Multipliers of every parameter, in the nesting of `shapes`.

    `shapes`, `base` and `other` are dictionaries, nested as you like, whose leaves are shapes
    (tuples of sides) or arrays with a `shape`: the model to scale, the width at which every
    multiplier is 1, and any third width, needed only for the multipliers of the base itself.

    `layout` is `torch` (`[out, in, …]`) or `jax` (`[…, in, out]`). `declare` says what a name, or
    a pattern with `*`, is instead: `embedding` (rows of the last side), `readout`, `transposed`, or
    one word a side out of `out`, `in`, `kernel`, `stack`. `kind` says `weight`, `bias` or `norm`
    where the rules `asam` and `sam-on` ask; `gain` is the initialization's std at the base times
    √fan_in (default 1 for matrices, 0.02 for embeddings, 0 for vectors). Names of nested entries
    are joined by dots.

    Each leaf of the answer has `role`, `shape`, `init_std`, `init_mult`, `lr_mult`, `rho_mult` (the
    numerator's), `norm_mult` (the denominator's), `wd_mult`, `asam_eta_mult`, and the exponents
    that theory predicts, `effect_exponent` and `update_exponent`.

    Raises InvalidInput, with everything that does not fit in one message.
    """
    if layout not in _LAYOUTS:
        raise invalid("layout", f"is {layout!r}", "`torch` or `jax`")
    target_shapes = dict(_leaves(shapes, "shapes"))
    base_shapes = dict(_leaves(base, "base"))
    other_shapes = dict(_leaves(other, "other")) if other is not None else None
    said = Declarations("declare", declare)
    kinds = Declarations("kind", kind)
    gains = Declarations("gain", gain)
    check_kinds((kind or {}).values())
    parameters = []
    problems = []
    for name, shape in target_shapes.items():
        wide = shape if other_shapes is None else other_shapes.get(name)
        if name not in base_shapes or wide is None:
            problems.append(f"{name!r} is not at every width")
            continue
        declared = said.of(name)
        sides = len(shape)
        words = _LAYOUTS[layout](sides) if declared is None else layout_words(declared, sides)
        own_gain = gains.of(name)
        default_gain = _EMBEDDING_STD if declared in ("embedding", "tied") else float(sides > 1)
        parameters.append(
            {
                "name": name,
                "shape": shape,
                "base_shape": base_shapes[name],
                "other_shape": wide,
                "layout": words,
                "kind": kinds.of(name) or ("weight" if sides > 1 else None),
                "gain": default_gain if own_gain is None else own_gain,
                "tied": declared == "tied",
            }
        )
    problems += [f"{name!r} is in `base` alone" for name in base_shapes.keys() - target_shapes]
    problems += said.unused() + kinds.unused() + gains.unused()
    if problems:
        raise invalid("shapes", "; ".join(problems), "one model at several widths")
    answer = ask_scale(
        {
            "base": "base",
            "target": "shapes",
            "scheme": {
                "scheme": scheme,
                "rule": rule,
                "optimizer": optimizer,
                "denominator": denominator,
                "asam_bias": asam_bias,
            },
            "parameters": parameters,
        }
    )
    rows = {row["name"]: {key: row[key] for key in _COLUMNS} for row in answer["tensors"]}
    return _nested(shapes, "", rows)


def _leaves(tree: Mapping[str, Any], place: str, prefix: str = "") -> list[tuple[str, list[int]]]:
    """Names and shapes of all leaves."""
    found: list[tuple[str, list[int]]] = []
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            found += _leaves(value, place, f"{name}.")
            continue
        shape = getattr(value, "shape", value)
        try:
            found.append((name, [int(side) for side in shape]))
        except (TypeError, ValueError):
            raise invalid(
                f"{place}: {name}", f"is {value!r}", "a shape, or an array that has one"
            ) from None
    return found


def _nested(tree: Mapping[str, Any], prefix: str, rows: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _nested(value, f"{prefix}{key}.", rows)
        if isinstance(value, Mapping)
        else rows[f"{prefix}{key}"]
        for key, value in tree.items()
    }
