"""The program's entry: what it refuses before it loads anything."""

import subprocess
import sys
from pathlib import Path

import dataver

ROOT = Path(dataver.__file__).parents[1]


def test_windows_ends_at_once_with_one_clear_line() -> None:
    program = (
        "import os, sys\n"
        "from dataver.__main__ import main\n"
        "os.name = 'nt'\n"
        "status = main()\n"
        "os.name = 'posix'\n"
        "sys.exit(status if 'dataver.cli' not in sys.modules else 99)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error[platform]: dataver runs on Linux and macOS; on Windows use it in WSL\n"


def test_python_dash_m_runs_the_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dataver", "--version"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, f"dataver {dataver.__version__}\n")
