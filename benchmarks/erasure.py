"""What erasure costs: the look at each content that is added or pushed, and one person among very many.

`python -m benchmarks.erasure` writes docs/benchmarks-erasure.md.  The deny check is measured as the
difference of two repositories that are the same but for one erasure record; they take turns, and which
is first changes from round to round.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks.data import Shape, write_data
from benchmarks.machine import describe_machine, load_average
from benchmarks.measure import Cost, measure
from benchmarks.peers import TOOLS, Found, find_tool
from benchmarks.scenarios import KIB, size_text

_PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks-erasure.md"
_TIMEOUT_S = 3600.0
_SHAPE = Shape(20, 5000, 4 * KIB)
_DENIED = 5000
_FILES_EACH = 500
_PERSON = 17
_MOST_SHARE = 0.05
"""What the deny check may add to the CPU of a command."""
_STEPS = ("add", "push")
_VARIANTS = ("no record", "a record")


@dataclass(frozen=True, slots=True)
class Run:
    """One command, measured."""

    case: str
    step: str
    cpu_s: float
    wall_s: float
    peak: int
    removed: int = 0
    """Bytes of packs that went from the remote."""
    written: int = 0
    """Bytes of packs that came."""

    @property
    def shown(self) -> str:
        """Say it in a line."""
        return f"{self.case}, {self.step}: {self.cpu_s:.2f} s CPU, {self.wall_s:.2f} s"


class _Repository:
    """A project with a remote in a folder beside it, driven by the command line."""

    def __init__(self, folder: Path, found: Found) -> None:
        self.folder, self.exe = folder, found.exe
        self.work, self.store = folder / "work", folder / "store"
        home = folder / "home"
        self.environment: Mapping[str, str] = {
            "GIT_AUTHOR_NAME": "Bench", "GIT_AUTHOR_EMAIL": "bench@example.org",
            "GIT_COMMITTER_NAME": "Bench", "GIT_COMMITTER_EMAIL": "bench@example.org",
            "PATH": f"{Path(found.exe).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home), "LC_ALL": "C.UTF-8",
        }  # fmt: skip

    def make(self) -> None:
        """Make it, with nothing in it."""
        (self.folder / "home").mkdir(parents=True)
        self.work.mkdir()
        self.git("init", "-q", "-b", "main")
        self.run("init", "-q")
        self.run("remote", "add", "-q", "origin", "../store")
        self.commit()

    def run(self, *args: str) -> Cost:
        """Run dataver.  Raises: CommandFailedError."""
        return measure((self.exe, *args), self.work, self.environment, _TIMEOUT_S, has_orphans=False)

    def git(self, *args: str) -> None:
        """Run Git.  Raises: CommandFailedError."""
        measure(("git", *args), self.work, self.environment, _TIMEOUT_S, has_orphans=False)

    def commit(self) -> None:
        """Commit everything."""
        self.git("add", "-A", ".")
        self.git("commit", "-q", "-m", "data")

    def plan(self) -> str:
        """Return the digest of the one plan that is kept."""
        (path,) = (self.work / ".git" / "dataver" / "purge").glob("*.json")
        return path.stem

    def packs(self) -> dict[str, int]:
        """Return the packs of the remote with their sizes."""
        return {
            path.name: path.stat().st_size for path in (self.store / "packs").rglob("*") if path.is_file()
        }


def _run_of(case: str, step: str, cost: Cost, removed: int = 0, written: int = 0) -> Run:
    run = Run(case, step, cost.user_s + cost.system_s, cost.wall_s, cost.peak, removed, written)
    print(run.shown, file=sys.stderr)
    return run


# -- the deny check ---------------------------------------------------------------------------------


def deny_check(found: Found, scratch: Path, shape: Shape, denied: int, repeats: int) -> Iterator[Run]:
    """Measure add and push without a record, and with one that denies contents other than the data's."""
    templates = {variant: scratch / f"template-{n}" for n, variant in enumerate(_VARIANTS)}
    for variant, template in templates.items():
        repository = _Repository(template, found)
        repository.make()
        repository.run("push", "-q")
        if variant == "a record":
            _deny(repository, denied)
    for number in range(repeats):
        order = _VARIANTS if number % 2 == 0 else _VARIANTS[::-1]
        for variant in order:
            with tempfile.TemporaryDirectory(dir=scratch) as top:
                folder = Path(top) / "here"
                shutil.copytree(templates[variant], folder, symlinks=True)
                repository = _Repository(folder, found)
                write_data(repository.work / "data", shape, "random", number)
                yield _run_of(variant, "add", repository.run("add", "-q", "data"))
                repository.commit()
                yield _run_of(variant, "push", repository.run("push", "-q"))


def _deny(repository: _Repository, count: int) -> None:
    """Erase contents that no version holds: nothing else of the repository becomes another."""
    folder = repository.folder / "denied"
    folder.mkdir()
    words: list[str] = []
    for number in range(count):
        path = folder / f"{number}"
        path.write_bytes(b"denied %d\n" % number * 100)
        words += ["--file", str(path)]
    repository.run("purge", "plan", "-q", *words)
    repository.run("purge", "run", "-q", repository.plan())
    repository.commit()
    shutil.rmtree(folder)


# -- one person -------------------------------------------------------------------------------------


def one_person(found: Found, scratch: Path, people: int) -> Iterator[Run]:
    """Erase one of *people*, who have 500 small files each, from two versions."""
    case = f"{people * _FILES_EACH:,} files"
    with tempfile.TemporaryDirectory(dir=scratch) as top:
        repository = _Repository(Path(top) / "here", found)
        repository.make()
        for version in range(2):
            for person in range(people) if not version else (_PERSON % people, 0):
                _write_person(repository.work, person, version)
            repository.run("add", "-q", "data")
            repository.commit()
        repository.run("push", "-q", "--all")
        before = repository.packs()
        path = f"data/users/p{_PERSON % people:05}/**"
        yield _run_of(case, "purge plan", repository.run("purge", "plan", "-q", "--path", path))
        cost = repository.run("purge", "run", "-q", repository.plan())
        after = repository.packs()
        removed = sum(before[name] for name in before.keys() - after.keys())
        written = sum(after[name] for name in after.keys() - before.keys())
        yield _run_of(case, "purge run", cost, removed, written)


def _write_person(work: Path, person: int, version: int) -> None:
    folder = work / "data" / "users" / f"p{person:05}"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(10 if version else _FILES_EACH):
        line = f"person {person} file {number} version {version} ".encode()
        (folder / f"{number:04}.txt").write_bytes(line * 8)


# -- the page ---------------------------------------------------------------------------------------


def page(runs: list[Run], shape: Shape, denied: int, repeats: int, load: str, *, has_million: bool) -> str:
    """Return the page in Markdown."""
    facts = describe_machine()
    lines = [
        "# Benchmarks of erasure",
        "",
        "Written by `make bench-erasure`; do not edit. Remotes are folders. CPU seconds are user and system",
        "time of the command and what it waited for.",
        "",
        f"{facts['date']}; {facts['processor']}; {facts['system']}, Python {facts['Python']};",
        f"load before the run: {load}.",
        "",
        "## The look at what is denied",
        "",
        f"{shape.files:,} files of {size_text(shape.size)}, added and pushed to an empty remote: in a",
        f"repository without a record, and in one whose record denies {denied:,} other contents. Medians of",
        f"{repeats} rounds, in which the two took turns; least and most in brackets.",
        "",
        "| command | CPU s without | CPU s with | more | at most | verdict |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for step in _STEPS:
        without, with_one = ([r.cpu_s for r in runs if (r.case, r.step) == (v, step)] for v in _VARIANTS)
        share = median(with_one) / median(without) - 1
        verdict = "met" if share < _MOST_SHARE else "**missed**"
        lines.append(
            f"| {step} | {median(without):.3f} ({min(without):.3f}-{max(without):.3f}) "
            f"| {median(with_one):.3f} ({min(with_one):.3f}-{max(with_one):.3f}) "
            f"| {share:+.1%} | {_MOST_SHARE:.0%} | {verdict} |"
        )
    lines += [
        "",
        "## One person among many",
        "",
        f"{_FILES_EACH} files of one person, of which ten have a second version, leave the remote, the cache",
        "and the workspace. One run each.",
        "",
        "| data set | command | CPU s | wall s | peak memory | packs removed | packs written |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for run in runs:
        if run.case not in _VARIANTS:
            moved = [size_text(size) if size else "-" for size in (run.removed, run.written)]
            cells = (f"{run.cpu_s:.2f}", f"{run.wall_s:.2f}", size_text(run.peak), *moved)
            lines.append(f"| {run.case} | {run.step} | {' | '.join(cells)} |")
    if not has_million:
        lines += ["", "In its small size: `make bench-erasure ARGS=--million` adds a million files."]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure, and write the page.  Returns an exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.erasure", description=__doc__)
    parser.add_argument("--repeats", type=int, default=7, help="rounds of the deny check")
    parser.add_argument("--scale", type=float, default=1.0, help="times the number of files")
    parser.add_argument(
        "--million", action="store_true", help="one person among a million files too (minutes)"
    )
    parser.add_argument("--scratch", default=None, help="where to work; best a file system in memory")
    parser.add_argument("--json", default=None, help="where to write the raw figures")
    parser.add_argument("--page", default=str(_PAGE))
    given = parser.parse_args()
    found = find_tool(TOOLS["dataver"], None)
    if not isinstance(found, Found):
        print(f"dataver: {found.reason}", file=sys.stderr)
        return 1
    load = load_average()
    shape = Shape(_SHAPE.folders, max(int(_SHAPE.per_folder * given.scale), 2), _SHAPE.size)
    denied = max(int(_DENIED * given.scale), 1)
    sizes = [max(int(200 * given.scale), 2), *([2000] if given.million else [])]
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(dir=given.scratch) as scratch:
        runs += deny_check(found, Path(scratch), shape, denied, given.repeats)
        for people in sizes:
            runs += one_person(found, Path(scratch), people)
    if given.json:
        Path(given.json).write_text(json.dumps([asdict(run) for run in runs], indent=1))
    Path(given.page).write_text(page(runs, shape, denied, given.repeats, load, has_million=given.million))
    return 0


if __name__ == "__main__":
    sys.exit(main())
