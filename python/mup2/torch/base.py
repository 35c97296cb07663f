"""The shapes of a model at its base width, and which sides grow."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from torch import nn

from mup2 import _native
from mup2._request import invalid
from mup2.torch.layers import live_parameters

_FORMAT = 1


class BaseShape(NamedTuple):
    """One parameter at the base width."""

    shape: tuple[int, ...]
    # For each side whether it grows with the width.
    grows: tuple[bool, ...]


@dataclass(frozen=True)
class BaseShapes:
    """The width where every multiplier is 1: shapes by name, and what grows.

    Names are those of `named_parameters()` without the prefixes of wrappers; a tensor with several
    names has its first.
    """

    place: str
    shapes: Mapping[str, BaseShape]

    @classmethod
    def compare(cls, base: nn.Module, other: nn.Module) -> BaseShapes:
        """What `other`, the same model at any other width, shows to grow.

        Only shapes are read: both may be built under `torch.device("meta")`.

        Raises InvalidInput where the two are not one model or nothing grows.
        """
        narrow = {live.name: tuple(live.tensor.shape) for live in live_parameters(base)}
        wide = {live.name: tuple(live.tensor.shape) for live in live_parameters(other)}
        problems = [f"{name!r} is in one of them alone" for name in narrow.keys() ^ wide.keys()]
        problems += [
            f"{name!r} has shapes {shape} and {wide[name]}"
            for name, shape in narrow.items()
            if name in wide and len(shape) != len(wide[name])
        ]
        if not problems and narrow == wide:
            problems = ["they have the same shapes, so that nothing shows what grows"]
        if problems:
            raise invalid(
                "BaseShapes.compare", "; ".join(sorted(problems)), "one model at two widths"
            )
        return cls(
            "the base shapes",
            {
                name: BaseShape(
                    shape, tuple(one != two for one, two in zip(shape, wide[name], strict=True))
                )
                for name, shape in narrow.items()
            },
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a small TOML file that `load` reads: whole or not at all."""
        target = Path(path)
        if target.suffix != ".toml":
            raise invalid(str(target), "has a name with another ending", "a name in `.toml`")
        lines = [
            "# Base shapes of a PyTorch model, written by mup2.torch: the width where every",
            "# multiplier is 1. `grows` are the sides that grow with the width, from 0.",
            f"format = {_FORMAT}",
            f"count = {len(self.shapes)}",
            "",
            "[parameters]",
        ]
        for name, (shape, grows) in self.shapes.items():
            sides = [side for side, grow in enumerate(grows) if grow]
            # A JSON string is a TOML string too.
            lines.append(f"{json.dumps(name)} = {{ shape = {list(shape)}, grows = {sides} }}")
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, target)
        except BaseException:
            os.unlink(name)
            raise

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> BaseShapes:
        """Reads a file that `save` wrote.

        Raises InvalidInput where it is none or torn, OSError where it cannot be read.
        """
        place = str(path)

        def wrong(problem: str) -> Exception:
            return invalid(place, problem, "a file written by `BaseShapes.save`")

        try:
            file = json.loads(_native.parse_toml(Path(path).read_text(encoding="utf-8")))
        except ValueError as error:
            raise wrong(f"is not TOML ({' '.join(str(error).split())})") from None
        try:
            if file["format"] != _FORMAT:
                raise wrong(f"has format {file['format']}, and this version reads {_FORMAT}")
            entries = file["parameters"]
            if file["count"] != len(entries):
                raise wrong(f"announces {file['count']} parameters and has {len(entries)}")
            shapes = {
                name: BaseShape(
                    tuple(int(side) for side in entry["shape"]),
                    tuple(side in entry["grows"] for side in range(len(entry["shape"]))),
                )
                for name, entry in entries.items()
            }
        except (KeyError, TypeError) as error:
            raise wrong(f"lacks or misuses {error}") from None
        return cls(place, shapes)
