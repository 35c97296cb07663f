"""One training process of the peer: trains, and measures its steps while all others train too."""

import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from memory import memory


@dataclass(frozen=True)
class Job:
    """What to measure."""

    row: str
    data: Path
    workers: int
    threads: int
    steps: int
    warmup: int
    channels_last: bool


class Meeting:
    """Where workers wait for each other, at the beginning and at the end of what is measured."""

    def __init__(self, context: SpawnContext, workers: int) -> None:
        self.start: Barrier = context.Barrier(workers)
        self.running: Synchronized = context.Value("i", workers)

    def leave(self) -> None:
        """Tells the others that this worker has measured enough."""
        with self.running.get_lock():
            self.running.value -= 1


def work(job: Job, seed: int, meeting: Meeting, reports: Connection) -> None:
    """Trains one network of the row; sends seconds by step, memory and mean loss.

    `import_bytes` is what the process takes with its libraries and without a network or data.
    """
    import torch
    from trainer import Trainer, load_libraries

    torch.set_num_threads(job.threads)
    torch.set_num_interop_threads(1)
    load_libraries()
    import_bytes = memory()["peak"]
    trainer = Trainer(job.row, job.data, seed, job.channels_last)
    seconds = measure(job, trainer, meeting)
    report = {
        "step_seconds": seconds,
        "memory": memory(),
        "import_bytes": import_bytes,
        "loss": trainer.mean_loss(),
    }
    reports.send(report)


def measure(job: Job, trainer: Any, meeting: Meeting) -> list[float]:
    """Seconds of each step. The worker goes on training until the last one has measured its own,
    so that none is measured while another's core is idle.
    """
    for _ in range(job.warmup):
        trainer.step()
    meeting.start.wait()
    seconds = []
    for _ in range(job.steps):
        start = time.perf_counter()
        trainer.step()
        seconds.append(time.perf_counter() - start)
    meeting.leave()
    while meeting.running.value > 0:
        trainer.step()
    return seconds
