"""What each parameter does where it is used: operations evaluated once more with it moved.

A dispatch mode sees every operation of a forward pass that reads a parameter, or a view or a cast
of one: functional calls, shared modules, packed attention, norms and embeddings need nothing of
their own, as hooks on modules would.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_unflatten

# Operations that only copy: a cast under autocast, a transposed copy.
_COPIES = frozenset({"_to_copy", "clone", "contiguous", "copy", "lift_fresh"})


class _Tracked(NamedTuple):
    """A tensor that is a parameter, or a copy of one, and what moves with it."""

    name: str
    tensor: Tensor
    # In the same memory layout as the tensor.
    move: Tensor


class Sum:
    """A mean of squares in progress."""

    def __init__(self) -> None:
        self.squares, self.count = 0.0, 0

    def add(self, values: Tensor) -> None:
        """Adds all entries."""
        self.squares += float(values.double().pow(2).sum())
        self.count += values.numel()

    @property
    def rms(self) -> float:
        """Root of the mean square; 0 of nothing."""
        return (self.squares / self.count) ** 0.5 if self.count else 0.0


class Use(NamedTuple):
    """One operation that read one parameter."""

    name: str
    operation: str
    # What came out, and what would have come out with the parameter moved.
    output: Tensor
    moved: Tensor


class Probe(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While active, `uses` gets an entry a use of every parameter of `moves`, in their order.

    `moves` has a parameter and what is added to it, by name. Buffers that an operation writes are
    written once, as without the probe.
    """

    def __init__(self, moves: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.uses: list[Use] = []
        self._tracked: dict[int, _Tracked] = {}
        for name, (parameter, move) in moves.items():
            self._track(_Tracked(name, parameter, move))

    def _track(self, tracked: _Tracked) -> None:
        pointer = tracked.tensor.untyped_storage().data_ptr()
        if pointer:
            self._tracked[pointer] = tracked

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        flat, structure = tree_flatten((args, kwargs))
        used = [
            (index, self._tracked[value.untyped_storage().data_ptr()])
            for index, value in enumerate(flat)
            if isinstance(value, Tensor)
            and value.layout is torch.strided
            and value.untyped_storage().data_ptr() in self._tracked
        ]
        name = str(func).removeprefix("aten.").split(".")[0]
        if not used or func.is_view or name == "detach":
            return func(*args, **kwargs)
        # An operation that writes to its inputs (running statistics) gets copies to write to.
        writes = func._schema.is_mutable or "batch_norm" in name

        def fresh() -> list[Any]:
            return [one.clone() if writes and isinstance(one, Tensor) else one for one in flat]

        before = fresh()
        out = func(*args, **kwargs)
        for index, tracked in used:
            again = [one.clone() if writes and isinstance(one, Tensor) else one for one in before]
            value = flat[index]
            offset = value.storage_offset() - tracked.tensor.storage_offset()
            again[index] = before[index] + tracked.move.as_strided(
                value.size(), value.stride(), offset + tracked.move.storage_offset()
            )
            moved_args, moved_kwargs = tree_unflatten(again, structure)
            moved = func(*moved_args, **moved_kwargs)
            if name in _COPIES:
                # What reads the copy is a use of the parameter. The copy is kept alive, so that no
                # other tensor takes its memory while this is active.
                move = torch.empty_strided(
                    out.size(), out.stride(), dtype=out.dtype, device=out.device
                )
                self._track(_Tracked(tracked.name, out, move.copy_(moved - out)))
            else:
                self.uses.append(Use(tracked.name, name, _first(out), _first(moved)))
        return out


def _first(output: Any) -> Tensor:
    result: Tensor = output[0] if isinstance(output, tuple | list) else output
    return result.detach()


def largest(sums: Mapping[tuple[str, str], Sum]) -> dict[str, float]:
    """Of each parameter the RMS at that of its uses where it is largest."""
    found: defaultdict[str, float] = defaultdict(float)
    for (name, _), total in sums.items():
        found[name] = max(found[name], total.rms)
    return dict(found)


def sums_of(pairs: Any) -> dict[str, float]:
    """RMS by parameter of differences, given with name and operation."""
    sums: defaultdict[tuple[str, str], Sum] = defaultdict(Sum)
    for name, operation, difference in pairs:
        sums[name, operation].add(difference)
    return largest(sums)
