"""What a transfer is asked for: versions of targets, each whole or narrowed to some of its paths.

Pure, but for the two ends that are named here because every part of a transfer needs both.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from dataver.disk.disk import Disk
from dataver.errors import CorruptObjectError, Failure, MissingObjectError, show_path
from dataver.formats.redaction import NOTHING_ERASED, Erased
from dataver.model.names import Oid
from dataver.store.cache import Cache
from dataver.store.remote import Remote

_SIZE_TEXT = re.compile(r"([0-9]+(?:\.[0-9])?) (k|M|G|T|P|E|)B")
_UNITS = {unit: 1000**power for power, unit in enumerate(("", "k", "M", "G", "T", "P", "E"))}


class Scope(Protocol):
    """Which paths of a tree are wanted."""

    def __bool__(self) -> bool:
        """Tell whether anything is left out at all."""

    def matches(self, path: bytes) -> bool:
        """Tell whether *path* is wanted."""

    def ranges(self) -> list[tuple[bytes, bytes | None]] | None:
        """Return ranges `low <= path < high` that hold every wanted path; None for all paths."""


class _Everything:
    def __bool__(self) -> bool:
        return False

    def matches(self, path: bytes) -> bool:
        return True

    def ranges(self) -> list[tuple[bytes, bytes | None]] | None:
        return None


EVERYTHING: Scope = _Everything()
"""The scope that leaves nothing out."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a tracked file or folder."""

    root_id: bytes
    target: bytes
    """Path of the tracked file or folder, relative to the top of the work tree."""
    is_folder: bool
    files: int = 0
    """As the pointer says it, for people."""
    size: int = 0
    """In bytes, as exact as the pointer says it."""
    scope: Scope = EVERYTHING

    def shown(self, path: bytes) -> bytes:
        """Return what people call the entry *path* of this tree."""
        return self.target + b"/" + path if self.is_folder else self.target


@dataclass(frozen=True, slots=True)
class Ends:
    """The two ends of a transfer, and what holds between them."""

    cache: Cache
    remote: Remote
    disk: Disk
    erased: Erased = NOTHING_ERASED
    """What the journal's records say is erased, by commitment."""
    denies: Callable[[bytes, Oid], str] | None = None
    """Gives the erasure that forbids content everywhere or at a path of a tree, or the empty string;
    None: nothing is denied."""
    jobs: int = 8
    """Requests at the same time."""


def bytes_of_size_text(text: str) -> int:
    """Return about how many bytes `3.1 GB`, as a pointer says it, stands for; 0 for another text."""
    found = _SIZE_TEXT.fullmatch(text)
    return round(float(found[1]) * _UNITS[found[2]]) if found else 0


def missing_failure(shown: bytes, where: str) -> Failure:
    """Return that the object behind a path is nowhere; *where* names the places that were searched."""
    return MissingObjectError(show_path(shown), where).failure(shown)


def corrupt_failure(shown: bytes, where: str) -> Failure:
    """Return that the bytes behind a path are not what they should be."""
    return CorruptObjectError(show_path(shown), where).failure(shown)
