"""The power is cut at every moment of a command; see docs/testing.md.

`make powerloss`, as root.  The command runs in ext4 or XFS on a loop device, is stopped before one
of its mutating system calls (or let go to its end), and the file system is shut down at once: either
with its journal lost, or with the journal kept and the data behind it lost.  After the next mount
the oracle looks: a pointer names only what is whole in the cache, a journal entry of the remote only
segments and packs that are there, a command that had exited 0 has done its work for good.

Of the workspace less is promised: its files are not synced one by one.  A file that the command was
writing may be torn, and then `status` says so: the index calls files clean only after a sync of all.
Git syncs its index only when told to (`core.fsync = all`, as set here).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.faults import oracle, power, strace, worlds
from tests.faults.oracle import Broken, expect
from tests.faults.power import LOG_KEPT, LOG_LOST, Power
from tests.faults.worlds import SCENES, Expected, Scene, World, remove_workplace

EVERY = int(os.environ.get("POWERLOSS_EVERY", "1"))
"""Only each so-manieth moment, for a shorter run."""

_SCENES = [s for s in SCENES if s.name in ("add", "add-changed", "checkout", "push", "push-changed")]


@dataclass
class Tally:
    """What happened over all moments of one command on one file system."""

    moments: int = 0
    wrong: list[str] = field(default_factory=list)
    with_work: int = 0
    """After how many the command had left something durable, and not all of it."""
    torn: int = 0
    """After how many `status` named a torn file of the workspace."""
    git_locks: int = 0
    """After how many Git's own `index.lock` was back: it does not sync the folder."""


@pytest.fixture(scope="module", params=["ext4", "xfs"])
def mounted(request: pytest.FixtureRequest) -> Iterator[Power]:
    strace.require()
    power.require(request.param)
    place = Power(
        request.param, worlds.workplace() / f"{request.param}.img", worlds.workplace() / request.param
    )
    try:
        place.make()
        yield place
    finally:
        place.remove()
        remove_workplace()
        worlds.workplace.cache_clear()


@pytest.mark.powerloss
@pytest.mark.parametrize("scene", _SCENES, ids=lambda scene: scene.name)
def test_after_a_loss_of_power_nothing_names_what_is_not_there(
    mounted: Power, scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = worlds.prepare(scene)
    with open(expected.template / "home/gitconfig", "a") as file:
        file.write("[core]\n\tfsync = all\n")
    calls = [c for c in _counted(mounted, scene, expected) if c.role == "main" and strace.is_mutating(c)]
    moments = [f"{c.name}:signal=KILL:when={c.number}" for c in calls[::EVERY]]
    tally = Tally()

    for number, moment in enumerate([*moments, "", ""]):
        how = (LOG_LOST, LOG_KEPT)[number % 2]
        _play(mounted, scene, expected, moment, how, tally)

    with capsys.disabled():
        print(  # noqa: T201  what docs/testing.md quotes
            f"\n{mounted.kind:<5} {scene.name:<13} {tally.moments:4} moments, "
            f"{tally.with_work:4} with part of the work durable, {tally.torn:3} with torn files named by "
            f"status, {tally.git_locks:2} with git's lock left, {len(tally.wrong)} failures"
        )
    assert not tally.wrong, "\n".join(tally.wrong)


def _counted(mounted: Power, scene: Scene, expected: Expected) -> tuple[strace.Call, ...]:
    world = worlds.copy_of(scene, expected, mounted.top / "world")
    run = strace.trace(world.argv(), world.root, world.env, worlds.workplace() / "strace.log", follow=False)
    assert run.exit == 0, run.stderr
    return run.calls


def _play(mounted: Power, scene: Scene, expected: Expected, moment: str, how: int, tally: Tally) -> None:
    world = worlds.copy_of(scene, expected, mounted.top / "world")
    mounted.settle()
    names = [moment.partition(":")[0]] if moment else ["syncfs"]
    log = worlds.workplace() / "strace.log"
    run = strace.trace(world.argv(), world.root, world.env, log, names=names, inject=moment, follow=False)
    mounted.cut(how)
    tally.moments += 1
    try:
        expect(run.exit == (-9 if moment else 0), f"exit {run.exit}")
        _check(world, expected, is_finished=not moment, tally=tally)
    except (Broken, OSError, ValueError) as wrong:
        cut = "journal lost" if how == LOG_LOST else "journal kept"
        tally.wrong.append(f"{mounted.kind} {scene.name} {moment or 'at the end'}, {cut}: {wrong}")


def _check(world: World, expected: Expected, *, is_finished: bool, tally: Tally) -> None:
    scene = world.scene
    objects = oracle.read_cache(world.cache)
    for root, version in expected.known.items():
        expect(objects.restore(root) == version, "the cache holds another version than before")
    for path, root in oracle.pointers_below(world.root).items():
        expect(bool(objects.restore(root)), f"{path} names nothing")
    view = oracle.read_remote(world.store)
    for root, version in expected.shared.items():
        expect(view.objects.restore(root) == version, "the remote holds another version than before")
    if not scene.moves_files:
        expect(world.stats() == expected.stats, "a file of the user is not as it was")
    if is_finished:
        for root, version in expected.sent.items():
            expect(view.objects.restore(root) == version, "what was pushed is not there")
        for root, version in expected.held.items():
            expect(objects.restore(root) == version, "what was added is not there")
    torn = _torn(world, expected)
    tally.torn += bool(torn)
    lock = world.root / ".git/index.lock"
    if lock.exists():
        # What dataver's hint says to do: `where no other git runs: rm .git/index.lock`.
        lock.unlink()
        tally.git_locks += 1
    has_work = world.files() != expected.before or view.entries or objects.packs
    tally.with_work += bool(has_work) and not is_finished
    _check_again(world, expected, torn)


def _torn(world: World, expected: Expected) -> list[str]:
    """Give the files that are neither old nor new; `status` must name each."""
    files = world.files()
    torn = sorted(
        path
        for path, found in files.items()
        if path.startswith("data/") and found not in (expected.before.get(path), expected.after.get(path))
    )
    if torn:
        said = world.run("--json", "status")
        for path in torn:
            expect(f'"path":"{path}"' in said.stdout, f"status calls the torn {path} clean")
    return torn


def _check_again(world: World, expected: Expected, torn: list[str]) -> None:
    """Run the same command again; where it met torn files they count as unsaved, and it says so."""
    again = world.run(*world.scene.args)
    if torn and again.returncode == 6:
        again = world.run(*world.scene.args, "--force")
    expect(again.returncode == 0, f"again: exit {again.returncode}: {again.stderr}")
    worlds.check_done(world, expected)
    worlds.check_status(world, expected)
