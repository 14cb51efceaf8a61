"""What Git's hooks call before a commit: is there data that it would leave out, or a pointer to nothing?"""

from __future__ import annotations

from dataver.errors import (
    DataverError,
    DeniedContentError,
    Failure,
    FormatError,
    MissingObjectError,
    NotAddedError,
    show_path,
)
from dataver.formats.pointer import Pointer, decode_pointer
from dataver.git.hooking import is_known_blob
from dataver.model.guarding import PreCommitResult, Unadded
from dataver.model.names import root_name
from dataver.ops.status import status
from dataver.progress import SILENT, Progress
from dataver.repo import Repo
from dataver.workspace.pointers import Target


def git_pre_commit(repo: Repo, *, progress: Progress = SILENT) -> PreCommitResult:
    """Say what the commit under way leaves out: data that differs from its staged pointer.

    A staged pointer that cannot be read, that names data that nobody has, or that brings content that
    was erased, is in `failed`; with `policy.pre_commit = block` what is left out is there too.
    """
    targets = repo.targets()
    failed = [f for target in targets if (f := _unfit(repo, target)) is not None]
    looked = status(repo, progress=progress)
    staged = {t.path for t in targets if t.index_blob and not t.is_conflict}
    unadded = tuple(
        Unadded(t.path, len(t.changes), t.is_folder)
        for t in looked.targets
        if t.path in staged and not t.at and (t.changes or t.git == "modified")
    )
    if repo.config.is_unadded_blocked:
        failed += [_not_added(each) for each in unadded]
    unreadable = {f.path for f in failed}
    warnings = [f._replace(exit_status=0) for f in looked.failed if f.path not in unreadable]
    return PreCommitResult(unadded, failed=tuple(failed), warnings=tuple(warnings))


def _not_added(unadded: Unadded) -> Failure:
    hint = f"dataver add {show_path(unadded.path)}; or commit without it: git commit --no-verify"
    return NotAddedError(unadded.path, "has changes that are not added", hint=hint).failure(unadded.path)


def _unfit(repo: Repo, target: Target) -> Failure | None:
    """Return why the pointer that is about to be committed must not be; None where it may."""
    if not target.index_blob or target.is_conflict or target.index_blob == target.head_blob:
        return None
    shown = show_path(target.pointer_path)
    try:
        data = repo.git.try_read_blobs([target.index_blob])[0]
        if isinstance(data, DataverError):
            raise data
        pointer = decode_pointer(data, shown)
    except DataverError as error:
        message = error.message
        if isinstance(error, FormatError):
            message = f"the staged {shown} is no pointer: {error.why}"
        return error.failure(target.path)._replace(message=message, hint=_mend(target))
    if repo.cache.has(root_name(pointer.root_id)):
        return _denied(repo, target, pointer)
    if is_known_blob(repo.place, target.index_blob):
        return None
    gone = MissingObjectError(f"the data that the staged {shown} names", "the cache, nor known to any commit")
    gone.hint = f"dataver add {show_path(target.path)}"
    return gone.failure(target.path)


def _denied(repo: Repo, target: Target, pointer: Pointer) -> Failure | None:
    """Return that a staged version brings content that was erased; None where it brings none."""
    denier = repo.entry_denier()
    if denier is None:
        return None
    try:
        head = repo.git.try_read_blobs([target.head_blob])[0] if target.head_blob else b""
        old = decode_pointer(head, show_path(target.pointer_path)).root_id if isinstance(head, bytes) else b""
    except DataverError:
        old = b""
    try:
        for change in repo.trees.diff(old or None, pointer.root_id):
            entry = change.new
            name = denier(entry.path, entry.oid) if entry is not None and entry.oid is not None else ""
            if entry is not None and name:
                shown = target.path + b"/" + entry.path if pointer.is_folder else target.path
                return DeniedContentError(shown, name).failure(shown)
    except DataverError:
        return None  # a version that is not here whole was not added here
    return None


def _mend(target: Target) -> str:
    shown = show_path(target.pointer_path)
    return f"git checkout HEAD -- {shown}" if target.head_blob else f"git rm --cached {shown}"
