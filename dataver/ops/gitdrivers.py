"""What Git's diff and merge drivers call: pointers shown as data, and merged by entry."""

from __future__ import annotations

import os
from collections.abc import Sequence

from dataver.disk.atomic import replace
from dataver.errors import ConflictError, DataverError, show_path
from dataver.formats.pointer import Pointer, decode_pointer, encode_pointer, size_text, target_of
from dataver.model.diff import ADDED, DELETED, MODIFIED, RENAMED, RETYPED, Change, with_renames
from dataver.model.settle import Settlement
from dataver.ops.conflicts import Stages, conflict_text, decode_file, hint_to_resolve
from dataver.ops.merging import merging, write_merge
from dataver.repo import Repo

_SIGNS = {ADDED: "+", DELETED: "-", MODIFIED: "~", RETYPED: "~", RENAMED: ">"}
_SHOWN = 50


def diff_text(repo: Repo, path: str, old_file: str, new_file: str) -> str:
    """Return what `git diff` shows for the pointer *path*; the files hold its two versions.

    A missing tree is said, not raised: Git would stop at an error.
    """
    old, new = _pointer(old_file), _pointer(new_file)
    name = show_path(target_of(os.fsencode(path)))
    if old is not None and new is not None and old.root_id == new.root_id:
        return f"dataver {name}: the same data, another note or form\n"
    try:
        changes = with_renames(repo.trees.diff(old.root_id if old else None, new.root_id if new else None))
    except DataverError as error:
        return f"dataver {name}: {error.message}\n  hint: {error.hint}\n"
    lines = [f"dataver {name}  {_summary(changes)}", *(f"  {_line(c)}" for c in changes[:_SHOWN])]
    if len(changes) > _SHOWN:
        lines.append(f"  and {len(changes) - _SHOWN} more: dataver diff")
    return "\n".join(lines) + "\n"


def _summary(changes: Sequence[Change]) -> str:
    counts = dict.fromkeys(_SIGNS, 0)
    for change in changes:
        counts[change.kind] += 1
    modified = counts[MODIFIED] + counts[RETYPED]
    parts = [f"+{counts[ADDED]} file{'' if counts[ADDED] == 1 else 's'}" if counts[ADDED] else ""]
    parts += [f"-{counts[DELETED]}" if counts[DELETED] else "", f"~{modified}" if modified else ""]
    parts += [f"{counts[RENAMED]} renamed" if counts[RENAMED] else ""]
    size = sum(c.size_change for c in changes)
    parts += [f"{'-' if size < 0 else '+'}{size_text(abs(size))}" if size else ""]
    return "  ".join(part for part in parts if part)


def _line(change: Change) -> str:
    path = show_path(change.path)
    if change.kind == RENAMED and change.old is not None:
        path = f"{show_path(change.old.path)} -> {path}"
    entry = change.new or change.old
    return f"{_SIGNS[change.kind]} {path}  {size_text(entry.size if entry else 0)}"


def _pointer(file: str) -> Pointer | None:
    """Return the pointer in one of Git's temp files; None where there is none on this side."""
    if file == os.devnull:
        return None
    try:
        with open(file, "rb") as opened:
            return decode_pointer(opened.read(1 << 17), file)
    except (OSError, DataverError):
        return None


def merge(repo: Repo, base_file: str, ours_file: str, theirs_file: str, path: str) -> int:
    """Merge three versions of the pointer *path* by entry and write the result to *ours_file*.

    Returns 0 when merged.  Trees that the cache lacks come from the default remote: Git calls this
    and takes an answer, so nobody can fetch in between.  The tree is durable before the pointer.

    Raises: ConflictError naming what both sides changed, or why nothing could be compared; then
    *ours_file* stays ours, and the three versions stand in Git's index for `resolve`.
    """
    pointer_path = os.fsencode(path)
    target = target_of(pointer_path)
    try:
        versions = (decode_file(file, path) for file in (base_file, ours_file, theirs_file))
        sides = Stages(*versions).sides
        if sides is None:
            raise _conflict(pointer_path, "a file on one side, a folder or nothing on the other")
        with repo.cache_lock(shared=True), merging(repo, sides) as work:
            if not work.is_clean:
                work.writer.commit()  # what came from the remote, for `resolve`
                raise _conflict(pointer_path, conflict_text(work, target))
            settlement = Settlement(work.merge.changes, (), ())
            written = write_merge(repo, work, settlement, work.note, target=target)
            replace(repo.disk, ours_file, encode_pointer(written.pointer))
    except ConflictError:
        raise
    except DataverError as error:
        hint = f"dataver fetch && dataver resolve {show_path(path)}"
        raise ConflictError(path, f"not merged yet: {error.message}", hint=hint) from error
    return 0


def _conflict(pointer_path: bytes, why: str) -> ConflictError:
    return ConflictError(pointer_path, why, hint=hint_to_resolve(target_of(pointer_path)))
