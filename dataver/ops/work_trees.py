"""All work trees of a repository: each has files, an index and a record of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from dataver.disk.folders import entries_of
from dataver.errors import DataverError
from dataver.git import Git, find_place
from dataver.index.state import State
from dataver.repo import Repo
from dataver.workspace.record import Records
from dataver.workspace.workspace import Workspace


class WorkTree(NamedTuple):
    """One of them."""

    workspace: Workspace
    git: Git
    own_folder: str
    """What belongs to it alone: index and record."""


def work_trees(repo: Repo) -> Iterator[WorkTree]:
    """Yield the work trees of the repository whose folders are there, that of *repo* first."""
    yield WorkTree(repo.workspace, repo.git, repo.own_folder)
    is_main = repo.place.git_dir == repo.place.common_dir
    if is_main and not os.path.isdir(f"{repo.place.common_dir}/worktrees"):
        return
    for top in repo.git.worktrees():
        try:
            place = find_place(top)
        except (DataverError, OSError):
            continue  # its folder is gone, and with it its files
        if place.common_dir != repo.place.common_dir or place.git_dir == repo.place.git_dir:
            continue
        own = f"{place.git_dir}/dataver"
        yield WorkTree(_workspace(repo, place.top, own), Git(place.top, place), own)


def absent_work_trees(repo: Repo) -> Iterator[tuple[Workspace, str]]:
    """Yield those whose folders are gone or on a disk that is away, with what belongs to each alone.

    Only what is remembered of them is here.
    """
    for entry in entries_of(f"{repo.place.common_dir}/worktrees"):
        own = f"{entry.path}/dataver"
        top = _top_of(entry.path)
        if os.path.isdir(own) and not os.path.lexists(f"{top}/.git"):
            yield _workspace(repo, top, own), own


def _top_of(git_dir: str) -> str:
    """Return where the files of a linked work tree were."""
    try:
        with open(f"{git_dir}/gitdir", "rb") as file:
            return os.path.dirname(os.path.join(git_dir, os.fsdecode(file.read(1 << 16).rstrip(b"\n"))))
    except OSError:
        return git_dir


def _workspace(repo: Repo, top: str, own: str) -> Workspace:
    return Workspace(
        top,
        own,
        cache=lambda: repo.cache,
        records=Records(f"{own}/record", repo.disk),
        state=State(f"{own}/index/state.sqlite"),
        disk=repo.disk,
        clock=repo.clock,
    )
