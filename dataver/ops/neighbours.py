"""Other repositories that keep their objects in the same cache: what is theirs is no version of ours."""

from __future__ import annotations

from collections.abc import Iterator

from dataver.errors import DataverError
from dataver.formats.erasure import decode_signed
from dataver.formats.redaction import Erased
from dataver.ops.reachable import Reachable, reachable
from dataver.progress import SILENT, Progress
from dataver.repo import Repo
from dataver.store.trees import Trees
from dataver.transfer.connect import known_records, told_here
from dataver.transfer.verify import UNREADABLE
from dataver.workspace.local import load_secret
from dataver.workspace.reach import Reached
from dataver.workspace.users import list_users


def neighbours(repo: Repo, found: Reachable) -> Iterator[Reached]:
    """Yield what other repositories need; a clone of this one, which has its secret, is none of them."""
    for reached in found.repos[1:]:
        try:
            is_clone = load_secret(f"{reached.user.git}/dataver") == repo.secret
        except DataverError:
            is_clone = False
        if not is_clone:
            yield reached


def leaves_of_neighbours(repo: Repo, *, progress: Progress = SILENT) -> frozenset[bytes]:
    """Return the ids of the leaves in the cache that only other repositories need.

    One that cannot be asked has none: what is erased here goes before what is comfortable there.
    """
    try:
        if len(list_users(repo.cache_folder)) < 2:
            return frozenset()
        found = reachable(repo, progress=progress)
    except DataverError:
        return frozenset()
    theirs = {leaf for reached in neighbours(repo, found) for leaf in _leaves(repo, reached)}
    return frozenset(theirs.difference(_leaves(repo, found.repos[0]))) if theirs else frozenset()


def erased_beside(repo: Repo) -> Erased:
    """Return what is erased here, with what leaves of other repositories in the same cache may lack.

    Nothing is taken out of anything by what others say: it is only no damage.  One whose records
    cannot be read says nothing.
    """
    erased = repo.trees.erased
    substitutes: dict[bytes, bytes] = {}
    told: set[bytes] = set()
    for folder in _folders_beside(repo):
        try:
            told.update(told_here(folder))
            for known in known_records(folder):
                told.update(known.told)
                for one in known.records:
                    record = decode_signed(one.body, one.kind, "erasure record").record
                    told.update(c for commitments in record.redact.values() for c in commitments)
                    substitutes.update(record.substitute)
        except (DataverError, OSError):
            continue
    if not (told or substitutes):
        return erased
    return Erased(erased.entries, {**substitutes, **erased.substitutes}, erased.told | told)


def _folders_beside(repo: Repo) -> list[str]:
    """Return the folders of the other repositories that are registered in the cache."""
    try:
        users = list_users(repo.cache_folder)
    except DataverError:
        return []
    return [f"{user.git}/dataver" for user in users if user.git != repo.place.common_dir]


def _leaves(repo: Repo, reached: Reached) -> Iterator[bytes]:
    trees = Trees(repo.cache, repo.trees.erased)
    for root_id in reached.roots:
        try:
            yield from (ref.leaf_id for ref in trees.root(root_id).leaves)
        except UNREADABLE:
            continue  # its tree is not in this cache
