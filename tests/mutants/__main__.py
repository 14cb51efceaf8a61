"""`python -m tests.mutants [NAME...]`: break one rule of the code at a time, and see a test notice.

Each mutant of `tests.mutants.rules` changes a few words of the product in a copy of the tree and
runs the tests that hold the rule.  They have to pass without the change and to fail with it; a
mutant that survives, or whose words are not in the code any more, fails the run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from tests.mutants.rules import RULES, Rule

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 300
_COPIED = ("dataver", "tests", "pyproject.toml", "README.md", "docs", "examples")


def _copy(folder: Path) -> None:
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, folder / name)


def _start(folder: Path, tests: Iterable[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def _end(child: subprocess.Popen[str]) -> tuple[int, str]:
    try:
        output, _ = child.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        child.kill()
        output, _ = child.communicate()
        return 1, f"{output}\nE   stopped after {TIMEOUT_S} s"
    return child.returncode, output


def _is_noticed(status: int, output: str) -> bool:
    """Tell whether a test failed; a run that could not even begin does not count."""
    return status == 1 and re.search(r"\b[1-9]\d* failed|stopped after", output) is not None


def _mutate(folder: Path, rule: Rule) -> str:
    """Change the copy in *folder*; return what is wrong where that is impossible."""
    path = folder / rule.file
    text = path.read_text() if path.exists() else ""
    if text.count(rule.words) != 1:
        return f"its words stand {text.count(rule.words)} times in {rule.file}"
    path.write_text(text.replace(rule.words, rule.instead))
    return ""


def _unbroken(folder: Path, chosen: dict[str, Rule]) -> bool:
    """Run all the tests on the code as it is: they must pass, or their failures would prove nothing."""
    tests = sorted({test for rule in chosen.values() for test in rule.tests})
    status, output = _end(_start(folder, [*tests, "-n", str(os.cpu_count() or 1)]))
    if status:
        print(f"FAILED    without any mutant:\n{output[-4000:]}")
    return status == 0


def main(names: list[str]) -> int:
    """Run the mutants *names*, or all; return 1 where one survives."""
    chosen = {name: rule for name, rule in RULES.items() if not names or name in names}
    if not chosen or set(names) - RULES.keys():
        print(f"no such mutant; there are: {', '.join(RULES)}")
        return 2
    survivors = 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as top:
        plain = Path(top, "plain")
        plain.mkdir()
        _copy(plain)
        if not _unbroken(plain, chosen):
            return 1
        waiting = list(chosen.items())
        running: list[tuple[str, Path, subprocess.Popen[str], float]] = []
        while waiting or running:
            while waiting and len(running) < (os.cpu_count() or 1):
                name, rule = waiting.pop(0)
                folder = Path(top, name.replace(" ", "-"))
                shutil.copytree(plain, folder)
                fault = _mutate(folder, rule)
                if fault:
                    print(f"STALE     {name}: {fault}", flush=True)
                    survivors += 1
                    continue
                running.append((name, folder, _start(folder, rule.tests), time.monotonic()))
            if running:
                name, folder, child, started = running.pop(0)
                status, output = _end(child)
                is_noticed = _is_noticed(status, output)
                survivors += not is_noticed
                said = next((line for line in output.splitlines() if line.startswith("FAILED")), "")
                print(
                    f"{'noticed ' if is_noticed else 'SURVIVED'}  {name} ({time.monotonic() - started:.0f} s)"
                    f"{'' if is_noticed else chr(10) + output[-2000:]}  {said[7:130]}",
                    flush=True,
                )
                shutil.rmtree(folder)
    print(f"{len(chosen) - survivors} of {len(chosen)} mutants noticed")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
