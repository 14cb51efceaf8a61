"""`push`: send what a remote lacks of the versions that are named here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dataver.model.results import PushResult
from dataver.ops.acknowledging import acknowledge
from dataver.ops.exchange import ends_of, explained, meet_obeying, select_versions, share_secret
from dataver.ops.obeying import NOTHING, is_clean_here, obey_here
from dataver.ops.spending import Meter
from dataver.progress import SILENT, Progress
from dataver.repo import Repo
from dataver.store.remote import Remote
from dataver.store.trees import EMPTY_ROOT_ID
from dataver.transfer import costs
from dataver.transfer.send import OvertakenError, Sent, Writer, send
from dataver.transfer.wanted import Version
from dataver.workspace.local import new_secret
from dataver.workspace.paths import PathLike

_TRIES = 5


def push(
    repo: Repo,
    paths: Sequence[PathLike] = (),
    *,
    remote: str | None = None,
    refs: str | None = None,
    all_refs: bool = False,
    dry_run: bool = False,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> PushResult:
    """Send what the remote lacks of the versions that HEAD, Git's index and the workspace name.

    *refs* (`A..B`) are those of a range of commits instead, *all_refs* those of all branches and
    tags.  *paths* narrow it to targets; a path inside one stands for all of it, since half a
    version is none.  Versions that are whole on the remote afterwards are named in its journal.
    What erasure records name is removed here first, and is never sent.

    Raises: NoRemoteError, UnknownRemoteError, NoSuchPathError, UnknownRevisionError, RemoteError.
    """
    start = repo.clock.monotonic()
    name = repo.remote_name(remote)
    chosen = select_versions(repo, paths, refs, all_refs=all_refs, is_narrow=False)
    meter = Meter(repo, name)
    known = repo.remote(name).seen
    place, obeyed = meet_obeying(repo, name, dry_run=dry_run, progress=progress)
    # Held so that no object is taken away between the look at it and its way to the remote.
    with repo.cache_lock(shared=True, progress=progress):
        done = _send(repo, place, chosen.versions, dry_run=dry_run, jobs=jobs, progress=progress)
    after = NOTHING
    if not dry_run:
        # Records may have come while data was on its way.
        after = obey_here(repo, progress=progress)
        if not (obeyed.failed or after.failed) and place.records():
            acknowledge(repo, place, has_moved=place.seen != known)
    failed = [*chosen.failed, *obeyed.failed, *after.failed, *explained(repo, chosen, done.failed)]
    return PushResult(
        remote=name,
        files=done.files,
        size=done.size,
        objects=done.objects,
        packs=done.packs,
        sent=done.sent if dry_run else meter.sent,
        present=max(done.size - done.new, 0),
        seconds=repo.clock.monotonic() - start,
        requests=meter.requests + (_requests_ahead(repo, place, chosen.versions, done) if dry_run else 0),
        seq=done.seq,
        dry_run=dry_run,
        failed=tuple(failed),
        warnings=tuple(dict.fromkeys((*chosen.warnings, *obeyed.warnings, *after.warnings, *done.warnings))),
    )


def _send(
    repo: Repo,
    place: Remote,
    versions: Sequence[Version],
    *,
    dry_run: bool,
    jobs: int | None,
    progress: Progress,
) -> Sent:
    """Send *versions*, again where others changed meanwhile what this push relied on."""
    if not dry_run and versions:
        if repo.secret is None:
            repo.set_secret(new_secret())
        if repo.repo_id not in place.repos():
            share_secret(repo, place)
            place.register(repo.repo_id, repo.clone_id, is_writer=True)
    for number in range(_TRIES):
        try:
            writer = Writer(repo.clone_id, repo.repo_id)
            ends = ends_of(repo, place, jobs)
            if ends.denies is not None and is_clean_here(repo):
                # Nothing that is denied lies in the cache, so none of it can be sent.
                ends = replace(ends, denies=None)
            done = send(ends, versions, writer, dry_run=dry_run, progress=progress)
        except OvertakenError:
            if number == _TRIES - 1:
                raise
            place.refresh()
            repo.obey(place)
            continue
        if done.seq:
            repo.obey(place)
        return done
    raise AssertionError


def _requests_ahead(repo: Repo, place: Remote, versions: Sequence[Version], done: Sent) -> int:
    """Return how many requests a push would take beyond those of its dry run, *done*."""
    roots = {version.root_id for version in versions} - {EMPTY_ROOT_ID}
    if not done.packs and place.are_named_lately(roots, repo.repo_id):
        return 0
    first = 0 if repo.repo_id in place.repos() else costs.FIRST_PUSH
    return first + costs.requests_to_write(done.packs, done.objects)
