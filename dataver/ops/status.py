"""`status`: the workspace against the pointers, the pointers against HEAD."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dataver.errors import (
    DataverError,
    ErasedError,
    Failure,
    MissingObjectError,
    NoSuchPathError,
    show_path,
)
from dataver.formats.pointer import Pointer
from dataver.hashing import ALGORITHM_CODES
from dataver.model.diff import DELETED, UNSAFE, Change
from dataver.model.names import blob_name
from dataver.model.status import StatusResult, TargetStatus
from dataver.ops.noticing import ErasedPart, erased_part
from dataver.ops.spending import Meter
from dataver.progress import SILENT, Progress
from dataver.repo import Repo
from dataver.workspace.moves import find_moves
from dataver.workspace.paths import PathLike, Selection, select
from dataver.workspace.pointers import Target
from dataver.workspace.presence import missing_entries
from dataver.workspace.record import Record
from dataver.workspace.sparse import Sparse
from dataver.workspace.workspace import Look, Tracked

if TYPE_CHECKING:
    from dataver.ops.comparing import Compared
    from dataver.store.remote import Remote


def status(
    repo: Repo,
    paths: Sequence[PathLike] = (),
    *,
    verify: bool = False,
    remote: str | bool | None = None,
    strict: bool = False,
    progress: Progress = SILENT,
) -> StatusResult:
    """Say what differs, target by target; takes no lock, waits for nobody, changes only the index.

    With *verify* every file is hashed, whatever the index says.  With *remote* (a name, or True
    for the default one) it also asks what that remote lacks.  With *strict* it counts as failed that
    something of a target was erased.

    Raises: NoSuchPathError, UnknownRemoteError.
    """
    targets = repo.targets()
    moves = find_moves(repo.workspace, targets)
    chosen = select(targets, paths, repo.cwd, repo.top)
    failed: list[Failure] = []
    warnings: list[Failure] = []
    found = []
    asked: Remote | DataverError | None = None
    name = repo.config.default_remote if remote is True else str(remote or "")
    meter = Meter(repo, name)
    for selection in chosen:
        if selection.target.path in moves.values():
            continue
        state = _look_at(repo, selection, moves, failed, warnings, verify=verify, progress=progress)
        if remote is not None and selection.target.pointer is not None:
            asked = asked or _met(repo, None if remote is True else name)
            lacking = _remote_missing(repo, selection.target, name, asked, failed)
            state = replace(state, remote_missing=lacking)
        if strict and state.erased:
            part = ErasedPart(state.erased, state.erasures)
            failed.append(ErasedError(part.text).failure(state.path))
        found.append(state)
    is_fresh = bool(found) and all(t.state in ("absent", "error") for t in found)
    head = repo.git.head() or ""
    return StatusResult(
        head,
        tuple(found),
        is_fresh,
        bool(repo.config.remote_names),
        repo.git.describe(head) if head and any(t.at for t in found) else "",
        meter.requests,
        failed=tuple(failed),
        warnings=tuple(warnings),
    )


def _look_at(
    repo: Repo,
    selection: Selection,
    moves: dict[bytes, bytes],
    failed: list[Failure],
    warnings: list[Failure],
    *,
    verify: bool,
    progress: Progress,
) -> TargetStatus:
    target = selection.target
    if target.is_conflict:
        return replace(_status(target, "conflict", git="modified"), conflicts=_conflicting(repo, target))
    if target.pointer is None:
        if target.error is not None:
            failed.append(target.error.failure(target.path))
        return _status(target, "error" if target.error else "clean")
    pointer = target.pointer
    if target.path in moves:
        return replace(_status(target, "clean", git="moved"), moved_from=moves[target.path])
    is_whole = False
    try:
        tracked = Tracked(lambda: repo.trees, pointer.root_id)
        look = repo.workspace.look(target.path, verify=verify, tracked=tracked)
        record = look.record
        is_whole = record is not None and not record.patterns and not record.missing
        if is_whole and look.is_clean(pointer.root_id):
            assert look.snapshot is not None
            _check_named(repo, selection, pointer, look)
            lost = missing_entries(
                repo.cache_folder, lambda: repo.cache, repo.state, lambda: repo.trees, pointer.root_id
            )
            if lost:
                warnings.append(_unsaved_warning(target, lost))
                return _status(target, "clean")
            part = erased_part(repo, pointer.root_id)
            return replace(_status(target, "clean"), erased=part.entries, erasures=part.names)
        is_whole = False
        return _compared(repo, selection, pointer, look, failed, progress)
    except MissingObjectError:
        if is_whole:  # the files are here, but the cache has lost their tree
            warnings.append(_unsaved_warning(target, pointer.files))
            return _status(target, "clean")
        # The tree itself was never fetched: nothing can be said of single files, and none is lost.
        return replace(_status(target, "absent"), absent=pointer.files)
    except DataverError as error:
        failed.append(error.failure(target.path))
        return _status(target, "error")


def _conflicting(repo: Repo, target: Target) -> tuple[bytes, ...]:
    from dataver.ops.conflicts import conflicts_of  # opens trees: only in a conflict

    return tuple(conflict.path for conflict in conflicts_of(repo, target))


def _check_named(repo: Repo, selection: Selection, pointer: Pointer, look: Look) -> None:
    """Check that each path named inside the target means something.  Raises: NoSuchPathError."""
    from dataver.ops.choosing import is_in_tree, is_on_disk  # only where something inside is named

    for pattern in selection.patterns:
        here = look.snapshot is not None and is_on_disk(look.snapshot, pattern)
        if not here and not is_in_tree(repo, pointer, pattern):
            raise NoSuchPathError(look.path + b"/" + pattern)


def _unsaved_warning(target: Target, lost: int) -> Failure:
    files = "1 file is" if lost == 1 else f"{lost} files are"
    return Failure(
        target.path,
        "missing-object",
        f"the content of {files} in the workspace only, and no more in the cache",
        f"dataver add {show_path(target.path)}",
        0,
    )


def _status(target: Target, state: str, *, git: str = "") -> TargetStatus:
    pointer = target.pointer
    return TargetStatus(
        path=target.path,
        pointer=target.pointer_path,
        state=state,
        git=git or target.git,
        changes=(),
        at="",
        files=pointer.files if pointer else 0,
        size_text=pointer.size_text if pointer else "",
        absent=0,
        missing=0,
        erased=0,
        remote_missing=None,
        sparse=(),
        is_folder=pointer is None or pointer.is_folder,
    )


def _compared(
    repo: Repo,
    selection: Selection,
    pointer: Pointer,
    look: Look,
    failed: list[Failure],
    progress: Progress,
) -> TargetStatus:
    from dataver.ops.comparing import compare_target  # opens trees: a clean status does without

    target = selection.target
    _check_named(repo, selection, pointer, look)
    code = ALGORITHM_CODES[repo.config.hash_name]
    compared = compare_target(repo, look, pointer, code, progress)
    failed += look.failed
    changes = [c for c in compared.changes if _is_selected(c, selection)]
    changes += [
        Change(UNSAFE, f.path, None, None, f.message)
        for f in look.failed
        if f.code in ("unsafe-file", "hostile-input")
    ]
    lost = missing_entries(
        repo.cache_folder, lambda: repo.cache, repo.state, lambda: repo.trees, pointer.root_id
    )
    absent = compared.absent
    state = "clean"
    if changes:
        state = "dirty"
    elif absent:
        state = "absent" if look.snapshot is None or not look.snapshot.files else "partial"
    record = look.record
    part = erased_part(repo, pointer.root_id)
    return replace(
        _status(target, state),
        changes=tuple(changes),
        at=_other_version(repo, target, record) if record and record.root_id != pointer.root_id else "",
        absent=absent,
        missing=_nowhere(repo, compared, lost) if lost else 0,
        erased=part.entries,
        erasures=part.names,
        sparse=tuple(p.decode("utf-8", "backslashreplace") for p in record.patterns) if record else (),
    )


def _nowhere(repo: Repo, compared: Compared, lost: int) -> int:
    """Count entries that are neither in the workspace nor in the cache; *lost* is what the cache lacks."""
    gone = [c.old.oid for c in compared.changes if c.kind == DELETED and c.old and c.old.oid]
    deleted = len(repo.cache.missing([blob_name(oid) for oid in gone]))
    return deleted + min(lost - deleted, compared.absent)


def _is_selected(change: Change, selection: Selection) -> bool:
    return not selection.patterns or Sparse(selection.patterns).matches(
        change.path[len(selection.target.path) + 1 :]
    )


def _other_version(repo: Repo, target: Target, record: Record) -> str:
    """Return the name of the commit whose version the workspace holds; empty when none is found."""
    return repo.version_name(target.pointer_path, record.root_id)


def _met(repo: Repo, name: str | None) -> Remote | DataverError:
    """Return a remote with its journal read, once for all targets, or why there is none."""
    try:
        remote = repo.remote(name)
        remote.refresh()
    except DataverError as error:
        return error
    return remote


def _remote_missing(
    repo: Repo, target: Target, name: str, remote: Remote | DataverError, failed: list[Failure]
) -> int | None:
    """Return how many objects of a target's version the remote *name* lacks; None where that is not known."""
    from dataver.transfer.lacking import count_lacking  # the remote's libraries

    assert target.pointer is not None
    try:
        if isinstance(remote, DataverError):
            raise remote
        count = count_lacking(repo.trees, remote, target.pointer.root_id)
    except DataverError as error:
        failed.append(error.failure(target.path))
        return None
    if count:
        what = f"data of {count} objects"
        failed.append(MissingObjectError(what, f"remote {name}").failure(target.path))
    return count
