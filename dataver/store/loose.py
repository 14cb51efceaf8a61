"""Loose blobs: one read-only file per large blob, the source of reflinks and links.

Owns `objects/<algorithm>/<2 hex>/<rest>` of a cache folder.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from dataver.disk.digest import digest_file
from dataver.errors import local_error
from dataver.hashing import ALGORITHM_CODES, ALGORITHM_NAMES
from dataver.model.names import Oid

MANY = 300
"""Blobs asked for at once from which listing the folders is quicker than one `stat` each."""


class Loose:
    """The loose blobs below one cache folder."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def path(self, oid: Oid) -> str:
        """Return where the blob *oid* lies, or would lie."""
        digits = oid[1:].hex()
        return f"{self._folder}/objects/{ALGORITHM_NAMES[oid[0]]}/{digits[:2]}/{digits[2:]}"

    def oid_of_path(self, path: str) -> Oid | None:
        """Return the blob whose place *path* is, or None where it is no place of a blob."""
        parts = path.removeprefix(f"{self._folder}/objects/").split("/")
        code = ALGORITHM_CODES.get(parts[0])
        if len(parts) != 3 or code is None:
            return None
        try:
            oid = Oid(bytes((code,)) + bytes.fromhex(parts[1] + parts[2]))
        except ValueError:
            return None
        return oid if self.path(oid) == path else None

    def has(self, oid: Oid) -> bool:
        try:
            return stat.S_ISREG(os.lstat(self.path(oid)).st_mode)
        except OSError:
            return False

    def present(self, oids: Iterable[Oid]) -> set[Oid]:
        """Return those of *oids* that lie here."""
        wanted = list(oids)
        if len(wanted) < MANY:
            return {oid for oid in wanted if self.has(oid)}
        listed: dict[bytes, set[str]] = {}
        found = set()
        for oid in wanted:
            names = listed.get(oid[:2])
            if names is None:
                names = listed[oid[:2]] = self._list(os.path.dirname(self.path(oid)))
            if oid[2:].hex() in names:
                found.add(oid)
        return found

    @staticmethod
    def _list(folder: str) -> set[str]:
        try:
            return set(os.listdir(folder))
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise local_error(error, folder) from error

    def open(self, oid: Oid) -> int | None:
        """Return a descriptor of the blob, or None where it does not lie here."""
        try:
            return os.open(self.path(oid), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise local_error(error, self.path(oid)) from error

    def is_sound(self, oid: Oid) -> bool:
        """Tell whether the blob's bytes hash to its name; False where it is missing."""
        fd = self.open(oid)
        if fd is None:
            return False
        try:
            return digest_file(fd, oid[0], os.fstat(fd).st_size) == oid[1:]
        except OSError as error:
            raise local_error(error, self.path(oid)) from error
        finally:
            os.close(fd)
