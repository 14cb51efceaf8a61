"""`log`: which commits changed a dataset, or a file inside it, and how."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from dataver.errors import Failure, NoSuchPathError, show_path
from dataver.formats.pointer import SUFFIX, is_pointer_path, pointer_of, target_of
from dataver.git import PointerCommit
from dataver.model.guarding import LoggedCommit, LoggedTarget, LogResult
from dataver.model.names import is_below
from dataver.ops.history_reading import Following, Reader
from dataver.ops.logging_changes import describe
from dataver.repo import Repo
from dataver.workspace.paths import PathLike, near_misses, relative_to_top
from dataver.workspace.pointers import Target
from dataver.workspace.sparse import Sparse, is_glob


def log(
    repo: Repo,
    paths: Sequence[PathLike] = (),
    *,
    rev: str | None = None,
    limit: int | None = None,
    follow: bool = True,
) -> LogResult:
    """Return the commits that changed what *paths* name, the newest first; every target without paths.

    *rev* is a revision or `A..B`, HEAD when not given; *limit* the most commits to return.  With
    *follow* a pointer that was moved, and a file or folder that was renamed inside, are followed
    under their old names, where the content is the same.  A merge counts where its result differs
    from every parent.  Opens the leaves that differ, from the cache; what it lacks is in `failed`.

    Raises: NoSuchPathError for a path that never was, UnknownRevisionError.
    """
    history = _history(repo, rev)
    reader = Reader(repo, history)
    asked = [_wanted(repo, path, history) for path in paths] or [_everything(repo, history)]
    wanted = [following for group in asked for following in group]
    for following in wanted if follow else ():
        reader.follow_moves(following)
    # A target that was moved is told of once, under its last name.
    wanted = [f for f in wanted if f.asked or not any(f.pointer in g.names for g in wanted if g is not f)]
    commits: list[LoggedCommit] = []
    has_more = False
    for commit, targets in _changed(reader, wanted, follow=follow):
        if limit is not None and len(commits) == limit:
            has_more = True
            break
        commits.append(LoggedCommit(*commit.info, is_merge=commit.parents > 1, targets=targets))
    else:
        _check_found(repo, reader, wanted)
    warnings = list(reader.warnings)
    if repo.git.is_shallow():
        message = "this clone is shallow: what older commits changed is not told"
        warnings.append(Failure(b"", "shallow", message, "git fetch --unshallow", 0))
    return LogResult(tuple(commits), has_more, failed=reader.failures(), warnings=tuple(warnings))


def _history(repo: Repo, rev: str | None) -> list[PointerCommit]:
    if rev is None and repo.git.head() is None:
        return []
    return repo.git.pointer_log([rev or "HEAD"])


def _changed(
    reader: Reader, wanted: Sequence[Following], *, follow: bool
) -> Iterator[tuple[PointerCommit, tuple[LoggedTarget, ...]]]:
    """Yield the commits that changed something wanted."""
    for commit in reader.history:
        found = [told for following in wanted for told in describe(reader, commit, following, follow=follow)]
        if found:
            yield commit, tuple(found)


# -- what a person names --------------------------------------------------------------------------


def _everything(repo: Repo, history: Sequence[PointerCommit]) -> list[Following]:
    return [Following(pointer_of(path)) for path in sorted(_known(repo, history))]


def _known(repo: Repo, history: Sequence[PointerCommit]) -> set[bytes]:
    """Return every target that is tracked now or was by a commit."""
    found = {target_of(p) for c in history for rows in c.changes for p in rows if is_pointer_path(p)}
    return found | {target.path for target in repo.targets()}


def _wanted(repo: Repo, given: PathLike, history: Sequence[PointerCommit]) -> list[Following]:
    """Return what a path means: a target, those below a folder, or a path inside a target.

    Raises: NoSuchPathError.
    """
    path = relative_to_top(given, repo.cwd, repo.top)
    for known in (_known(repo, history), _known(repo, _history(repo, None))):
        found = _matching(path, known, {target.path for target in repo.targets()})
        if found:
            return found
    targets = [Target(each, pointer_of(each), "", "", "", None) for each in sorted(known)]
    raise NoSuchPathError(os.fsencode(given), near_misses(path, targets))


def _matching(path: bytes, known: set[bytes], present: set[bytes]) -> list[Following]:
    if path in known:
        return [Following(pointer_of(path))]
    if path.endswith(SUFFIX) and path[: -len(SUFFIX)] in known:
        return [Following(path)]
    below = sorted(t for t in known if not path or is_below(t, path))
    if below:
        return [Following(pointer_of(t)) for t in below]
    around = [t for t in known if is_below(path, t)]
    if around:
        # Targets are never nested at one time; at different times they may have been.
        best = max(around, key=lambda t: (t in present, len(t)))
        return [Following(pointer_of(best), path[len(best) + 1 :])]
    globbed = [t for t in sorted(known) if is_glob(path) and Sparse([path]).matches(t)]
    return [Following(pointer_of(t)) for t in globbed]


def _check_found(repo: Repo, reader: Reader, wanted: Sequence[Following]) -> None:
    """Check that each path inside a target was in some version of it.  Raises: NoSuchPathError."""
    for following in wanted:
        if following.asked and not (following.was_seen or reader.is_in_latest(following)):
            path = target_of(following.pointer) + b"/" + following.asked
            raise NoSuchPathError(path, what=f"{show_path(path)} is in no version of {_name(following)}")


def _name(following: Following) -> str:
    return show_path(target_of(following.pointer))
