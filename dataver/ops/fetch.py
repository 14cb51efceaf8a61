"""`fetch`: bring what the cache lacks from a remote; the workspace stays as it is."""

from __future__ import annotations

from collections.abc import Sequence

from dataver.errors import Failure, NoSuchPathError
from dataver.model.results import FetchResult
from dataver.ops.exchange import Selected, ends_of, explained, meet, select_versions
from dataver.progress import SILENT, Progress
from dataver.repo import Repo
from dataver.transfer.receive import receive
from dataver.workspace.paths import PathLike


def fetch(
    repo: Repo,
    paths: Sequence[PathLike] = (),
    *,
    remote: str | None = None,
    refs: str | None = None,
    all_refs: bool = False,
    dry_run: bool = False,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> FetchResult:
    """Bring what the cache lacks of the versions that HEAD, Git's index and the workspace name.

    *refs* (`A..B`) are those of a range of commits instead, *all_refs* those of all branches and
    tags, whole.  *paths* narrow it; without them a partial checkout's own paths do.  What cannot be
    had is in `failed`, and the rest is fetched.

    Raises: NoRemoteError, UnknownRemoteError, NoSuchPathError, UnknownRevisionError, DiskFullError,
    RemoteError.
    """
    start = repo.clock.monotonic()
    name = repo.remote_name(remote)
    chosen = select_versions(repo, paths, refs, all_refs=all_refs, is_narrow=True)
    place = repo.remote(name)
    requests, received, known = place.bucket.requests, place.bucket.received, place.seen
    meet(repo, name)
    done = receive(ends_of(repo, place, jobs), chosen.versions, dry_run=dry_run, progress=progress)
    if place.seen != known and not dry_run:
        place.register(repo.repo_id, repo.clone_id)
    return FetchResult(
        remote=name,
        files=done.files,
        size=done.size,
        objects=done.objects,
        packs=done.packs,
        received=done.received if dry_run else place.bucket.received - received,
        requests=place.bucket.requests - requests,
        seconds=repo.clock.monotonic() - start,
        dry_run=dry_run,
        failed=(*chosen.failed, *explained(repo, chosen, done.failed), *_unmatched(chosen, done.matched)),
        warnings=tuple(chosen.warnings),
    )


def _unmatched(chosen: Selected, matched: set[int]) -> list[Failure]:
    """Return a failure for each path inside a target that no version of it has."""
    found = {
        (chosen.versions[n].target, pattern) for n, pattern in enumerate(chosen.patterns) if n in matched
    }
    failed: dict[bytes, Failure] = {}
    for version, pattern in zip(chosen.versions, chosen.patterns, strict=True):
        if pattern and (version.target, pattern) not in found:
            shown = version.target + b"/" + pattern
            failed[shown] = NoSuchPathError(shown).failure(shown)
    return list(failed.values())
