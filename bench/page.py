"""The Markdown of a comparison."""

import statistics

from compare import Outcome

NOTES = """\
Each row was measured in one run, mup2 and PyTorch in turns; the ratio is the median rate of mup2
over that of PyTorch, and in brackets stand the smallest and the largest ratio of a repeat. Only
ratios may be compared with another run, not rates. Each side ran in its fastest configuration,
given as workers × threads. Memory is the peak of all processes together, what they share counted
once; in brackets what one process of PyTorch takes with its libraries and without a network.
What is measured, and what is not, says `bench/README.md`.
"""


def markdown(
    description: dict[str, str], outcomes: list[Outcome], sweeps: list[Outcome], remarks: list[str]
) -> str:
    """The page. `sweeps` are rows whose rate is in sweeps a second."""
    lines = ["# Performance against PyTorch", ""]
    lines += ["Written by `just bench-peer --write`; not by hand.", ""]
    lines += [f"- {name}: {value}" for name, value in description.items()]
    lines += [f"- {remark}" for remark in remarks]
    lines += ["", NOTES]
    if outcomes:
        lines += ["## SAM steps a second", ""]
        lines += table("SAM steps a second", [(outcome, rate(outcome)) for outcome in outcomes])
    if sweeps:
        lines += ["## A whole sweep", ""]
        lines += table("minutes", [(outcome, minutes(outcome)) for outcome in sweeps])
    return "\n".join(lines)


def table(unit: str, rows: list[tuple[Outcome, tuple[str, str]]]) -> list[str]:
    """Lines of a table, an empty one after it."""
    head = [
        "",
        f"mup2, {unit}",
        f"PyTorch, {unit}",
        "ratio",
        "target",
        "mup2, MiB",
        "PyTorch, MiB",
        "mup2 ran as",
        "PyTorch ran as",
    ]
    lines = [line(head), line(["---"] * len(head))]
    for outcome, (ours, peers) in rows:
        lines.append(line([outcome.title, ours, peers, *judged(outcome)]))
    return [*lines, ""]


def judged(outcome: Outcome) -> list[str]:
    """The cells that do not depend on the unit."""
    low, high = min(outcome.ratios), max(outcome.ratios)
    met = "met" if outcome.ratio >= outcome.target else "missed"
    return [
        f"**{outcome.ratio:.2f}** ({low:.2f} to {high:.2f})",
        f"≥ {outcome.target:g}, {met}",
        mebibytes(outcome.memory),
        f"{mebibytes(outcome.peer_memory)} ({mebibytes(outcome.peer_import)})",
        outcome.configuration,
        outcome.peer_configuration,
    ]


def rate(outcome: Outcome) -> tuple[str, str]:
    """Median rates of both sides."""
    return digits(statistics.median(outcome.rates)), digits(statistics.median(outcome.peer_rates))


def minutes(outcome: Outcome) -> tuple[str, str]:
    """Minutes that one takes at the median rates of both sides."""
    medians = statistics.median(outcome.rates), statistics.median(outcome.peer_rates)
    ours, peers = (digits(1.0 / (60.0 * median)) for median in medians)
    return ours, peers


def digits(value: float) -> str:
    """Three digits, or all before the point."""
    if value >= 100.0:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10.0 else f"{value:.2f}"


def mebibytes(count: int) -> str:
    """Bytes in MiB."""
    return f"{count / 2**20:.0f}"


def line(cells: list[str]) -> str:
    """One line of a table."""
    return f"| {' | '.join(cells)} |"
