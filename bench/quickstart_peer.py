"""The sweep of `mup2 quickstart` in PyTorch: the same data, runs and steps; no report.

    python quickstart_peer.py --workers 2 --threads 1
    python quickstart_peer.py --workers 2 --threads 1 --fraction 0.05

Each worker is a process that trains one run after the other. With a fraction, a random part of
each kind of run is trained and the time of the whole sweep is extrapolated from it. The time counts
from the start of this process to the last result, so it includes that the workers import PyTorch
and read the data.
"""

import argparse
import json
import multiprocessing
import sys
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from typing import Any

from memory import together
from peer import limit_threads
from quickstart_plan import Run, distinct_runs, part_of, read_sweep
from quickstart_worker import begin, train


def main() -> int:
    started = time.time()
    arguments = parse()
    result = run_sweep(arguments, started)
    if arguments.json:
        print(json.dumps(result))
    else:
        print(summary(result))
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The quickstart's sweep in PyTorch.")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--threads", type=int, default=1, help="threads of each")
    parser.add_argument("--fraction", type=float, default=1.0, help="part of the runs, up to 1")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    arguments = parser.parse_args()
    if not 0.0 < arguments.fraction <= 1.0:
        parser.error("--fraction is above 0 and at most 1")
    if min(arguments.workers, arguments.threads) < 1:
        parser.error("--workers and --threads are at least 1")
    return arguments


def run_sweep(arguments: argparse.Namespace, started: float) -> dict[str, Any]:
    """Trains the runs, or a part of them, and measures or extrapolates the time of all."""
    sweep = read_sweep()
    runs = distinct_runs(sweep)
    chosen = part_of(runs, arguments.fraction) if arguments.fraction < 1.0 else runs
    limit_threads(arguments.threads)
    context = multiprocessing.get_context("spawn")
    settings = (sweep["run"], arguments.threads)
    with ProcessPoolExecutor(arguments.workers, context, begin, settings) as pool:
        reports = list(pool.map(train, chosen))
    seconds = time.time() - started
    whole = len(chosen) == len(runs)
    if not whole:
        before = min(report["started"] for report in reports) - started
        seconds = before + training_seconds(runs, chosen, reports) / arguments.workers
    # The memory of each process after its last run.
    last = {report["process"]: report for report in reports}
    return {
        "seconds": seconds,
        "extrapolated": not whole,
        "runs": len(runs),
        "runs_trained": len(chosen),
        "steps_trained": sum(report["steps"] for report in reports),
        "diverged": sum(report["diverged"] for report in reports),
        "best_test_accuracy": max(report["test_accuracy"] for report in reports),
        "workers": arguments.workers,
        "threads": arguments.threads,
        "peak_memory_bytes": together([report["memory"] for report in last.values()]),
        "import_bytes": max(report["import_bytes"] for report in reports),
        "version": version("torch"),
    }


def training_seconds(runs: list[Run], chosen: list[Run], reports: list[dict[str, Any]]) -> float:
    """Seconds that one worker would train for, all runs together: of each kind, the mean seconds of
    those that were trained times the number of all. Runs that diverge early count as they are.
    """
    measured: dict[tuple[int, bool], list[float]] = defaultdict(list)
    for run, report in zip(chosen, reports, strict=True):
        measured[run.kind].append(report["seconds"])
    mean = {kind: sum(seconds) / len(seconds) for kind, seconds in measured.items()}
    return sum(mean[run.kind] for run in runs)


def summary(result: dict[str, Any]) -> str:
    """The result in words."""
    counts = (
        f"{result['runs_trained']} of {result['runs']} distinct runs trained, "
        f"{result['steps_trained']} steps, {result['diverged']} runs diverged; "
        f"best test accuracy {100 * result['best_test_accuracy']:.1f} %"
    )
    how = "extrapolated from a part" if result["extrapolated"] else "measured"
    return f"{counts}\nwhole sweep: {result['seconds']:.1f} s ({how})"


if __name__ == "__main__":
    sys.exit(main())
