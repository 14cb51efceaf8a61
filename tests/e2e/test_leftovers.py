"""What a killed command leaves among the user's files is no data, and the next command takes it away."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable

import pytest

from tests.e2e.project import SMALL, Project

_NAME = ".dataver-tmp-0123456789abcdef"
_INSIDE = f"data/train/{_NAME}"


@pytest.fixture
def recorded(project: Project) -> Project:
    """Give a project with two versions of `data`, at the second."""
    project.write(SMALL)
    project.record("data", tag="v1")
    project.write({"data/a.txt": "alpha, second version\n"})
    project.record("data", tag="v2")
    return project


def _leave(project: Project) -> None:
    project.write(
        {_NAME: "half a pointer", _INSIDE: "half a file", f"data/test/{_NAME}/x.csv": "a new folder"}
    )


def _left(project: Project) -> list[str]:
    return sorted(str(p.relative_to(project.root)) for p in project.root.rglob(".dataver-tmp-*"))


@pytest.mark.parametrize(
    "command",
    [("add", "data"), ("checkout",), ("checkout", "v1"), ("checkout", "--force")],
    ids=" ".join,
)
def test_the_next_command_takes_away_what_a_killed_one_left(
    recorded: Project, command: tuple[str, ...]
) -> None:
    _leave(recorded)

    recorded.run(*command)

    assert _left(recorded) == []


def test_an_untrack_takes_away_what_was_left_beside_the_pointer(recorded: Project) -> None:
    recorded.write({_NAME: "half of a .gitignore"})

    recorded.run("untrack", "data")

    assert _left(recorded) == []


@pytest.mark.parametrize("command", [("add", "--dry-run", "data"), ("checkout", "--dry-run"), ("status",)])
def test_a_command_that_only_looks_leaves_everything(recorded: Project, command: tuple[str, ...]) -> None:
    _leave(recorded)
    before = _left(recorded)

    recorded.run(*command)

    assert _left(recorded) == before


def test_what_was_left_is_no_change(recorded: Project) -> None:
    _leave(recorded)

    assert recorded.target()["state"] == "clean"
    assert recorded.changes() == {}


def test_what_was_left_is_never_added(recorded: Project) -> None:
    before = recorded.read("data.dv")
    _leave(recorded)
    # Held by somebody, so that it is still there when the files are looked at.
    fds = [os.open(recorded.root / f, os.O_RDONLY) for f in (".", "data/train", "data/test")]
    for fd in fds:
        fcntl.flock(fd, fcntl.LOCK_SH)

    recorded.run("add", "data")

    assert recorded.read("data.dv") == before
    assert len(_left(recorded)) == 3
    for fd in fds:
        os.close(fd)


def test_what_was_left_is_found_after_a_status_that_saw_it(recorded: Project) -> None:
    _leave(recorded)
    recorded.run("status")
    recorded.run("status")

    recorded.run("checkout")

    assert _left(recorded) == []


@pytest.mark.parametrize("keep", ["git", "name"])
def test_a_file_that_is_somebodys_stays(recorded: Project, keep: str) -> None:
    kept: dict[str, Callable[[], object]] = {
        "git": lambda: recorded.git("add", "-f", _NAME),
        "name": lambda: (recorded.root / _NAME).rename(recorded.root / f"{_NAME}.mine"),
    }
    recorded.write({_NAME: "mine"})
    kept[keep]()

    recorded.run("add", "data")

    assert len(_left(recorded)) == 1


def test_a_temp_file_can_be_no_target(project: Project) -> None:
    project.write({**SMALL, _NAME: "half a pointer"})

    refused = project.run("add", _NAME, expect=2)

    assert refused.code == "bad-target"
