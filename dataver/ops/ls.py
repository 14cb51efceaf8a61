"""`ls`: what a version holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dataver.errors import DataverError
from dataver.model.names import format_oid, is_below
from dataver.model.results import ListedEntry, ListResult
from dataver.model.tree import EMPTY_FOLDER, ENTRY_KINDS, Entry, after_folder
from dataver.ops.choosing import Choice, check_inside, choose
from dataver.repo import Repo
from dataver.store.checksums import folder_checksums
from dataver.workspace.paths import PathLike
from dataver.workspace.sparse import Sparse, is_glob


def ls(
    repo: Repo,
    rev: str | None = None,
    paths: Sequence[PathLike] = (),
    *,
    checksum: bool = False,
    recursive: bool = False,
) -> ListResult:
    """List targets, or what *paths* hold; folders as one row each unless *recursive*.

    Raises: NoSuchPathError, UnknownRevisionError.
    """
    chosen = choose(repo, rev, paths)
    rows: list[ListedEntry] = []
    failed = list(chosen.failed)
    for choice in chosen.choices:
        try:
            if not paths and not recursive:
                rows.append(_target_row(repo, choice, checksum=checksum))
                continue
            check_inside(repo, choice)
            for folder in choice.patterns or (b"",):
                rows += _below(repo, choice, folder, checksum=checksum, recursive=recursive)
        except DataverError as error:
            failed.append(error.failure(choice.path))
    return ListResult(tuple(rows), failed=tuple(failed))


def _target_row(repo: Repo, choice: Choice, *, checksum: bool) -> ListedEntry:
    pointer = choice.pointer
    pointer_path = choice.path + b".dv"
    size = sum(e.size for e in repo.trees.entries(pointer.root_id))
    if not pointer.is_folder:
        entry = next(repo.trees.entries(pointer.root_id), None)
        oid = format_oid(entry.oid) if entry and entry.oid else ""
        return ListedEntry(choice.path, "file", size, oid, pointer_path)
    digest = folder_checksums(repo.trees.entries(pointer.root_id), {b""}).get(b"", "") if checksum else ""
    return ListedEntry(choice.path, "folder", size, "", pointer_path, digest, pointer.files)


def _below(
    repo: Repo, choice: Choice, folder: bytes, *, checksum: bool, recursive: bool
) -> Iterator[ListedEntry]:
    """Yield one row per entry or, without *recursive*, per name directly below *folder*."""
    found = list(_matching(repo, choice, folder))
    is_flat = recursive or is_glob(folder) or (len(found) == 1 and found[0].path == folder)
    if is_flat:
        yield from (_row(choice, e) for e in found)
        return
    groups: dict[bytes, list[Entry]] = {}
    cut = len(folder) + 1 if folder else 0
    for entry in found:
        groups.setdefault(entry.path[cut:].split(b"/")[0], []).append(entry)
    for name, entries in groups.items():
        path = folder + b"/" + name if folder else name
        if entries[0].path == path:
            yield _row(choice, entries[0])
            continue
        digest = folder_checksums(entries, {path})[path] if checksum else ""
        files = sum(1 for e in entries if e.kind != EMPTY_FOLDER)
        size = sum(e.size for e in entries)
        yield ListedEntry(choice.shown(path), "folder", size, "", choice.path + b".dv", digest, files)


def _matching(repo: Repo, choice: Choice, folder: bytes) -> Iterator[Entry]:
    root_id = choice.pointer.root_id
    if is_glob(folder):
        sparse = Sparse([folder])
        return (e for e in repo.trees.entries(root_id) if sparse.matches(e.path))
    high = after_folder(folder) if folder else None
    return (e for e in repo.trees.entries(root_id, folder, high) if is_below(e.path, folder))


def _row(choice: Choice, entry: Entry) -> ListedEntry:
    oid = format_oid(entry.oid) if entry.oid else ""
    return ListedEntry(
        choice.shown(entry.path), ENTRY_KINDS[entry.kind], entry.size, oid, choice.path + b".dv"
    )
