"""One machine with a Git repository, its clones and a remote, on which whole commands are run.

`World` runs them in this process, on the simulated disk, remote and clock.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Protocol

from dataver.disk.disk import Clock, Disk
from dataver.errors import DataverError, exit_status_of
from dataver.formats.pointer import Pointer, decode_pointer
from dataver.model.result import Result
from dataver.model.status import StatusResult
from dataver.ops.add import add
from dataver.ops.checkout import checkout
from dataver.ops.fetch import fetch
from dataver.ops.gc import gc
from dataver.ops.gc_remote import gc_remote
from dataver.ops.init import init
from dataver.ops.pull import pull
from dataver.ops.purge_plan import purge_plan
from dataver.ops.purge_report import purge_list
from dataver.ops.purge_run import purge_resume, purge_run
from dataver.ops.push import push
from dataver.ops.remotes import remote_add
from dataver.ops.status import status
from dataver.ops.verify import verify
from dataver.repo import Repo
from dataver.store.bucket import Bucket
from dataver.store.memory import MemoryBucket
from dataver.store.remote import Remote, Surroundings
from dataver.store.removal import MOST_SKEW_S
from dataver.transfer.connect import folder_of
from tests.simulation.bucket import SimulatedBucket
from tests.simulation.clock import SimulatedClock
from tests.simulation.disk import SimulatedDisk
from tests.simulation.power import Crash, Fault, Power
from tests.workspace.sandbox import LARGE, noise

URL = "memory://simulation"
_DATA = "data"
# Nobody is there to be asked.
_OVERRIDES = {"transfer.jobs": "1", "purge.max_auto": "100"}


@dataclass(frozen=True, slots=True)
class Seen:
    """What `status` says of the target."""

    state: str
    changed: frozenset[bytes]
    """Paths inside the target, both of a rename."""
    absent: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    exit: int
    failed: tuple[tuple[bytes, str], ...] = ()
    """(path inside the target, code) of what was not done; the one error of a command that raised."""
    is_crashed: bool = False
    seen: Seen | None = None
    is_struck: bool = False
    """Whether the fault happened: a command may end before its turn comes."""

    @property
    def codes(self) -> frozenset[str]:
        return frozenset(code for _, code in self.failed)


class Machine(Protocol):
    """What the state machine drives: commands in this process, or the program."""

    folder: Path
    top: Path

    def run(self, verb: str, top: Path, *, fault: Fault | None = None, flag: bool = False) -> Outcome:
        """Run a command; *flag* is the option that it has here."""

    def recover(self, seed: int) -> None:
        """Switch the machine on again after a crash."""

    def settle(self) -> None:
        """Make everything durable that happened so far: the user goes on."""

    def remote_keys(self) -> list[str]:
        """Return what lies on the remote."""

    def remote_get(self, key: str) -> bytes:
        """Return what lies under a key."""

    def remote_set(self, key: str, data: bytes | None) -> None:
        """Spoil or lose what lies under a key."""

    def jump(self, seconds: float) -> None:
        """Set the clock."""

    def close(self) -> None:
        """Remove everything."""


def run_git(top: Path, *args: str) -> str:
    """Run Git and return what it says."""
    done = subprocess.run(["git", *args], cwd=top, check=True, capture_output=True, text=True)
    return done.stdout


def first_files(top: Path) -> None:
    """Make the folder that every example begins with."""
    (top / _DATA / "d").mkdir(parents=True)
    (top / _DATA / "a").write_bytes(b"one")
    (top / _DATA / "d" / "x").write_bytes(noise(7, LARGE))


def commit_first(top: Path) -> None:
    """Commit the pointer to it, and tag that as the machine does."""
    run_git(top, "add", "data.dv", ".gitignore")
    run_git(top, "commit", "-q", "-m", "Begin")
    run_git(top, "tag", "c0")


def pointer_at(top: Path) -> Pointer:
    return decode_pointer((top / "data.dv").read_bytes(), "data.dv")


def temp_folder() -> Path:
    """Return a new folder, in memory where that is possible."""
    folder = Path(tempfile.mkdtemp(prefix="sim-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


class SimulatedRepo(Repo):
    """A repository whose remote lies behind the simulated line."""

    def __init__(self, top: Path, disk: Disk, clock: Clock, bucket: Bucket) -> None:
        super().__init__(str(top), disk=disk, clock=clock, overrides=_OVERRIDES)
        self._bucket = bucket
        self._opened: dict[str, Remote] = {}

    def remote(self, name: str | None = None) -> Remote:
        """Return the remote as it is configured and remembered, with our bucket in its own's place."""
        chosen = self.remote_name(name)
        if chosen not in self._opened:
            plain = super().remote(chosen)
            around = Surroundings(self.disk, self.clock, f"{folder_of(self.common_folder)}/copies")
            self._opened[chosen] = Remote.open(
                self._bucket, expected_id=plain.remote_id, seen=plain.seen, around=around
            )
        return self._opened[chosen]

    def close(self) -> None:
        for remote in self._opened.values():
            remote.close()
        super().close()


@contextmanager
def drawn_from(seed: int) -> Iterator[Random]:
    """Draw names and salts from *seed* in this block: a failure is found again by it alone."""
    choice, true_random = Random(seed), os.urandom
    os.urandom = choice.randbytes
    try:
        yield choice
    finally:
        os.urandom = true_random


@lru_cache(maxsize=1)
def template() -> tuple[Path, dict[str, bytes]]:
    """Return a repository with a remote, and what lies on that; made once, and copied for each example."""
    folder = temp_folder()
    bucket = MemoryBucket("simulation")
    bucket.delete([info.key for info in bucket.list("")])
    top = folder / "work"
    top.mkdir()
    run_git(top, "init", "-q", "-b", "main", "--template=")
    with drawn_from(0):
        init(str(top))
        first_files(top)
        with Repo(str(top)) as repo:
            remote_add(repo, "origin", URL)
            add(repo, [str(top / _DATA)], jobs=1)
            push(repo, jobs=1)
    commit_first(top)
    return folder, {info.key: bucket.get(info.key) for info in bucket.list("")}


class World:
    """A machine in this process, on which *seed* decides whatever is left open."""

    def __init__(self, seed: int = 0) -> None:
        made, objects = template()
        self.folder = temp_folder()
        self.top = self.folder / "work"
        shutil.copytree(made / "work", self.top, symlinks=True)
        inner = MemoryBucket("simulation")
        inner.delete([info.key for info in inner.list("")])
        for key, data in objects.items():
            inner.put(key, data)
        self._drawing = ExitStack()
        choice = self._drawing.enter_context(drawn_from(seed))
        self.power = Power()
        self.disk = SimulatedDisk(self.folder / "limbo", self.power)
        self.clock = SimulatedClock()
        self.bucket = SimulatedBucket(
            inner,
            self.power,
            self.clock,
            lag_s=choice.choice((0.0, 5.0, 600.0)),
            ahead_s=choice.choice((*(0.0,) * 6, 900.0, -900.0)),
            is_cloud=choice.random() < 0.5,
        )

    def close(self) -> None:
        self._drawing.close()
        self.disk.settle()
        shutil.rmtree(self.folder)

    def run(self, verb: str, top: Path, *, fault: Fault | None = None, flag: bool = False) -> Outcome:
        return self._ended(lambda repo: _VERBS[verb](repo, flag), top, fault)

    @property
    def may_erase(self) -> bool:
        """Whether ages mean anything on the remote: else nothing is removed there."""
        return abs(self.bucket.ahead_s) <= MOST_SKEW_S

    def erase(self, top: Path, path: bytes, *, fault: Fault | None = None) -> Outcome:
        """Erase what lies at *path* of the target from every version; go on where it was begun."""
        return self._ended(lambda repo: _erase(repo, path), top, fault)

    def wait(self, seconds: float) -> None:
        """Let time go by."""
        self.clock.sleep(seconds)

    def _ended(self, act: Callable[[Repo], Result], top: Path, fault: Fault | None) -> Outcome:
        self.power.arm(fault)
        try:
            with SimulatedRepo(top, self.disk, self.clock, self.bucket) as repo:
                result = act(repo)
        except Crash:
            return Outcome(-9, is_crashed=True, is_struck=True)
        except DataverError as error:
            return Outcome(error.exit_status, ((b"", error.code),), is_struck=self.power.has_struck)
        finally:
            is_struck = self.power.has_struck
            self.power.arm()
        failed = tuple((f.path.removeprefix(b"data/"), f.code) for f in result.failed)
        seen = _seen(result) if isinstance(result, StatusResult) else None
        return Outcome(exit_status_of(result.failed), failed, seen=seen, is_struck=is_struck)

    def recover(self, seed: int) -> None:
        self.disk.recover(seed)

    def settle(self) -> None:
        self.disk.settle()

    def remote_keys(self) -> list[str]:
        return self.bucket.keys()

    def remote_get(self, key: str) -> bytes:
        return self.bucket.inner.get(key)

    def remote_set(self, key: str, data: bytes | None) -> None:
        self.bucket.replace(key, data)

    def jump(self, seconds: float) -> None:
        self.clock.jump(seconds)


def _seen(result: StatusResult) -> Seen | None:
    for target in result.targets:
        if target.path == b"data":
            paths = {c.path for c in target.changes}
            paths |= {c.old.path for c in target.changes if c.kind == "renamed" and c.old is not None}
            changed = frozenset(path.removeprefix(b"data/") for path in paths)
            return Seen(target.state, changed, target.absent)
    return None


def _erase(repo: Repo, path: bytes) -> Result:
    open_ones = [one for one in purge_list(repo).erasures if one.state != "closed"]
    if open_ones:
        return purge_resume(repo, open_ones[0].erasure)
    selected = os.path.join(repo.top, _DATA, os.fsdecode(path))
    plan = purge_plan(repo, paths=[selected], shared="erase")
    return purge_run(repo, plan.plan) if plan.plan else plan


_VERBS: dict[str, Callable[[Repo, bool], Result]] = {
    "add": lambda repo, _: add(repo, [os.path.join(repo.top, _DATA)], jobs=1),
    "status": lambda repo, verify: status(repo, verify=verify),
    "checkout": lambda repo, force: checkout(repo, force=force, jobs=1),
    "push": lambda repo, everything: push(repo, all_refs=everything, jobs=1),
    "fetch": lambda repo, everything: fetch(repo, all_refs=everything, jobs=1),
    "gc": lambda repo, now: gc(repo, grace_s=0 if now else None),
    "gc --pushed": lambda repo, present: gc(repo, grace_s=0, pushed=True, frees_present=present),
    "gc --remote": lambda repo, now: gc_remote(repo, is_dry=False, grace_s=0 if now else None, jobs=1),
    "pull": lambda repo, force: pull(repo, force=force, jobs=1),
    "verify --remote": lambda repo, everything: verify(
        repo, remote=True, repair=True, all_refs=everything, jobs=1
    ),
}
"""What the machine runs; the flag is --verify, --force, --all, or that there is no grace period."""
