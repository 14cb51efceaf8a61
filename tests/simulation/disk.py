"""A real folder whose disk is full, fails, stops, or loses at a loss of power what was not yet synced.

`SimulatedDisk` does everything for real and notes how to undo it.  After a crash `recover` leaves
one of the states in which the disk may come back: of the bytes that were not synced some, none or
zeros, and of the names any part that keeps the order per name.  A rename happened or did not.
What is written past it (SQLite's file, Git's, the user's) counts as durable; `settle` says that of
everything, as it is half a minute later.
"""

from __future__ import annotations

import errno
import itertools
import os
import random
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from dataver.disk.disk import Buffer, Disk, StrOrBytes
from tests.simulation.power import Crash, Power

_BLOCK = 4096
_NUMBERS = itertools.count()


@dataclass(slots=True)
class _Inode:
    """A file with bytes that are not synced."""

    fd: int
    durable: bytes
    is_spoilt: bool = False
    """A sync of it failed: the bytes are gone, though a later one may say that all is well."""


@dataclass(slots=True)
class _Change:
    """A change of names, and what undoes it."""

    step: str
    path: bytes
    """The name that came or went; of a rename the new one."""
    folders: frozenset[int]
    """The inodes of the folders it changed: a sync of one makes it durable."""
    source: bytes = b""
    """A rename's old name."""
    saved: bytes = b""
    """Where the file lies that lost its name by it."""
    is_of_folder: bool = False
    is_durable: bool = False


class SimulatedDisk(Disk):
    """The disk that *limbo* lies on too: a folder of its own for files that lost their names."""

    def __init__(self, limbo: Path, power: Power | None = None) -> None:
        limbo.mkdir(parents=True, exist_ok=True)
        self.power = power or Power()
        self._limbo = os.fsencode(limbo)
        self._inodes: dict[int, _Inode] = {}
        self._changes: list[_Change] = []

    # -- what a test asks

    def settle(self) -> None:
        """Make everything durable."""
        for inode in self._inodes.values():
            os.close(inode.fd)
        self._inodes.clear()
        self._changes.clear()

    def recover(self, seed: int, *, is_power_lost: bool | None = None) -> None:
        """Switch the machine on again, with what *seed* leaves of what was not synced.

        Without a loss of power (None: *seed* says) only the process was killed, and nothing is lost.
        """
        choice = random.Random(seed)
        if is_power_lost is None:
            is_power_lost = choice.random() < 0.7
        if is_power_lost:
            self._lose_bytes(choice)
            self._lose_names(choice)
        self.settle()
        self.power.restore()

    def _lose_bytes(self, choice: random.Random) -> None:
        for inode in self._inodes.values():
            current = _content(inode.fd)
            torn = current[: choice.randrange(len(current) + 1)]
            blocks = b"".join(
                current[at : at + _BLOCK] if choice.random() < 0.5 else bytes(len(current[at : at + _BLOCK]))
                for at in range(0, len(current), _BLOCK)
            )
            left = choice.choice([inode.durable, torn, blocks, bytes(len(current)), current])
            if inode.is_spoilt and left == current:
                left = inode.durable
            os.ftruncate(inode.fd, 0)
            os.pwrite(inode.fd, left, 0)

    def _lose_names(self, choice: random.Random) -> None:
        how = choice.choice(("tail", "any", "all"))
        cut = choice.randrange(len(self._changes) + 1)
        kept = _Kept()
        for number in reversed(range(len(self._changes))):
            change = self._changes[number]
            is_lost = how == "all" or (how == "tail" and number >= cut)
            if how == "any":
                is_lost = choice.random() < 0.5
            if is_lost and not change.is_durable and not kept.holds(change):
                _undo(change, kept.now_at(change.path), kept.now_at(change.source))
            else:
                kept.add(change)

    # -- noting

    def _note(self, step: str, path: bytes, **how: bytes | bool) -> None:
        where = [path, *([source] if isinstance(source := how.get("source", b""), bytes) and source else [])]
        folders = frozenset(os.stat(os.path.dirname(name)).st_ino for name in where)
        self._changes.append(_Change(step, path, folders, **how))  # type: ignore[arg-type]

    def _save(self, path: bytes) -> bytes:
        """Keep the file that is about to lose the name *path*; nothing where there is none."""
        saved = self._limbo + b"/%d" % next(_NUMBERS)
        try:
            os.link(path, saved, follow_symlinks=False)
        except FileNotFoundError:
            return b""
        return saved

    def _touch(self, fd: int) -> _Inode:
        """Return what is kept of an open file whose bytes are about to change."""
        number = os.fstat(fd).st_ino
        inode = self._inodes.get(number)
        if inode is None:
            inode = self._inodes[number] = _Inode(os.dup(fd), _content(fd))
        return inode

    def _synced(self, number: int) -> None:
        inode = self._inodes.get(number)
        if inode is not None and not inode.is_spoilt:
            os.close(inode.fd)
            del self._inodes[number]

    def _spoil(self, numbers: list[int]) -> None:
        for number in numbers:
            if number in self._inodes:
                self._inodes[number].is_spoilt = True

    # -- the disk

    def create(self, path: StrOrBytes, mode: int = 0o600, *, dir_fd: int | None = None) -> int:
        self.power.disk_step("create")
        fd = super().create(path, mode, dir_fd=dir_fd)
        self._touch(fd)
        self._note("create", _whole(path, dir_fd))
        return fd

    def write(self, fd: int, data: Buffer) -> None:
        self._touch(fd)
        is_running = not self.power.is_off
        try:
            self.power.disk_step("write")
        except (OSError, Crash):
            # The last thing that a machine does, or a disk before it is full, may be half of a write.
            if is_running:
                super().write(fd, memoryview(data)[: len(data) // 2])
            raise
        super().write(fd, data)

    def truncate(self, fd: int, size: int) -> None:
        self._touch(fd)
        self.power.disk_step("truncate")
        super().truncate(fd, size)

    def sync(self, fd: int) -> None:
        number = os.fstat(fd).st_ino
        try:
            self.power.disk_step("sync")
        except OSError:
            self._spoil([number])
            raise
        self._synced(number)

    def sync_folder(self, path: StrOrBytes, *, dir_fd: int | None = None) -> None:
        self.power.disk_step("sync_folder")
        number = os.stat(path, dir_fd=dir_fd).st_ino
        for change in self._changes:
            change.is_durable = change.is_durable or number in change.folders

    def sync_filesystem(self, path: StrOrBytes) -> None:
        try:
            self.power.disk_step("sync_filesystem")
        except OSError:
            self._spoil(list(self._inodes))
            raise
        for number in list(self._inodes):
            self._synced(number)
        for change in self._changes:
            change.is_durable = True

    def rename(
        self,
        source: StrOrBytes,
        target: StrOrBytes,
        *,
        source_dir_fd: int | None = None,
        target_dir_fd: int | None = None,
    ) -> None:
        self.power.disk_step("rename")
        old, new = _whole(source, source_dir_fd), _whole(target, target_dir_fd)
        is_of_folder = stat.S_ISDIR(os.lstat(old).st_mode)
        saved = b"" if is_of_folder else self._save(new)
        super().rename(source, target, source_dir_fd=source_dir_fd, target_dir_fd=target_dir_fd)
        self._note("rename", new, source=old, saved=saved, is_of_folder=is_of_folder)

    def rename_new(
        self,
        source: StrOrBytes,
        target: StrOrBytes,
        *,
        source_dir_fd: int | None = None,
        target_dir_fd: int | None = None,
    ) -> None:
        self.power.disk_step("rename_new")
        old, new = _whole(source, source_dir_fd), _whole(target, target_dir_fd)
        os.link(old, new, follow_symlinks=False)
        self._note("link", new)
        self.unlink(old)

    def link(
        self,
        source: StrOrBytes,
        target: StrOrBytes,
        *,
        source_dir_fd: int | None = None,
        target_dir_fd: int | None = None,
    ) -> None:
        self.power.disk_step("link")
        super().link(source, target, source_dir_fd=source_dir_fd, target_dir_fd=target_dir_fd)
        self._note("link", _whole(target, target_dir_fd))

    def symlink(self, content: StrOrBytes, path: StrOrBytes, *, dir_fd: int | None = None) -> None:
        self.power.disk_step("symlink")
        super().symlink(content, path, dir_fd=dir_fd)
        self._note("link", _whole(path, dir_fd))

    def unlink(self, path: StrOrBytes, *, dir_fd: int | None = None) -> None:
        self.power.disk_step("unlink")
        whole = _whole(path, dir_fd)
        saved = self._save(whole)
        super().unlink(path, dir_fd=dir_fd)
        self._note("unlink", whole, saved=saved)

    def mkdir(self, path: StrOrBytes, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        self.power.disk_step("mkdir")
        super().mkdir(path, mode, dir_fd=dir_fd)
        self._note("mkdir", _whole(path, dir_fd), is_of_folder=True)

    def rmdir(self, path: StrOrBytes, *, dir_fd: int | None = None) -> None:
        self.power.disk_step("rmdir")
        super().rmdir(path, dir_fd=dir_fd)
        self._note("rmdir", _whole(path, dir_fd), is_of_folder=True)

    def chmod(self, path: int | StrOrBytes, mode: int, *, dir_fd: int | None = None) -> None:
        self.power.disk_step("chmod")
        super().chmod(path, mode, dir_fd=dir_fd)

    def utime(
        self, path: int | StrOrBytes, atime_ns: int, mtime_ns: int, *, dir_fd: int | None = None
    ) -> None:
        self.power.disk_step("utime")
        super().utime(path, atime_ns, mtime_ns, dir_fd=dir_fd)

    def clone(self, source_fd: int, target_fd: int) -> bool:
        self._touch(target_fd)
        self.power.disk_step("clone")
        return super().clone(source_fd, target_fd)

    def copy_range(self, source_fd: int, target_fd: int, size: int) -> int:
        self._touch(target_fd)
        self.power.disk_step("copy_range")
        return super().copy_range(source_fd, target_fd, size)


class _Kept:
    """Changes that a loss of power leaves, met from the last to the first."""

    def __init__(self) -> None:
        self._names: set[bytes] = set()
        self._moves: list[tuple[bytes, bytes]] = []
        """(old, new) of folders that were renamed, the last first."""

    def now_at(self, path: bytes) -> bytes:
        """Return where a name lies now that lay at *path* before all that was met so far."""
        for old, new in reversed(self._moves):
            if path == old or path.startswith(old + b"/"):
                path = new + path[len(old) :]
        return path

    def holds(self, change: _Change) -> bool:
        """Tell whether something later that is kept could not be without *change*."""
        names = {self.now_at(name) for name in (change.path, change.source) if name}
        if names & self._names:
            return True
        return change.is_of_folder and any(
            kept.startswith(name + b"/") for name in names for kept in self._names
        )

    def add(self, change: _Change) -> None:
        names = {self.now_at(name) for name in (change.path, change.source) if name}
        self._names |= names
        if change.step == "rename" and change.is_of_folder:
            self._moves.append((change.source, change.path))


def _undo(change: _Change, path: bytes, source: bytes) -> None:
    if change.step in ("create", "link"):
        os.unlink(path)
    elif change.step == "mkdir":
        shutil.rmtree(path)
    elif change.step == "rmdir":
        os.mkdir(path)
    elif change.step == "rename":
        os.rename(path, source)
    if change.saved:
        os.link(change.saved, path, follow_symlinks=False)


def _whole(path: StrOrBytes, dir_fd: int | None) -> bytes:
    name = os.fsencode(path)
    if dir_fd is not None and not name.startswith(b"/"):
        name = os.path.join(os.readlink(b"/proc/self/fd/%d" % dir_fd), name)
    return os.path.abspath(name)


def _content(fd: int) -> bytes:
    try:
        return os.pread(fd, os.fstat(fd).st_size, 0)
    except OSError as error:
        if error.errno != errno.EBADF:
            raise
        return b""  # opened for writing only: a new file
