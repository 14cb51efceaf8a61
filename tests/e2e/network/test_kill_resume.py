"""kill -9 of a push and of a pull after each request, then the same command again, then a fresh clone.

From the request on at which the process is killed the proxy answers nothing, so that the moment is the
same in each run.
"""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import NamedTuple

import pytest

import dataver
from tests.e2e.cli import finish, start
from tests.e2e.network.matrix import PACK
from tests.e2e.network.team import Team, Template, contents, done, inside, reached, record
from tests.e2e.project import Project, blob
from tests.servers.chaos import Chaos
from tests.servers.daemon import wait_until
from tests.servers.faults import Rule, Stall

_FOLDERS = 6
_AT_ONCE = 3
"""Packs that are on their way at the same time."""
_STRUCTURE = 1_000_000
"""More than trees, recipes, segments and the journal come to."""


class Haul(NamedTuple):
    """A version of several packs, and what moving it takes when nothing goes wrong."""

    template: Template
    folder: Path
    """With `author`, who has not pushed it, and `fresh` without data."""
    prefix: str
    """Where it was pushed to once."""
    pushes: int
    pulls: int
    """Requests."""
    size: int
    """Bytes of the packs."""
    largest: int
    """Bytes of a pack."""

    def clone(self, team: Team, name: str, prefix: str) -> Project:
        """Give a clone of its own, whose remote lies at *prefix*."""
        shutil.copytree(self.folder / name, team.top / name, symlinks=True)
        _redirect(team.top / name, "template", prefix)
        return team.clone(name)

    def is_in(self, clone: Project) -> bool:
        """Tell whether all of it is in a clone's workspace."""
        return contents(clone.root) == contents(self.folder / "author")


def _redirect(clone: Path, old: str, new: str) -> None:
    """Let a clone use another remote, a copy of its own."""
    config = clone / ".dataver" / "config.toml"
    config.write_text(config.read_text().replace(f"/{old}", f"/{new}"))


@pytest.fixture(scope="module")
def haul(network_template: Template, tmp_path_factory: pytest.TempPathFactory, gate: Chaos) -> Haul:
    """Return a version in seven packs: six folders of small files, added one by one, and a large file."""
    top = tmp_path_factory.mktemp("haul")
    team = network_template.copied(top / "team")
    author = team.clone("author")
    for folder in range(_FOLDERS):
        # A pack of the cache that is as large as this is sent as it is.
        files = {f"data/{folder}/{n}.txt": blob(1000 * folder + n, 50_000) for n in range(90)}
        author.write(files)
        record(author, f"haul{folder}")
    fresh = Project(top / "fresh", author.env)
    author.git("clone", "-q", "--template=", str(author.root), str(fresh.root))
    kept = top / "kept"
    for name, clone in (("author", author), ("fresh", fresh)):
        shutil.copytree(clone.root, kept / name, symlinks=True)
        _redirect(kept / name, team.prefix, "template")
    with reached(network_template.server, gate):
        gate.forget()
        done(author, dataver.push)
        pushes = len(gate.requests)
        packs = [e.sent for e in gate.requests if PACK in e.path and e.method == "PUT"]
        gate.forget()
        done(fresh, dataver.pull)
        pulls = len(gate.requests)
    return Haul(network_template, kept, team.prefix, pushes, pulls, sum(packs), max(packs))


def _killed(proxy: Chaos, clone: Project, command: str, after: int) -> None:
    """Run a command and kill it when it has made *after* requests and waits for the next."""
    proxy.forget()
    proxy.fail(Rule(Stall(), after=after, times=None))
    # Nothing but the kill ends it: no deadline of a request comes first.
    running = start(command, cwd=clone.root, env={**clone.env, "DATAVER_TRANSFER__TIMEOUT": "60"})
    wait_until(lambda: bool(proxy.failed) or running.poll() is not None, f"{after} requests were made")
    os.kill(running.pid, signal.SIGKILL)
    assert finish(running).exit == -signal.SIGKILL, "it ended before it could be killed"
    proxy.heal()


def _packs_sent(proxy: Chaos) -> int:
    return sum(e.sent for e in proxy.requests if PACK in e.path and e.method == "PUT" and e.status == 200)


def _resume_push(haul: Haul, proxy: Chaos, top: Path, after: int) -> None:
    team = haul.template.copied(top)
    author = haul.clone(team, "author", team.prefix)
    _killed(proxy, author, "push", after)
    arrived = _packs_sent(proxy)
    proxy.forget()

    ended = inside(author.root, dataver.push)

    assert ended.exit == 0, (after, ended)
    again = arrived + _packs_sent(proxy) - haul.size
    assert again <= _AT_ONCE * haul.largest + _STRUCTURE, after
    fresh = haul.clone(team, "fresh", team.prefix)
    done(fresh, dataver.pull)
    assert haul.is_in(fresh), after
    shutil.rmtree(top)


def _resume_pull(haul: Haul, proxy: Chaos, top: Path, after: int) -> None:
    fresh = haul.clone(haul.template.copied(top, haul.prefix), "fresh", haul.prefix)
    _killed(proxy, fresh, "pull", after)

    ended = inside(fresh.root, dataver.pull)

    assert ended.exit == 0, (after, ended)
    assert haul.is_in(fresh), after
    shutil.rmtree(top)


@pytest.mark.parametrize("after", [11, 13, 16, 20])
def test_a_killed_push_sends_again_only_what_was_on_its_way(
    haul: Haul, reaching: None, proxy: Chaos, tmp_path: Path, after: int
) -> None:
    _resume_push(haul, proxy, tmp_path / "team", after)


@pytest.mark.parametrize("after", [5, 17, 21])
def test_a_killed_pull_is_finished_by_the_next(
    haul: Haul, reaching: None, proxy: Chaos, tmp_path: Path, after: int
) -> None:
    _resume_pull(haul, proxy, tmp_path / "team", after)


@pytest.mark.sweep
def test_a_push_that_is_killed_after_any_request_is_resumed(
    haul: Haul, reaching: None, proxy: Chaos, tmp_path: Path
) -> None:
    for after in range(haul.pushes):
        _resume_push(haul, proxy, tmp_path / str(after), after)


@pytest.mark.sweep
def test_a_pull_that_is_killed_after_any_request_is_finished_by_the_next(
    haul: Haul, reaching: None, proxy: Chaos, tmp_path: Path
) -> None:
    for after in range(haul.pulls):
        _resume_pull(haul, proxy, tmp_path / str(after), after)
