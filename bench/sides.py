"""The two programs that are compared, in each configuration that they may be measured in."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BENCH = Path(__file__).parent
# No measurement takes longer; one that does hangs.
LONGEST_SECONDS = 3600

# Has glibc keep freed memory for the next tensor; by default it gives large blocks back to the system,
# and each step faults their pages in again.
KEEPING = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(64 * 2**30),
    "MALLOC_TOP_PAD_": str(64 * 2**20),
}


@dataclass(frozen=True)
class Configuration:
    """How many networks are trained at once, with how many threads each, and what else is chosen."""

    workers: int
    threads: int
    flags: tuple[str, ...] = ()
    keeps_memory: bool = False

    def __str__(self) -> str:
        extras = [flag.removeprefix("--") for flag in self.flags]
        extras += ["malloc keeps memory"] if self.keeps_memory else []
        return ", ".join([f"{self.workers} × {self.threads}", *extras])

    def environment(self) -> dict[str, str]:
        """The environment to run in."""
        return {**os.environ, **(KEEPING if self.keeps_memory else {})}

    def arguments(self) -> list[str]:
        """Workers, threads and flags as both programs take them."""
        return ["--workers", str(self.workers), "--threads", str(self.threads), *self.flags]


@dataclass(frozen=True)
class Side:
    """One of the two programs."""

    name: str
    command: list[str]
    configurations: list[Configuration]
    results: list[dict[str, Any]] = field(default_factory=list)

    def measure(self, configuration: Configuration, arguments: list[str]) -> dict[str, Any]:
        """What the program prints, as one line of JSON, of one measurement.

        Raises RuntimeError with the program's own words when it fails.
        """
        command = [*self.command, *configuration.arguments(), *arguments, "--json"]
        done = subprocess.run(
            command,
            env=configuration.environment(),
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
        return json.loads(done.stdout.strip().splitlines()[-1])


def layouts(cores: int) -> list[tuple[int, int]]:
    """Workers and threads: one a core with one thread each, and one with a thread a core."""
    return sorted({(cores, 1), (1, cores)}, reverse=True)


def ours(binary: Path, run_file: Path, cores: int) -> Side:
    """`mup2 bench` on a run file."""
    configurations = [Configuration(*layout) for layout in layouts(cores)]
    return Side("mup2", [str(binary), "bench", str(run_file)], configurations)


def peer(row: str, kind: str, data: Path, cores: int) -> Side:
    """PyTorch on a row, with and without what may make it faster."""
    memory_formats = [(), ("--channels-last",)] if kind == "resnet" else [()]
    allocators = [False, True] if sys.platform == "linux" else [False]
    configurations = [
        Configuration(*layout, flags, keeps)
        for layout in layouts(cores)
        for flags in memory_formats
        for keeps in allocators
    ]
    command = [sys.executable, str(BENCH / "peer.py"), row, "--data", str(data)]
    return Side("PyTorch", command, configurations)
