"""Runs a command and prints its wall time and peak memory as one line of JSON.

    python timed.py COMMAND ...

A process of its own, because the system tells one peak memory for all children of a process.
"""

import json
import resource
import subprocess
import sys
import time


def main() -> int:
    start = time.perf_counter()
    done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
    print(json.dumps({"seconds": seconds, "peak_memory_bytes": peak}))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
