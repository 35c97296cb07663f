"""A report of runs that any program made: optima, transfer, and how sure it is."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mup2 import _native
from mup2._request import invalid

__all__ = ["Report", "report"]

_NUMBERS: dict[str, type[int] | type[float]] = {
    "width": int,
    "lr": float,
    "rho": float,
    "seed": int,
    "selection_accuracy": float,
    "test_accuracy": float,
}
_NEEDED = ("width", "lr", "rho", "test_accuracy")


class Report:
    """What was found; `print` shows the tables, `numbers` is what `report.json` holds."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        self.numbers: dict[str, Any] = answer["report"]
        self._table: str = answer["table"]

    def __str__(self) -> str:
        return self._table.rstrip()


def report(
    runs: Any,
    out: str | os.PathLike[str] | None = None,
    *,
    base_width: int | None = None,
    title: str = "Transfer over widths",
    dataset: str = "",
    unstable_below: float = 0.3,
) -> Report:
    """Optima and transfer of a grid of runs; `out` is a directory for page, numbers and figures.

    `runs` is a list of dictionaries, a table of pandas, polars or pyarrow, or the path of a CSV or
    JSON Lines file, with a row a run: `width`, `lr`, `rho` (those of the base width) and
    `test_accuracy` (0 to 1); optionally `scheme` (`mup2`), `seed` (0), `selection_accuracy` (the
    test accuracy where absent) and `outcome`: `completed`, `diverged`, `failed` or `missing`.
    Other columns are left alone. `base_width` is the smallest width unless given.

    Raises InvalidInput for a row that is not a run, OSError where nothing can be read or written.
    """
    rows = [_run(index, row) for index, row in enumerate(_rows(runs))]
    if not rows:
        raise invalid("report", "has no runs", "at least one run")
    request = {
        "title": title,
        "dataset": dataset,
        "base_width": base_width or min(row["width"] for row in rows),
        "unstable_below": unstable_below,
        "out": None if out is None else os.fspath(out),
        "runs": rows,
    }
    return Report(json.loads(_native.report(json.dumps(request))))


def _rows(runs: Any) -> Iterable[Mapping[str, Any]]:
    if isinstance(runs, str | os.PathLike):
        path = Path(runs)
        with path.open(encoding="utf-8", newline="") as file:
            if path.suffix == ".csv":
                return list(csv.DictReader(file))
            return [json.loads(line) for line in file if line.strip()]
    for method in ("to_dicts", "to_pylist"):
        if hasattr(runs, method):
            found: list[Mapping[str, Any]] = getattr(runs, method)()
            return found
    if hasattr(runs, "to_dict"):
        records: list[Mapping[str, Any]] = runs.to_dict("records")
        return records
    return list(runs)


def _run(index: int, row: Mapping[str, Any]) -> dict[str, Any]:
    run: dict[str, Any] = {"seed": 0, "scheme": "mup2", "outcome": "completed"}
    for key in ("scheme", "outcome"):
        if row.get(key) not in (None, ""):
            run[key] = str(row[key])
    finished = run["outcome"] == "completed"
    for key, kind in _NUMBERS.items():
        value = row.get(key)
        if value is None or value == "" or value != value:
            if key in _NEEDED and (finished or key != "test_accuracy"):
                raise invalid(
                    f"run {index}", f"has no {key}", f"columns {', '.join(_NEEDED)} in every run"
                )
            continue
        try:
            run[key] = kind(value)
            if kind is int and run[key] != float(value):
                raise ValueError
        except (TypeError, ValueError):
            raise invalid(
                f"run {index}: {key}", f"is {value!r}", f"a number ({kind.__name__})"
            ) from None
    run.setdefault("selection_accuracy", run.get("test_accuracy"))
    return run
