"""What a measurement was made on: machine, versions, date, and how busy it was."""

import datetime
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

PACKAGES = ["torchvision", "timm", "numpy"]


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def use_cores(count: int) -> None:
    """Keeps this process and all that it starts on the first `count` of its cores.

    Raises ValueError when there are fewer, or when the system cannot do it.
    """
    if not hasattr(os, "sched_setaffinity"):
        raise ValueError("--cores needs Linux")
    allowed = sorted(os.sched_getaffinity(0))
    if not 1 <= count <= len(allowed):
        raise ValueError(f"--cores is {count}; allowed: 1 to {len(allowed)}")
    os.sched_setaffinity(0, allowed[:count])


def busy() -> float:
    """Processes that wanted a core, on average over the last minute."""
    return os.getloadavg()[0]


def processor() -> str:
    """The processor's name."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def memory() -> str:
    """Memory of the machine."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{pages / 2**30:.0f} GiB"


def revision() -> str:
    """The commit of the working tree, and whether it was changed since."""
    here = Path(__file__).parent
    try:
        command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
        done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def torch_build() -> str:
    """PyTorch's version with its build, such as `+cpu`, which the metadata leave out."""
    command = [sys.executable, "-c", "import torch; print(torch.__version__)"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def description(binary: Path) -> dict[str, str]:
    """What belongs above every table."""
    command = [str(binary), "--version"]
    ours = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    ours = ours.removeprefix("mup2 ")
    packages = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    packages = f"torch {torch_build()}, {packages}"
    return {
        "Date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        "Processor": f"{processor()}, {memory()}; cores used: {cores()}",
        "System": f"{platform.system()} {platform.release()}",
        "mup2": f"{ours}, commit {revision()}",
        "Peer": f"Python {platform.python_version()}, {packages}",
    }
