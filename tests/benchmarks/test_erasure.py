"""The benchmark of erasure, once and tiny: every command is measured and the page is whole."""

import json
import subprocess
import sys
from pathlib import Path

_TOP = Path(__file__).resolve().parents[2]


def test_a_tiny_run_measures_every_command_and_writes_the_page(tmp_path: Path) -> None:
    raw, page = tmp_path / "raw.json", tmp_path / "page.md"
    options = ("--scale", "0.002", "--repeats", "1", "--json", str(raw), "--page", str(page))
    argv = [sys.executable, "-m", "benchmarks.erasure", *options]

    done = subprocess.run(argv, cwd=_TOP, capture_output=True, text=True, check=False, timeout=120)

    assert done.returncode == 0, done.stderr
    runs = json.loads(raw.read_text())
    assert [(run["case"], run["step"]) for run in runs] == [
        ("no record", "add"), ("no record", "push"), ("a record", "add"), ("a record", "push"),
        ("1,000 files", "purge plan"), ("1,000 files", "purge run"),
    ]  # fmt: skip
    assert runs[-1]["removed"] > 0
    assert "| 1,000 files | purge run |" in page.read_text()
