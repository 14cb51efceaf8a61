"""Take away what stands where a checkout has to write: into the trash where it could not be had again.

The only module that deletes the user's files.  A file is looked at once more before it goes: one
that changed since it was scanned stays.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dataver.disk.atomic import make_folders
from dataver.disk.safe_open import open_folder, open_root
from dataver.errors import DataverError, Failure, LocalIOError, local_error
from dataver.model.diff import Change
from dataver.model.names import Oid, blob_name, folders_of
from dataver.model.plan import CheckoutPlan
from dataver.model.tree import EMPTY_FOLDER, Entry
from dataver.workspace.snapshot import Snapshot, stat_cells
from dataver.workspace.workspace import Workspace


@dataclass(slots=True)
class Desired:
    """What a target shall be brought to."""

    root_id: bytes
    is_folder: bool
    patterns: tuple[bytes, ...]
    """The sparse set afterwards; empty for everything."""
    narrowed: tuple[bytes, ...] = ()
    """Paths that this checkout was narrowed to; empty for all of the sparse set."""
    beside: bytes = b""
    """The pointer's tree, where a version was asked for by name."""


@dataclass(slots=True)
class Outcome:
    """What a checkout of one target came to."""

    written: int = 0
    deleted: int = 0
    kept: int = 0
    size: int = 0
    absent: int = 0
    failed: list[Failure] = field(default_factory=list)
    planned: tuple[Change, ...] = ()
    denied: dict[bytes, str] = field(default_factory=dict)
    """Path from the top -> name of the erasure that denies its content: it is left out."""


class Clearing:
    """The files of one target that have to go."""

    def __init__(
        self,
        workspace: Workspace,
        path: bytes,
        snapshot: Snapshot | None,
        *,
        is_folder: bool,
        trash: str,
        is_denied: Callable[[Oid], bool] = lambda oid: False,
    ) -> None:
        """*trash* is the folder for what cannot be had again; empty where nothing may be lost so.

        Content that an erasure denies is not put there.
        """
        self._workspace, self._path, self._snapshot = workspace, path, snapshot
        self._is_denied = is_denied
        self._is_folder, self._trash = is_folder, trash
        self._linked: dict[bytes, tuple[int, ...]] = {}
        """Stat of files after they were linked into the trash, which changes their ctime."""

    def clear(self, plan: CheckoutPlan, outcome: Outcome) -> None:
        """Do what *plan* deletes, and make way for what it writes.  Raises: local errors."""
        root_fd = open_root(self.root())
        try:
            if self._trash:
                self._to_trash(root_fd, plan)
            self._delete(root_fd, plan.deletes, outcome)
            self._clear_folders(root_fd, plan)
        finally:
            os.close(root_fd)

    def root(self) -> bytes:
        whole = self._workspace.absolute(self._path)
        return whole if self._is_folder else os.path.dirname(whole)

    def shown(self, path: bytes) -> bytes:
        return self._path + b"/" + path if self._is_folder else self._path

    def _name_on_disk(self, path: bytes) -> bytes:
        return path if self._is_folder else os.path.basename(self._path)

    def stat_of(self, path: bytes) -> tuple[int, ...] | None:
        if path in self._linked:
            return self._linked[path]
        found = self._snapshot.find(path) if self._snapshot is not None else None
        return None if found is None else found[0].stat(found[1])

    def _to_trash(self, root_fd: int, plan: CheckoutPlan) -> None:
        """Keep what is replaced or deleted and cannot be had again; a link costs no space."""
        cache = self._workspace.cache
        folder = f"{self._trash}/{time.strftime('%Y%m%dT%H%M%S')}-{os.urandom(3).hex()}"
        for change in plan.changes:
            old = change.old
            if old is None or old.oid is None or cache.has(blob_name(old.oid)) or self._is_denied(old.oid):
                continue
            name = self._name_on_disk(change.path)
            place = os.fsencode(folder) + b"/" + self.shown(change.path)
            try:
                make_folders(self._workspace.disk, os.fsdecode(os.path.dirname(place)))
                seen = self.stat_of(change.path)
                if seen != stat_cells(os.stat(name, dir_fd=root_fd, follow_symlinks=False)):
                    continue
                self._workspace.disk.link(name, place, source_dir_fd=root_fd)
                self._linked[change.path] = stat_cells(os.stat(name, dir_fd=root_fd, follow_symlinks=False))
            except FileNotFoundError:
                continue
            except OSError:
                self._copy(self.root() + b"/" + name, place)

    @staticmethod
    def _copy(source: bytes, place: bytes) -> None:
        """Copy where no link can be made: the trash is on another file system."""
        try:
            with open(source, "rb") as file, open(place, "xb") as copy:
                while data := file.read(1 << 20):
                    copy.write(data)
        except OSError as error:
            raise local_error(error, place, "write") from error

    def _delete(self, root_fd: int, deletes: Sequence[Entry], outcome: Outcome) -> None:
        disk = self._workspace.disk
        for entry in reversed(deletes):
            parent, _, name = self._name_on_disk(entry.path).rpartition(b"/")
            try:
                fd = open_folder(root_fd, parent)
                try:
                    if entry.kind == EMPTY_FOLDER:
                        with contextlib.suppress(OSError):
                            disk.rmdir(name, dir_fd=fd)
                        continue
                    st = os.stat(name, dir_fd=fd, follow_symlinks=False)
                    if self.stat_of(entry.path) != stat_cells(st):
                        raise LocalIOError(entry.path, "changed meanwhile and was kept")
                    disk.unlink(name, dir_fd=fd)
                    outcome.deleted += 1
                finally:
                    os.close(fd)
            except FileNotFoundError:
                continue
            except DataverError as error:
                outcome.failed.append(error.failure(self.shown(entry.path)))
            except OSError as error:
                problem = local_error(error, entry.path, "delete")
                outcome.failed.append(problem.failure(self.shown(entry.path)))

    def _clear_folders(self, root_fd: int, plan: CheckoutPlan) -> None:
        """Remove folders that deletions emptied, and empty ones that stand where a file has to be."""
        below = {folder for e in plan.deletes for folder in folders_of(e.path)}
        in_way = {e.path for e in plan.writes if self._snapshot and e.path in self._snapshot.folders}
        needed = {e.path for e in plan.writes if e.kind == EMPTY_FOLDER}
        for folder in sorted(below | in_way, reverse=True):
            if folder in needed:
                continue
            parent, _, name = folder.rpartition(b"/")
            with contextlib.suppress(OSError, DataverError):
                fd = open_folder(root_fd, parent)
                try:
                    self._workspace.disk.rmdir(name, dir_fd=fd)
                finally:
                    os.close(fd)
