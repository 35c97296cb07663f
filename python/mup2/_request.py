"""Requests to the native module: plain dictionaries in and out, and declarations by pattern."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from mup2 import _native
from mup2._native import InvalidInput

Value = TypeVar("Value")

_KINDS = ("weight", "bias", "norm")


def ask_scale(request: Mapping[str, Any]) -> dict[str, Any]:
    """Roles and multipliers; see `crates/mup2-python/src/roles.rs` for the request's keys."""
    answer: dict[str, Any] = json.loads(_native.scale(json.dumps(request, allow_nan=False)))
    return answer


def ask_check(request: Mapping[str, Any]) -> dict[str, Any]:
    """The judgement of a check; see `crates/mup2-python/src/judgement.rs`."""
    answer: dict[str, Any] = json.loads(_native.check(json.dumps(request, allow_nan=False)))
    return answer


def invalid(place: str, problem: str, allowed: str) -> InvalidInput:
    """An error in the words of all of mup2's errors."""
    return InvalidInput(f"{place}: {problem}; allowed: {allowed}")


class Declarations:
    """What a user says of parameters, by name or by pattern with `*` for any part of a name."""

    def __init__(self, place: str, said: Mapping[str, Any] | None) -> None:
        self._place = place
        self._said = dict(said or {})
        self._patterns = {
            pattern: re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
            for pattern in self._said
        }
        self._used: set[str] = set()

    def of(self, name: str) -> Any | None:
        """What is said of `name`; an exact name overrules patterns.

        Raises InvalidInput where two patterns contradict each other.
        """
        found = [key for key, pattern in self._patterns.items() if pattern.fullmatch(name)]
        self._used.update(found)
        if name in self._said:
            return self._said[name]
        if any(self._said[key] != self._said[found[0]] for key in found):
            raise invalid(
                self._place,
                f"patterns {', '.join(map(repr, found))} contradict each other for {name!r}",
                "one meaning a parameter; an exact name overrules patterns",
            )
        return self._said[found[0]] if found else None

    def unused(self) -> list[str]:
        """Clauses about patterns that met no parameter."""
        return [
            f"{self._place} has {key!r}, which no parameter is called"
            for key in self._said
            if key not in self._used
        ]


def layout_words(said: object, sides: int) -> str:
    """The words of a layout that was declared: one of `out`, `in`, `kernel`, `stack` a side.

    `embedding` (and `tied`) are rows of the last side, `readout` and `linear` are PyTorch's order,
    `transposed` has inputs before outputs.
    """
    if said in ("embedding", "tied"):
        return " ".join(["stack"] * (sides - 1) + ["out"])
    if said in ("readout", "linear"):
        return torch_layout(sides)
    if said == "transposed":
        return " ".join(["in", "out", *["kernel"] * (sides - 2)][:sides])
    return str(said)


def torch_layout(sides: int) -> str:
    """`[out, in, height, width]`, as far as there are sides."""
    return " ".join(["out", "in", *["kernel"] * max(sides - 2, 0)][:sides])


def jax_layout(sides: int) -> str:
    """`[height, width, in, out]`, of which a vector has the last side alone."""
    return " ".join([*["kernel"] * max(sides - 2, 0), "in", "out"][-sides:] if sides else [])


def check_kinds(kinds: Iterable[object]) -> None:
    """Raises InvalidInput for a kind that is none."""
    for kind in kinds:
        if kind not in _KINDS:
            raise invalid("kind", f"is {kind!r}", "`weight`, `bias` or `norm`")
