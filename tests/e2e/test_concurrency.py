"""Six processes at once on one cache and one remote, while somebody writes into the workspace.

`DATAVER_CONCURRENCY_SECONDS` makes it longer.
"""

import mmap
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import dataver
from dataver.formats import pack
from dataver.hashing import blake3_of
from dataver.transfer.verify import damaged_rows
from tests.e2e.cli import Result
from tests.e2e.cli import git as run_git
from tests.e2e.project import Project, blob, new_project, publish

_SECONDS = float(os.environ.get("DATAVER_CONCURRENCY_SECONDS", "60"))
_WRITERS_FAULT = {"changed-while-read", "would-overwrite"}
"""What may go wrong because files change while they are read, and for no other reason."""
_GIT_IS_BUSY = (".lock", "cannot lock ref")
"""What Git says when another Git holds a lock file, or moved HEAD since this one read it."""
_TRIES = 200


@dataclass
class Crowd:
    """Commands that run in loops, each in a thread of its own, until the time is up."""

    end: float
    failures: list[str] = field(default_factory=list)
    runs: dict[str, int] = field(default_factory=dict)

    def loop(self, name: str, step: Callable[[int], Iterator[Result]]) -> None:
        number = 0
        try:
            while time.monotonic() < self.end and not self.failures:
                for result in step(number):
                    self.runs[name] = self.runs.get(name, 0) + 1
                    self.check(name, result)
                number += 1
        except BaseException as error:
            self.failures.append(f"{name}: {error!r}")
            raise

    def check(self, name: str, result: Result) -> None:
        if result.exit == 0:
            return
        document = result.json
        rows = [document["error"]] if "error" in document else document["failed"]
        if not {row["code"] for row in rows} <= _WRITERS_FAULT:
            self.failures.append(f"{name}: {result.args[3:]} exit {result.exit}\n{rows}\n{result.stderr}")


def _git(project: Project, *args: str) -> None:
    """Run Git, again where another Git is at work in the same repository."""
    for _ in range(_TRIES):
        try:
            run_git(*args, cwd=project.root, env=project.env)
            return
        except AssertionError as error:
            if not any(words in str(error) for words in _GIT_IS_BUSY):
                raise
            time.sleep(0.02)
    raise AssertionError(f"git {args} never got its turn")


def _commit(project: Project, target: str) -> None:
    if project.git("diff", "--cached", "--name-only", "--", f"{target}.dv").strip():
        _git(project, "commit", "-q", "-m", f"Change {target}", "--", f"{target}.dv")


def _edit(project: Project, target: str, number: int) -> None:
    """Change some small files of *target* and one large one, by writing new files over them."""
    chance = random.Random(f"{target} {number}")
    names = [f"{target}/{chance.randrange(40):02}.txt" for _ in range(8)]
    project.write({name: f"{target} {number} {name}\n" * 20 for name in names})
    project.write({f"{target}/large{number % 3}.bin": blob(number * 7 + len(target), 90_000)})


def _recorder(project: Project, target: str) -> Callable[[int], Iterator[Result]]:
    def step(number: int) -> Iterator[Result]:
        _edit(project, target, number)
        yield project.run("--json", "add", target, expect=None)
        _commit(project, target)
        if number % 4 == 3:
            yield project.run("--json", "checkout", target, expect=None)

    return step


def _pusher(project: Project) -> Callable[[int], Iterator[Result]]:
    def step(number: int) -> Iterator[Result]:
        yield project.run("--json", "push", *(("--all",) if number % 3 == 2 else ()), expect=None)

    return step


def _follower(project: Project, leader: Project) -> Callable[[int], Iterator[Result]]:
    """Take over what *leader* pushed; every other time into an empty work tree."""

    def step(number: int) -> Iterator[Result]:
        _git(project, "fetch", "-q", str(leader.root), "+refs/tags/pushed:refs/tags/pushed")
        _git(project, "checkout", "-q", "--detach", "pushed")
        yield project.run("--json", "fetch", expect=None)
        yield project.run("--json", "pull", expect=None)
        yield project.run("--json", "status", expect=None)

    return step


def _leader(project: Project) -> Callable[[int], Iterator[Result]]:
    """Work in a clone with a cache of its own, and say by a tag what is on the remote."""
    record = _recorder(project, "c")

    def step(number: int) -> Iterator[Result]:
        yield from record(number)
        pushed = project.run("--json", "push", expect=None)
        yield pushed
        if pushed.exit == 0:
            _git(project, "tag", "-f", "pushed")

    return step


def _keeper(project: Project) -> Callable[[int], Iterator[Result]]:
    """Look at everything, and clean the cache."""

    def step(number: int) -> Iterator[Result]:
        yield project.run("--json", "status", expect=None)
        yield project.run("--json", "diff", expect=None)
        yield project.run("--json", "gc", "--cache", "--now", expect=None)
        if number % 4 == 1:
            yield project.run("--json", "gc", "--remote", "origin", "--apply", expect=None)

    return step


def _flip(folder: Path, end: float) -> int:
    """Flip bytes in place in the files of *folder*, until the time is up; return how many."""
    chance = random.Random(1)
    count = 0
    while time.monotonic() < end:
        path = chance.choice([p for p in folder.iterdir() if not p.name.startswith(".")])
        try:
            with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as view:
                at = chance.randrange(len(view))
                view[at] ^= 0x01
            os.utime(path)
            count += 1
        except (FileNotFoundError, ValueError):
            pass
        time.sleep(0.01)
    return count


def _damaged(folder: Path) -> list[str]:
    """Return what below *folder* is not what its name says: packs' objects and loose blobs."""
    bad = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        data = path.read_bytes()
        if data.startswith(pack.HEADER) and path.parent.name != "tmp":
            table, view = pack.split(data)
            bad += [f"{path}: {name.hex()}" for name in damaged_rows(table, view)[0]]
            if not path.name.endswith(table.pack_id.hex()) and table.pack_id.hex() not in str(path):
                bad.append(f"{path}: another pack's name")
        elif "objects" in path.relative_to(folder).parts:
            if blake3_of(data).hex() != path.parent.name + path.name:
                bad.append(str(path))
    return bad


def _left_over(folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob(".dataver-tmp-*")]


def _restore_all(project: Project, sources: list[Project], folder: Path) -> int:
    """Restore every commit of *sources* in *project*, a clone with an empty cache; return how many."""
    for number, source in enumerate(sources):
        project.git("fetch", "-q", str(source.root), f"+refs/heads/*:refs/heads/{number}/*")
    project.run("fetch", "--all")
    commits = project.git("rev-list", "--all").split()
    with dataver.Repo.open(project.root, overrides={"cache.dir": project.env["DATAVER_CACHE__DIR"]}) as repo:
        for commit in commits:
            placed = dataver.checkout(repo, commit, to=folder / commit)
            assert placed.failed == ()
            for target in placed.targets:
                there = sum(len(names) for _, _, names in os.walk(folder / commit / os.fsdecode(target.path)))
                assert there == target.written
            shutil.rmtree(folder / commit, ignore_errors=True)
    return len(commits)


def test_six_processes_share_a_cache_and_a_remote(tmp_path: Path) -> None:
    base = new_project(tmp_path / "base", tmp_path / "home")
    shared = tmp_path / "cache"
    base = replace(base, env={**base.env, "DATAVER_CACHE__DIR": str(shared), "DATAVER_CACHE__LINK": "copy"})
    for target in "abc":
        _edit(base, target, 0)
        base.record(target)
    publish(base)
    base.git("tag", "pushed")
    follower = base.clone("follower")
    leader = base.clone("leader")
    own = tmp_path / "own cache"
    leader = replace(leader, env={**leader.env, "DATAVER_CACHE__DIR": str(own)})
    leader.run("pull")
    crowd = Crowd(time.monotonic() + _SECONDS)
    steps = {
        "add a": _recorder(base, "a"),
        "add b": _recorder(base, "b"),
        "push": _pusher(base),
        "pull": _follower(follower, leader),
        "lead": _leader(leader),
        "keep": _keeper(base),
    }

    with ThreadPoolExecutor(len(steps) + 1) as pool:
        flipping = pool.submit(_flip, base.root / "a", crowd.end)
        running = [pool.submit(crowd.loop, name, step) for name, step in steps.items()]
        for each in running:
            each.result()
        flipped = flipping.result()

    assert crowd.failures == []
    assert flipped
    assert all(crowd.runs.get(name) for name in steps), crowd.runs
    base.run("add", "a", "b")
    for target in "ab":
        _commit(base, target)
    base.run("push", "--all")
    leader.run("push", "--all")
    assert [bad for folder in (shared, own, tmp_path / "store") for bad in _damaged(folder)] == []
    assert _left_over(tmp_path) == []
    fresh = base.clone("fresh")
    fresh = replace(fresh, env={**fresh.env, "DATAVER_CACHE__DIR": str(tmp_path / "new cache")})
    assert _restore_all(fresh, [base, leader], tmp_path / "restored")
