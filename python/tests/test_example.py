import json
import os
import pathlib
import subprocess
import sys

import mup2

TRAIN = pathlib.Path(__file__).parents[2] / "examples/pytorch/train.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    # More threads than free cores wait for each other.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, str(TRAIN), *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )


def test_the_example_trains_a_wide_model_as_well_as_a_narrow_one_and_reports(tmp_path):
    lines = [run("--width", width).stdout for width in ("64", "256")]
    narrow, wide = map(json.loads, lines)
    assert narrow["test_accuracy"] > 0.8 and wide["test_accuracy"] > narrow["test_accuracy"] - 0.01
    (tmp_path / "runs.jsonl").write_text("".join(lines))
    report = mup2.report(tmp_path / "runs.jsonl", out=tmp_path / "report")
    assert (tmp_path / "report/report.html").exists() and "256" in str(report)


def test_the_examples_check_passes(tmp_path):
    assert "PASS" in run("--check", str(tmp_path / "check.html")).stdout
    assert (tmp_path / "check.html").exists()
