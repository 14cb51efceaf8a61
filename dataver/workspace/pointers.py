"""The tracked targets of a work tree: each pointer as HEAD, Git's index and the disk have it.

The only module that says which pointers there are and which of their versions counts.  In a
merge conflict the stages of Git's index count, never the markers in the file.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dataver.disk.safe_open import open_file, open_root
from dataver.errors import ConflictError, DataverError, UnsafeError, local_error, show_path
from dataver.formats.pointer import MAX_SIZE, Pointer, decode_pointer, target_of
from dataver.git import EVERYTHING, Git
from dataver.hashing import git_digest


@dataclass(frozen=True, slots=True)
class Target:
    """One tracked file or folder; paths are relative to the top of the work tree."""

    path: bytes
    pointer_path: bytes
    head_blob: str
    """Git's id of the pointer in HEAD; empty where HEAD has none."""
    index_blob: str
    """Git's id of the staged pointer (of ours, in a conflict); empty where there is none."""
    disk_blob: str
    """Git's id of the file on disk; empty where there is none or it was not read."""
    pointer: Pointer | None
    """The version that counts: the file on disk, in a conflict ours; None where neither can be read."""
    error: DataverError | None = None
    stages: tuple[str, str, str] = ("", "", "")
    """Blobs of base, ours and theirs in a conflict."""

    @property
    def is_conflict(self) -> bool:
        return any(self.stages)

    @property
    def git(self) -> str:
        """The pointer against HEAD, as `TargetStatus.git` words it."""
        if not self.disk_blob:
            return "deleted"
        if not self.head_blob:
            return "added" if self.index_blob else "untracked"
        if self.disk_blob != self.index_blob:
            return "modified"
        return "committed" if self.head_blob == self.disk_blob else "staged"


def list_targets(git: Git) -> list[Target]:
    """Return every target, sorted by path; one bad pointer is its own error, not everybody's."""
    rows, head = git.head_and_index()
    staged: dict[bytes, str] = {}
    stages: dict[bytes, list[str]] = {}
    for row in rows:
        if row.stage == 0:
            staged[row.path] = row.blob
        else:
            stages.setdefault(row.path, ["", "", ""])[row.stage - 1] = row.blob
    paths = sorted({*staged, *stages, *head, *git.untracked_pointers()})
    links = {row.path for row in rows if row.mode == 0o120000}
    root_fd = open_root(git.top)
    try:
        return [
            _target(
                git,
                root_fd,
                _Rows(path, head.get(path, ""), staged.get(path, ""), stages.get(path), path in links),
            )
            for path in paths
            if path not in (b".dv",) and not path.endswith(b"/.dv")
        ]
    finally:
        os.close(root_fd)


class _Rows(NamedTuple):
    """What Git says of one pointer."""

    path: bytes
    head_blob: str
    index_blob: str
    stages: Sequence[str] | None
    is_link: bool


def _target(git: Git, root_fd: int, rows: _Rows) -> Target:
    path, head_blob, index_blob, stages, is_link = rows
    triple = (stages[0], stages[1], stages[2]) if stages else ("", "", "")
    pointer: Pointer | None = None
    error: DataverError | None = None
    disk_blob = ""
    try:
        if is_link:
            raise UnsafeError(f"{show_path(path)} is a symlink")
        data = _read(root_fd, path)
        if data is not None:
            disk_blob = blob_id(data, head_blob or index_blob or triple[1])
            if not stages:
                pointer = decode_pointer(data, show_path(path))
        if stages:
            ours = triple[1] or triple[2]
            error = ConflictError(
                target_of(path),
                "changed on both sides",
                hint=f"dataver resolve --union|--ours|--theirs {show_path(path)}",
            )
            pointer = decode_pointer(git.read_blobs([ours])[0], show_path(path))
    except DataverError as caught:
        error = caught
    index_blob = index_blob or triple[1]
    return Target(target_of(path), path, head_blob, index_blob, disk_blob, pointer, error, triple)


def _read(root_fd: int, path: bytes) -> bytes | None:
    """Return a pointer's bytes; None where there is no file.  Raises: UnsafeError, local errors."""
    try:
        fd = open_file(root_fd, path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise local_error(error, path) from error
    with open(fd, "rb") as file:
        return file.read(MAX_SIZE + 1)


def blob_id(data: bytes, like: str) -> str:
    """Return Git's id of *data*, by the hash that the id *like* was made with."""
    return git_digest(b"blob %d\0" % len(data) + data, is_sha256=len(like) == 64)


def decode_rows(git: Git, blobs: dict[bytes, str]) -> tuple[dict[bytes, Pointer], dict[bytes, DataverError]]:
    """Return the pointers of path -> blob, and an error for each path that cannot be read."""
    paths = sorted(blobs)
    found: dict[bytes, Pointer] = {}
    bad: dict[bytes, DataverError] = {}
    for path, data in zip(paths, git.try_read_blobs([blobs[p] for p in paths]) if paths else [], strict=True):
        if isinstance(data, DataverError):
            bad[path] = data
            continue
        try:
            found[path] = decode_pointer(data, show_path(path))
        except DataverError as error:
            bad[path] = error
    return found, bad


def pointers_at(git: Git, rev: str) -> tuple[dict[bytes, Pointer], dict[bytes, DataverError]]:
    """Return pointer path -> pointer of a revision, and what could not be read.

    Raises: UnknownRevisionError.
    """
    return decode_rows(git, git.pointers_at(rev))


def version_name(git: Git, pointer_path: bytes, root_id: bytes) -> str:
    """Return what people call the newest commit whose pointer names the tree *root_id*; empty for none."""
    rows = [row for row in git.pointer_blobs([EVERYTHING]) if row[0] == pointer_path]
    contents = git.try_read_blobs([blob for _, blob, _ in rows]) if rows else []
    for (_, _, commit), data in zip(reversed(rows), reversed(contents), strict=True):
        if isinstance(data, bytes) and root_id.hex().encode() in data:
            return git.describe(commit)
    return ""
