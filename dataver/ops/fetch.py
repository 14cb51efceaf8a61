"""`fetch`: bring what the cache lacks from a remote; the workspace stays as it is."""

from __future__ import annotations

from collections.abc import Sequence

from dataver.errors import Failure, MissingObjectError, NoSuchPathError, show_path, strictly
from dataver.model.results import FetchResult
from dataver.ops.acknowledging import acknowledge, is_news
from dataver.ops.choosing import Choice
from dataver.ops.exchange import (
    Selected,
    ends_of,
    explained,
    meet,
    meet_obeying,
    select_versions,
    version_of,
)
from dataver.ops.noticing import erased_notices
from dataver.ops.obeying import NOTHING, obey_here
from dataver.ops.spending import Meter
from dataver.progress import SILENT, Progress
from dataver.repo import Repo
from dataver.transfer import costs
from dataver.transfer.receive import receive
from dataver.workspace.paths import PathLike
from dataver.workspace.presence import is_known_complete, note_complete


def fetch(
    repo: Repo,
    paths: Sequence[PathLike] = (),
    *,
    remote: str | None = None,
    refs: str | None = None,
    all_refs: bool = False,
    dry_run: bool = False,
    strict: bool = False,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> FetchResult:
    """Bring what the cache lacks of the versions that HEAD, Git's index and the workspace name.

    *refs* (`A..B`) are those of a range of commits instead, *all_refs* those of all branches and
    tags, whole.  *paths* narrow it; without them a partial checkout's own paths do.  What cannot be
    had is in `failed`, and the rest is fetched.  What erasure records name is removed here first;
    with *strict* it counts as failed that it is left out.

    Raises: NoRemoteError, UnknownRemoteError, NoSuchPathError, UnknownRevisionError, DiskFullError,
    RemoteError.
    """
    start = repo.clock.monotonic()
    name = repo.remote_name(remote)
    chosen = select_versions(repo, paths, refs, all_refs=all_refs, is_narrow=True)
    present = () if all_refs or refs else tuple(chosen.versions)
    meter = Meter(repo, name)
    place = repo.remote(name)
    known = place.seen
    _, obeyed = meet_obeying(repo, name, dry_run=dry_run, progress=progress)
    # Held from the first look-up: what is found to be here already must still be here in the end.
    with repo.cache_lock(shared=True, progress=progress):
        files, size = _leave_out_present(repo, chosen)
        with repo.claims(progress=progress) as claims:
            ends = ends_of(repo, place, jobs, delivers=True)
            done = receive(ends, chosen.versions, dry_run=dry_run, claims=claims, progress=progress)
        is_held = any(notice.code == "held" for notice in done.warnings)
        if not (dry_run or done.failed or is_held or all_refs or refs):
            for version in chosen.versions:
                if not version.scope:
                    note_complete(repo.cache_folder, repo.state, version.root_id)
    ahead = done.requests
    has_moved = place.seen != known
    after = NOTHING
    if dry_run:
        ahead += costs.REGISTERING if is_news(repo, place, has_moved=has_moved) else 0
    else:
        # Trees of a remote that is not clean yet came as they are there.
        after = obey_here(repo, progress=progress)
        if not (obeyed.failed or after.failed):
            acknowledge(repo, place, has_moved=has_moved)
    failed, warnings = strictly(
        (
            *chosen.failed,
            *obeyed.failed,
            *after.failed,
            *explained(repo, chosen, done.failed),
            *_unmatched(chosen, done.matched),
        ),
        dict.fromkeys(
            (
                *chosen.warnings,
                *obeyed.warnings,
                *after.warnings,
                *done.warnings,
                *erased_notices(repo, present),
            )
        ),
        strict=strict,
    )
    return FetchResult(
        remote=name,
        files=files + done.files,
        size=size + done.size,
        objects=done.objects,
        packs=done.packs,
        received=done.received if dry_run else meter.received,
        requests=meter.requests + ahead,
        seconds=repo.clock.monotonic() - start,
        dry_run=dry_run,
        failed=failed,
        warnings=warnings,
    )


def _leave_out_present(repo: Repo, chosen: Selected) -> tuple[int, int]:
    """Drop the versions that were whole in the cache when last looked at, and still are.

    Returns their files and bytes, as their pointers say.
    """
    pairs = list(zip(chosen.versions, chosen.patterns, strict=True))
    here = [
        v for v, _ in pairs if not v.scope and is_known_complete(repo.cache_folder, repo.state, v.root_id)
    ]
    rest = [(v, pattern) for v, pattern in pairs if v not in here]
    chosen.versions = [v for v, _ in rest]
    chosen.patterns = [pattern for _, pattern in rest]
    return sum(v.files for v in here), sum(v.size for v in here)


def fetch_one(repo: Repo, choice: Choice) -> None:
    """Bring what the cache lacks of one version, narrowed to the paths of *choice*.

    Raises: the first error that kept some of it away.
    """
    name = repo.remote_name()
    version = version_of(choice)
    meet(repo, name)
    # Without the cache's lock: who only looks at data waits for nobody.
    done = receive(
        ends_of(repo, repo.remote(name), None, delivers=True), [version], dry_run=False, progress=SILENT
    )
    if done.failed:
        raise MissingObjectError(show_path(choice.path), f"remote {name}")


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
