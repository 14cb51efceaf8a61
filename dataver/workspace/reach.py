"""Which trees one repository needs: those that any pointer it keeps names, and those of its work trees.

Whatever cannot be looked at is refused by name: `gc` deletes only what is surely not needed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from dataver.disk.safe_open import open_file, open_root
from dataver.errors import (
    DataverError,
    FormatError,
    PermissionDeniedError,
    UnprovenError,
    UnsafeError,
    UnsupportedError,
    local_error,
    show_path,
)
from dataver.formats.pointer import MAX_SIZE, decode_pointer
from dataver.git.reach import KeptByGit, WorkTree
from dataver.workspace.users import User

_TREE_LINE = re.compile(rb'^tree = "([0-9a-f]{64})"$', re.MULTILINE)
_RECORD_HEADER = b"dataver record "
_RECORD_ROOT = re.compile(rb"^(?:root|beside) ([0-9a-f]{64})$", re.MULTILINE)
_MOST_OF_A_RECORD = 1 << 30


@dataclass(slots=True)
class Reached:
    """What one repository needs."""

    user: User
    roots: set[bytes] = field(default_factory=set)
    """Ids of all trees that it needs, 32 bytes each."""
    present: set[bytes] = field(default_factory=set)
    """Those of them that HEAD, the index, the files or the record of a work tree name."""
    tops: list[str] = field(default_factory=list)
    """Where its work trees are."""


def reach(user: User) -> Reached:
    """Return what the repository of *user* needs.

    Raises: UnprovenError where that cannot be found out.
    """
    if not user.is_here:
        raise _absent(user)
    try:
        return _reach(user)
    except UnprovenError:
        raise
    except (UnsupportedError, PermissionDeniedError) as error:
        raise UnprovenError(user.shown, error.message, hint=error.hint or _way_out(user)) from error
    except DataverError as error:
        why = f"cannot be asked what it needs ({error.message})"
        raise UnprovenError(user.shown, why, hint=error.hint or _way_out(user)) from error


def _absent(user: User) -> UnprovenError:
    shown = show_path(user.shown)
    if user.host != os.uname().nodename:
        why = f"uses this cache on another host ({show_path(user.host)})"
        return UnprovenError(
            shown, why, hint=f"run dataver gc there; if it is gone for good: {_forget(user)}"
        )
    why = "used this cache, and is not there any more"
    return UnprovenError(
        shown, why, hint=f"if it moved, run dataver status in it; if it is gone for good: {_forget(user)}"
    )


def _forget(user: User) -> str:
    return f"dataver gc --forget {show_path(user.root)}"


def _way_out(user: User) -> str:
    return f"git -C {show_path(user.shown)} fsck; if it is gone for good: {_forget(user)}"


def _reach(user: User) -> Reached:
    found = Reached(user)
    kept = KeptByGit(user.git, user.root)
    where: dict[str, bytes] = {}
    present: set[str] = set()
    for pointer in kept.pointers():
        where.setdefault(pointer.blob, pointer.path)
        if pointer.is_present:
            present.add(pointer.blob)
    blobs = list(where)
    for blob, data in zip(blobs, kept.read(blobs), strict=True):
        if isinstance(data, FormatError):
            continue  # too large for a pointer of any version, or no file
        if isinstance(data, DataverError):
            raise data
        roots = roots_of(data, show_path(where[blob]))
        found.roots |= roots
        if blob in present:
            found.present |= roots
    for tree in kept.work_trees:
        found.present |= _recorded(tree)
        if tree.top:
            found.tops.append(tree.top)
            found.present |= _on_disk(kept, tree)
    found.roots |= found.present
    return found


def roots_of(data: bytes, where: str) -> set[bytes]:
    """Return the trees that the text of a pointer names.

    One that is damaged, or holds both sides of a conflict, counts for all that it seems to name; so
    nobody's slip in old history keeps `gc` from working.  Raises: UnsupportedError for a later
    version, which may name trees in a way that nobody here can read.
    """
    try:
        return {decode_pointer(data, where).root_id}
    except FormatError:
        return {bytes.fromhex(found.decode()) for found in _TREE_LINE.findall(data)}


def _on_disk(kept: KeptByGit, tree: WorkTree) -> set[bytes]:
    """Return the trees that the pointers among a work tree's files name."""
    roots: set[bytes] = set()
    try:
        root_fd = open_root(tree.top)
    except FileNotFoundError:
        return roots
    except OSError as error:
        raise local_error(error, tree.top) from error
    try:
        for path in sorted({*kept.staged_paths(tree), *kept.untracked(tree)}):
            data = _content(root_fd, path)
            if len(data) <= MAX_SIZE:
                roots |= roots_of(data, show_path(path))
    finally:
        os.close(root_fd)
    return roots


def _content(root_fd: int, path: bytes) -> bytes:
    """Return the file's bytes; nothing for what is no file, which no command takes for a pointer."""
    try:
        fd = open_file(root_fd, path)
    except (FileNotFoundError, NotADirectoryError, UnsafeError):
        return b""
    except OSError as error:
        raise local_error(error, path) from error
    with open(fd, "rb") as file:
        return file.read(MAX_SIZE + 1)


def _recorded(tree: WorkTree) -> set[bytes]:
    """Return the trees that a work tree was last brought to."""
    roots: set[bytes] = set()
    for path in _files(f"{tree.git_dir}/dataver/record"):
        try:
            with open(path, "rb") as file:
                data = file.read(_MOST_OF_A_RECORD)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise local_error(error, path) from error
        version = data.partition(b"\n")[0].removeprefix(_RECORD_HEADER)
        if data.startswith(_RECORD_HEADER) and version.isdigit() and int(version) > 1:
            raise UnsupportedError(f"{path}: version", int(version))
        roots.update(bytes.fromhex(found.decode()) for found in _RECORD_ROOT.findall(data))
    return roots


def _files(folder: str) -> Iterator[str]:
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return
    except OSError as error:
        raise local_error(error, folder) from error
    yield from (f"{folder}/{name}" for name in names if not name.startswith("."))
