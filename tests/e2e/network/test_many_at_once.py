"""Four pushers, two fetchers and a gc at once on one remote, each a real process in a clone of its own.

`DATAVER_NETWORK_SECONDS` makes it longer.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import dataver
from tests.e2e.cli import Result
from tests.e2e.network.team import Team, done, inside
from tests.e2e.project import Project, blob
from tests.servers.chaos import Chaos

_SECONDS = float(os.environ.get("DATAVER_NETWORK_SECONDS", "15"))
_PUSHERS, _FETCHERS = 4, 2
_PATIENCE = {"DATAVER_TRANSFER__TIMEOUT": "30"}
"""Where seven processes share two cores and one server nobody is slow on purpose."""

Step = Callable[[int], Iterator[Result]]


@dataclass(slots=True)
class Crowd:
    """Commands that run in loops, each in a thread of its own, until the time is up."""

    end_s: float
    failures: list[str] = field(default_factory=list)
    runs: dict[str, int] = field(default_factory=dict)

    def loop(self, name: str, step: Step) -> None:
        """Run *step* again and again; the first failure of anybody ends all."""
        number = 0
        while time.monotonic() < self.end_s and not self.failures:
            for result in step(number):
                self.runs[name] = self.runs.get(name, 0) + 1
                if result.exit != 0:
                    self.failures.append(f"{name}: exit {result.exit}\n{result.stdout}\n{result.stderr}")
            number += 1


def _pusher(project: Project, name: str) -> Step:
    """Record and push version after version; every third one is dropped again once it is pushed."""

    def step(number: int) -> Iterator[Result]:
        chance = random.Random(f"{name} {number}")
        files = {
            f"{name}/{chance.randrange(20)}.bin": blob(chance.randrange(1 << 40), 9_000) for _ in range(6)
        }
        project.write({**files, f"{name}/large.bin": blob(number, 80_000)})
        yield project.run("--json", "add", name, expect=None)
        project.git("add", "-A")
        project.commit(f"{name} {number}")
        yield project.run("--json", "push", expect=None)
        if number % 3 == 2:
            project.git("reset", "-q", "--hard", "HEAD~1")
            project.git("reflog", "expire", "--expire=now", "--all")
            yield project.run("--json", "checkout", "--force", name, expect=None)
        else:
            project.git("tag", "-f", "pushed")

    return step


def _fetcher(project: Project, leaders: Sequence[Project]) -> Step:
    """Take over what one pusher after the other says that it has pushed."""

    def step(number: int) -> Iterator[Result]:
        leader = leaders[number % len(leaders)]
        project.git("fetch", "-q", str(leader.root), "+refs/tags/pushed:refs/tags/pushed")
        project.git("checkout", "-q", "--detach", "pushed")
        yield project.run("--json", "pull", "--force", expect=None)

    return step


def _collector(project: Project, others: Sequence[Project]) -> Step:
    """Take away at once what no clone names; what is not pushed yet cannot be read, and is passed over."""
    asked = [word for other in others for word in ("--repo", str(other.root))]

    def step(number: int) -> Iterator[Result]:
        yield project.run(
            "--json",
            "gc",
            "--remote",
            "origin",
            "--apply",
            "--grace",
            "0s",
            "--ignore-missing",
            *asked,
            expect=None,
        )

    return step


def _restored(project: Project, sources: Sequence[Project], folder: Path) -> int:
    """Restore every commit of *sources* in a clone without data, and return how many there are."""
    for number, source in enumerate(sources):
        project.git("fetch", "-q", str(source.root), f"+refs/heads/*:refs/heads/{number}/*")
    done(project, lambda repo: dataver.fetch(repo, all_refs=True))
    commits = project.git("rev-list", "--all").split()
    with dataver.Repo.open(project.root) as repo:
        for commit in commits:
            placed = dataver.checkout(repo, commit, to=folder / commit)
            assert placed.failed == ()
            for target in placed.targets:
                there = sum(len(names) for _, _, names in os.walk(folder / commit / os.fsdecode(target.path)))
                assert there == target.written
            shutil.rmtree(folder / commit, ignore_errors=True)
    return len(commits)


def _crowded(team: Team, seconds: float) -> None:
    base = team.clone("keeper")
    base.git("switch", "-q", "-c", "base")
    base.git("commit", "-q", "-am", "Use a remote of our own")
    base.git("tag", "pushed")
    env = {**team.env, **_PATIENCE}
    clones = []
    for number in range(_PUSHERS + _FETCHERS + 1):
        clone = Project(team.top / f"clone{number}", env)
        base.git("clone", "-q", "--template=", "--branch", "base", str(base.root), str(clone.root))
        clones.append(clone)
    pushers, fetchers, collector = clones[:_PUSHERS], clones[_PUSHERS:-1], clones[-1]
    done(collector, dataver.pull)
    steps = {
        **{f"push {n}": _pusher(pusher, f"by{n}") for n, pusher in enumerate(pushers)},
        **{f"fetch {n}": _fetcher(fetcher, pushers[n::_FETCHERS]) for n, fetcher in enumerate(fetchers)},
        "gc": _collector(collector, [base, *pushers]),
    }
    crowd = Crowd(time.monotonic() + seconds)

    with ThreadPoolExecutor(len(steps)) as pool:
        for running in [pool.submit(crowd.loop, name, step) for name, step in steps.items()]:
            running.result()

    assert crowd.failures == []
    assert all(crowd.runs.get(name) for name in steps), crowd.runs
    fresh = Project(team.top / "last", env)
    base.git("clone", "-q", "--template=", "--branch", "base", str(base.root), str(fresh.root))
    assert _restored(fresh, [base, *pushers], team.top / "out") > _PUSHERS
    verified = inside(fresh.root, lambda repo: dataver.verify(repo, remote=True, all_refs=True))
    assert verified.exit == 0, verified


def test_pushers_fetchers_and_a_gc_at_once_lose_nothing(team: Team, proxy: Chaos) -> None:
    _crowded(team, _SECONDS)


@pytest.mark.scale
def test_pushers_fetchers_and_a_gc_at_once_lose_nothing_in_two_minutes(team: Team, proxy: Chaos) -> None:
    _crowded(team, 120.0)
