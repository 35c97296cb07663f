"""Measures two sides in turns, each in its best configuration, and sums up by medians."""

import statistics
import sys
from dataclasses import asdict, dataclass
from typing import Any

from sides import Configuration, Side

# Times that each configuration is tried before the best is taken.
TRIES = 2


@dataclass(frozen=True)
class Outcome:
    """A row of the table. Rates are SAM steps or sweeps a second; memory is in bytes."""

    title: str
    target: float
    rates: list[float]
    peer_rates: list[float]
    configuration: str
    peer_configuration: str
    memory: int
    peer_memory: int
    # What of the peer's memory one process takes with its libraries alone.
    peer_import: int
    # Rates of every configuration that was tried, by side.
    tried: dict[str, dict[str, list[float]]]

    @property
    def ratio(self) -> float:
        """Our median rate over the peer's."""
        return statistics.median(self.rates) / statistics.median(self.peer_rates)

    @property
    def ratios(self) -> list[float]:
        """The ratio of each repeat."""
        return [rate / other for rate, other in zip(self.rates, self.peer_rates)]

    def as_json(self) -> dict[str, Any]:
        """All of it, for a file."""
        return {**asdict(self), "ratio": self.ratio, "ratios": self.ratios}


def best_configuration(side: Side) -> tuple[Configuration, dict[str, list[float]]]:
    """The configuration with the highest rate of a few tries, and all rates.

    The tries go round, so that a slow minute does not fall on one configuration alone. They are
    not counted in what is reported: the best of several is too good.
    """
    if len(side.configurations) == 1:
        return side.configurations[0], {}
    rates: dict[Configuration, list[float]] = {each: [] for each in side.configurations}
    for _ in range(TRIES):
        for configuration in side.configurations:
            rate = side.measure(configuration, trial=True)["rate"]
            rates[configuration].append(rate)
            say(f"  try {side.name}, {configuration}: {rate:.4g} a second")
    best = max(rates, key=lambda configuration: max(rates[configuration]))
    return best, {str(configuration): found for configuration, found in rates.items()}


def compare(title: str, target: float, sides: tuple[Side, Side], repeats: int) -> Outcome:
    """Measures ours and the peer in turns, so that both see the same quiet and busy minutes."""
    say(title)
    chosen = [best_configuration(side) for side in sides]
    results: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for repeat in range(repeats):
        for side, (configuration, _), found in zip(sides, chosen, results):
            found.append(side.measure(configuration))
            rate = found[-1]["rate"]
            say(f"  {repeat + 1}/{repeats} {side.name}, {configuration}: {rate:.4g} a second")
    ours, peers = results
    return Outcome(
        title=title,
        target=target,
        rates=[result["rate"] for result in ours],
        peer_rates=[result["rate"] for result in peers],
        configuration=str(chosen[0][0]),
        peer_configuration=str(chosen[1][0]),
        memory=max(result["peak_memory_bytes"] for result in ours),
        peer_memory=max(result["peak_memory_bytes"] for result in peers),
        peer_import=max(result["import_bytes"] for result in peers),
        tried={side.name: rates for side, (_, rates) in zip(sides, chosen)},
    )


def say(text: str) -> None:
    """Progress, beside the result."""
    print(text, file=sys.stderr, flush=True)
