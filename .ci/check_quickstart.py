#!/usr/bin/env python3
"""Holds a quickstart's report.json against what the README says of it.

    python3 .ci/check_quickstart.py report.json SECONDS

Fails when a cell is missing or failed, an optimum of mup2 lies on the grid's edge, SAM does not
beat SGD by more than its standard error in the mean over mup2's widths (at one width, three seeds
say too little: the README has what rounding alone does there), or mup2 does not transfer
better than the other schemes (by the regret of the narrowest width's (η, ρ) at the widest).
"""
import json
import math
import sys


def main(path, seconds):
    with open(path) as file:
        report = json.load(file)
    schemes = {"sp-naive", "mup-naive", "mup-global", "mup2"}
    widths = sorted({cell["width"] for cell in report["cells"]})
    assert {cell["scheme"] for cell in report["cells"]} == schemes
    assert len(widths) >= 4 and widths[-1] >= 16 * widths[0], widths
    bad = [cell for cell in report["cells"] if cell["status"] in ("missing", "failed")]
    assert not bad, f"{len(bad)} cells without a result"

    edges = [o for o in report["optima"] if o["scheme"] == "mup2" and o["at_edge"]]
    assert not edges, f"an optimum of mup2 is on the grid's edge: {edges}"

    gains = [b for b in report["baselines"] if b["scheme"] == "mup2"]
    assert [b["width"] for b in gains] == widths, gains
    gain = sum(b["test_gain"] for b in gains) / len(gains)
    error = math.hypot(*(b["test_gain_stderr"] for b in gains)) / len(gains)
    print(f"SAM over SGD, mean over the widths: {100 * gain:+.2f} ± {100 * error:.2f} points")
    assert gain > error, "SAM's gain does not exceed its standard error"

    transfer = {t["scheme"]: t for t in report["transfer"] if t["to"] == widths[-1]}
    regret = {scheme: 100 * t["regret"] for scheme, t in transfer.items()}
    print("regret of the narrowest width's (η, ρ) in points:", regret)
    others = [regret[scheme] for scheme in regret if scheme != "mup2"]
    assert regret["mup2"] < min(others), "mup2 does not transfer better than the others"
    assert regret["mup2"] <= 200 * transfer["mup2"]["regret_stderr"], "mup2 does not transfer"
    print(f"quickstart took {seconds} s (the limit on two cores is 300 s)")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
