"""mup2 against PyTorch, in one run: measures in turns, prints medians and ratios as Markdown.

    python bench.py                                     all rows, about an hour on two cores
    python bench.py --only mlp-1024 --only vit-192
    python bench.py --quick                             short and rough
    python bench.py --write ../docs/reference/performance.md --json results.json
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from compare import Outcome, compare, say
from images import make_images
from machine import busy, cores, description, use_cores
from page import markdown
from quickstart_plan import FEWEST
from rows import ROWS
from sides import quickstart_sides, step_sides

ROOT = Path(__file__).resolve().parent.parent
QUICKSTART = "quickstart"
QUICKSTART_TARGET = 3.0
# More processes that want a core than this at the start, and the numbers are not worth much.
IDLE = 0.3


def main() -> int:
    arguments = parse()
    try:
        if arguments.cores is not None:
            use_cores(arguments.cores)
        text, outcomes = measure(arguments)
    except (RuntimeError, ValueError, OSError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(text)
    if arguments.write is not None:
        arguments.write.write_text(text)
    if arguments.json is not None:
        content = json.dumps([outcome.as_json() for outcome in outcomes], indent=1)
        arguments.json.write_text(content)
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="mup2 against PyTorch, in one run.")
    names = [*(row.name for row in ROWS), QUICKSTART]
    parser.add_argument("--only", action="append", choices=names, help="a row; may be repeated")
    parser.add_argument("--quick", action="store_true", help="fewer steps, one repeat")
    parser.add_argument("--repeats", type=int, help="measurements of each side (5)")
    parser.add_argument(
        "--quickstart-repeats", type=int, default=1, help="measurements of the quickstart (1)"
    )
    parser.add_argument(
        "--quickstart-fraction",
        type=float,
        help="part of the quickstart's runs that PyTorch trains; the rest is extrapolated (1)",
    )
    parser.add_argument("--cores", type=int, help="use so many cores only (all)")
    parser.add_argument("--binary", type=Path, default=ROOT / "target/release/mup2")
    parser.add_argument("--write", type=Path, help="write the page there too")
    parser.add_argument("--json", type=Path, help="write every measurement there")
    arguments = parser.parse_args()
    if arguments.repeats is None:
        arguments.repeats = 1 if arguments.quick else 5
    if arguments.quickstart_fraction is None:
        arguments.quickstart_fraction = 0.05 if arguments.quick else 1.0
    if min(arguments.repeats, arguments.quickstart_repeats) < 1:
        parser.error("--repeats and --quickstart-repeats are at least 1")
    if not 0.0 < arguments.quickstart_fraction <= 1.0:
        parser.error("--quickstart-fraction is above 0 and at most 1")
    return arguments


def measure(arguments: argparse.Namespace) -> tuple[str, list[Outcome]]:
    """The page and every outcome."""
    about = description(arguments.binary)
    remarks = circumstances(arguments)
    steps = step_outcomes(arguments)
    sweeps = sweep_outcomes(arguments)
    return markdown(about, steps, sweeps, remarks), [*steps, *sweeps]


def circumstances(arguments: argparse.Namespace) -> list[str]:
    """What a reader must know of this run."""
    load = busy()
    remarks = [f"Load average before: {load:.2f}"]
    if load > IDLE:
        remarks.append("**The machine was busy: do not publish these numbers.**")
        say(f"warning: the load average is {load:.2f}; the machine should be idle")
    repeats = f"{arguments.repeats} a network, {arguments.quickstart_repeats} of the sweep"
    remarks.append(f"Measurements of each side: {repeats}")
    if arguments.quick:
        remarks.append("**Measured with `--quick`: rough.**")
    fraction = arguments.quickstart_fraction
    if wanted(arguments, QUICKSTART) and fraction < 1.0:
        share = f"{100 * fraction:g} % of the sweep's runs, at least {FEWEST} of each kind"
        remarks.append(f"PyTorch trained {share}; its time is extrapolated.")
    return remarks


def wanted(arguments: argparse.Namespace, name: str) -> bool:
    """Whether the row is to be measured."""
    return arguments.only is None or name in arguments.only


def step_outcomes(arguments: argparse.Namespace) -> list[Outcome]:
    """One outcome for each network that is asked for."""
    rows = [row for row in ROWS if wanted(arguments, row.name)]
    if not rows:
        return []
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        make_images(data)
        for row in rows:
            sides = step_sides(row, arguments.binary, data, cores(), arguments.quick)
            outcomes.append(compare(row.title, row.target, sides, arguments.repeats))
    return outcomes


def sweep_outcomes(arguments: argparse.Namespace) -> list[Outcome]:
    """The quickstart, if it is asked for."""
    if not wanted(arguments, QUICKSTART):
        return []
    sides = quickstart_sides(arguments.binary, cores(), arguments.quickstart_fraction)
    repeats = arguments.quickstart_repeats
    title = "`mup2 quickstart`, 783 runs"
    return [compare(title, QUICKSTART_TARGET, sides, repeats)]


if __name__ == "__main__":
    sys.exit(main())
