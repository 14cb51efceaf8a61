"""`gc --remote`: take away from a remote what no version needs that anybody keeps."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from dataver.errors import CorruptObjectError, DataverError, MissingObjectError, UsageError, show_path
from dataver.formats.state import ROOTS_KEPT_S
from dataver.model.guarding import Collected, GcResult
from dataver.model.names import show_name
from dataver.ops.choosing import origin_hint
from dataver.ops.exchange import ends_of, meet, present_versions, versions_of_commits
from dataver.ops.reachable import reachable
from dataver.progress import SILENT, Progress
from dataver.repo import Repo, repo_id_of
from dataver.transfer.collecting import Keep, collect, rehearse
from dataver.transfer.keeping import Unreadable
from dataver.transfer.receive import NOWHERE
from dataver.workspace.local import load_secret
from dataver.workspace.paths import PathLike

_DAY_S = 86_400


@dataclass(slots=True)
class _Asked:
    """What the repositories answered that were asked what they need."""

    roots: set[bytes] = field(default_factory=set)
    others: set[bytes] = field(default_factory=set)
    """Of repositories that only share a cache with one that was asked: they may keep data elsewhere."""
    ids: set[str] = field(default_factory=set)
    tops: list[str] = field(default_factory=list)


def gc_remote(
    repo: Repo,
    *,
    remote: str | None = None,
    is_dry: bool = True,
    grace_s: int | None = None,
    repos: Sequence[PathLike] = (),
    ignore_missing: bool = False,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> GcResult:
    """Take away from a remote what no kept version needs, or with *is_dry* only tell of it.

    Kept is what this repository reaches, what the *repos* (paths of clones of others that use the
    remote) reach, and what any push named within the last *grace_s* seconds (at most 30 days; None:
    `purge.grace`).  Nothing goes that was stored within that time, or since a writer at work began.
    With *ignore_missing* versions of which neither the remote nor the cache has the tree are taken
    for lost, and refuse nothing.

    Raises: UnprovenError where another repository uses the remote, or the clocks differ;
    MissingObjectError, CorruptObjectError where part of a kept version's tree cannot be read: then
    nothing was deleted.  UsageError, NoRemoteError, RemoteError.
    """
    if grace_s is None:
        grace_s = repo.config.grace_s
    if not 0 <= grace_s <= ROOTS_KEPT_S:
        raise UsageError(
            f"a remote's grace period is at most {ROOTS_KEPT_S // _DAY_S} days: the journal forgets then",
            hint=f"dataver gc --remote --grace {ROOTS_KEPT_S // _DAY_S}d",
        )
    name = repo.remote_name(remote)
    place = meet(repo, name)
    since = place.seen.seq
    asked = _ask(repo, repos, progress)
    keep = Keep(
        frozenset(asked.roots),
        frozenset(asked.others),
        grace_s,
        since,
        frozenset(asked.ids),
        ignore_missing,
        lambda unreadable: _refusal(repo, unreadable),
    )
    ends = ends_of(repo, place, jobs)
    if is_dry:
        done = rehearse(ends, keep, progress)
    else:
        done = collect(ends, keep, (repo.clone_id, repo.repo_id), progress)
        repo.obey(place)
    return GcResult(
        where=name,
        dry_run=is_dry,
        kept=done.kept,
        kept_size=done.kept_size,
        deleted=done.objects + done.leftovers,
        deleted_size=done.size,
        packs=done.packs,
        copied_size=done.copied,
        seq=done.seq,
        grace_s=grace_s,
        largest=tuple(Collected(show_name(one.name), one.size) for one in done.largest),
        repos=tuple(asked.tops),
        failed=tuple(done.failed),
    )


def _ask(repo: Repo, repos: Sequence[PathLike], progress: Progress) -> _Asked:
    """Ask this repository and *repos* what they need.  Raises: UnprovenError, NoGitError, NoDataverError."""
    asked = _Asked()
    _ask_one(repo, asked, progress)
    for path in repos:
        with Repo.open(os.fsdecode(path)) as other:
            _ask_one(other, asked, progress)
    return asked


def _ask_one(repo: Repo, asked: _Asked, progress: Progress) -> None:
    asked.ids.add(repo.repo_id)
    for reached in reachable(repo, progress=progress).repos:
        common_folder = f"{reached.user.git}/dataver"
        secret = load_secret(common_folder)
        is_ours = common_folder == repo.common_folder or (
            secret is not None and repo_id_of(secret) == repo.repo_id
        )
        (asked.roots if is_ours else asked.others).update(reached.roots)
        if secret is not None:
            asked.ids.add(repo_id_of(secret))
        asked.tops += [top for top in reached.tops if top not in asked.tops]


def _refusal(repo: Repo, unreadable: Sequence[Unreadable]) -> DataverError:
    """Return the error that says which version cannot be read, by path and commit where they are known."""
    wanted = {one.root_id for one in unreadable}
    blobs: dict[bytes, tuple[bytes, str]] = {}
    for chosen in (present_versions(repo, (), is_narrow=False), versions_of_commits(repo, (), None)):
        for (target, root_id), blob in chosen.blobs.items():
            if root_id in wanted:
                blobs.setdefault(root_id, (target, blob))
    first = next((one for one in unreadable if one.root_id in blobs), unreadable[0])
    target, blob = blobs.get(first.root_id, (b"", ""))
    shown = show_path(target) if target else f"version {first.root_id.hex()[:12]}"
    what = f"part of the tree of {shown}"
    if len(unreadable) > 1:
        what += f" (and of {len(unreadable) - 1} more versions)"
    where = f"{NOWHERE}; nothing was deleted"
    error: DataverError
    if isinstance(first.error, MissingObjectError):
        error = MissingObjectError(what, where)
    else:
        error = CorruptObjectError(what, "the remote; nothing was deleted")
    error.hint = origin_hint(repo.git, target + b".dv", blob) or error.hint
    return error
