"""What `gc` asks of a remote before it lets go of anything here: trees, and who surely holds what."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import NamedTuple

from dataver.errors import DataverError
from dataver.model.names import BLOB, Oid, blob_name, leaf_name, oid_of_name
from dataver.ops.exchange import ends_of, meet
from dataver.ops.reachable import Reachable
from dataver.progress import Progress
from dataver.repo import Repo
from dataver.store.cache import Cache
from dataver.store.cache_marks import NameSet, key_of, mark
from dataver.store.sweep_plan import loose_blobs
from dataver.transfer.connect import folder_of
from dataver.transfer.intake import Intake
from dataver.transfer.shown import held_blobs, look_anew
from dataver.transfer.structure import Structure
from dataver.workspace.reach import Reached


def bring_trees(repo: Repo, needs: Reachable, remote: str | None, *, progress: Progress) -> None:
    """Fetch the trees, and no contents, that the cache lacks of what the repositories need.

    What the remote does not have either stays away.  Raises: RemoteError and its kin.
    """
    lost = set(mark(repo.cache, needs.roots).lost)
    if not lost:
        return
    place = meet(repo, repo.remote_name(remote))
    with Intake(repo.cache, repo.disk) as intake, progress.task("fetching trees") as task:
        structure = Structure(ends_of(repo, place, None), keep=intake.add)
        for root_id in sorted(needs.roots):
            with contextlib.suppress(DataverError):
                refs = structure.root(root_id).leaves
                wanted = [ref for ref in refs if repo.cache.missing([leaf_name(ref.leaf_id)])]
                for _ in structure.leaves(wanted):
                    task.advance()
    repo.cache.refresh()


class Held(NamedTuple):
    """What a remote was shown to hold."""

    remote_id: str
    names: NameSet


def show_held(repo: Repo, remote: str | None, *, progress: Progress) -> Held:
    """Return which contents of the cache the remote holds, as it shows now.

    Raises: RemoteError and its kin where it cannot be asked: then nothing is proved.
    """
    place = meet(repo, repo.remote_name(remote))
    look_anew(place)
    repo.obey(place)
    marks = NameSet()
    with progress.task("asking the remote") as task:
        for oid in held_blobs(place, _contents(repo.cache), repo.config.jobs):
            marks.add(key_of(blob_name(oid)))
            task.advance()
    return Held(place.remote_id, marks)


def _contents(cache: Cache) -> Iterator[tuple[Oid, int]]:
    """Yield every content of the cache with its size in bytes."""
    for oid, found in loose_blobs(cache):
        yield oid, found.st_size
    for pack in cache.packs(structure=False):
        for row in pack.table.rows():
            if row.name[0] == BLOB:
                yield oid_of_name(row.name), row.raw


def freed_marks(
    repo: Repo, needs: Reachable, held: Held, *, frees_present: bool, progress: Progress
) -> NameSet:
    """Return the contents whose local copies may go: held by the remote, and needed by nobody here.

    What another repository needs that never met this remote stays: it could not get it back.
    """
    stays: set[bytes] = set()
    for one in needs.repos:
        if not _knows(one, held.remote_id):
            stays |= one.roots
        elif not frees_present:
            stays |= one.present
    return held.names.without(mark(repo.cache, stays, progress=progress).names)


def _knows(one: Reached, remote_id: str) -> bool:
    return os.path.exists(f"{folder_of(f'{one.user.git}/dataver')}/{remote_id}.toml")
