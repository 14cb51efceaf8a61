"""A clone's copies of what a remote holds: disposable, so nothing here fails and nothing is synced.

Whoever reads one checks it against its hash, as if it had come from the remote.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Iterable, Set

from dataver.disk import atomic
from dataver.disk.disk import Disk
from dataver.errors import DataverError
from dataver.hashing import Buffer

_MAPPED_FROM = 4 * 1024 * 1024
_TEMP_AGE_S = 3600.0


class LocalCopies:
    """Named copies in one folder, or in memory where there is none."""

    def __init__(self, folder: str | None, disk: Disk) -> None:
        self._folder, self._disk = folder, disk
        self._held: dict[str, bytes] = {}
        if folder is not None:
            try:
                atomic.make_folders(disk, folder)
            except (DataverError, OSError):
                self._folder = None

    def read(self, name: str) -> Buffer | None:
        """Return a copy's bytes, None where there is none; a large file is mapped, not read."""
        if self._folder is None:
            return self._held.get(name)
        try:
            with open(os.path.join(self._folder, name), "rb") as file:
                if os.fstat(file.fileno()).st_size >= _MAPPED_FROM:
                    return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
                return file.read()
        except (OSError, ValueError):
            return None

    def write(self, name: str, parts: Iterable[Buffer]) -> None:
        """Keep a copy made of *parts*; where that fails there is none."""
        if self._folder is None:
            self._held[name] = b"".join(parts)
            return
        path = os.path.join(self._folder, name)
        temp = atomic.temp_name(self._folder)
        try:
            fd = self._disk.create(temp, 0o600)
            try:
                for part in parts:
                    self._disk.write(fd, part)
            finally:
                os.close(fd)
            atomic.move_over(self._disk, temp, path)
        except OSError:
            with contextlib.suppress(OSError):
                self._disk.unlink(temp)
        except BaseException:
            with contextlib.suppress(OSError):
                self._disk.unlink(temp)
            raise

    def remove(self, name: str) -> None:
        """Drop a copy where there is one."""
        if self._folder is None:
            self._held.pop(name, None)
            return
        with contextlib.suppress(OSError):
            self._disk.unlink(os.path.join(self._folder, name))

    def names(self, prefix: str) -> list[str]:
        """Return the names of copies that begin with *prefix*."""
        if self._folder is None:
            return [name for name in self._held if name.startswith(prefix)]
        try:
            return sorted(name for name in os.listdir(self._folder) if name.startswith(prefix))
        except OSError:
            return []

    def keep_only(self, prefix: str, names: Set[str]) -> None:
        """Drop the copies that begin with *prefix* and are none of *names*."""
        for name in self.names(prefix):
            if name not in names:
                self.remove(name)
        if self._folder is not None:
            # What a killed process was about to write.
            with contextlib.suppress(DataverError):
                atomic.sweep_temp(self._disk, self._folder, _TEMP_AGE_S)
