import pathlib
import re

GUIDE = pathlib.Path(__file__).parents[2] / "docs/guides/pytorch-package.md"


def test_the_blocks_of_the_guide_run_in_their_order(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 8
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(GUIDE), "exec"), names)
    assert (tmp_path / "report/report.html").exists() and (tmp_path / "check.html").exists()
    assert "effectively perturbed in 6 of 6" in capsys.readouterr().out
