"""The runs of `mup2 quickstart`, each once, as the numbers that PyTorch needs."""

import itertools
import random
import tomllib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SWEEP = Path(__file__).parent.parent / "crates" / "mup2-cli" / "quickstart.toml"
# Runs of each kind that a part of the sweep has at least.
FEWEST = 2


@dataclass(frozen=True, order=True)
class Run:
    """One training. Triples are those of the input, hidden and output weights; two schemes that
    give the same numbers are the same run.
    """

    width: int
    seed: int
    # The readout's initial variance is smaller by this: in µP the width in base widths, else 1.
    readout_shrink: float
    learning_rates: tuple[float, float, float]
    # Perturbation radii; all 0 for the base optimizer alone.
    radii: tuple[float, float, float]
    norms: tuple[float, float, float]

    @property
    def kind(self) -> tuple[int, bool]:
        """Runs of a kind take about the same time."""
        return self.width, self.radii[0] > 0.0


def read_sweep() -> dict[str, Any]:
    """The sweep file that `mup2 quickstart --print-sweep` prints."""
    return tomllib.loads(SWEEP.read_text())


def powers(axis: dict[str, Any]) -> list[float]:
    """The values of an axis of powers of two."""
    exponents = range(axis["log2_from"], axis["log2_to"] + 1, axis["log2_step"])
    return [0.0] * axis.get("zero", False) + [2.0**exponent for exponent in exponents]


def distinct_runs(sweep: dict[str, Any]) -> list[Run]:
    """Every run of the grid once, the widest first."""
    grid = sweep["grid"]
    base_width = sweep["run"]["model"]["base_width"]
    cells = itertools.product(
        grid["scheme"], grid["width"], powers(grid["lr"]), powers(grid["rho"]), grid["seed"]
    )
    runs = {run_of(*cell, base_width) for cell in cells}
    return sorted(runs, reverse=True)


def run_of(scheme: str, width: int, rate: float, radius: float, seed: int, base: int) -> Run:
    """The numbers of a cell, by the tables of METHOD (sections 1 and 3) for SGD."""
    growth = width / base
    mup = (growth, 1.0, 1.0 / growth)
    standard = (1.0, 1.0, 1.0)
    perturbations = {
        "sp-naive": (standard, standard, standard, 1.0),
        "mup-naive": (mup, standard, standard, growth),
        "mup-global": (mup, (growth**-0.5,) * 3, standard, growth),
        "mup2": (mup, mup, (growth**0.5, 1.0, growth**-0.5), growth),
    }
    rates, radii, norms, shrink = perturbations[scheme]
    return Run(
        width=width,
        seed=seed,
        readout_shrink=shrink,
        learning_rates=tuple(rate * multiplier for multiplier in rates),
        radii=tuple(radius * multiplier for multiplier in radii),
        norms=norms if radius > 0.0 else standard,
    )


def part_of(runs: list[Run], fraction: float) -> list[Run]:
    """A random part of each kind of run, in the order of `runs`; the same at each call."""
    kinds: dict[tuple[int, bool], list[Run]] = defaultdict(list)
    for run in runs:
        kinds[run.kind].append(run)
    generator = random.Random(0)
    chosen: set[Run] = set()
    for members in kinds.values():
        count = max(FEWEST, round(fraction * len(members)))
        chosen.update(generator.sample(members, min(count, len(members))))
    return [run for run in runs if run in chosen]
