"""`purge scan`: look in any folder for content that was erased, such as in a restored backup."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from dataver.disk.digest import digest_file
from dataver.disk.safe_open import open_plain
from dataver.erasure.examine import Examiner
from dataver.errors import (
    ChangedWhileReadError,
    DataverError,
    Failure,
    StillPresentError,
    UsageError,
    local_error,
    show_path,
)
from dataver.formats.pack import HEADER, Row
from dataver.formats.tree import MAX_LEAF_BYTES, decode_leaf
from dataver.hashing import ALGORITHM_CODES, BLAKE3
from dataver.model.names import BLOB, LEAF, RECIPE, oid_of_digest, oid_of_name
from dataver.model.purging import PurgeScanResult, ScanHit
from dataver.progress import SILENT, Progress
from dataver.repo import Repo
from dataver.store.packfile import PackReader

_MAGIC = HEADER[:6]


def purge_scan(
    repo: Repo, folder: str, *, delete: bool = False, progress: Progress = SILENT
) -> PurgeScanResult:
    """Find the files below *folder* that hold erased content; with *delete* delete them.

    Symlinks are not followed, and files that are no regular ones are passed over.  A pack that holds
    something erased is reported and stays: what else it holds may be needed.

    Raises: UsageError where *folder* is none.
    """
    top = os.path.join(repo.cwd, os.path.expanduser(folder))
    if not os.path.isdir(top):
        raise UsageError(f"{show_path(folder)} is no folder", hint="dataver purge scan DIR")
    scan = _Scan(repo, Examiner(repo.erasures, repo.secret), delete)
    if scan.examiner.is_idle or repo.secret is None:
        # Nothing would be found, and that must not pass for "nothing is there".
        why = "this clone knows of nothing that was erased"
        unknown = Failure(b"", "no-records", why, "dataver fetch", 0)
        return PurgeScanResult(folder, 0, (), warnings=(unknown,))
    with progress.task("files") as task:
        for path, status in _files_of(top, scan.failed):
            scan.look(path, os.path.join(folder, os.path.relpath(path, top)), status)
            task.advance(1, status.st_size)
    return PurgeScanResult(folder, scan.files, tuple(scan.hits), failed=(*scan.failed, *scan.left(folder)))


def _files_of(top: str, failed: list[Failure]) -> Iterator[tuple[str, os.stat_result]]:
    """Yield every regular file below *top*, folder by folder; what cannot be listed is added to *failed*."""
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            failed.append(local_error(error, folder).failure(os.fsencode(folder)))
            continue
        waiting += [entry.path for entry in reversed(entries) if entry.is_dir(follow_symlinks=False)]
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                try:
                    yield entry.path, entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                except OSError as error:
                    failed.append(local_error(error, entry.path).failure(os.fsencode(entry.path)))


@dataclass(slots=True)
class _Scan:
    """One pass over a folder."""

    repo: Repo
    examiner: Examiner
    is_deleting: bool
    files: int = 0
    hits: list[ScanHit] = field(default_factory=list)
    packs: set[str] = field(default_factory=set)
    """Erasures of which something lies in packs."""
    failed: list[Failure] = field(default_factory=list)

    def look(self, path: str, shown: str, status: os.stat_result) -> None:
        """Look at one file, and delete it where it holds erased content and that is wanted."""
        try:
            fd = open_plain(path)
        except FileNotFoundError:
            return
        except OSError as error:
            self.failed.append(local_error(error, shown).failure(os.fsencode(shown)))
            return
        except DataverError as error:
            self.failed.append(error.failure(os.fsencode(shown)))
            return
        try:
            self.files += 1
            erasure = self._erasure_of(fd, status.st_size)
            opened = os.fstat(fd)
            is_pack = not erasure and os.pread(fd, len(_MAGIC), 0) == _MAGIC
            if not _is_same(opened, status):
                raise ChangedWhileReadError(shown)
            if erasure:
                is_gone = self.is_deleting and self._unlink(path, opened)
                self.hits.append(ScanHit(shown, erasure, is_gone))
            elif is_pack:
                for found in _erasures_in_pack(path, self.examiner, self.repo):
                    self.hits.append(ScanHit(shown, found, deleted=False))
                    self.packs.add(found)
        except OSError as error:
            self.failed.append(local_error(error, shown).failure(os.fsencode(shown)))
        except DataverError as error:
            self.failed.append(error.failure(os.fsencode(shown)))
        finally:
            os.close(fd)

    def _erasure_of(self, fd: int, size: int) -> str:
        """Return the erasure that denies the content of an open file, by any algorithm that is in use."""
        for algorithm in sorted({BLAKE3, ALGORITHM_CODES.get(self.repo.config.hash_name, BLAKE3)}):
            found = self.examiner.content(oid_of_digest(algorithm, digest_file(fd, algorithm, size)))
            if found:
                return found
        return ""

    def _unlink(self, path: str, hashed: os.stat_result) -> bool:
        """Delete the file that was hashed; another one that took its name meanwhile stays."""
        if not _is_same(os.lstat(path), hashed):
            raise ChangedWhileReadError(path)
        self.repo.disk.unlink(path)
        self.repo.disk.sync_folder(os.path.dirname(path))
        return True

    def left(self, folder: str) -> Iterator[Failure]:
        """Yield a failure for each erasure of which something is still in the folder."""
        for erasure in sorted({hit.erasure for hit in self.hits if not hit.deleted}):
            error = StillPresentError(erasure, show_path(folder))
            error.hint = f"dataver purge scan {show_path(folder)} --delete"
            if erasure in self.packs:
                # A pack is written anew where it belongs; anywhere else it has to go as it is.
                error.hint = f"delete that copy, or put it in its place and run dataver purge sweep {erasure}"
            yield error.failure()


def _is_same(one: os.stat_result, other: os.stat_result) -> bool:
    """Tell whether two looks saw the same unchanged regular file."""
    fields = ("st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns")
    return stat.S_ISREG(one.st_mode) and all(getattr(one, name) == getattr(other, name) for name in fields)


def _erasures_in_pack(path: str, examiner: Examiner, repo: Repo) -> list[str]:
    """Return the erasures of which a pack holds content, a recipe, or a name with its hash.

    Raises: FormatError for half a pack and UnsupportedError for a later one: nobody can look into these.
    """
    reader = PackReader(path)
    try:
        found: set[str] = set()
        for row in reader.table().rows():
            if row.name[0] in (BLOB, RECIPE):
                found.add(examiner.content(oid_of_name(row.name)))
            elif row.name[0] == LEAF and row.raw <= MAX_LEAF_BYTES:
                found |= _erasures_in_leaf(reader, row, examiner, repo)
        return sorted(found - {""})
    finally:
        reader.close()


def _erasures_in_leaf(reader: PackReader, row: Row, examiner: Examiner, repo: Repo) -> set[str]:
    leaf = decode_leaf(reader.read(row), row.name[2:])
    gone = examiner.denied_in(leaf)
    named = {repo.erasures.name_of(commitment) for commitment in gone}
    entries = (
        e for e, c in zip(leaf.entries, leaf.commitments, strict=True) if c in gone and e.oid is not None
    )
    return named | {examiner.entry(entry.path, entry.oid) for entry in entries if entry.oid is not None}
