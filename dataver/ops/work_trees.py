"""All work trees of a repository: each has files, an index and a record of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

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
        workspace = Workspace(
            place.top,
            own,
            cache=lambda: repo.cache,
            records=Records(f"{own}/record", repo.disk),
            state=State(f"{own}/index/state.sqlite"),
            disk=repo.disk,
            clock=repo.clock,
        )
        yield WorkTree(workspace, Git(place.top, place), own)
