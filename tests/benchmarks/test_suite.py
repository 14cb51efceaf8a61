"""The whole benchmark suite, once and tiny: dataver beside cp, git status and lstat."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

_TOP = Path(__file__).resolve().parents[2]


def run_suite(tmp_path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    places = (
        "--scratch",
        tmp_path / "scratch",
        "--json",
        tmp_path / "raw.json",
        "--doc",
        tmp_path / "page.md",
    )
    argv = [sys.executable, "-m", "benchmarks", "--quick", "--fs", "dir", *map(str, places), *options]
    return subprocess.run(argv, cwd=_TOP, capture_output=True, text=True, check=False, timeout=300)


def test_a_tiny_run_measures_every_step_of_a_scenario(tmp_path: Path) -> None:
    run = run_suite(tmp_path, "--peers", "dataver", "--only", "small", "--scale", "0.0005")

    units = json.loads((tmp_path / "raw.json").read_text())["units"]
    assert run.returncode == 0, run.stderr
    assert {(u["scenario"], u["tool"], u["state"]) for u in units} == {
        ("small", "dataver", "done"), ("small", "floor", "done")
    }  # fmt: skip


@pytest.mark.scale
def test_a_tiny_run_measures_every_step_of_every_scenario(tmp_path: Path) -> None:
    run = run_suite(tmp_path, "--peers", "dataver", "--million", "--scale", "0.0005")

    units = json.loads((tmp_path / "raw.json").read_text())["units"]
    played = {(unit["scenario"], unit["tool"]): unit["state"] for unit in units}
    scenarios = ("startup", "small", "medium", "big", "million")
    assert run.returncode == 0, run.stderr
    assert played == {(name, tool): "done" for name in scenarios for tool in ("dataver", "floor")}


def test_a_tool_that_is_not_there_is_named_on_the_page(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "no-such-dvc")

    run = run_suite(tmp_path, "--peers", "dvc", "--dvc", nowhere, "--only", "startup/python")

    assert run.returncode == 0, run.stderr
    assert f"| DVC | missing: `{nowhere}` does not run" in (tmp_path / "page.md").read_text()


def test_what_the_time_limit_left_out_is_named_on_the_page(tmp_path: Path) -> None:
    run_suite(tmp_path, "--peers", "", "--only", "startup/python", "--time-limit", "0.000001")

    page = (tmp_path / "page.md").read_text()
    assert "| startup, plain tools, 1 | skipped | the time limit was reached |" in page


def test_a_second_run_keeps_what_the_first_one_measured(tmp_path: Path) -> None:
    options = ("--peers", "", "--fs", "dir", "--scratch", str(tmp_path), "--json", str(tmp_path / "raw.json"))
    argv = [sys.executable, "-m", "benchmarks", "--no-doc", "--scale", "0.0005", "--repeats", "1", *options]
    subprocess.run(argv, cwd=_TOP, capture_output=True, check=True, timeout=300)

    again = subprocess.run(argv, cwd=_TOP, capture_output=True, text=True, check=True, timeout=300)

    assert again.stderr.count("kept from an earlier run") == 4


def test_nothing_is_left_in_the_scratch_folder(tmp_path: Path) -> None:
    run_suite(tmp_path, "--peers", "", "--only", "small/cp", "--scale", "0.0005")

    assert list((tmp_path / "scratch").iterdir()) == []


def test_an_unknown_step_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    run = run_suite(tmp_path, "--only", "small/ad")

    assert (run.returncode, "status-clean" in run.stderr) == (2, True)


MEASURE = """
import os, sys
from pathlib import Path
from benchmarks.measure import CommandFailedError, TimeIsUpError, adopt_orphans, measure
adopt_orphans()
def run(script, timeout_s=60.0):
    return measure([sys.executable, "-c", script], Path("/"), os.environ, timeout_s)
BURN = "import time; t = time.process_time()\\nwhile time.process_time() < t + 0.3: pass"
"""


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(
            "script = f'import subprocess, sys; subprocess.run([sys.executable, \"-c\", {BURN!r}])'\n"
            "cost = run(script); assert cost.user_s + cost.system_s >= 0.25",
            id="a child's time counts",
        ),
        pytest.param(
            "script = f'import subprocess, sys; subprocess.Popen([sys.executable, \"-c\", {BURN!r}],"
            " start_new_session=True)'\n"
            "cost = run(script); assert cost.user_s + cost.system_s >= 0.25",
            id="a daemon's time counts",
        ),
        pytest.param(
            "assert run('x = bytearray(100_000_000)').peak > 100_000_000",
            id="memory is the peak",
        ),
        pytest.param(
            "try: run('raise SystemExit(\"no luck\")')\n"
            "except CommandFailedError as error: assert error.last_line == 'no luck'\n"
            "else: raise AssertionError",
            id="a failed program is an error with its last line",
        ),
        pytest.param(
            "try: run('import time; time.sleep(60)', 0.2)\n"
            "except TimeIsUpError: pass\n"
            "else: raise AssertionError",
            id="a program is stopped at the time limit",
        ),
    ],
)  # fmt: skip
def test_the_clock_sees_the_whole_process_tree(check: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", MEASURE + check],
        cwd=_TOP,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert run.returncode == 0, run.stderr
