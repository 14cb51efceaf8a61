"""The files of one work tree: look at a target, know what changed, remember what was seen.

The one place where index, record, scan and trees meet for a target.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dataver.disk.atomic import make_folders, temp_name
from dataver.disk.disk import Clock, Disk
from dataver.disk.safe_open import open_file, open_folder, open_root
from dataver.errors import DataverError, Failure, PermissionDeniedError, UnsafeFileError, local_error
from dataver.hashing import digest
from dataver.index.columns import Columns, load
from dataver.index.state import State
from dataver.model.names import Oid, folders_of, oid_of_digest
from dataver.progress import SILENT, Progress
from dataver.workspace.record import Record, Records, record_name
from dataver.workspace.scan import scan
from dataver.workspace.snapshot import Snapshot, Unsafe, rows_within, save_index

if TYPE_CHECKING:
    from dataver.store.cache import Cache
    from dataver.store.trees import Trees


@dataclass(slots=True)
class Look:
    """What was found of one target."""

    path: bytes
    record: Record | None
    columns: Columns | None
    snapshot: Snapshot | None
    """None where nothing lies at the path."""
    failed: list[Failure] = field(default_factory=list)
    """Files that could not be read or are never stored."""

    @property
    def refused(self) -> frozenset[bytes]:
        """Paths inside the target that are there but could not be taken."""
        size = len(self.path) + 1
        return frozenset(f.path[size:] if len(f.path) >= size else b"data" for f in self.failed)

    def is_clean(self, root_id: bytes) -> bool:
        """Tell, without opening a tree, that the files are exactly those of the tree *root_id*.

        False says nothing: then compare.
        """
        snapshot, columns = self.snapshot, self.columns
        return (
            snapshot is not None
            and columns is not None
            and self.record is not None
            and root_id == self.record.root_id == columns.root_id
            and not columns.touched
            and not columns.is_damaged
            and not snapshot.fresh
            and not snapshot.gone
            and not snapshot.unsafe
            and snapshot.empty_folders() == columns.empty_folders()
        )


class Tracked:
    """What a tree holds, asked only where something is ignored."""

    def __init__(self, trees_of: Callable[[], Trees], root_id: bytes) -> None:
        self._trees_of = trees_of
        self.root_id = root_id

    def holds(self, path: bytes) -> bool:
        """Tell whether *path* is an entry or a folder of the tree; False where the tree is not here."""
        try:
            return self._trees_of().holds(self.root_id, path)
        except DataverError:
            return False


class Workspace:
    """The user's files below the top of one work tree."""

    def __init__(
        self,
        top: str,
        own_folder: str,
        *,
        cache: Callable[[], Cache],
        records: Records,
        state: State,
        disk: Disk,
        clock: Clock,
    ) -> None:
        self.top = os.fsencode(top)
        self.records, self.state = records, state
        self.disk, self.clock = disk, clock
        self._cache = cache
        self._index_folder = f"{own_folder}/index"

    @property
    def cache(self) -> Cache:
        return self._cache()

    def absolute(self, target: bytes) -> bytes:
        """Return the absolute path of *target*."""
        return self.top + b"/" + target if target else self.top

    # -- looking ------------------------------------------------------------------------------

    def look(
        self,
        target: bytes,
        *,
        verify: bool = False,
        tracked: Tracked | None = None,
    ) -> Look:
        """Scan *target*; with *verify* nothing of the index is believed.

        What *tracked* holds is looked at even where it is ignored.

        Raises: HostileInputError where a folder above the target is a symlink, local errors.
        """
        self._check_above(target)
        columns = None if verify else load(self.index_path(target))
        record = self.records.load(target)
        snapshot = scan(
            self.absolute(target),
            columns,
            clock=self.clock,
            is_tracked=tracked.holds if tracked is not None else lambda path: False,
            above=self.folders_above(target),
            tracked_root=tracked.root_id if tracked is not None else b"",
        )
        look = Look(target, record, columns, snapshot)
        if snapshot is not None:
            look.failed += [_refusal(self._shown(target, u.path, snapshot), u) for u in snapshot.unsafe]
        return look

    def _check_above(self, target: bytes) -> None:
        """Refuse a target that a symlink, of another commit maybe, puts outside of the work tree."""
        root_fd = open_root(self.top)
        try:
            os.close(open_folder(root_fd, os.path.dirname(target)))
        except FileNotFoundError:
            return
        except OSError as error:
            raise local_error(error, os.path.dirname(target)) from error
        finally:
            os.close(root_fd)

    def folders_above(self, target: bytes) -> dict[bytes, bytes]:
        """Return the folders above *target* with its path from there, for their ignore rules."""
        above = {self.top: target}
        for folder in folders_of(target):
            above[self.absolute(folder)] = target[len(folder) + 1 :]
        return above

    @staticmethod
    def _shown(target: bytes, path: bytes, snapshot: Snapshot) -> bytes:
        """Return the path from the top of what lies at *path* in *target*."""
        return target if snapshot.is_single else target + b"/" + path

    def hash_fresh(
        self,
        look: Look,
        algorithm: int,
        *,
        jobs: int,
        progress: Progress = SILENT,
        within: Iterable[bytes] | None = None,
    ) -> None:
        """Hash what the index does not know; only at or below the paths *within*, where given."""
        from dataver.workspace.ingest import hash_only  # process pools: not for a clean status

        if look.snapshot is None or not look.snapshot.fresh:
            return
        rows = rows_within(look.snapshot, within)
        failed = hash_only(
            look.snapshot, algorithm, jobs=jobs, progress=progress, cache=self.cache, rows=rows
        )
        self.note_failures(look, failed)

    def note_failures(self, look: Look, failed: Iterable[Failure]) -> None:
        """Take failures that name paths inside the target."""
        assert look.snapshot is not None
        for failure in failed:
            shown = self._shown(look.path, failure.path, look.snapshot)
            look.failed.append(failure._replace(path=shown))

    def rehash(self, target: bytes, path: bytes, algorithm: int, *, is_single: bool) -> Oid | None:
        """Return the oid of a file by another algorithm; None where it cannot be read."""
        from dataver.disk.digest import digest_file  # brings threads: not for a clean status

        whole = target if is_single else target + b"/" + path
        try:
            root_fd = open_root(self.top)
            try:
                link = self._link_text(root_fd, whole)
                if link is not None:
                    return oid_of_digest(algorithm, digest(algorithm, link))
                fd = open_file(root_fd, whole)
            finally:
                os.close(root_fd)
            try:
                return oid_of_digest(algorithm, digest_file(fd, algorithm, os.fstat(fd).st_size))
            finally:
                os.close(fd)
        except (OSError, DataverError):
            return None

    @staticmethod
    def _link_text(root_fd: int, path: bytes) -> bytes | None:
        """Return what the symlink *path* says; None where it is none."""
        folder_fd = open_folder(root_fd, os.path.dirname(path))
        try:
            return os.readlink(os.path.basename(path), dir_fd=folder_fd)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return None
        finally:
            os.close(folder_fd)

    def size_of(self, oid: Oid) -> int:
        """Return the size of a loose blob that a symlink in the workspace stands for."""
        try:
            return os.stat(self.cache.loose.path(oid)).st_size
        except OSError:
            return 0

    # -- remembering --------------------------------------------------------------------------

    def index_path(self, target: bytes) -> str:
        return f"{self._index_folder}/{record_name(target)}.columns"

    def save_index(
        self,
        look: Look,
        root_id: bytes,
        touched: frozenset[bytes],
        *,
        rows: Mapping[bytes, Sequence[int]] | None = None,
        taken_ns: int = 0,
    ) -> None:
        """Remember what was seen.  An index that cannot be written is no error: it only saves time."""
        snapshot = look.snapshot
        if snapshot is None:
            return
        fresh: Mapping[bytes, Sequence[int]] = snapshot.fresh if rows is None else rows
        try:
            if not os.path.isdir(self._index_folder):
                make_folders(self.disk, self._index_folder)
            save_index(
                lambda parts: self._write(self.index_path(look.path), parts),
                snapshot,
                root_id,
                touched,
                fresh,
                taken_ns or snapshot.taken_ns,
            )
        except (OSError, DataverError):
            return

    def _write(self, path: str, parts: Iterable[bytes | bytearray | memoryview]) -> None:
        temp = temp_name(os.path.dirname(path))
        fd = self.disk.create(temp)
        try:
            with open(fd, "wb", buffering=1 << 20) as file:
                file.writelines(parts)
            # Not synced: an index that a power loss damages is noticed by its checksums.
            self.disk.rename(temp, path)
        except BaseException:
            self.disk.unlink(temp)
            raise

    def drop_index(self, target: bytes) -> None:
        try:
            self.disk.unlink(self.index_path(target))
        except FileNotFoundError:
            return
        except OSError as error:
            raise local_error(error, self.index_path(target), "delete") from error


def _refusal(path: bytes, unsafe: Unsafe) -> Failure:
    error = PermissionDeniedError(path) if unsafe.is_denied else UnsafeFileError(path, unsafe.why)
    return error.failure(path)
