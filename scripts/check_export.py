#!/usr/bin/env python3
"""Reads exported tables with pyarrow and compares them with the results they were made from.

    python3 scripts/check_export.py RESULTS [EXPORT]

Needs pyarrow (`pip install pyarrow`; tested with 26.0).

Checks every format it finds in EXPORT, Parquet or CSV, and wants at least one: names, order and types of
the columns, the rows of each table, and every value, floats bit for bit. What is expected comes from
the JSON files alone; nothing of the Rust code is used. docs/reference/export.md describes the tables.
"""

import argparse
import itertools
import json
import math
import pathlib

# Columns of `metrics` that are keys below `sharpness` of an epoch.
SHARPNESS_KEYS = {
    "sharpness_loss": "loss",
    "top_eigenvalue": "eigenvalue.value",
    "most_positive_eigenvalue": "eigenvalue.most_positive",
    "eigenvalue_residual": "eigenvalue.residual",
    "hessian_trace": "trace.value",
    "hessian_trace_stderr": "trace.stderr",
    "sam_sharpness_radius": "sam.radius",
    "sam_sharpness_one_step": "sam.one_step",
    "sam_sharpness": "sam.value",
}

# pyarrow's names of the types.
TEXT, INTEGER, REAL = "string", "int64", "double"

# Columns of `runs` that are keys of the spec.
SPEC_KEYS = {
    "parameterization": "scaling.parameterization",
    "perturbation": "scaling.perturbation",
    "width": "model.width",
    "base_width": "model.base_width",
    "depth": "model.depth",
    "lr": "optimizer.lr",
    "rho": "sam.rho",
    "rule": "sam.rule",
    "optimizer": "optimizer.name",
    "seed": "seed",
    "dataset": "data.dataset",
    "label_noise": "data.label_noise",
    "batch_size": "train.batch_size",
    "epochs": "train.epochs",
}

COLUMNS = {
    "runs": {
        "id": TEXT,
        "status": TEXT,
        "failure_reason": TEXT,
        "schemes": TEXT,
        "parameterization": TEXT,
        "perturbation": TEXT,
        "width": INTEGER,
        "base_width": INTEGER,
        "depth": INTEGER,
        "lr": REAL,
        "rho": REAL,
        "rule": TEXT,
        "optimizer": TEXT,
        "seed": INTEGER,
        "dataset": TEXT,
        "label_noise": REAL,
        "batch_size": INTEGER,
        "epochs": INTEGER,
        "steps": INTEGER,
        "mup2_version": TEXT,
        "final_validation_accuracy": REAL,
        "final_test_accuracy": REAL,
        "selection": TEXT,
        "selection_accuracy": REAL,
        "selection_test_accuracy": REAL,
        "spec": TEXT,
    },
    "metrics": {
        "id": TEXT,
        "epoch": INTEGER,
        "step": INTEGER,
        "train_loss": REAL,
        "validation_accuracy": REAL,
        "test_accuracy": REAL,
        "sharpness_loss": REAL,
        "top_eigenvalue": REAL,
        "most_positive_eigenvalue": REAL,
        "eigenvalue_residual": REAL,
        "hessian_trace": REAL,
        "hessian_trace_stderr": REAL,
        "sam_sharpness_radius": REAL,
        "sam_sharpness_one_step": REAL,
        "sam_sharpness": REAL,
    },
    "cells": {
        "scheme": TEXT,
        "width": INTEGER,
        "lr": REAL,
        "rho": REAL,
        "seed": INTEGER,
        "id": TEXT,
    },
}


def same(place, found, expected):
    """End the program unless both are the same value of the same type."""
    if type(found) is not type(expected) or found != expected:
        raise SystemExit(f"{place}: {found!r} in the export, {expected!r} in the results")


def read(path, columns):
    """Return the rows of a table as dictionaries, after checking its schema."""
    # Here, so that --help can say that pyarrow is needed.
    import pyarrow.csv
    import pyarrow.parquet

    if path.suffix == ".parquet":
        table = pyarrow.parquet.read_table(path)
    else:
        table = pyarrow.csv.read_csv(
            path,
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={
                    name: pyarrow.type_for_alias(kind) for name, kind in columns.items()
                },
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
    same(f"{path}: columns", table.schema.names, list(columns))
    for field in table.schema:
        same(f"{path}: type of `{field.name}`", str(field.type), columns[field.name])
        same(f"{path}: `{field.name}` may be null", field.nullable, True)
    return table.to_pylist()


def read_results(directory):
    """Return the results by id; a file that is not JSON counts as absent, as it does for mup2."""
    results = {}
    for path in directory.glob("runs/*/result.json"):
        try:
            result = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            continue
        results[result["id"]] = result
    return results


def axis(values):
    """Return the values of a learning rate or radius of the grid."""
    if isinstance(values, list):
        return values
    span = (values["log2_to"] - values["log2_from"]) / values["log2_step"]
    steps = range(math.floor(span + 1e-9) + 1)
    powers = [2.0 ** (values["log2_from"] + values["log2_step"] * step) for step in steps]
    return [0.0] * values["zero"] + powers


def selected(result, selection):
    """Return (accuracy to select by, test accuracy of that epoch), or two nulls."""
    key = "test_accuracy" if selection == "best-test" else "validation_accuracy"
    epochs = result["epochs"][-1:] if selection == "validation" else result["epochs"]
    epochs = [epoch for epoch in epochs if epoch[key] is not None]
    # Of equal accuracies the earliest epoch counts: `max` returns the first.
    best = max(epochs, key=lambda epoch: epoch[key], default={})
    return best.get(key), best.get("test_accuracy")


def within(place, value, log2_range):
    """Check that a value lies in its range, up to the last bit of a power of two."""
    low, high = (2.0 ** log2_range[end] for end in ("log2_from", "log2_to"))
    if not low * (1 - 1e-12) <= value <= high * (1 + 1e-12):
        raise SystemExit(f"{place}: {value} is not from {low} to {high}")


def search_pairs(path, cells, sweep):
    """Return the pairs (η, ρ) of a search, as the first scheme, width and seed have them.

    Which points they are is checked by scripts/reference/sobol.py; here, that there are as many as
    asked for, each in its range, and with ρ = 0 as well where SGD is asked for.
    """
    grid, search = sweep["grid"], sweep["search"]
    first = (grid["scheme"][0], grid["width"][0], grid["seed"][0])
    cells = [cell for cell in cells if (cell["scheme"], cell["width"], cell["seed"]) == first]
    pairs = [(cell["lr"], cell["rho"]) for cell in cells]
    sam = [pair for pair in pairs if pair[1] > 0.0]
    for lr, rho in sam:
        within(f"{path}: η of a point", lr, search["lr"])
        within(f"{path}: ρ of a point", rho, search["rho"])
    # Points that agree in all their digits are one point.
    if len(set(pairs)) < len(pairs) or not 0 < len(sam) <= search["points"]:
        raise SystemExit(f"{path}: {len(sam)} points, not {search['points']}")
    sgd = list(dict.fromkeys(lr for lr, _ in sam)) if search["include_sgd"] else []
    same(f"{path}: η with ρ = 0", [lr for lr, rho in pairs if rho == 0.0], sgd)
    return pairs


def check_cells(path, cells, sweep):
    grid = sweep["grid"]
    if sweep.get("search", {}).get("method") == "halving":
        # The rungs of a cell stand one after the other, each a run of its own.
        keys = ("scheme", "width", "lr", "rho", "seed")
        grouped = itertools.groupby(cells, lambda cell: [cell[key] for key in keys])
        cells = [next(rows) for _, rows in grouped]
    if sweep.get("search"):
        pairs = search_pairs(path, cells, sweep)
    else:
        pairs = itertools.product(axis(grid["lr"]), axis(grid["rho"]))
    points = itertools.product(grid["scheme"], grid["width"], pairs, grid["seed"])
    points = list(points)
    same(f"{path}: rows", len(cells), len(points))
    for row, (cell, (scheme, width, (lr, rho), seed)) in enumerate(zip(cells, points)):
        place = f"{path}: row {row}"
        same(place, (cell["scheme"], cell["width"], cell["seed"]), (scheme, width, seed))
        # A power of two to a fraction may differ in its last bit from mup2's.
        if not (math.isclose(cell["lr"], lr) and math.isclose(cell["rho"], rho)):
            raise SystemExit(f"{place}: η {cell['lr']}, ρ {cell['rho']}, not {lr}, {rho}")


def check_runs(path, runs, cells, results, sweep):
    by_id = {}
    for cell in cells:
        by_id.setdefault(cell["id"], []).append(cell)
    same(f"{path}: ids", [run["id"] for run in runs], list(by_id))
    for run in runs:
        result, served = results.get(run["id"]), by_id[run["id"]]
        spec = json.loads(run["spec"])
        expected = {
            "id": run["id"],
            "status": "missing",
            "failure_reason": None,
            # The schemes in the order of the cells, each once.
            "schemes": ";".join(dict.fromkeys(cell["scheme"] for cell in served)),
            "steps": None,
            "mup2_version": None,
            "final_validation_accuracy": None,
            "final_test_accuracy": None,
            "selection": sweep["selection"],
            "selection_accuracy": None,
            "selection_test_accuracy": None,
            "spec": run["spec"],
        }
        for column, keys in SPEC_KEYS.items():
            value = spec
            for key in keys.split("."):
                value = value[key]
            expected[column] = value
        if spec["model"]["kind"] != "mlp":
            # The key is an MLP's; specs hold its default also for other models.
            expected["depth"] = None
        if result:
            same(f"{path}: {run['id']}: spec", spec, result["spec"])
            for column in ("status", "steps", "mup2_version"):
                expected[column] = result[column]
            expected["failure_reason"] = result.get("reason")
            if result["status"] == "completed" and result["epochs"]:
                last = result["epochs"][-1]
                expected["final_validation_accuracy"] = last["validation_accuracy"]
                expected["final_test_accuracy"] = last["test_accuracy"]
                accuracy, test_accuracy = selected(result, sweep["selection"])
                expected["selection_accuracy"] = accuracy
                expected["selection_test_accuracy"] = test_accuracy
        for column in COLUMNS["runs"]:
            same(f"{path}: {run['id']}: {column}", run[column], expected[column])
        for cell, column in itertools.product(served, ("width", "lr", "seed")):
            same(f"{path}: {run['id']}: {column} of a cell", cell[column], run[column])


def sharpness(epoch):
    """Return the sharpness columns of an epoch; what was not measured is null."""
    columns = {}
    for column, keys in SHARPNESS_KEYS.items():
        value = epoch.get("sharpness")
        for key in keys.split("."):
            value = value.get(key) if value is not None else None
        columns[column] = value
    return columns


def check_metrics(path, metrics, runs, results):
    results = [results[run["id"]] for run in runs if run["id"] in results]
    # One number for all runs of a sweep.
    completed = [result for result in results if result["status"] == "completed"]
    per_epoch = {result["steps"] / result["spec"]["train"]["epochs"] for result in completed}
    if len(per_epoch) > 1:
        raise SystemExit(f"{path}: the runs' epochs differ in length: {per_epoch} steps")
    steps = int(per_epoch.pop()) if per_epoch else None
    expected = [
        {
            "id": result["id"],
            "step": None if steps is None else steps * epoch["epoch"],
            **epoch,
            **sharpness(epoch),
        }
        for result in results
        for epoch in result["epochs"]
    ]
    same(f"{path}: rows", len(metrics), len(expected))
    for row, (found, wanted) in enumerate(zip(metrics, expected)):
        for column in COLUMNS["metrics"]:
            same(f"{path}: row {row}: {column}", found[column], wanted[column])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "results",
        metavar="RESULTS",
        type=pathlib.Path,
        help="a results directory (`sweep.json`, `runs/ID/result.json`)",
    )
    parser.add_argument(
        "export",
        metavar="EXPORT",
        nargs="?",
        type=pathlib.Path,
        help="the directory that holds the tables [default: RESULTS]",
    )
    arguments = parser.parse_args()
    directory = arguments.results
    export = arguments.export or directory
    sweep = json.loads((directory / "sweep.json").read_text(encoding="utf-8"))["sweep"]
    results = read_results(directory)
    formats = [kind for kind in ("parquet", "csv") if (export / f"runs.{kind}").exists()]
    if not formats:
        raise SystemExit(f"{export}: has neither runs.parquet nor runs.csv")
    for kind in formats:
        paths = {name: export / f"{name}.{kind}" for name in COLUMNS}
        tables = {name: read(path, COLUMNS[name]) for name, path in paths.items()}
        runs, metrics, cells = tables["runs"], tables["metrics"], tables["cells"]
        check_cells(paths["cells"], cells, sweep)
        check_runs(paths["runs"], runs, cells, results, sweep)
        check_metrics(paths["metrics"], metrics, runs, results)
        print(f"{kind}: {len(runs)} runs, {len(metrics)} metric points, {len(cells)} cells: correct")


if __name__ == "__main__":
    main()
