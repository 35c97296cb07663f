"""Throughput of SAM steps in PyTorch, as `mup2 bench` measures its own; and a check of the step.

    python peer.py mlp-1024 --data DIR --workers 2 --threads 1 --steps 80 --warmup 5 --json
    python peer.py --check

Trains as many networks of the row at once as there are workers, each in a process of its own.
DIR is what `images.make_images` made. This process only starts the others, and its memory does not
count.
"""

import argparse
import json
import math
import multiprocessing
import os
import sys
from importlib.metadata import version
from multiprocessing import connection
from pathlib import Path
from typing import Any

from memory import together
from rows import ROWS
from worker import Job, Meeting, work


def main() -> int:
    arguments = parse()
    if arguments.check:
        from check import check

        return check()
    job = Job(
        row=arguments.row,
        data=arguments.data,
        workers=arguments.workers,
        threads=arguments.threads,
        steps=arguments.steps,
        warmup=arguments.warmup,
        channels_last=arguments.channels_last,
    )
    result = measure(job)
    if arguments.json:
        print(json.dumps(result))
    else:
        print(f"{result['steps_per_second']:.3f} SAM steps a second, all workers together")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures SAM steps in PyTorch.")
    parser.add_argument("row", nargs="?", choices=[row.name for row in ROWS])
    parser.add_argument("--data", type=Path, help="the directory of the images")
    parser.add_argument("--workers", type=int, default=1, help="networks trained at once")
    parser.add_argument("--threads", type=int, default=1, help="threads of each")
    parser.add_argument("--steps", type=int, default=10, help="steps that are measured")
    parser.add_argument("--warmup", type=int, default=2, help="steps before that")
    parser.add_argument("--channels-last", action="store_true", help="memory layout of images")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--check", action="store_true", help="check the SAM step, measure nothing")
    arguments = parser.parse_args()
    if not arguments.check and (arguments.row is None or arguments.data is None):
        parser.error("needs a row and --data, or --check")
    if min(arguments.workers, arguments.threads, arguments.steps) < 1 or arguments.warmup < 0:
        parser.error("--workers, --threads and --steps are at least 1, --warmup at least 0")
    return arguments


def measure(job: Job) -> dict[str, Any]:
    """Runs the workers; steps a second are the sum of the workers' own."""
    limit_threads(job.threads)
    reports = run_workers(job)
    losses = [report["loss"] for report in reports]
    if not all(math.isfinite(loss) for loss in losses):
        raise RuntimeError(f"a training diverged (mean losses {losses}): its times mean nothing")
    return {
        "steps_per_second": sum(job.steps / sum(report["step_seconds"]) for report in reports),
        "step_seconds": reports[0]["step_seconds"],
        "workers": job.workers,
        "threads": job.threads,
        "steps": job.steps,
        "peak_memory_bytes": together([report["memory"] for report in reports]),
        "import_bytes": max(report["import_bytes"] for report in reports),
        "version": version("torch"),
    }


def run_workers(job: Job) -> list[dict[str, Any]]:
    """What each worker tells.

    Raises RuntimeError when one ends without a word; the others are ended then.
    """
    context = multiprocessing.get_context("spawn")
    meeting = Meeting(context, job.workers)
    processes, pipes = [], []
    for seed in range(job.workers):
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=work, args=(job, seed, meeting, sender))
        process.start()
        # The worker has the other copy; when it dies, the pipe is at its end.
        sender.close()
        processes.append(process)
        pipes.append(receiver)
    reports = []
    try:
        while pipes:
            for pipe in connection.wait(pipes):
                reports.append(pipe.recv())
                pipes.remove(pipe)
    except EOFError as error:
        raise RuntimeError("a worker ended without a result") from error
    finally:
        for process in processes:
            if pipes:
                process.terminate()
            process.join()
    return reports


def limit_threads(threads: int) -> None:
    """Has the libraries of processes that are started from now on use so many threads."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)


if __name__ == "__main__":
    sys.exit(main())
