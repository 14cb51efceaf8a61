"""What Git's diff and merge drivers call: pointers shown as data, and merged as trees."""

from __future__ import annotations

import os
from collections.abc import Sequence

from dataver.disk.atomic import replace
from dataver.errors import ConflictError, DataverError, show_path
from dataver.formats.pointer import Pointer, decode_pointer, encode_pointer, size_text, target_of
from dataver.model.diff import ADDED, DELETED, MODIFIED, RENAMED, RETYPED, Change, with_renames
from dataver.model.merge import merge_changes
from dataver.model.tree import EMPTY_FOLDER
from dataver.repo import Repo
from dataver.store.cache_writer import CacheWriter
from dataver.store.trees import EMPTY_ROOT_ID
from dataver.store.treewriter import update
from dataver.workspace.adding import key_of

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

    Returns 0 when merged, 1 when a person has to decide: then *ours_file* stays ours, and every
    path that both sides changed is in the error that the caller shows.

    Raises: ConflictError naming what both sides changed, FormatError, MissingObjectError.
    """
    base, ours, theirs = _read(base_file), _read(ours_file), _read(theirs_file)
    if ours is None or theirs is None:
        raise ConflictError(path, "one side is no pointer")
    if ours.is_folder != theirs.is_folder or ours.note != theirs.note:
        raise ConflictError(path, "one side is a file, the other a folder, or their notes differ")
    trees = repo.trees
    if trees.same_view(ours.root_id, theirs.root_id):
        _write(repo, ours_file, ours, min(ours.root_id, theirs.root_id))
        return 0
    base_root = base.root_id if base is not None else EMPTY_ROOT_ID
    result = merge_changes(trees.diff(base_root, ours.root_id), trees.diff(base_root, theirs.root_id))
    if result.conflicts:
        paths = ", ".join(show_path(c.path) for c in result.conflicts[:5])
        more = f" and {len(result.conflicts) - 5} more" if len(result.conflicts) > 5 else ""
        raise ConflictError(path, f"changed on both sides: {paths}{more}")
    secret = repo.secret
    with CacheWriter(repo.cache) as writer:
        root_id = update(
            trees, ours.root_id, result.changes, writer, key_of(secret.tree_key if secret else None)
        )
        writer.commit()
    _write(repo, ours_file, ours, root_id)
    return 0


def _read(file: str) -> Pointer | None:
    with open(file, "rb") as opened:
        data = opened.read(1 << 17)
    return decode_pointer(data, file) if data else None


def _write(repo: Repo, file: str, like: Pointer, root_id: bytes) -> None:
    files = size = 0
    for entry in repo.trees.entries(root_id):
        files += entry.kind != EMPTY_FOLDER
        size += entry.size
    pointer = Pointer(root_id, like.is_folder, files, size_text(size), like.note)
    replace(repo.disk, file, encode_pointer(pointer))
