"""A disk that fails, is killed or loses power where a test says so.

`CrashDisk` does everything for real below a folder and notes what was synced.  Before step number
*crash_at* it raises `Crash`, and so does every later step: nothing is cleaned up after a crash.
`after_power_loss` then builds what the next boot may find: data that was not synced is lost or torn,
and any subset of the names that were not synced is missing.
"""

from __future__ import annotations

import os
import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataver.disk.disk import Buffer, Disk, StrOrBytes


class Crash(BaseException):
    """The machine or the process is gone."""


@dataclass
class _File:
    current: bytes = b""
    synced: bytes | None = None


@dataclass
class _Folder:
    durable: dict[str, _File] = field(default_factory=dict)
    pending: list[tuple[str, _File | None]] = field(default_factory=list)


class CrashDisk(Disk):
    """The disk below *root*, which is empty at the beginning."""

    def __init__(self, root: Path, *, crash_at: int = -1, fail: dict[str, OSError] | None = None) -> None:
        self.root = root
        self.steps: list[str] = []
        self._crash_at = crash_at
        self._fail = fail or {}
        self._crashed = False
        self._files: dict[int, _File] = {}
        self._kept: list[int] = []
        self._folders: dict[str, _Folder] = {}

    # -- what a test asks

    def after_power_loss(self, target: Path, seed: int) -> None:
        """Fill *target* with one of the states in which the disk may come back."""
        choice = random.Random(seed)
        shutil.copytree(self.root, target, ignore=lambda d, names: [n for n in names if Path(d, n).is_file()])
        for folder, state in self._folders.items():
            names: dict[str, _File] = dict(state.durable)
            for name, file in state.pending:
                if choice.random() < 0.5:
                    if file is None:
                        names.pop(name, None)
                    else:
                        names[name] = file
            for name, file in names.items():
                where = target / os.path.relpath(folder, self.root) / name
                where.write_bytes(self._surviving(file, choice))

    @staticmethod
    def _surviving(file: _File, choice: random.Random) -> bytes:
        if file.synced == file.current:
            return file.current
        torn = file.current[: choice.randrange(len(file.current) + 1)]
        return choice.choice([file.synced or b"", torn, bytes(len(file.current))])

    # -- the disk

    def _step(self, name: str) -> None:
        if self._crashed or len(self.steps) == self._crash_at:
            self._crashed = True
            raise Crash
        self.steps.append(name)
        error = self._fail.pop(name, None)
        if error is not None:
            raise error

    def _at(self, path: StrOrBytes) -> tuple[_Folder, str]:
        folder, name = os.path.split(os.path.abspath(os.fsdecode(path)))
        return self._folders.setdefault(folder, _Folder()), name

    def _file(self, path: StrOrBytes) -> _File:
        return self._files[os.lstat(path).st_ino]

    def _note(self, path: StrOrBytes, file: _File | None) -> None:
        folder, name = self._at(path)
        folder.pending.append((name, file))

    def create(self, path: StrOrBytes, mode: int = 0o600, *, dir_fd: int | None = None) -> int:
        assert dir_fd is None
        self._step("create")
        fd = super().create(path, mode)
        file = _File()
        self._files[os.fstat(fd).st_ino] = file
        self._kept.append(os.dup(fd))  # its inode number must not be given to another file
        self._note(path, file)
        return fd

    def write(self, fd: int, data: Buffer) -> None:
        self._step("write")
        super().write(fd, data)
        self._files[os.fstat(fd).st_ino].current += bytes(data)

    def sync(self, fd: int) -> None:
        self._step("sync")
        file = self._files[os.fstat(fd).st_ino]
        file.synced = file.current

    def sync_folder(self, path: StrOrBytes, *, dir_fd: int | None = None) -> None:
        self._step("sync_folder")
        self._settle(self._folders.setdefault(os.path.abspath(os.fsdecode(path)), _Folder()))

    @staticmethod
    def _settle(folder: _Folder) -> None:
        for name, file in folder.pending:
            if file is None:
                folder.durable.pop(name, None)
            else:
                folder.durable[name] = file
        folder.pending.clear()

    def sync_filesystem(self, path: StrOrBytes) -> None:
        self._step("sync_filesystem")
        for file in self._files.values():
            file.synced = file.current
        for folder in self._folders.values():
            self._settle(folder)

    def rename(self, source: StrOrBytes, target: StrOrBytes, **fds: Any) -> None:
        self._step("rename")
        file = self._file(source)
        super().rename(source, target)
        self._note(target, file)
        self._note(source, None)

    def rename_new(self, source: StrOrBytes, target: StrOrBytes, **fds: Any) -> None:
        self._step("rename_new")
        file = self._file(source)
        super().rename_new(source, target)
        self._note(target, file)
        self._note(source, None)

    def unlink(self, path: StrOrBytes, *, dir_fd: int | None = None) -> None:
        self._step("unlink")
        super().unlink(path)
        self._note(path, None)

    def close(self) -> None:
        """Give back what keeps inode numbers from being used again."""
        for fd in self._kept:
            os.close(fd)
        self._kept.clear()
