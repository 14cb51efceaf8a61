"""`verify`: read what a cache or a remote holds, name what is damaged, and heal it from any good copy."""

from __future__ import annotations

from collections.abc import Sequence

from dataver.errors import Failure, strictly
from dataver.model.guarding import Damage, VerifyResult
from dataver.ops.damage import Ask, Outcome, finished, message_of
from dataver.ops.exchange import select_versions
from dataver.ops.noticing import erased_notices
from dataver.ops.sampling import parse_sample
from dataver.ops.verify_cache import verify_cache
from dataver.ops.verify_remote import verify_remote
from dataver.progress import SILENT, Progress
from dataver.repo import Repo
from dataver.workspace.paths import PathLike


def verify(
    repo: Repo,
    paths: Sequence[PathLike] = (),
    *,
    cache: bool = False,
    remote: str | bool = False,
    refs: str | None = None,
    all_refs: bool = False,
    sample: str = "",
    repair: bool = False,
    strict: bool = False,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> VerifyResult:
    """Verify the cache (also where neither place is named) and a remote, every byte or a *sample*.

    *remote* is a name, or True for the default one.  Everything that lies there is read, and every
    object of the versions that the present pointers name is looked up; with *paths*, *refs*
    (`A..B`) or *all_refs* only the versions that these name, all of them.  *sample* is a share
    such as `5%` or a size such as `10GB`, chosen anew at each run.  Damaged files of the cache go
    to quarantine; with *repair* what was lost is brought back from any good copy.  What was erased is
    neither missing nor damaged: versions that lack it are named, with *strict* as failed.

    Raises: NoRemoteError, UnknownRemoteError, NoSuchPathError, UnknownRevisionError, UsageError,
    RemoteError.
    """
    start = repo.clock.monotonic()
    share = parse_sample(sample)
    name = repo.remote_name(None if remote is True else remote) if remote is not False else ""
    is_explicit = bool(paths) or refs is not None or all_refs
    chosen = select_versions(repo, paths, refs, all_refs=all_refs, is_narrow=True)
    ask = Ask(chosen, is_explicit, share, repair, jobs)
    outcomes: list[Outcome] = []
    if cache or not name:
        outcomes.append(verify_cache(repo, ask, progress))
    if name:
        outcomes.append(verify_remote(repo, name, ask, progress))
    damaged, failed = finished(repo, outcomes)
    warnings = [*chosen.warnings, *map(_repaired, (d for d in damaged if d.is_repaired))]
    for outcome in outcomes:
        warnings += outcome.warnings
        warnings += [
            Failure(b"", "stray-file", f"{path} is none of dataver's", "", 0) for path in outcome.place.strays
        ]
    warnings += erased_notices(repo, chosen.versions)
    all_failed, noticed = strictly((*chosen.failed, *failed), warnings, strict=strict)
    return VerifyResult(
        places=tuple(outcome.place for outcome in outcomes),
        damaged=tuple(damaged),
        repair=repair,
        sample=share.text,
        seconds=repo.clock.monotonic() - start,
        failed=all_failed,
        warnings=noticed,
    )


def _repaired(damage: Damage) -> Failure:
    return Failure(damage.path, "repaired", f"{message_of(damage)}; repaired", "", 0)
