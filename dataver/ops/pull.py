"""`pull`: fetch, then check out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dataver.errors import DataverError, Failure, show_path, strictly
from dataver.model.results import CheckoutResult, FetchResult, PullResult
from dataver.ops.checkout import checkout
from dataver.ops.exchange import ends_of
from dataver.ops.fetch import fetch
from dataver.ops.spending import Meter
from dataver.progress import SILENT, Progress
from dataver.repo import Repo
from dataver.store.trees import Trees
from dataver.transfer.structure import Structure
from dataver.transfer.wanted import bytes_of_size_text
from dataver.workspace.paths import PathLike, Selection, select
from dataver.workspace.sparse import Sparse


def pull(
    repo: Repo,
    paths: Sequence[PathLike] = (),
    *,
    remote: str | None = None,
    force: bool = False,
    dry_run: bool = False,
    strict: bool = False,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> PullResult:
    """Fetch what the pointers name and bring the workspace to it.

    *paths* narrow both; in a target that was never checked out whole they are remembered, and the
    rest counts as absent, never as deleted.  *force* is that of `checkout`.  A dry run reads trees
    that are not here from the remote, to say what would be checked out.  With *strict* it counts as
    failed that something was erased and is left out.

    Raises: what `fetch` and `checkout` raise.
    """
    meter = Meter(repo, repo.remote_name(remote))
    fetched = fetch(repo, paths, remote=remote, dry_run=dry_run, jobs=jobs, progress=progress)
    place = repo.remote(remote)
    if dry_run:
        repo.trees = Trees(Structure(ends_of(repo, place, jobs)), repo.trees.erased)
    else:
        place.close()  # what was looked up there is not needed beside the checkout
    try:
        placed = checkout(repo, None, paths, force=force, dry_run=dry_run, jobs=jobs, progress=progress)
        selections = select(repo.targets(), paths, repo.cwd, repo.top)
        failed = _failed(fetched, placed)
        files, size = _arrived(repo, selections, {failure.path: failure for failure in failed})
    finally:
        if dry_run:
            del repo.trees
    failed, warnings = strictly(failed, dict.fromkeys((*fetched.warnings, *placed.warnings)), strict=strict)
    inner = [s.target.path + b"/" + p for s in selections for p in s.patterns]
    return PullResult(
        fetch=fetched,
        checkout=placed,
        files=files,
        total_files=sum(s.target.pointer.files for s in selections if s.target.pointer is not None),
        size=size,
        patterns=tuple(show_path(path) for path in inner),
        requests=fetched.requests if dry_run else meter.requests,
        failed=failed,
        warnings=warnings,
    )


def _arrived(repo: Repo, selections: Sequence[Selection], failed: Mapping[bytes, Failure]) -> tuple[int, int]:
    """Return how many files of the workspace's versions are there, and their bytes.

    A whole version is as its pointer says, so that nothing of it is opened.
    """
    files = size = 0
    for selection in selections:
        target, pointer = selection.target, selection.target.pointer
        if pointer is None or (target.path in failed and pointer.is_folder):
            continue
        record = repo.records.load(target.path)
        scope = Sparse(selection.patterns or (record.patterns if record else ()))
        below = target.path + b"/"
        if not (scope or repo.trees.erased or any(p == target.path or p.startswith(below) for p in failed)):
            files += pointer.files
            size += bytes_of_size_text(pointer.size_text)
            continue
        try:
            for low, high in _disjoint(scope):
                for entry in repo.trees.entries(pointer.root_id, low, high):
                    shown = below + entry.path if pointer.is_folder else target.path
                    if entry.oid is not None and scope.matches(entry.path) and shown not in failed:
                        files += 1
                        size += entry.size
        except DataverError:
            continue  # it is among the failures
    return files, size


def _disjoint(scope: Sparse) -> list[tuple[bytes, bytes | None]]:
    """Return ranges that hold what *scope* wants, each path in one of them."""
    found: list[tuple[bytes, bytes | None]] = []
    for low, high in sorted(scope.ranges() or [(b"", None)], key=lambda r: r[0]):
        end = found[-1][1] if found else b""
        if end is None or (high is not None and high <= end):
            continue
        found.append((max(low, end), high))
    return found


def _failed(fetched: FetchResult, placed: CheckoutResult) -> tuple[Failure, ...]:
    """Return what failed in either, each path once: why it could not be fetched says more."""
    first = {failure.path: failure for failure in reversed(fetched.failed)}
    # What an erasure forbids was not fetched, and is missed by nobody.
    forbidden = {notice.path for notice in fetched.warnings if notice.code in ("erased", "held")}
    rest = [f for f in placed.failed if f.path not in first and f.path not in forbidden]
    return (*fetched.failed, *rest)
