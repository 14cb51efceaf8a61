"""Points: one system call of one command, broken in one way; and what must hold after it.

A kill comes before the call: the kill before the next one is the kill after this one, since between
two calls that change something nothing changes.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults import strace, worlds
from tests.faults.oracle import Broken, expect
from tests.faults.strace import Call, Run
from tests.faults.worlds import Expected, Scene, World

FAULTS = ("KILL", "ENOSPC", "EIO", "EACCES", "EINTR")

_EXITS = {
    "ENOSPC": {("disk-full", 7)},
    "EIO": {("local-io", 7)},
    "EACCES": {("permission", 7)},
    "EINTR": {("local-io", 7)},
}
"""(code, exit status) with which a command may end that could not do without the call."""

_TRIES = 3
_OF_GIT = frozenset((2, 3, 4, 5, 6, 7))
"""Exit statuses where a call was git's, or one that only reads."""


@dataclass(frozen=True, slots=True)
class Point:
    """The *number*-th call *name*, and the fault there."""

    scene: str
    role: str
    name: str
    number: int
    fault: str
    follow: bool
    is_index: bool
    """Whether it is the disposable index that the call writes to."""

    def __str__(self) -> str:
        return f"{self.scene}:{self.role}:{self.name}:{self.number}:{self.fault}"

    @property
    def inject(self) -> str:
        """Give strace's expression for the fault."""
        fault = "signal=KILL" if self.fault == "KILL" else f"error={self.fault}"
        return f"{self.name}:{fault}:when={self.number}"


@dataclass(frozen=True)
class Stage:
    """A scene that was played once under strace: what it should come to, and the points in it."""

    scene: Scene
    expected: Expected
    points: tuple[Point, ...]


@functools.cache
def stage(scene: Scene) -> Stage:
    """Play *scene* undisturbed and find the points in it."""
    expected = worlds.prepare(scene)
    world = worlds.copy_of(scene, expected)
    run = strace.trace_warm(world.args, world.root, world.env, _log())
    assert run.exit == 0, run.stderr
    worlds.check_done(world, expected)
    return Stage(scene, expected, tuple(_points(scene, run.calls)))


def _log() -> Path:
    return worlds.workplace() / "strace.log"


def _points(scene: Scene, calls: Sequence[Call]) -> list[Point]:
    first: dict[tuple[str, int], Call] = {}
    roles: dict[tuple[str, int], set[str]] = {}
    for call in calls:
        first.setdefault((call.name, call.number), call)
        roles.setdefault((call.name, call.number), set()).add(call.role)
    points: dict[str, Point] = {}
    for call in calls:
        if not strace.is_mutating(call):
            continue
        key = (call.name, call.number)
        for fault in FAULTS:
            follow = True
            if call.role == "main":
                # A fault that another thread or git meets too would be theirs.
                follow = roles[key] == {"main"} and fault != "KILL"
            elif fault == "KILL" and (call.role == "git" or first[key].tid != call.tid):
                continue  # the one who comes first dies; and a git that is killed is not dataver
            point = Point(
                scene.name, call.role, call.name, call.number, fault, follow, "/dataver/index/" in call.words
            )
            points.setdefault(str(point), point)
    return list(points.values())


def sampled(points: Sequence[Point], count: int, seed: int) -> list[Point]:
    """Choose *count* of *points*: evenly over faults and over the run, few of the index's own."""
    chooser = random.Random(seed)
    chosen: list[Point] = []
    for order, fault in enumerate(FAULTS):
        here = [p for p in points if p.fault == fault]
        index = [p for p in here if p.is_index or p.role == "git"]
        others = [p for p in here if not (p.is_index or p.role == "git")]
        want = count // len(FAULTS) + (order < count % len(FAULTS))
        few = min(len(index), want // 5)
        chosen += _spread(others, want - few, chooser) + _spread(index, few, chooser)
    return chosen


def _spread(points: Sequence[Point], count: int, chooser: random.Random) -> list[Point]:
    """Choose one point out of each of *count* equal stretches."""
    if len(points) <= count or not count:
        return list(points[:count])
    cuts = [len(points) * n // count for n in range(count + 1)]
    return [points[chooser.randrange(start, end)] for start, end in zip(cuts, cuts[1:], strict=False)]


def play(stage: Stage, point: Point) -> str:
    """Break *point*, look at what is on disk, run the command again; say what is wrong, or nothing."""
    world, run = _broken(stage, point)
    try:
        _check_hit(run, point)
        _check_end(world, stage.expected, run, point)
        # Where the command did all of it although a call failed there is nothing left to finish.
        if run.exit:
            again = world.finish()
            expect(again.returncode == 0, f"again: exit {again.returncode}: {again.stderr}")
            worlds.check_done(world, stage.expected)
            left = world.temp_files_of_people()
            expect(not left, f"again: temp files stay: {left}")
        worlds.check_status(world, stage.expected)
    except (Broken, OSError) as wrong:
        hits = [f"{c.role} {c.name}({c.words}" for c in run.calls if c.is_injected]
        return f"{point}\n  {wrong}\n  exit {run.exit}: {run.stderr.strip()}\n  hit: {hits}"
    return ""


def _broken(stage: Stage, point: Point) -> tuple[World, Run]:
    """Run the command with *point* broken; anew where the point was not reached, as on a crowded machine."""
    tries = 1
    while True:
        world = worlds.copy_of(stage.scene, stage.expected)
        run = strace.trace_warm(
            world.args,
            world.root,
            world.env,
            _log(),
            names=[point.name],
            inject=point.inject,
            follow=point.follow,
        )
        if _is_hit(run, point) or tries == _TRIES:
            return world, run
        tries += 1


def _is_hit(run: Run, point: Point) -> bool:
    if point.fault == "KILL":
        return run.exit in (-9, 137)
    return any(c.is_injected for c in run.calls)


def _check_hit(run: Run, point: Point) -> None:
    expect(_is_hit(run, point), f"the call was not reached, exit {run.exit}")


def _check_end(world: World, expected: Expected, run: Run, point: Point) -> None:
    worlds.check_always(world, expected)
    if point.fault == "KILL":
        return
    expect("Traceback" not in run.stderr and run.exit != 70, "a Python error reached the person")
    if run.exit == 0:
        worlds.check_done(world, expected)
        return
    hit = [c for c in run.calls if c.is_injected]
    allowed = set(_EXITS[point.fault])
    if point.fault == "EACCES" and all("/store" in c.words for c in hit):
        allowed = {("access-denied", 4)}
    if any(c.role == "git" or not strace.is_mutating(c) for c in hit):
        # Git says in words of its own what it met, and other calls of that number failed beside it:
        # one that only reads fails in ways that are none of this sweep's.
        expect(run.exit in _OF_GIT, f"ends with {run.code}, exit {run.exit}")
        return
    expect((run.code, run.exit) in allowed, f"ends with {run.code}, exit {run.exit}; expected {allowed}")
    if not any(c.name.startswith("unlink") for c in hit):
        left = world.temp_files()
        expect(not left, f"temp files stay: {left}")
