import csv
import json

import pytest

import mup2


def runs() -> list[dict[str, object]]:
    """A map whose optimum stays at lr 0.1, rho 0.05."""
    return [
        {
            "width": width,
            "lr": lr,
            "rho": rho,
            "seed": seed,
            "test_accuracy": 0.8 + width / 10_000 - abs(lr - 0.1) - abs(rho - 0.05),
        }
        for width in (64, 256)
        for lr in (0.05, 0.1, 0.2)
        for rho in (0.0, 0.05, 0.1)
        for seed in (0, 1)
    ]


def test_a_report_is_made_of_dictionaries_and_files_alike(tmp_path):
    rows = runs()
    report = mup2.report(rows, out=tmp_path / "report")
    assert (tmp_path / "report/report.html").read_text().startswith("<!doctype html>")
    written = json.loads((tmp_path / "report/report.json").read_text())
    assert written == report.numbers
    assert "Transfer" in str(report)
    with (tmp_path / "runs.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    (tmp_path / "runs.jsonl").write_text("\n".join(map(json.dumps, rows)))

    class Frame:
        """As polars has it."""

        def to_dicts(self):
            return rows

    for other in (tmp_path / "runs.csv", str(tmp_path / "runs.jsonl"), Frame()):
        assert mup2.report(other).numbers == report.numbers


def test_rows_that_are_no_runs_are_named():
    rows = runs()
    for change, sentence in [
        ({"lr": "fast"}, "run 3: lr: is 'fast'"),
        ({"width": 64.5}, r"run 3: width: is 64\.5"),
        ({"test_accuracy": 84.0}, "run 3: selection_accuracy: is 84; allowed: a share"),
        ({"rho": None}, "run 3: has no rho|run 3: has no"),
        ({"outcome": "exploded"}, "unknown variant `exploded`"),
        ({"lr": -0.1}, r"run 3: has lr -0\.1"),
    ]:
        wrong = [*rows[:3], {**rows[3], **change}]
        with pytest.raises(mup2.InvalidInput, match=sentence):
            mup2.report(wrong)
    with pytest.raises(mup2.InvalidInput, match="has no runs"):
        mup2.report([])
    diverged = [*rows, {"width": 64, "lr": 0.4, "rho": 0.0, "outcome": "diverged"}]
    mup2.report(diverged)
