"""`pull`: fetch, then check out."""

from __future__ import annotations

from collections.abc import Sequence

from dataver.errors import Failure, show_path
from dataver.model.results import CheckoutResult, FetchResult, PullResult
from dataver.ops.checkout import checkout
from dataver.ops.fetch import fetch
from dataver.progress import SILENT, Progress
from dataver.repo import Repo
from dataver.workspace.paths import PathLike, select


def pull(
    repo: Repo,
    paths: Sequence[PathLike] = (),
    *,
    remote: str | None = None,
    force: bool = False,
    dry_run: bool = False,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> PullResult:
    """Fetch what the pointers name and bring the workspace to it.

    *paths* narrow both; in a target that was never checked out whole they are remembered, and the
    rest counts as absent, never as deleted.  *force* is that of `checkout`.

    Raises: what `fetch` and `checkout` raise.
    """
    fetched = fetch(repo, paths, remote=remote, dry_run=dry_run, jobs=jobs, progress=progress)
    if dry_run and fetched.objects:
        placed = CheckoutResult((), dry_run=True)  # what would be checked out is not here to look at
    else:
        placed = checkout(repo, None, paths, force=force, dry_run=dry_run, jobs=jobs, progress=progress)
    selections = select(repo.targets(), paths, repo.cwd, repo.top)
    inner = [s.target.path + b"/" + p for s in selections for p in s.patterns]
    return PullResult(
        fetch=fetched,
        checkout=placed,
        files=fetched.files if dry_run else sum(t.written + t.kept for t in placed.targets),
        total_files=sum(s.target.pointer.files for s in selections if s.target.pointer is not None),
        size=fetched.size,
        patterns=tuple(show_path(path) for path in inner),
        failed=_failed(fetched, placed),
        warnings=tuple(dict.fromkeys((*fetched.warnings, *placed.warnings))),
    )


def _failed(fetched: FetchResult, placed: CheckoutResult) -> tuple[Failure, ...]:
    """Return what failed in either, each path once: why it could not be fetched says more."""
    first = {failure.path: failure for failure in reversed(fetched.failed)}
    rest = [failure for failure in placed.failed if failure.path not in first]
    return (*fetched.failed, *rest)
