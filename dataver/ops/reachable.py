"""What every repository that uses a cache still needs: where `gc` begins.

A repository that cannot be asked stops it: what nobody can be shown not to need stays.
"""

from __future__ import annotations

from dataclasses import dataclass

from dataver.errors import DataverError, UnprovenError
from dataver.progress import SILENT, Progress
from dataver.repo import Repo
from dataver.workspace.reach import Reached, reach
from dataver.workspace.users import list_users, user_of


@dataclass(frozen=True, slots=True)
class Reachable:
    """What the repositories that are registered in a cache need."""

    repos: tuple[Reached, ...]
    """This one first, then the others."""

    @property
    def roots(self) -> frozenset[bytes]:
        """Ids of all trees that any of them needs, 32 bytes each."""
        return frozenset().union(*(repo.roots for repo in self.repos))

    @property
    def present(self) -> frozenset[bytes]:
        """Those that HEAD, the index, the files or the record of a work tree name."""
        return frozenset().union(*(repo.present for repo in self.repos))


def reachable(repo: Repo, *, progress: Progress = SILENT) -> Reachable:
    """Return what the repositories that use *repo*'s cache need.

    Of each: the pointers in every commit that a ref, a stash or a reflog entry reaches; in HEAD, in
    all stages of the index and on disk in every work tree; in what a merge or a rebase goes back to;
    and the trees that each work tree was last brought to.

    Raises: UnprovenError, which names the repository that cannot be asked and what to do.
    """
    _ = repo.cache  # registers this repository where it was not
    try:
        users = list_users(repo.cache_folder)
    except DataverError as error:
        hint = error.hint or "dataver gc --forget PATH"
        raise UnprovenError(repo.cache_folder, error.message, hint=hint) from error
    if all(user.git != repo.place.common_dir for user in users):
        users.append(user_of(repo.clone_id, repo.place))  # a cache that may only be read
    users.sort(key=lambda user: user.git != repo.place.common_dir)
    with progress.task("asking repositories", total=len(users)) as task:
        found = []
        for user in users:
            found.append(reach(user))
            task.advance()
    return Reachable(tuple(found))
