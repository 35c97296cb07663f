"""The two programs that are compared, in each configuration that they may be measured in."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rows import Row

OURS = "mup2"
PEER = "PyTorch"

BENCH = Path(__file__).resolve().parent
# No measurement takes longer; one that does hangs.
LONGEST_SECONDS = 3600

# Has glibc keep freed memory for the next tensor; by default it gives large blocks back to the
# system, and each step faults their pages in again.
KEEPING = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(64 * 2**30),
    "MALLOC_TOP_PAD_": str(64 * 2**20),
}


@dataclass(frozen=True)
class Configuration:
    """How many networks are trained at once, each with how many threads, and what else."""

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
    """One of the two programs, with the arguments of a measurement and of a shorter trial."""

    name: str
    command: list[str]
    configurations: list[Configuration]
    arguments: list[str]
    trial_arguments: list[str]

    def measure(self, configuration: Configuration, trial: bool = False) -> dict[str, Any]:
        """What the program prints, as one line of JSON, of one measurement; and its `rate`.

        Raises RuntimeError with the program's own words when it fails.
        """
        arguments = self.trial_arguments if trial else self.arguments
        command = [*self.command, *configuration.arguments(), *arguments, "--json"]
        return with_rate(last_line(command, configuration.environment()))


@dataclass(frozen=True)
class Quickstart(Side):
    """`mup2 quickstart` into a new directory, timed from outside, its report included."""

    def measure(self, configuration: Configuration, trial: bool = False) -> dict[str, Any]:
        """Seconds, peak memory and rate of the whole command, which has no shorter trial."""
        with tempfile.TemporaryDirectory() as folder:
            out = ["--out", str(Path(folder) / "results")]
            workers = ["--workers", str(configuration.workers)]
            command = [sys.executable, str(BENCH / "timed.py"), *self.command, *workers, *out]
            return with_rate(last_line(command, configuration.environment()))


def with_rate(result: dict[str, Any]) -> dict[str, Any]:
    """The result and its rate: steps a second, or sweeps a second of a whole sweep."""
    if "seconds" in result:
        return {**result, "rate": 1.0 / result["seconds"]}
    return {**result, "rate": result["steps_per_second"]}


def last_line(command: list[str], environment: dict[str, str]) -> dict[str, Any]:
    """The JSON in the last line of a command's output.

    Raises RuntimeError with the command's own words when it fails, when it takes too long, and
    when the line is no JSON.
    """
    words = " ".join(command)
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=LONGEST_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"`{words}` took longer than {LONGEST_SECONDS} s") from error
    if done.returncode != 0:
        raise RuntimeError(f"`{words}` failed:\n{done.stderr[-2000:]}")
    last = done.stdout.rstrip().rpartition("\n")[2]
    try:
        return json.loads(last)
    except json.JSONDecodeError as error:
        raise RuntimeError(f"`{words}` ended with `{last}`, which is no JSON") from error


def step_sides(row: Row, binary: Path, data: Path, cores: int, quick: bool) -> tuple[Side, Side]:
    """`mup2 bench` and PyTorch on a row; the run file is written beside the data."""
    run_file = data / f"{row.name}.toml"
    run_file.write_text(row.run_file(data))
    trial = step_arguments(max(2, row.steps // 4), row.warmup)
    arguments = trial if quick else step_arguments(row.steps, row.warmup)
    configurations = [Configuration(*layout) for layout in layouts(cores)]
    ours = Side(OURS, [str(binary), "bench", str(run_file)], configurations, arguments, trial)
    command = [sys.executable, str(BENCH / "peer.py"), row.name, "--data", str(data)]
    formats = [(), ("--channels-last",)] if row.kind == "resnet" else [()]
    peer = Side(PEER, command, peer_configurations(cores, formats), arguments, trial)
    return ours, peer


def step_arguments(steps: int, warmup: int) -> list[str]:
    """How long both programs are measured."""
    return ["--steps", str(steps), "--warmup", str(warmup)]


def quickstart_sides(binary: Path, cores: int, fraction: float) -> tuple[Side, Side]:
    """`mup2 quickstart` and the same sweep in PyTorch, of which a fraction is trained."""
    command = [str(binary), "quickstart"]
    ours = Quickstart(OURS, command, [Configuration(cores, 1)], [], [])
    peer = Side(
        PEER,
        [sys.executable, str(BENCH / "quickstart_peer.py")],
        peer_configurations(cores, [()]),
        ["--fraction", str(fraction)],
        ["--fraction", "0.01"],
    )
    return ours, peer


def layouts(cores: int) -> list[tuple[int, int]]:
    """Workers and threads: one a core with one thread each, and one with a thread a core."""
    return sorted({(cores, 1), (1, cores)}, reverse=True)


def peer_configurations(cores: int, formats: list[tuple[str, ...]]) -> list[Configuration]:
    """Every configuration that may be PyTorch's best."""
    # The variables are glibc's.
    allocators = [False, True] if sys.platform == "linux" else [False]
    return [
        Configuration(*layout, flags, keeps)
        for layout in layouts(cores)
        for flags in formats
        for keeps in allocators
    ]
