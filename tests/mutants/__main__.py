"""`python -m tests.mutants [NAME...]`: break one rule of the code at a time, and see a test notice.

Each mutant of `tests.mutants.rules` changes a few words of the product in a copy of the tree and
runs the tests that hold the rule.  They have to pass without the change and to fail with it; a
mutant that survives, or whose words are not in the code any more, fails the run.  As many run at
a time as there are cores.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.rules import RULES, Rule

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 120
_COPIED = ("dataver", "tests", "pyproject.toml", "README.md", "docs", "examples")
_PYTEST = ("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--tb=short")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one mutant."""

    word: str
    """`noticed`, `SURVIVED` or `STALE`."""
    seconds: float
    said: str
    """The test that failed, or why none did."""


def _copy(folder: Path) -> None:
    folder.mkdir()
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy2(source, folder / name)


def _tested(folder: Path, tests: Sequence[str]) -> tuple[int, str]:
    """Run *tests* on the tree in *folder*; return pytest's exit status and what it printed."""
    # In another session, so that a mutant that hangs goes with all that it started.
    child = subprocess.Popen(
        [sys.executable, *_PYTEST, *tests],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, _ = child.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, 9)
        output, _ = child.communicate()
        return 1, f"{output}\nFAILED: stopped after {TIMEOUT_S} s"
    return child.returncode, output


def _is_noticed(status: int, output: str) -> bool:
    """Tell whether a test failed; a run that could not even begin does not count."""
    return status == 1 and re.search(r"\b[1-9]\d* failed|stopped after", output) is not None


def _fault_of(folder: Path, rule: Rule) -> str:
    """Change the copy in *folder*; return what is wrong where that is impossible."""
    path = folder / rule.file
    text = path.read_text() if path.exists() else ""
    if text.count(rule.words) != 1:
        return f"its words stand {text.count(rule.words)} times in {rule.file}"
    changed = text.replace(rule.words, rule.instead)
    try:
        compile(changed, rule.file, "exec")
    except SyntaxError as error:
        return f"{rule.file} is no Python with it: {error}"
    path.write_text(changed)
    return ""


def _judge(plain: Path, folder: Path, rule: Rule) -> Verdict:
    """Run one mutant in *folder*, a copy of *plain* that is removed afterwards."""
    started = time.monotonic()
    shutil.copytree(plain, folder)
    try:
        fault = _fault_of(folder, rule)
        if fault:
            return Verdict("STALE", 0.0, fault)
        status, output = _tested(folder, rule.tests)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    seconds = time.monotonic() - started
    if not _is_noticed(status, output):
        return Verdict("SURVIVED", seconds, f"pytest's exit status is {status}\n{output[-2000:]}")
    said = next((line for line in output.splitlines() if line.startswith("FAILED")), "")
    return Verdict("noticed", seconds, said.removeprefix("FAILED ").partition(" - ")[0])


def main(names: list[str]) -> int:
    """Run the mutants *names*, or all; return 1 where one survives."""
    chosen = {name: rule for name, rule in RULES.items() if not names or name in names}
    if not chosen or set(names) - RULES.keys():
        print(f"no such mutant; there are: {', '.join(RULES)}")
        return 2
    started = time.monotonic()
    workers = os.cpu_count() or 1
    with tempfile.TemporaryDirectory(prefix="mutants-") as top:
        plain = Path(top, "plain")
        _copy(plain)
        tests = sorted({test for rule in chosen.values() for test in rule.tests})
        # They must pass on the code as it is, or their failures would prove nothing.  What this
        # run compiles the copies for the mutants use too.
        status, output = _tested(plain, [*tests, "-n", str(workers)])
        if status:
            print(f"FAILED    without any mutant:\n{output[-4000:]}")
            return 1
        print(
            f"passed    {len(tests)} tests without any mutant ({time.monotonic() - started:.0f} s)",
            flush=True,
        )
        with ThreadPoolExecutor(workers) as pool:
            found = {
                name: pool.submit(_judge, plain, Path(top, f"mutant-{number}"), rule)
                for number, (name, rule) in enumerate(chosen.items())
            }
            survivors = 0
            for name, future in found.items():
                verdict = future.result()
                survivors += verdict.word != "noticed"
                print(f"{verdict.word:<9} {name} ({verdict.seconds:.1f} s)  {verdict.said}", flush=True)
    print(
        f"{len(chosen) - survivors} of {len(chosen)} mutants noticed in {time.monotonic() - started:.0f} s",
        flush=True,
    )
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
