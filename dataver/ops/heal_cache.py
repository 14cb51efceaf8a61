"""Good copies of what the cache lost: in the workspace, then on every configured remote."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from dataver.errors import DataverError, DiskFullError, Failure, LocalIOError, local_error
from dataver.model.names import BLOB, ObjectName, oid_of_name
from dataver.ops.damage import Draft, names_of
from dataver.ops.exchange import ends_of, meet
from dataver.progress import Progress
from dataver.repo import Repo
from dataver.transfer.gathering import gather, held_by
from dataver.transfer.intake import Intake
from dataver.transfer.wanted import Ends
from dataver.workspace.copies import has_copy, lay_copy


def find_copies(repo: Repo, drafts: Collection[Draft], warnings: list[Failure]) -> None:
    """Say in *drafts* where a good copy of each lost object is known, without bringing it."""
    lost = _lost(repo, drafts)
    for draft in drafts:
        owner = draft.owner
        if draft.name in lost and owner is not None and owner.oid is not None:
            if has_copy(repo.top, owner.path, owner.oid):
                draft.copy = "workspace"
                lost.discard(draft.name)

    def look(name: str, ends: Ends) -> None:
        held = held_by(ends, lost)
        lost.difference_update(held)
        _note(drafts, held, name)

    _each_remote(repo, None, lost, look, warnings)


def bring_back(
    repo: Repo, drafts: Sequence[Draft], jobs: int | None, warnings: list[Failure], progress: Progress
) -> None:
    """Bring the lost objects of *drafts* back into the cache, as many as a good copy is found of."""
    lost = _lost(repo, drafts)
    try:
        with Intake(repo.cache, repo.disk) as intake:
            for draft in drafts:
                if draft.name in lost and _take_from_workspace(repo, draft, intake):
                    draft.copy = "workspace"
        _forget_found(repo, lost)

        def take(name: str, ends: Ends) -> None:
            before = set(lost)
            gather(ends, lost, progress)
            _forget_found(repo, lost)
            _note(drafts, before - lost, name)

        _each_remote(repo, jobs, lost, take, warnings)
    except (DiskFullError, LocalIOError) as error:
        warnings.append(error.failure())


def _lost(repo: Repo, drafts: Collection[Draft]) -> set[ObjectName]:
    denies = repo.content_withholder()
    return {
        name
        for name in repo.cache.missing(names_of(drafts))
        if denies is None or name[0] != BLOB or not denies(oid_of_name(name))
    }


def _forget_found(repo: Repo, lost: set[ObjectName]) -> None:
    repo.cache.refresh()
    lost.intersection_update(repo.cache.missing(lost))


def _note(drafts: Collection[Draft], names: set[ObjectName], where: str) -> None:
    for draft in drafts:
        if draft.name in names:
            draft.copy = where


def _take_from_workspace(repo: Repo, draft: Draft, intake: Intake) -> bool:
    owner = draft.owner
    if owner is None or owner.oid is None or draft.name is None or draft.name[0] != BLOB:
        return False
    temp = repo.cache.temp_path()
    try:
        size = lay_copy(repo.disk, repo.top, owner.path, owner.oid, temp)
    except OSError as error:
        raise local_error(error, temp, "write") from error
    if size is None:
        return False
    if size >= repo.cache.pack_below:
        intake.take_blob(temp, owner.oid, size)
        return True
    with open(temp, "rb") as file:
        intake.add(draft.name, file.read())
    repo.disk.unlink(temp)
    return True


def _each_remote(
    repo: Repo,
    jobs: int | None,
    lost: set[ObjectName],
    look: Callable[[str, Ends], None],
    warnings: list[Failure],
) -> None:
    """Ask one remote after the other while anything is *lost*; one that cannot be asked is a warning."""
    for name in _remotes(repo):
        if not lost:
            return
        try:
            look(name, ends_of(repo, meet(repo, name), jobs))
        except (DiskFullError, LocalIOError):
            raise
        except DataverError as error:
            failure = error.failure()._replace(exit_status=0)
            if failure not in warnings:
                warnings.append(failure)


def _remotes(repo: Repo) -> Iterator[str]:
    """Yield the remotes' names, the default one first."""
    names = repo.config.remote_names
    default = repo.config.default_remote
    yield from sorted(names, key=lambda name: (name != default, name))
