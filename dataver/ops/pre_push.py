"""What Git's hooks call before a push: the data of the commits goes first, or they do not go."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from dataver.errors import NoDataverError, UsageError
from dataver.git import Git, find_place
from dataver.git.hooking import commits_among
from dataver.progress import SILENT, Progress
from dataver.repo import CONFIG_FILE, Repo

if TYPE_CHECKING:  # making the classes of all results takes 20 ms
    from dataver.model.results import PushResult


class _PushedRef(NamedTuple):
    """One line of what Git tells pre-push."""

    local_ref: str
    local_id: str
    remote_ref: str
    remote_id: str


def _parse_pushed_refs(text: str) -> list[_PushedRef]:
    """Return what Git says on the stdin of pre-push.  Raises: UsageError."""
    found = []
    for line in text.splitlines():
        words = line.rsplit(" ", 3)
        if not line.strip():
            continue
        if len(words) != 4:
            raise UsageError(f"pre-push was told {line!r} instead of two refs with their ids")
        found.append(_PushedRef(*words))
    return found


def git_pre_push(
    start: str, remote: str, url: str, told: str, *, progress: Progress = SILENT
) -> PushResult | None:
    """Push the data of the commits that `git push` is about to send; None where they have none.

    *remote* and *url* are Git's own, *told* is what Git says on the hook's stdin.  Commits that its
    remote has already, as far as this clone knows, are left out; every version of every other one
    goes to the default data remote.

    Raises: NoDataverError, NoRemoteError, RemoteError: then the commits must stay, too.
    """
    place = find_place(start)
    git = Git(place.top, place)
    refs = [ref for ref in _parse_pushed_refs(told) if ref.local_id.strip("0")]
    tips = commits_among(place, (ref.local_id for ref in refs))
    if not tips:
        return None
    there = commits_among(place, (ref.remote_id for ref in refs if ref.remote_id.strip("0")))
    known = [*there, *((f"--remotes={remote}",) if remote != url else ())]
    ranges = [*tips, *(("--not", *known) if known else ())]
    if not git.pointer_blobs(ranges):
        return None
    if not os.path.isfile(f"{place.top}/{CONFIG_FILE}"):
        error = NoDataverError(place.top)
        error.hint = "git switch to a branch that has .dataver/, and push from there"
        raise error
    from dataver.ops.push import push  # a hook with nothing to do does without

    with Repo.open(start) as repo:
        return push(repo, refs=" ".join(ranges), progress=progress)
