"""Memory of the calling process, and of several that share pages."""

import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def memory() -> dict[str, int]:
    """Bytes: `peak`, the most that was ever resident, and `files`, pages of mapped files and
    shared memory now (0 where the system does not tell them apart).
    """
    if not STATUS.exists():
        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        return {"peak": peak, "files": 0}
    lines = (line.split() for line in STATUS.read_text().splitlines())
    # The unit of these lines is kB.
    values = {line[0]: int(line[1]) * 1024 for line in lines if line[-1] == "kB"}
    return {"peak": values["VmHWM:"], "files": values["RssFile:"] + values["RssShmem:"]}


def together(processes: list[dict[str, int]]) -> int:
    """Peak bytes of processes that run at once. What they map from files, such as the libraries,
    is counted once, as far as all of them can share it.
    """
    shared = min(process["files"] for process in processes) * (len(processes) - 1)
    return sum(process["peak"] for process in processes) - shared
